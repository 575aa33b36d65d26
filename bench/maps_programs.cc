#include "maps_programs.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <barrier>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "map_programs/work.h"

namespace skep::bench {
namespace {

constexpr std::uint32_t kFillRuns = 256;  // in a row
constexpr std::uint64_t kChecked = 2000;  // elements in a map that is checked
constexpr std::uint32_t kChecks = 3;      // runs that are compared
constexpr double kLeast = 0.05;           // nanoseconds an operation: below that nothing can be told
constexpr double kThreadsBatches = 4;     // times as long as others: two threads must be at it together

// The program with as many steps that only makes keys.
std::string baseline_of(std::string_view program) { return program.ends_with("_once") ? "baseline_once" : "baseline"; }

// A case in a hive or the kernel, and the packet that its programs go on with.
class Side {
 public:
  explicit Side(std::shared_ptr<Loaded> loaded) : loaded_(std::move(loaded)), packet_(kPacket) {
    set({.random = 42, .first = 0, .elements = 0, .filled = 0, .errors = 0});
  }

  Result<> fill(std::uint64_t elements) {
    work now = state();
    now.elements = elements;
    set(now);
    TRY(const std::unique_ptr<Runner> fill, loaded_->runner("fill"));
    while (state().filled < elements) TRY_VOID(fill->run(packet_, kFillRuns));
    if (state().errors == 0) return {};
    return fail(EIO, fmt::format("{} of {} elements cannot be added", state().errors, elements));
  }
  Result<std::unique_ptr<Runner>> runner(std::string_view program) const {
    return loaded_->runner(std::string(program), program.ends_with("_once") ? Lease::EachRun : Lease::Once);
  }
  Result<Measured> measured(std::string_view program, double batch_time) {
    return measured(program, batch_time, packet_);
  }
  Result<Measured> measured(std::string_view program, double batch_time, MutableBytes packet) const {
    TRY(std::unique_ptr<Runner> runner, this->runner(program));
    return Measured::start(std::move(runner), packet, batch_time);
  }
  std::vector<std::byte>& packet() noexcept { return packet_; }
  Loaded& loaded() const noexcept { return *loaded_; }

 private:
  work state() const noexcept {
    work now;
    std::memcpy(&now, packet_.data(), sizeof now);
    return now;
  }
  void set(const work& now) noexcept { std::memcpy(packet_.data(), &now, sizeof now); }

  std::shared_ptr<Loaded> loaded_;
  std::vector<std::byte> packet_;
};

Result<Side> load_ours(const MapCase& map, hive::Engine engine) {
  TRY(std::shared_ptr<InHive> loaded, load_into_hive(object_path(map), engine));
  return Side(std::move(loaded));
}
// Nothing when there is no kernel to ask.
Result<std::optional<Side>> load_kernels(const MapCase& map) {
  Result<std::shared_ptr<Loaded>> loaded = load_into_kernel(object_path(map));
  if (!loaded && loaded.error().code == ENOTSUP) return std::nullopt;
  if (!loaded) return fail(loaded.error().code, "the kernel: " + loaded.error().message);
  return Side(*std::move(loaded));
}

// ---- One thread

// Nanoseconds an operation: a program's without those of its loop and keys.
class Operation {
 public:
  static Result<Operation> start(Side& side, const MapRow& row, double batch_time) {
    TRY(Measured whole, side.measured(row.program, batch_time));
    TRY(Measured baseline, side.measured(baseline_of(row.program), batch_time));
    return Operation(std::move(whole), std::move(baseline), row.operations);
  }
  Result<double> batch() {
    TRY(const double whole, whole_.batch());
    TRY(const double baseline, baseline_.batch());
    return std::max((whole - baseline) / operations_, kLeast);
  }

 private:
  Operation(Measured whole, Measured baseline, double operations)
      : whole_(std::move(whole)), baseline_(std::move(baseline)), operations_(operations) {}

  Measured whole_, baseline_;
  double operations_;
};

struct Sides {
  Side ours;
  std::optional<Side> kernel;
  double kmalloc_before = 0;  // kmalloc_bytes() before the kernel had its map
};

Result<Line> measure_row(Sides& sides, const MapRow& row, std::string name, const Plan& plan) {
  TRY(Operation ours, Operation::start(sides.ours, row, plan.batch_time));
  std::optional<Operation> kernel;
  if (sides.kernel) {
    TRY(kernel, Operation::start(*sides.kernel, row, plan.batch_time));
  }
  Batches our_times{};
  std::optional<Batches> kernel_times;
  if (kernel) kernel_times.emplace();
  for (std::size_t i = 0; i < kBatches; ++i) {
    TRY(our_times[i], ours.batch());
    if (kernel) {
      TRY((*kernel_times)[i], kernel->batch());
    }
  }
  return time_line(std::move(name), our_times, kernel_times, row.bar);
}

// ---- Two threads

void run_on(int cpu) noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

// What two threads do together, in units of what one does alone.
class Threads {
 public:
  static Result<Threads> start(Side& side, std::string_view program, const Plan& plan) {
    Threads threads;
    for (std::size_t i = 0; i < 2; ++i) {
      One& one = threads.one_[i];
      one.cpu = plan.cpus[i];
      one.packet = std::make_unique<std::vector<std::byte>>(side.packet());
      one.packet->front() ^= static_cast<std::byte>(i);  // its own keys
      TRY(Measured whole, side.measured(program, plan.batch_time * kThreadsBatches, *one.packet));
      one.whole.emplace(std::move(whole));
      TRY(Measured baseline, side.measured(baseline_of(program), plan.batch_time, *one.packet));
      one.baseline.emplace(std::move(baseline));
    }
    return threads;
  }

