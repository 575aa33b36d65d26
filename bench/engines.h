// A benchmark program in each form it can run in. All forms start from the same packet, and must agree on the numbers
// the program returns and on the packet it leaves.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace skep::bench {

inline constexpr std::size_t kPacket = 2048;  // bytes, as in programs/program.h

enum class Form : std::uint8_t {
  Native,   // clang -O2 without vectorizers
  Vector,   // clang -O2
  Jit,      // compiled by skep, verified
  Interp,   // skep's interpreter
  Checked,  // and with its checked policy: in --check only
  Kernel,   // the running kernel, by PROG_TEST_RUN
};
inline constexpr std::size_t kForms = 6;
std::string_view name(Form form) noexcept;

struct XdpMd {  // what native programs take: struct xdp_md of programs/native_side.h
  std::uint64_t data, data_end;
};

struct Program {
  using Native = int (*)(XdpMd* ctx);
  using Prepare = void (*)(std::uint8_t* packet);
  struct NativeForm {
    Native bench, setup;  // setup may be null
  };
  std::string_view kind, name;
  NativeForm native, vector;
  Prepare prepare;
};

// The rows of programs.def, by kind.
std::vector<Program> programs();

// The program loaded in one form.
class Runner {
 public:
  virtual ~Runner() = default;
  // Runs the program's setup, if it has one.
  virtual Result<> set_up() = 0;
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

// What the compiler is given: how much, and how long it takes.
struct CompileCost {
  std::size_t insns = 0;
  double nanoseconds = 0;  // median of 101 times
};

// ENOTSUP: this machine does not have this form (no kernel to ask).
Result<std::unique_ptr<Runner>> load(const Program& program, Form form);
Result<std::unique_ptr<Runner>> load_into_kernel(const Program& program);  // kernel_side.cc
Result<CompileCost> compile_cost(const Program& program);

// The file that clang made of a program for BPF.
std::string object_path(const Program& program);

// Forgets what ring buffers hold: their reader's position is set to their writer's.
class Rings {
 public:
  Rings() = default;
  ~Rings();
  Rings(Rings&& other) noexcept : pages_(std::move(other.pages_)) { other.pages_.clear(); }
  Rings& operator=(Rings&& other) noexcept {
    pages_.swap(other.pages_);
    return *this;
  }
  Result<> add(int map_fd);
  void drain() noexcept;
  // The most runs before the next drain, of programs of ring/.
  std::uint32_t most_runs(std::uint32_t otherwise) const noexcept { return pages_.empty() ? otherwise : 512; }

 private:
  struct Pages {
    void* reader;
    void* writer;
  };
  std::vector<Pages> pages_;
};

// Nanoseconds of processor time that this thread has used.
double thread_time() noexcept;

}  // namespace skep::bench
