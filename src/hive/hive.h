// A hive: one eBPF instance with its programs, maps, BTFs and links. bpf(2) is its whole surface.
//
// call() is bpf(2): the same commands, attributes, sizes and errno numbers as Linux 6.12. Whoever calls is a Caller,
// which knows how to reach the caller's memory and descriptors. Inside, a table row per command names its function, its
// last attribute (the size rule) and where it runs (decision 10): "host" commands only take and return flat structures
// and descriptors, so that the hive can stand in another process. Threads: any; the object table has its own
// lock, shared by look-ups; element operations hold none while they work.
//
// A hive for several processes has one of its own (src/host). Used directly it belongs to this one: after a fork both
// sides share the maps that existed, byte for byte, but neither sees objects that the other makes. A process that forks
// while another of its threads is in a call must not use the hive in the child. docs/design/hive.md. Tested by:
// hive/*_test.cc, fuzz/bpf_fuzz.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"
#include "btf/record.h"
#include "exec/executable.h"
#include "exec/failure.h"
#include "hive/caller.h"
#include "hive/listed_map.h"
#include "hive/perf_output.h"
#include "hive/wakeup.h"
#include "jit/jit.h"
#include "maps/map.h"
#include "runtime/run.h"
#include "runtime/system_host.h"
#include "spec/types.h"

namespace skep::spec {
struct VerifyInput;
}
namespace skep::verifier {
struct Verdict;
}

namespace skep::hive {

// What programs run on: the interpreter with its checked or plain policy, or machine code. Where a program cannot be
// compiled (no executable memory, another processor), the plain interpreter takes it, and Program::note says so.
enum class Engine : std::uint8_t { Checked, Interp, Jit };

// Whose programs' constants are blinded (jit/jit.h): net.core.bpf_jit_harden, 0 to 2.
enum class Harden : std::uint8_t { Nobody, Unprivileged, All };

// Whether programs are verified before they run. Skipped is for experiments, and for tests of engines with programs
// that no verifier lets through: these always run under the checked policy.
enum class Verification : std::uint8_t { Required, Skipped };

// What PROG_TEST_RUN starts a repetition with.
enum class Repeat : std::uint8_t {
  Continue,  // the packet as the repetition before left it, as in the kernel
  Reset,     // the packet and context as the caller gave them
};

// Is shown what the verifier was asked and what it said, at every BPF_PROG_LOAD that came that far: numbers that bpf(2)
// does not give, and what a second verification needs. What it is shown lives until it returns.
class LoadObserver {
 public:
  virtual ~LoadObserver() = default;
  virtual void verified(const spec::VerifyInput& asked, const verifier::Verdict& said) = 0;
};

struct Options {
  Engine engine = Engine::Checked;
  jit::Options jit = {};  // of compiled programs
  Harden harden = Harden::Nobody;
  Verification verification = Verification::Required;
  LoadObserver* observer = nullptr;
  exec::Host* host = nullptr;  // surroundings of runs; null: the system's own, Hive::system()
  Repeat repeat = Repeat::Continue;
  // Instructions that one repetition of PROG_TEST_RUN may execute; 0: no limit. Programs that no verifier has seen
  // may loop for ever, and those it has seen for years.
  std::uint64_t budget = std::uint64_t{1} << 32;
  // Whether callers without CAP_BPF may make simple maps and load socket filters and cgroup filters, which are then
  // verified as the unprivileged's. The kernel's opposite: kernel.unprivileged_bpf_disabled.
  bool unprivileged = false;
  // The file with the types of the kernel that programs are attached to and whose structures they read; none if empty.
  std::string kernel_btf = "/sys/kernel/btf/vmlinux";
  // The folder for which /sys/fs/bpf stands in BPF_OBJ_PIN and BPF_OBJ_GET, which exists and is the hive's alone.
  // Empty: one of its own, made with the first pin.
  std::string bpffs = {};
};

struct State;
class MapHandle;

class Hive {
 public:
  static Result<std::unique_ptr<Hive>> create(Options options);
  ~Hive();

  // bpf(cmd, attr, size): a descriptor, a count or 0; or a negative errno.
  long call(Caller& caller, int cmd, std::uint64_t attr, std::uint32_t size) noexcept;

  // True when `fd` of this process is an object of a hive (a map, program, BTF or link).
  static bool owns(int fd) noexcept;
  // True when it is an object of this one.
  bool holds(int fd) const noexcept;

  // ---- for hooks and tools in this process, past the descriptors. What these return keeps its object and the hive's
  // insides alive, as a descriptor would.
  struct Program {
    spec::ProgId id{};
    std::shared_ptr<const exec::Executable> code;  // bound with Options::engine
    runtime::Counters* counters = nullptr;         // lives as long as `code`
    std::string note;                              // why that was not possible, and another engine took it; or empty
  };
  Result<Program> program(int fd) const;
  Result<std::shared_ptr<maps::Map>> map(int fd) const;
  maps::Domain& domain() noexcept;
  // The folder where pins are files: Options::bpffs, or the hive's own, which goes with it.
  Result<std::string> bpffs();
  // What another process needs to work on a map's elements by itself: its memory, and what bpf(2) knows of values. The
  // mapping keeps nothing alive. EOPNOTSUPP: the elements are not plain bytes (hive/elements.h).
  struct SharedMap {
    Fd memory;
    spec::MapSpec spec;
    std::vector<btf::SpecialField> fields;
  };
  Result<SharedMap> share(int map_fd) const;
  // The maps with ids above `after`, in the order of their ids, as many as there is room for: how many.
  std::size_t list_maps(std::uint32_t after, std::span<ListedMap> to) const;
  // For exec::Call::host: the surroundings of Options, with this hive's objects behind references.
  exec::Host& host() noexcept;
  // Runs a program with `call`, whose host and context are set. Takes a virtual CPU if it needs one, counts.
  std::uint64_t run(const Program& program, exec::Call& call) noexcept;
  // The surroundings used when Options name none: its sinks, and read_trace().
  runtime::SystemHost& system() noexcept;
  // What is waited for in place of the descriptor of a ring buffer or a perf event, to which the eventfd belongs.
  // EINVAL when `fd` is neither.
  Result<Wakeup> wakeup(int fd) const;
  // A perf event that receives what programs output, for arrays of this hive.
  Result<Fd> open_perf_output(const PerfOutputSpec& spec);
  // Why the last PROG_TEST_RUN of this thread was stopped by its engine (kind None when it was not).
  static const exec::Failure& last_failure() noexcept;
  // A sentence about the last call of this thread that failed; empty when there is none to add to the errno.
  static const std::string& last_error() noexcept;

 private:
  friend class MapHandle;  // the elements of a map, past bpf(2): hive/map_handle.h
  explicit Hive(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace skep::hive
