// Memory that compiled code stands in: one arena of a process, a memfd mapped twice, to write and to run, never both at
// one address.
//
// Why: a page that is changed back and forth costs a system call and a shoot-down each time; writing through the second
// mapping costs what writing costs. The arena lies within 2 GiB of this library's code where there is room, so that
// calls of helpers are direct, and is populated a chunk at a time before it is used.
//
// A block is given back when its owner is destroyed. Whoever owns code that others may be running destroys it when they
// have left (a hive retires executables, runtime/epochs.h); what is given back is filled with traps.
//
// Fork: the mapping is shared, so a child that wrote or freed code would rewrite its parent's. Before a fork the arena
// is copied, and the child maps the copy in place of the original: the code of both is their own from there on. A child
// made without libc (raw clone) finds a page wiped (MADV_WIPEONFORK) and takes a new arena for what it compiles; it
// leaves the inherited one alone.
//
// perf looks into maps of symbols (/tmp/perf-PID.map) only for code that is in no file, and takes a memfd for one. For
// it, stand_in_no_file() makes the arena of anonymous shared memory, mapped a second time by mremap.
//
// Errors: EPERM, EACCES and the like where executable memory is not allowed, ENOMEM when the arena is full; the message
// says so. Everything that was compiled before goes on. Threads: any; one lock, not taken to run code.
// Tested by: jit/code_memory_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "base/fd.h"
#include "base/result.h"

namespace skep::jit {

class CodeMemory {
 public:
  static constexpr std::size_t kArenaBytes = std::size_t{64} << 20;

  // The process's own, which forks take care of.
  static CodeMemory& of_process();
  // One of `bytes`, a multiple of the page size; nothing is mapped before it is needed.
  explicit CodeMemory(std::size_t bytes = kArenaBytes) : bytes_(bytes) {}
  ~CodeMemory();  // no block may be left
  CodeMemory(const CodeMemory&) = delete;
  CodeMemory& operator=(const CodeMemory&) = delete;

 private:
  struct Arena;

 public:
  // A piece of the arena. Movable; given back at the end.
  class Block {
   public:
    Block() = default;
    Block(Block&& other) noexcept;
    Block& operator=(Block&& other) noexcept;
    ~Block();

    const std::byte* code() const noexcept { return code_; }  // where it runs
    std::byte* writable() const noexcept;                     // where it is written, before it runs
    std::size_t size() const noexcept { return size_; }
    explicit operator bool() const noexcept { return code_ != nullptr; }

   private:
    friend class CodeMemory;
    Block(CodeMemory& memory, std::shared_ptr<Arena> arena, std::size_t offset, std::size_t size);

    CodeMemory* memory_ = nullptr;
    std::shared_ptr<Arena> arena_;
    const std::byte* code_ = nullptr;
    std::size_t size_ = 0;
  };

  // Between which addresses blocks lie.
  struct Range {
    std::uint64_t first = 0, last = 0;
  };
  Result<Range> range();
  // Room for `size` bytes of code, in `where`, which range() gave.
  Result<Block> allocate(std::size_t size);
  // For perf; without effect once there is an arena.
  void stand_in_no_file() noexcept;
  // Bytes in blocks.
  std::size_t used() const;

 private:
  static void before_fork();
  static void after_fork_in_parent();
  static void after_fork_in_child();

  Result<> prepare();  // all below: with the lock held
  Result<std::shared_ptr<Arena>> map();
  void give_back(Arena& arena, std::size_t offset, std::size_t size) noexcept;

  const std::size_t bytes_;
  bool in_file_ = true;
  mutable std::mutex mutex_;
  std::shared_ptr<Arena> arena_;
};

}  // namespace skep::jit
