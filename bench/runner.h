// Something that runs one program on a packet, again and again, and where programs of an object file come from: a hive
// or the running kernel.
//
// Threads: a runner belongs to one. Runners of the same object may run at the same time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "hive/hive.h"
#include "loader/object.h"

namespace skep::bench {

inline constexpr std::size_t kPacket = 2048;  // bytes, as in programs/program.h

class Runner {
 public:
  virtual ~Runner() = default;
  // Runs it `times` times, each on the packet as the last left it: what the last returned. `packet` is changed.
  virtual Result<std::uint32_t> run(MutableBytes packet, std::uint32_t times) = 0;
  // Nanoseconds that so many runs take: of processor time, without what is not the program's (the kernel's floor).
  virtual Result<double> time(MutableBytes packet, std::uint32_t times);
  // Runs after which ring buffers must be drained, and draining: nothing is left in them.
  virtual std::uint32_t most_runs() const { return kMostRuns; }
  virtual void drain() {}

 protected:
  static constexpr std::uint32_t kMostRuns = 1 << 15;
};

// Nanoseconds of processor time that this thread has used.
double thread_time() noexcept;

// Forgets what ring buffers hold: their reader's position is set to their writer's.
class Rings {
 public:
  Rings() = default;
  ~Rings();
  Rings(const Rings&) = delete;
  Rings& operator=(const Rings&) = delete;
  Result<> add(int map_fd);
  void drain() noexcept;
  // The most runs before the next drain: programs write 2 KiB a run at most.
  std::uint32_t most_runs(std::uint32_t otherwise) const noexcept { return pages_.empty() ? otherwise : 512; }

 private:
  struct Pages {
    void* reader;
    void* writer;
  };
  std::vector<Pages> pages_;
};

// The virtual CPU of programs in a hive: taken once for all runs, as PROG_TEST_RUN does in the kernel, or by each run
// that needs one, as hooks do.
enum class Lease : std::uint8_t { Once, EachRun };

// An object file whose maps and programs were loaded.
class Loaded : public std::enable_shared_from_this<Loaded> {
 public:
  virtual ~Loaded() = default;
  // Runs the program of this name, and keeps the object. ENOENT.
  virtual Result<std::unique_ptr<Runner>> runner(const std::string& program, Lease lease = Lease::Once) = 0;
  const loader::Object& object() const noexcept { return object_; }

 protected:
  explicit Loaded(loader::Object object) : object_(std::move(object)) {}
  // By the target of this thread's bpf(2) calls.
  Result<> load();
  Result<int> program_fd(const std::string& program) const;

  loader::Object object_;
  Rings rings_;
};

// What the compiler is given: how much, and how long it takes.
struct CompileCost {
  std::size_t insns = 0;
  double nanoseconds = 0;  // median of 101 times
};

class InHive : public Loaded {  // in one of its own
 public:
  virtual hive::Hive& hive() noexcept = 0;
  virtual Result<CompileCost> compile_cost(const std::string& program) const = 0;

 protected:
  using Loaded::Loaded;
};

Result<std::shared_ptr<InHive>> load_into_hive(const std::string& file, hive::Engine engine);
// ENOTSUP: this machine has none that we may use.
Result<std::shared_ptr<Loaded>> load_into_kernel(const std::string& file);

}  // namespace skep::bench
