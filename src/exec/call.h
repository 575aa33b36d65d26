// One run of a program: everything its helpers may reach, and what it leaves behind for the hook.
//
// A Call lives on the caller's stack for one invocation (tail calls included). Helper bodies take it as their
// first argument. Inputs that a replay must reproduce (time, randomness, process ids) come from the Host.
#pragma once

#include <time.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "exec/image.h"
#include "exec/sequence.h"
#include "maps/map.h"

namespace skep::exec {

class Executable;
struct Call;
struct Failure;

enum class Clock : std::uint8_t { Monotonic, Boot, Coarse, Tai, Jiffies };
// The system's clock that it is, or is made from.
constexpr clockid_t system_clock(Clock clock) noexcept {
  switch (clock) {
    case Clock::Monotonic:
    case Clock::Jiffies: return CLOCK_MONOTONIC;
    case Clock::Boot: return CLOCK_BOOTTIME;
    case Clock::Coarse: return CLOCK_MONOTONIC_COARSE;
    case Clock::Tai: return CLOCK_TAI;
  }
  __builtin_unreachable();
}

// Where compiled code that is not limited by a budget may jump to in place of running a program, by the conventions
// that such code has among itself.
struct JumpTarget {
  const std::byte* code = nullptr;  // null: it may not
  const std::byte* body = nullptr;  // behind what makes the frame, for who leaves a frame of the same shape
  // Its shape, of which 0 says that no other is like it, and whether a run that cannot be stopped may go there.
  static constexpr std::uint32_t kNeverStops = std::uint32_t{1} << 31;
  std::uint32_t frame = 0;
};

// What a reference means in this process, for compiled code, which asks without a call: a table by id, in which a
// program's (const Executable*) or a map's (maps::Map*) reference is found or not. Not there: Host::program() or map()
// says. An entry is valid within the run that finds it.
struct Known {
  maps::Reference reference = {};
  const void* object = nullptr;
  JumpTarget target = {};  // of a program
};
inline constexpr Known kNothingKnown =
    {};  // what a slot without an entry points to: no slot of a map has its reference
using KnownSlot = std::atomic<const Known*>;
inline constexpr std::uint32_t kKnownSlots = 4096;  // of a table; a power of two

// Random numbers for programs: good ones, quickly; no secrets (wyrand, by Wang Yi). Compiled code draws them itself.
struct Generator {
  static constexpr std::uint64_t kStep = 0xa0761d6478bd642f, kTwist = 0xe7037ed1a0b428db;
  std::uint64_t state = 0;
  std::uint32_t draw() noexcept {
    __extension__ using Product = unsigned __int128;
    state += kStep;
    const auto product = static_cast<Product>(state) * (state ^ kTwist);
    return static_cast<std::uint32_t>(product >> 64) ^ static_cast<std::uint32_t>(product);
  }
};

// What the surroundings of a run provide. The system's own answers are runtime/'s SystemHost.
class Host {
 public:
  virtual ~Host() = default;
  virtual std::uint64_t now(Clock clock) noexcept = 0;  // nanoseconds; jiffies for Jiffies
  virtual std::uint32_t random() noexcept = 0;
  // Where the calling thread's random() draws from; null: from elsewhere.
  virtual Generator* generator() noexcept { return nullptr; }
  virtual std::uint64_t pid_tgid() noexcept = 0;
  virtual std::uint64_t uid_gid() noexcept = 0;
  virtual void comm(char (&name)[16]) noexcept = 0;
  virtual void trace(std::string_view line) noexcept = 0;  // bpf_trace_printk
  // A record for slot `index` of perf event array `map`: 0 or a negative errno (-ENOENT: nobody listens).
  virtual int perf_event(maps::Map& map, std::uint64_t index, Bytes record) noexcept = 0;
  // A copy of the packet sent to an interface by bpf_clone_redirect.
  virtual int clone_to(std::uint32_t ifindex, bool ingress, Bytes packet) noexcept = 0;
  // The program behind a slot of a prog array; null when it is gone.
  virtual const Executable* program(maps::Reference reference) noexcept = 0;
  // The map behind a slot of a map of maps; null when it is gone.
  virtual maps::Map* map(maps::Reference reference) noexcept = 0;
};

// Where XDP_REDIRECT or TC_ACT_REDIRECT sends the packet, as the last redirect helper said.
struct Redirect {
  enum class Kind : std::uint8_t { None, Interface, MapEntry } kind = Kind::None;
  std::uint32_t ifindex = 0;  // of the interface, or of the devmap's entry
  std::uint64_t flags = 0;
  maps::Map* map = nullptr;  // MapEntry: the dev, cpu or xsk map and the key in it
  std::uint64_t key = 0;
};

// Ring buffer records a run has reserved and neither submitted nor discarded yet: a record alone does not say whose it
// is.
class Reservations {
 public:
  static constexpr std::size_t kMost = 16;
  Reservations() noexcept {}  // leaves the slots alone
  bool full() const noexcept { return count_ == kMost; }
  bool empty() const noexcept { return count_ == 0; }
  std::byte* last() const noexcept { return slots_[count_ - 1].record; }  // not when empty()
  void add(std::byte* record, maps::Map* map) noexcept { slots_[count_++] = {record, map}; }
  // The map of a record that add() was told of, which is then forgotten; null for any other address. Most programs give
  // back the last one: its slot stays as it is, as a processor waits when it reads at once what was written in parts.
  maps::Map* take(const std::byte* record) noexcept {
    for (std::size_t i = count_; i-- > 0;) {
      if (slots_[i].record != record) continue;
      maps::Map* const map = slots_[i].map;
      if (i != --count_) slots_[i] = slots_[count_];
      return map;
    }
    return nullptr;
  }

