// skep map top: how full maps are and how fast they change, again and again.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "cli/map_request.h"
#include "cli/style.h"
#include "cli/table.h"

namespace skep::cli {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

struct TopRequest : MapRequest {
  bool once = false;
  double interval = 1;
  std::uint64_t count = 0;
};

// What elements were there, as hashes: what came, went and changed is seen by comparing two.
class Contents {
 public:
  static constexpr std::size_t kMost = 1U << 18;  // of larger maps only the fill is known

  static std::optional<Contents> read(const LiveMap& map) {
    if (map.info.max_entries > kMost) return std::nullopt;
    const Elements elements = map.elements();
    if (elements != Elements::Values && elements != Elements::PerCpu && elements != Elements::References)
      return std::nullopt;
    Contents contents;
    const Result<> done = for_each_element(map.bpf, map.fd.get(), map.shape, [&](Bytes key, Bytes value) {
      contents.elements_.insert_or_assign(hash(key), hash(value));
      return true;
    });
    return done ? std::optional(std::move(contents)) : std::nullopt;
  }

  struct Changes {
    std::uint64_t came = 0, went = 0, changed = 0;
  };
  Changes since(const Contents& before) const {
    Changes changes;
    for (const auto& [key, value] : elements_) {
      const auto old = before.elements_.find(key);
      if (old == before.elements_.end())
        ++changes.came;
      else if (old->second != value)
        ++changes.changed;
    }
    changes.went = before.elements_.size() + changes.came - elements_.size();
    return changes;
  }
  std::uint64_t size() const { return elements_.size(); }

 private:
  static std::size_t hash(Bytes bytes) {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  std::unordered_map<std::size_t, std::size_t> elements_;
};

// One map at one time.
struct Sample {
  std::uint32_t id = 0;
  std::string name, type;
  std::optional<Fill> fill;
  bool records = false;  // the fill is bytes of a ring buffer
  std::uint64_t memory = 0;
  std::optional<Contents> contents;
  std::optional<Contents::Changes> changes;  // since the sample before
};

Sample sample_of(const LiveMap& map) {
  Sample sample{.id = map.info.id,
                .name = map.shape.name,
                .type = std::string(map.type_name()),
                .fill = std::nullopt,
                .records = map.elements() == Elements::Records,
                .memory = memory_bytes(map),
                .contents = Contents::read(map),
                .changes = std::nullopt};
  sample.fill = sample.contents ? Fill{sample.contents->size(), map.info.max_entries} : fill_of(map);
  return sample;
}

class Top {
 public:
  Top(TopRequest& request, BpfCall bpf) : request_(request), bpf_(std::move(bpf)) {}

  Expected<> run() {
    const bool terminal = ::isatty(1) == 1;
    std::uint64_t rounds = request_.count != 0 ? request_.count : terminal && !request_.once ? ~std::uint64_t{0} : 1;
    if (request_.once) rounds = 1;
    for (std::uint64_t i = 0; i < rounds; ++i) {
      if (i != 0) std::this_thread::sleep_for(std::chrono::duration<double>(request_.interval));
      const auto taken = take();
      if (!taken) return taken;
      if (terminal && rounds > 1 && !request_.json) fmt::print("\x1b[H\x1b[2J");
      if (request_.json) fmt::print("{}\n", json().dump());
      if (!request_.json) fmt::print("{}{}", i == 0 || terminal ? "" : "\n", text());
      std::fflush(stdout);
    }
    return {};
  }

 private:
  // The map that was asked for, or all there are.
  Expected<std::vector<LiveMap>> maps() const {
    std::vector<LiveMap> list;
    if (!request_.words.empty()) {
      Words rest;
      auto map = request_.open(rest, {});
      if (!map) return std::unexpected(map.error());
      list.push_back(*std::move(map));
      return list;
    }
    const auto ids = object_ids(bpf_, ObjectKind::Map);
    if (!ids) return std::unexpected(ids.error());
    for (const std::uint32_t id : *ids) {
      auto fd = object_by_id(bpf_, ObjectKind::Map, id);
      if (!fd) continue;  // gone meanwhile
      if (auto map = look_at_map(bpf_, *std::move(fd))) list.push_back(*std::move(map));
    }
    return list;
  }