  Result<double> batch() {
    double baseline[2], alone[2], together[2];
    for (std::size_t i = 0; i < 2; ++i) {
      TRY_VOID(in_thread(i, [&](One& one) { return take(one.baseline->batch(), baseline[i]); }));
      TRY_VOID(in_thread(i, [&](One& one) { return take(one.whole->batch(), alone[i]); }));
    }
    std::barrier meet(2);
    Result<> done[2];
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < 2; ++i)
        threads.emplace_back([&, i] {
          run_on(one_[i].cpu);
          meet.arrive_and_wait();
          done[i] = take(one_[i].whole->batch(), together[i]);
        });
    }
    double work = 0;
    for (std::size_t i = 0; i < 2; ++i) {
      TRY_VOID(done[i]);
      work += std::max(alone[i] - baseline[i], kLeast) / std::max(together[i] - baseline[i], kLeast);
    }
    return work;
  }

 private:
  struct One {
    int cpu = 0;
    std::unique_ptr<std::vector<std::byte>> packet;
    std::optional<Measured> whole, baseline;
  };

  static Result<> take(Result<double> from, double& to) {
    TRY(to, std::move(from));
    return {};
  }
  template <class Do>
  Result<> in_thread(std::size_t i, Do function) {
    Result<> done;
    std::jthread([&] {
      run_on(one_[i].cpu);
      done = function(one_[i]);
    }).join();
    return done;
  }

  One one_[2];
};

Result<Line> measure_threads(Sides& sides, const ThreadsRow& row, std::string name, const Plan& plan) {
  TRY(Threads ours, Threads::start(sides.ours, row.program, plan));
  std::optional<Threads> kernel;
  if (sides.kernel) {
    TRY(kernel, Threads::start(*sides.kernel, row.program, plan));
  }
  Batches our_work{}, kernel_work{}, ones{};
  ones.fill(1);
  for (std::size_t i = 0; i < kBatches; ++i) {
    TRY(our_work[i], ours.batch());
    if (kernel) {
      TRY(kernel_work[i], kernel->batch());
    }
  }
  Line line{.name = std::move(name), .unit = "x", .ours = median(our_work)};
  if (kernel) line.kernel = median(kernel_work);
  line.spread = ratio(our_work, ones);
  line.reached = line.ours;
  line.bar = Bar{Bar::Kind::AtLeast, row.bar};
  return line;
}

// ---- Memory

Result<double> our_bytes(const Side& side) {
  auto& loaded = dynamic_cast<InHive&>(side.loaded());
  TRY(const std::size_t index, loaded.object().find_map("map"));
  TRY(const std::shared_ptr<maps::Map> map, loaded.hive().map(loaded.object().map_fd(index)));
  return static_cast<double>(map->memory_bytes());
}

// Bytes of the objects that are in use in kmalloc's caches, where a map of the kernel's has what it allocates element
// by element: the nodes of tries, which memlock counts by half, the inner ones and the rounding of sizes left out.
double kmalloc_bytes() {
  std::ifstream slabs("/proc/slabinfo");
  std::string line, name;
  double all = 0, objects = 0, allocated = 0, bytes = 0;
  while (std::getline(slabs, line))
    if (std::istringstream(line) >> name >> objects >> allocated >> bytes && name.starts_with("kmalloc"))
      all += objects * bytes;
  return all;
}

Result<double> memlock(const Side& side) {
  TRY(const std::size_t index, side.loaded().object().find_map("map"));
  std::ifstream info(fmt::format("/proc/self/fdinfo/{}", side.loaded().object().map_fd(index)));
  std::string word;
  double bytes = 0;
  while (info >> word)
    if (word == "memlock:" && info >> bytes) return bytes;
  return fail(EIO, "the kernel does not say how much memory a map takes");
}