  // For compiled code, which adds and takes a record itself where it is the only one: where the first one is, its map,
  // and how many there are.
  struct Offsets {
    std::size_t record, map, count;
  };
  static constexpr Offsets offsets() noexcept {
    constexpr std::size_t kFirst = offsetof(Reservations, slots_);
    return {kFirst + offsetof(Slot, record), kFirst + offsetof(Slot, map), offsetof(Reservations, count_)};
  }

 private:
  struct Slot {
    std::byte* record;
    maps::Map* map;
  };
  Slot slots_[kMost];
  std::size_t count_ = 0;
};

// Memory that a kernel function allocated for a run, before its bytes: given back by the function that ends its use, or
// behind the run.
struct Allocation {
  Allocation* next = nullptr;
  Allocation** from = nullptr;  // what points here
};

// What programs of type syscall ask for: system calls, made for whoever runs the program.
class SystemCalls {
 public:
  virtual ~SystemCalls() = default;
  // bpf(2) with an attribute, and all it points to, in the program's memory: what it returns.
  virtual long bpf(std::uint32_t command, Bytes attr) noexcept = 0;
  virtual long close(std::uint32_t fd) noexcept = 0;
  // The id of a type of the kernel's by name and kind: -ENOENT.
  virtual long find_type(std::string_view name, std::uint32_t kind) noexcept = 0;
  // Memory of who runs the program: false where there is none.
  virtual bool read(std::uint64_t address, MutableBytes to) noexcept = 0;
};

// Memory that a run may touch besides what its context and maps lead to: an element that an iterator is at.
struct Lent {
  std::byte* base = nullptr;
  std::size_t bytes = 0;
  bool writable = false;
};

struct Call {
  // A constructor, so that nobody clears the slots of `reservations`: that would take longer than a short program.
  explicit Call(Host& its_host) noexcept : host(its_host) {}

  Host& host;
  void* context = nullptr;  // packet::XdpBuff, packet::SkBuff or plain bytes, by program->context
  std::uint32_t context_bytes = 0;
  const Executable* program = nullptr;  // the one running; a tail call replaces it
  unsigned cpu = 0;                     // virtual CPU, valid when the program uses_cpu
  std::uint32_t tail_calls = 0;
  Generator* generator = nullptr;  // the Host's, once the program asked for a random number
  std::uint64_t budget = 0;        // instructions left; 0 when entered means no limit
  Redirect redirect = {};
  Failure* failure = nullptr;  // filled by an engine that stops a program; null: the caller does not want to know

  // Runs BPF function `function` (the value an ld_imm64 of a function gave) as a callback: set by the engine.
  std::uint64_t (*callback)(Call& call, std::uint64_t function, std::uint64_t a1, std::uint64_t a2, std::uint64_t a3,
                            std::uint64_t a4, std::uint64_t a5) noexcept = nullptr;
  void* engine = nullptr;  // the engine's own state of this run
  bool stopped = false;    // the engine stopped the program: the return value means nothing
  Reservations reservations = {};
  SystemCalls* system = nullptr;
  Sequence* sequence = nullptr;     // what an iterator's program writes to
  std::span<const Lent> lent = {};  // for engines that check accesses
  Allocation* allocated = nullptr;
};

// How every helper body looks to an engine: r1 to r5 in, r0 out.
using HelperBody = std::uint64_t (*)(Call& call, std::uint64_t r1, std::uint64_t r2, std::uint64_t r3, std::uint64_t r4,
                                     std::uint64_t r5) noexcept;

}  // namespace skep::exec