  Expected<> take() {
    const auto list = maps();
    if (!list) return std::unexpected(list.error());
    std::map<std::uint32_t, Sample> before = std::exchange(samples_, {});
    const Clock::time_point now = Clock::now();
    seconds_ = std::chrono::duration<double>(now - taken_).count();
    taken_ = now;
    for (const LiveMap& map : *list) {
      Sample sample = sample_of(map);
      const auto old = before.find(sample.id);
      if (old != before.end() && old->second.contents && sample.contents)
        sample.changes = sample.contents->since(*old->second.contents);
      samples_.emplace(sample.id, std::move(sample));
    }
    return {};
  }

  std::string rate(const std::optional<Contents::Changes>& changes, std::uint64_t Contents::Changes::* which) const {
    return changes ? fmt::format("{:.1f}", static_cast<double>((*changes).*which) / seconds_) : "-";
  }

  std::string text() const {
    Table table({"name", "id", "type", "entries", "of", "full", "memory", "new/s", "gone/s", "changed/s"});
    for (const auto& [id, sample] : samples_) {
      table.add({sample.name, std::to_string(id), sample.type,
                 sample.fill ? grouped(sample.fill->used) + (sample.records ? " B" : "") : "-",
                 sample.fill ? grouped(sample.fill->most) : "-",
                 sample.fill ? share(sample.fill->used, sample.fill->most) : "-", grouped(sample.memory),
                 rate(sample.changes, &Contents::Changes::came), rate(sample.changes, &Contents::Changes::went),
                 rate(sample.changes, &Contents::Changes::changed)});
    }
    return table.text() + Style(stdout).faint("hits: not known, maps do not count how often they are read") + "\n";
  }

  Json json() const {
    Json list = Json::array();
    for (const auto& [id, sample] : samples_) {
      Json one = {{"id", id}, {"name", sample.name}, {"type", sample.type}, {"memory_bytes", sample.memory}};
      if (sample.fill) one[sample.records ? "bytes_waiting" : "entries"] = sample.fill->used;
      if (sample.fill) one["max_entries"] = sample.fill->most;
      if (sample.changes) {
        one["new"] = sample.changes->came;
        one["gone"] = sample.changes->went;
        one["changed"] = sample.changes->changed;
        one["seconds"] = seconds_;
      }
      list.push_back(std::move(one));
    }
    return list;
  }

  TopRequest& request_;
  BpfCall bpf_;
  std::map<std::uint32_t, Sample> samples_;
  Clock::time_point taken_ = Clock::now();
  double seconds_ = 0;  // between the last two samples
};

Expected<> top(TopRequest& request) {
  auto bpf = request.bpf();
  if (!bpf) return std::unexpected(bpf.error());
  return Top(request, *std::move(bpf)).run();
}

}  // namespace

void declare_map_top(CommandGroup& group) {
  auto [command, request] =
      declare_map_command<TopRequest>(group, "top", "Show how full maps are and how fast they change", {"[MAP]"}, top);
  command.add_flag("--once", request.once, "show it once; so it is when the output is no terminal");
  command.add_option("--interval", request.interval, "seconds from one look to the next")
      ->check(CLI::Range(0.01, 86400.0))
      ->capture_default_str()
      ->type_name("SECONDS");
  command.add_option("--count", request.count, "end after N looks")->check(CLI::PositiveNumber)->type_name("N");
  command.footer(fmt::format(
      "An element that is written with the value it has is none that changed; of maps with room for more than {}\n"
      "elements only the fill is shown. Neither the kernel nor a hive counts how often a map is read.",
      grouped(Contents::kMost)));
}

}  // namespace skep::cli
