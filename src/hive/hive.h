// A hive: one eBPF instance with its programs, maps, BTFs and links. bpf(2) is its whole surface.
//
// call() is bpf(2): the same commands, attributes, sizes and errno numbers as Linux 6.12. Whoever calls is a Caller,
// which knows how to reach the caller's memory and descriptors. Inside, a table row per command names its function, its
// last attribute (the size rule) and where it runs (decision 10): "host" commands only take and return flat structures
// and descriptors, so that the hive can later stand in another process. Threads: any; the object table has its own
// lock, element operations take none.
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"
#include "exec/executable.h"
#include "exec/failure.h"
#include "maps/map.h"
#include "spec/types.h"

namespace skep::hive {

// Effective capabilities that bpf(2) asks about.
struct Privilege {
  bool bpf = true, perfmon = true, net_admin = true, sys_admin = true;
};

// Where a call comes from.
class Caller {
 public:
  virtual ~Caller() = default;
  // Copy from and to the caller's memory: false when the address is bad (EFAULT), never a crash.
  virtual bool copy_in(std::uint64_t address, MutableBytes to) noexcept = 0;
  virtual bool copy_out(std::uint64_t address, Bytes from) noexcept = 0;
  // The descriptor `fd` of the caller, duplicated for our inspection; invalid when it has none.
  virtual Fd descriptor(int fd) noexcept = 0;
  // Gives the caller a close-on-exec descriptor for `object`: its number, or a negative errno.
  virtual int install(Fd object) noexcept = 0;
  virtual Privilege privilege() const noexcept = 0;
};

// The calling process itself.
class LocalCaller final : public Caller {
 public:
  bool copy_in(std::uint64_t address, MutableBytes to) noexcept override;
  bool copy_out(std::uint64_t address, Bytes from) noexcept override;
  Fd descriptor(int fd) noexcept override;
  int install(Fd object) noexcept override;
  Privilege privilege() const noexcept override;
};

enum class Engine : std::uint8_t { Checked, Interp };  // the policy programs are bound with

struct Options {
  Engine engine = Engine::Checked;
  exec::Host* host = nullptr;  // surroundings of runs; null: the system's own
};

class Hive {
 public:
  static Result<std::unique_ptr<Hive>> create(Options options);
  ~Hive();

  // bpf(cmd, attr, size): a descriptor, a count or 0; or a negative errno.
  long call(Caller& caller, int cmd, std::uint64_t attr, std::uint32_t size) noexcept;

  // True when `fd` of this process is an object of a hive (a map, program, BTF or link).
  static bool owns(int fd) noexcept;

  // ---- for hooks and tools in this process, past the descriptors.
  struct Program {
    spec::ProgId id;
    std::shared_ptr<const exec::Executable> code;  // bound with Options::engine
  };
  Result<Program> program(int fd) const;
  Result<std::shared_ptr<maps::Map>> map(int fd) const;
  maps::Domain& domain() noexcept;
  // Why the last PROG_TEST_RUN of this thread was stopped by its engine (kind None when it was not).
  static const exec::Failure& last_failure() noexcept;

 private:
  struct State;
  explicit Hive(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace skep::hive
