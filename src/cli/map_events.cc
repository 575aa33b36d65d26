// skep map event-pipe: the records of a ring buffer or a perf event array, as they come.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "btf/print.h"
#include "cli/json_value.h"
#include "cli/map_dump.h"
#include "cli/map_request.h"
#include "cli/perf_reader.h"
#include "cli/ring_reader.h"
#include "cli/type_source.h"
#include "spec/types.h"

namespace skep::cli {
namespace {

using Json = nlohmann::ordered_json;

struct EventRequest : MapRequest {
  std::string type;
  std::uint64_t count = 0;  // 0: no end
  bool once = false, keep = false;
};

// A reader looks this often: a hive's ring buffer may be in another process, whose wake-ups do not come here.
constexpr std::chrono::milliseconds kPause{20};

class Printer {
 public:
  Printer(const EventRequest& request, const LiveMap& map, std::uint32_t type)
      : request_(request), map_(map), type_(type) {}

  // False: that was the last one that is wanted.
  bool record(Bytes data, const unsigned* cpu) {
    const Json shown = value_of(data);
    if (request_.json) {
      Json line = {{"bytes", data.size()}, {"record", shown}};
      if (cpu != nullptr) line["cpu"] = *cpu;
      fmt::print("{}\n", line.dump(-1, ' ', false, Json::error_handler_t::replace));
    } else {
      fmt::print("{}{}\n", cpu == nullptr ? "" : fmt::format("CPU {}: ", *cpu), word_of(shown));
    }
    return ++printed_ != request_.count;
  }
  void lost(std::uint64_t records, unsigned cpu) const {
    fmt::print(stderr, "skep: {} records were lost on CPU {}: they came faster than they were read\n", records, cpu);
  }

 private:
  // A record may be longer than its type, by what pads it.
  Json value_of(Bytes data) const {
    const auto bytes = type_ == 0 ? std::nullopt : map_.types->size_of(type_);
    return bytes && *bytes <= data.size() ? decode(map_.types.get(), type_, data.first(*bytes))
                                          : decode(nullptr, 0, data);
  }

  const EventRequest& request_;
  const LiveMap& map_;
  std::uint32_t type_;
  std::uint64_t printed_ = 0;
};

Expected<std::uint32_t> record_type(const EventRequest& request, const LiveMap& map) {
  if (request.type.empty()) return 0;
  const auto id = map.types ? find_type(*map.types, request.type) : std::nullopt;
  if (id && map.types->size_of(*id)) return *id;
  return give_up(Exit::Input,
                 fmt::format("--type: {} \"{}\"; name the object file of the program with --btf",
                             map.types ? "the BTF has no type" : "the map has no BTF, and no type", request.type));
}

// Calls `round`, which returns false when it has had enough, until then, or once.
template <class Round>
void again(bool once, Round round) {
  while (round() && !once) {
    std::fflush(stdout);
    std::this_thread::sleep_for(kPause);
  }
  std::fflush(stdout);
}

Expected<> from_ring(const EventRequest& request, const LiveMap& map, Printer printer) {
  const auto use = request.keep ? RingReader::Use::Look : RingReader::Use::Take;
  Result<RingReader> ring = RingReader::open(map.fd.get(), map.info.max_entries, use);
  if (!ring) return give_up(Exit::Unavailable, fmt::format("map {}: {}", map.shape.name, ring.error().message));
  again(request.once || request.keep, [&] {
    bool more = true;
    ring->read([&](Bytes data) { return more = printer.record(data, nullptr); });
    return more;
  });
  return {};
}

Expected<> from_perf(const EventRequest& request, const LiveMap& map, Printer printer) {
  auto reader = PerfReader::open(map);
  if (!reader) return std::unexpected(reader.error());
  again(request.once, [&] {
    bool more = true;
    reader->read([&](const PerfReader::Record& record) {
      if (record.lost != 0) return printer.lost(record.lost, record.cpu), true;
      return more = printer.record(record.data, &record.cpu);
    });
    return more;
  });
  return {};
}

Expected<> events(EventRequest& request) {
  Words words;
  const auto map = request.open(words, {});
  if (!map) return std::unexpected(map.error());
  const auto type = record_type(request, *map);
  if (!type) return std::unexpected(type.error());
  const Printer printer(request, *map, *type);
  if (map->elements() == Elements::Records) return from_ring(request, *map, printer);
  if (static_cast<spec::MapType>(map->info.type) == spec::MapType::PerfEventArray)
    return from_perf(request, *map, printer);
  return give_up(Exit::Usage, fmt::format("map {} is of type {}; expected a ringbuf or a perf_event_array",
                                          map->shape.name, map->type_name()));
}

}  // namespace

void declare_map_event_pipe(CommandGroup& group) {
  auto [command, request] = declare_map_command<EventRequest>(
      group, "event-pipe", "Print the records of a ring buffer or a perf event array as they come", {"MAP"}, events);
  command.add_option("--type", request.type, "what a record is, by its name in the BTF; else its bytes are printed")
      ->type_name("TYPE");
  command.add_option("--btf", request.types_file, "take the types from FILE, an object file or raw BTF")
      ->type_name("FILE");
  command.add_option("--count", request.count, "end after N records")->check(CLI::PositiveNumber)->type_name("N");
  command.add_flag("--once", request.once, "end when there are no more, do not wait");
  command.add_flag("--keep", request.keep, "show what is in a ring buffer and leave it there; implies --once");
  command.footer(
      "A ring buffer has one consumer: records that are printed here no other reader gets. A perf event array gets an\n"
      "event for each CPU in place of those that were in it; they are gone when the command ends.");
}

}  // namespace skep::cli
