// skep run: a program on the packets of a capture.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/cpus.h"
#include "cli/command.h"
#include "cli/instance.h"
#include "cli/jit_options.h"
#include "cli/map_reader.h"
#include "cli/object_options.h"
#include "cli/progress.h"
#include "cli/run_report.h"
#include "cli/style.h"
#include "cli/table.h"
#include "hooks/net/capture.h"
#include "hooks/net/compare.h"
#include "hooks/net/feed.h"
#include "kernel/bpf.h"

namespace skep::cli {
namespace {

using namespace hooks::net;

constexpr std::size_t kShownDifferences = 20;

struct Options {
  std::string object, program, capture;
  std::string out_pass, out_drop, out_tx;
  std::string engine;  // empty: compiled code for what is verified, else the checked policy
  bool checked = false, unverified = hive::Options{}.verification == hive::Verification::Skipped;
  ObjectOptions object_options;
  JitOptions jit;
  std::uint64_t repeat = 1, limit = 0;
  std::vector<std::string> maps, records;
  bool dump_maps = false, json = false;
};

// The sides of NAME=SOMETHING.
std::pair<std::string, std::string> split(const std::string& text) {
  const std::size_t equals = text.find('=');
  return {text.substr(0, equals), text.substr(equals + 1)};
}

// ---- captures of what became of the packets

class Outputs {
 public:
  Expected<> open(const Options& options) {
    const std::pair<Fate, const std::string*> files[] = {
        {Fate::Pass, &options.out_pass}, {Fate::Drop, &options.out_drop}, {Fate::Tx, &options.out_tx}};
    for (const auto& [fate, path] : files) {
      if (path->empty()) continue;
      Result<CaptureWriter> writer = CaptureWriter::create(*path, LinkType::Ethernet);
      if (!writer) return give_up(Exit::Input, writer.error().message);
      writers_[static_cast<std::size_t>(fate)] = *std::move(writer);
    }
    return {};
  }

  // The packet as the program left it; of a socket filter's, as much as it wants to keep.
  Result<> write(Hook hook, const Verdict& verdict, const Packet& packet, const Outcome& outcome) {
    std::optional<CaptureWriter>& writer = writers_[static_cast<std::size_t>(verdict.fate)];
    if (!writer) return {};
    Packet out = packet;
    if (hook != Hook::Socket) {
      out.data = outcome.packet.subspan(std::min(outcome.metadata_bytes, outcome.packet.size()));
      out.wire_bytes = static_cast<std::uint32_t>(out.data.size());
    } else if (outcome.verdict != 0) {
      out.data = packet.data.first(std::min<std::size_t>(outcome.verdict, packet.data.size()));
    }
    return writer->write(out);
  }

  Result<> close() {
    for (auto& writer : writers_) {
      if (writer) TRY_VOID(writer->close());
    }
    return {};
  }

 private:
  std::array<std::optional<CaptureWriter>, 3> writers_;
};

// ---- the run

class Run final : public Consumer {
 public:
  explicit Run(const Options& options) : options_(options), all_(options.engine == "all") {
    report_.verdicts.resize(verdicts().size());
  }