Result<Line> measure_memory(const MapCase& map, const Sides& sides, std::string name) {
  const double entries = map.entries;
  Line line{.name = std::move(name), .unit = "bytes", .ours = 0};
  TRY(line.ours, our_bytes(sides.ours));
  line.ours /= entries;
  line.reached = line.ours;
  if (sides.kernel) {
    TRY(const double bytes, memlock(*sides.kernel));
    line.kernel = std::max(bytes, kmalloc_bytes() - sides.kmalloc_before) / entries;
  }
  if (map.memory == MemoryLimit::KeyValueAnd16)
    line.bar = Bar{Bar::Kind::AtMost, 1.15 * (map.key_bytes + map.value_bytes + 16)};
  else if (line.kernel)
    line.bar = Bar{Bar::Kind::AtMost, *line.kernel};
  return line;
}

// ---- A case

std::string name_of(const MapCase& map, const MapRow& row, Fill fill) {
  return fmt::format("{}/{}{}", map.name, row.program, fill == Fill::Half ? "/half" : "");
}
std::string name_of(const MapCase& map, const ThreadsRow& row) {
  return fmt::format("{}/{}/2-threads", map.name, row.program);
}
std::string memory_name(const MapCase& map) { return fmt::format("{}/memory", map.name); }

bool has(const MapRow& row, Fill fill) noexcept { return row.fill == Fill::Both || row.fill == fill; }

Result<> measure_rows(const MapCase& map, Sides& sides, Fill fill, const Plan& plan) {
  const std::uint64_t elements = fill == Fill::Half ? map.entries / 2 : map.entries;
  TRY_VOID(sides.ours.fill(elements));
  if (sides.kernel) TRY_VOID(sides.kernel->fill(elements));
  for (const MapRow& row : map.rows) {
    const std::string name = name_of(map, row, fill);
    if (!has(row, fill) || !plan.asked(name)) continue;
    TRY(Line line, measure_row(sides, row, name, plan));
    plan.found(std::move(line));
  }
  return {};
}

std::vector<std::string_view> programs_of(const MapCase& map) {
  std::vector<std::string_view> programs;
  for (const MapRow& row : map.rows) programs.push_back(row.program);
  for (const ThreadsRow& row : map.threads)
    if (std::ranges::find(programs, row.program) == programs.end()) programs.push_back(row.program);
  return programs;
}

Result<> check_program(std::string_view program, std::vector<Side>& sides) {
  for (std::uint32_t run = 0; run < kChecks; ++run) {
    std::optional<std::uint32_t> expected;
    for (Side& side : sides) {
      TRY(const std::unique_ptr<Runner> runner, side.runner(program));
      TRY(const std::uint32_t result, runner->run(side.packet(), 1));
      runner->drain();
      if (expected && (result != *expected || side.packet() != sides[0].packet()))
        return fail(EIO,
                    fmt::format("{}: run {} gives {:#x} and {:#x}, or other packets", program, run, *expected, result));
      expected = result;
    }
  }
  return {};
}

}  // namespace

Result<> measure(const MapCase& map, const Plan& plan) {
  TRY(Side ours, load_ours(map, hive::Engine::Jit));
  const double kmalloc_before = kmalloc_bytes();
  TRY(std::optional<Side> kernel, load_kernels(map));
  Sides sides{std::move(ours), std::move(kernel), kmalloc_before};
  for (const Fill fill : {Fill::Half, Fill::Full}) TRY_VOID(measure_rows(map, sides, fill, plan));
  for (const ThreadsRow& row : map.threads) {
    const std::string name = name_of(map, row);
    if (plan.cpus.size() < 2 || !plan.asked(name)) continue;
    TRY(Line line, measure_threads(sides, row, name, plan));
    plan.found(std::move(line));
  }
  if (map.memory == MemoryLimit::None || !plan.asked(memory_name(map))) return {};
  TRY(Line line, measure_memory(map, sides, memory_name(map)));
  plan.found(std::move(line));
  return {};
}

bool asks_for_any(const MapCase& map, const Plan& plan) {
  for (const MapRow& row : map.rows)
    for (const Fill fill : {Fill::Half, Fill::Full})
      if (has(row, fill) && plan.asked(name_of(map, row, fill))) return true;
  return std::ranges::any_of(map.threads, [&](const ThreadsRow& row) { return plan.asked(name_of(map, row)); }) ||
         (map.memory != MemoryLimit::None && plan.asked(memory_name(map)));
}

Result<> check(const MapCase& map) {
  std::vector<Side> sides;
  for (const hive::Engine engine : {hive::Engine::Jit, hive::Engine::Checked}) {
    TRY(Side side, load_ours(map, engine));
    sides.push_back(std::move(side));
  }
  TRY(std::optional<Side> kernel, load_kernels(map));
  if (kernel) sides.push_back(*std::move(kernel));
  for (Side& side : sides) TRY_VOID(side.fill(std::min<std::uint64_t>(map.entries, kChecked)));
  for (const std::string_view program : programs_of(map)) TRY_VOID(check_program(program, sides));
  return {};
}

}  // namespace skep::bench