  Exit go() {
    if (const Expected<> done = prepare(); !done) return cli::report(done.error());
    const Result<> fed =
        feed(*reader_, {.limit = options_.limit, .repeat = options_.repeat, .batch = all_ ? 1 : Engine::kBatch}, *this);
    if (!fed && !failure_) failure_ = Failure{Exit::Input, fed.error().message};
    if (const Result<> closed = outputs_.close(); !closed && !failure_)
      failure_ = Failure{Exit::Input, closed.error().message};
    progress_.reset();
    if (const Expected<> done = finish(); !done && !failure_) failure_ = done.error();
    if (options_.json) {
      fmt::print("{}\n", json(report_).dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    } else {
      fmt::print("{}", text(report_, Style(stdout).colour()));
    }
    if (failure_) return cli::report(*failure_);
    return report_.difference_count != 0 ? Exit::Difference : Exit::Ok;
  }

  bool take(const Batch& batch) override {
    frames_.clear();
    for (const Packet& packet : batch.packets) frames_.push_back(packet.data);
    const std::size_t ran = all_ ? run_all() : (engines_[0]->run(frames_, outcomes_[0]), 0);
    for (std::size_t i = 0; i < batch.packets.size() && !failure_; ++i) count(batch, i, outcomes_[ran][i]);
    if (all_ && !failure_) compare(batch);
    progress_->show([&] {
      const std::string part =
          reader_->bytes() == 0 ? "" : fmt::format("{} %, ", reader_->position() * 100 / reader_->bytes());
      return fmt::format("{}{} packets", part, grouped(report_.packets));
    });
    return !failure_;
  }

 private:
  Expected<> prepare() {
    Result<std::unique_ptr<CaptureReader>> reader = open_capture(options_.capture);
    if (!reader) return give_up(Exit::Input, reader.error().message);
    reader_ = *std::move(reader);
    auto object = object_bytes(options_.object, options_.object_options.cpu);
    if (!object) return std::unexpected(object.error());
    if (Expected<> done = load(*object); !done) return done;
    if (Expected<> done = find_record_types(); !done) return done;
    describe(*object);
    if (Expected<> done = outputs_.open(options_); !done) return done;
    progress_.emplace();
    return {};
  }

  // Which engines: one, or all there are.
  Expected<> load(const ObjectBytes& object) {
    LoadOptions loading{.program = options_.program,
                        .btf = options_.object_options.btf,
                        .maps = {},
                        .unverified = options_.unverified,
                        .jit = options_.jit};
    for (const std::string& text : options_.maps) {
      const auto& [map, file] = split(text);
      loading.maps.push_back({map, file});
    }
    for (const EngineKind kind : {EngineKind::Checked, EngineKind::Interp, EngineKind::Jit, EngineKind::Kernel}) {
      if (!all_ && options_.engine != name(kind)) continue;
      if (all_ && kind == EngineKind::Kernel && !kernel::available()) {
        report_.notes.push_back("engine kernel was left out: " + kernel::why_unavailable());
        continue;
      }
      auto instance = Instance::load(kind, object, loading);
      if (!instance) return std::unexpected(instance.error());
      auto engine = (*instance)->engine(all_ ? Instance::How::Test : Instance::How::Direct);
      if (!engine) return std::unexpected(engine.error());
      if (std::string note = (*instance)->engine_note(); !note.empty())
        report_.notes.push_back(fmt::format("engine {}: {}", name(kind), note));
      instances_.push_back(*std::move(instance));
      engines_.push_back(*std::move(engine));
    }
    outcomes_.assign(engines_.size(), std::vector<Outcome>(Engine::kBatch));
    if (all_) stay_on_this_cpu();  // what is kept for each CPU can only be compared on one
    return {};
  }

  Expected<> find_record_types() {
    for (const std::string& text : options_.records) {
      const auto& [map, type] = split(text);
      const auto found = instances_[0]->record_type(map, type);
      if (!found) return std::unexpected(found.error());
      record_types_[found->map] = found->type;
    }
    return {};
  }

  void describe(const ObjectBytes& object) {
    const Instance& first = *instances_[0];
    report_.object = object.name;
    report_.program = first.program().name;
    report_.type = spec::name(static_cast<spec::ProgType>(first.program().type));
    report_.capture = options_.capture;
    report_.hook = first.hook();
    report_.types = first.types();
    report_.compared = all_;
    if (first.kind() != EngineKind::Kernel) {
      if (options_.unverified) report_.notes.push_back("not verified: every access is checked while the program runs");
    }
    if (reader_->link() == LinkType::RawIp)
      report_.notes.push_back("raw IP capture: packets got an Ethernet header with addresses of zeros");
  }

  // Each engine on the one packet of the batch, the kernel first: a packet it does not take is given to nobody, so that
  // all maps go on seeing the same. The index of the engine whose outcome counts.
  std::size_t run_all() {
    for (std::size_t i = engines_.size(); i-- > 0;) {
      engines_[i]->run(frames_, std::span(outcomes_[i]).first(frames_.size()));
      if (i + 1 == engines_.size() && outcomes_[i][0].state == Outcome::State::Unfit) {
        for (auto& outcomes : outcomes_) outcomes[0] = outcomes_[i][0];
        break;
      }
    }
    return 0;
  }

  void count(const Batch& batch, std::size_t i, const Outcome& outcome) {
    const Packet& packet = batch.packets[i];
    ++report_.packets;
    report_.bytes += packet.data.size();
    if (outcome.state == Outcome::State::Unfit) {
      if (report_.unfit++ == 0) report_.unfit_why = fmt::format("packet {}: {}", batch.first + i, outcome.why);
      return;
    }
    if (outcome.state == Outcome::State::Stopped) {
      if (!all_) failure_ = Failure{Exit::Stopped, fmt::format("packet {}: {}", batch.first + i, outcome.why)};
      return;
    }
    const Verdict& verdict = verdict_of(report_.hook, outcome.verdict, packet.data.size());
    VerdictCount& counted = report_.verdicts[index_of(verdict)];
    ++counted.packets;
    counted.bytes += packet.data.size();
    if (batch.round != 0) return;
    if (Result<> written = outputs_.write(report_.hook, verdict, packet, outcome); !written)
      failure_ = Failure{Exit::Input, written.error().message};
  }

  void compare(const Batch& batch) {
    for (std::size_t i = 1; i < engines_.size(); ++i) {
      for (std::string& text : hooks::net::differences(report_.hook, engines_[0]->name(), outcomes_[0][0],
                                                       engines_[i]->name(), outcomes_[i][0])) {
        differs(fmt::format("packet {}: {}", batch.first, text));
      }
    }
    // All agree that the program goes wrong here: that is a failure of the program, not a difference.
    if (outcomes_[0][0].state == Outcome::State::Stopped && report_.difference_count == 0) {
      failure_ = Failure{Exit::Stopped, fmt::format("packet {}: {}", batch.first, outcomes_[0][0].why)};
    }
  }

  void differs(std::string text) {
    if (report_.difference_count++ < kShownDifferences) report_.differences.push_back(std::move(text));
  }

  Expected<> finish() {
    for (const auto& engine : engines_) report_.engines.push_back({std::string(engine->name()), engine->totals()});
    report_.printed = instances_[0]->printed();
    if (!report_.printed.note.empty()) report_.notes.push_back(report_.printed.note);
    if (!options_.dump_maps && !all_) return {};
    const std::vector<loader::Map>& maps = instances_[0]->object().maps();
    for (std::size_t i = 0; i < maps.size(); ++i) {
      Result<MapContents> first = contents(0, i);
      if (!first) return give_up(Exit::Unavailable, first.error().message);
      for (std::size_t k = 1; k < instances_.size(); ++k) {
        Result<MapContents> other = contents(k, i);
        if (!other) return give_up(Exit::Unavailable, other.error().message);
        for (std::string& text :
             cli::differences(engines_[0]->name(), *first, engines_[k]->name(), *other, kShownDifferences))
          differs(std::move(text));
      }
      if (options_.dump_maps) report_.maps.push_back(*std::move(first));
    }
    return {};
  }

  Result<MapContents> contents(std::size_t instance, std::size_t map) {
    Instance& from = *instances_[instance];
    Result<MapContents> read = read_map([&from](int command, spec::Attr& attr) { return from.bpf(command, attr); },
                                        from.object().map_fd(map), shape_of(from.object().maps()[map]));
    if (const auto type = record_types_.find(map); read && type != record_types_.end())
      read->shape.value_type = type->second;
    return read;
  }

  const Options& options_;
  bool all_;
  RunReport report_;
  std::optional<Failure> failure_;
  std::unique_ptr<CaptureReader> reader_;
  std::vector<std::unique_ptr<Instance>> instances_;
  std::vector<std::unique_ptr<Engine>> engines_;
  std::vector<std::vector<Outcome>> outcomes_;  // by engine
  std::vector<Bytes> frames_;
  std::map<std::size_t, std::uint32_t> record_types_;  // BTF id by index of the ring buffer
  Outputs outputs_;
  std::optional<Progress> progress_;
};

}  // namespace

void declare_run(Program& program) {
  CLI::App* command = program.app.add_subcommand("run", "Run a program on the packets of a capture");
  auto options = std::make_shared<Options>();
  command
      ->add_option("PROG", options->object, "a BPF program: C source (.c), compiled with clang-19, or an object file")
      ->required();
  command->add_option("--prog", options->program, "program to run, when the object has several")->type_name("NAME");
  command->add_option("--pcap", options->capture, "capture to read: pcap or pcapng, Ethernet or raw IP")
      ->type_name("IN")
      ->required();
  command->add_option("--out-pass", options->out_pass, "write the packets that pass")->type_name("FILE");
  command->add_option("--out-drop", options->out_drop, "write the packets that are dropped")->type_name("FILE");
  command->add_option("--out-tx", options->out_tx, "write the packets that are sent out or redirected")
      ->type_name("FILE");
  command
      ->add_option("--engine", options->engine,
                   "checked: each access against the live objects; interp: plain; jit: compiled; kernel: the running "
                   "kernel; all: each, and compare (default: checked for programs that are not verified, else jit)")
      ->check(CLI::IsMember({"checked", "interp", "jit", "kernel", "all"}))
      ->type_name("ENGINE");
  command->add_flag("--checked", options->checked, "the same as --engine checked")->excludes("--engine");
  command->add_flag(
      "--verified,!--unverified", [options](std::int64_t n) { options->unverified = n < 0; },
      "whether the program is verified before it runs; one that is not runs with every access checked");
  add_jit_options(*command, options->jit);
  command->add_option("--repeat", options->repeat, "feed the capture N times")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->type_name("N");
  const auto pair_of = [](const char* form) {
    const auto check = [form](const std::string& text) {
      const std::size_t equals = text.find('=');
      return equals == 0 || equals == std::string::npos || equals + 1 == text.size()
                 ? fmt::format("expected {}, found \"{}\"", form, text)
                 : "";
    };
    return CLI::Validator(check, "", "");
  };
  command
      ->add_option("--map", options->maps,
                   "first contents of a map, or of global data (.rodata ...), as JSON; may be given several times")
      ->check(pair_of("NAME=FILE"))
      ->type_name("NAME=FILE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_flag("--dump-maps", options->dump_maps, "print the maps at the end");
  command
      ->add_option("--record", options->records,
                   "type (of the object's BTF) of a ring buffer's records, to print them by; others are printed as "
                   "bytes; may be given several times")
      ->check(pair_of("NAME=TYPE"))
      ->type_name("NAME=TYPE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--limit", options->limit, "stop after N packets of the capture")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  add_object_options(*command, options->object_options);
  command->add_flag("--json", options->json, "print the result as JSON");
  command->footer(
      "Program types: xdp, tc (sched_cls, sched_act) and socket filters; contexts are those of a test run on the\n"
      "loopback interface, so that every engine sees the same. Packets of a raw IP capture get an Ethernet header\n"
      "(addresses of zeros), also in what is written. Socket filters see a packet from its network header on, and "
      "their\n"
      "result is the number of bytes to keep.");
  command->callback([&program, options] {
    if (options->engine.empty()) options->engine = options->checked || options->unverified ? "checked" : "jit";
    program.chosen = [options] { return Run(*options).go(); };
  });
}

}  // namespace skep::cli
