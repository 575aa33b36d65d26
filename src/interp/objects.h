// The memory a program may touch while it runs, for the checked policy: its context, the stack frames that are live and
// which of their bytes were written, the packet as the context has it now, values of maps, ring buffer records it has
// reserved.
//
// An access is looked up in three steps: the stack, which is an array of frames beside a bitmap; a small cache
// by instruction, which an instruction nearly always hits because it touches one object; the list of objects.
// A value that a helper handed out stays accessible for the rest of the run even if it is deleted meanwhile, as in the
// kernel. What a helper takes back (records), and packet bounds, which helpers move, leave the cache at
// once. Lives in the frame of Executable::run. Tested by: interp/failure_test.cc. Internal to interp/.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "exec/call.h"
#include "exec/failure.h"
#include "interp/program.h"
#include "spec/helpers.h"

namespace skep::interp {

enum class Touch : std::uint8_t { Read, Write };

// An access that may not be made.
struct Fault {
  exec::Failure::Kind kind = exec::Failure::Kind::None;
  std::uint64_t address = 0;
  std::uint32_t bytes = 0;
  std::string_view why;  // of BadCall
};

class Objects {
 public:
  // `written` has kFrameWords words for each of the stack frames at `stacks`.
  static constexpr std::size_t kFrameWords = isa::kStackBytes / 64;
  Objects(exec::Call& call, std::byte* stacks, std::uint64_t* written) noexcept;

  // Whether `bytes` (1 to 8) at `address` may be read or written by the instruction at `pc`; if not, fault() says why.
  bool read(std::uint64_t address, std::uint32_t bytes, const Code* pc) noexcept;
  bool write(std::uint64_t address, std::uint32_t bytes, const Code* pc) noexcept;
  bool aligned(std::uint64_t address, std::uint32_t bytes, const Code*) noexcept {
    return address % bytes == 0 || refuse(exec::Failure::Kind::Misaligned, address, bytes);
  }
  const Fault& fault() const noexcept { return fault_; }

  // Frame `depth` begins, with nothing written; or is the innermost again.
  void enter_frame(unsigned depth) noexcept;
  void leave_to_frame(unsigned depth) noexcept { live_ = (depth + std::uint64_t{1}) * isa::kStackBytes; }
  // The program that runs now: whose maps and functions are meant.
  void set_program(const Program& program) noexcept;

  // Around a call of a helper: whether its arguments r[1] to r[5] are what its row asks for, and what it gave back.
  bool check_arguments(const spec::Helper& helper, const std::uint64_t* r) noexcept;
  void take_result(const spec::Helper& helper, const std::uint64_t* r, std::uint64_t result) noexcept;
  // A callback is called by the helper that runs: `key` and `value` of a map's element become accessible.
  void lend_element(std::uint64_t key, std::uint64_t value) noexcept;
  // The same of a dynptr, and of the memory it stands for.
  void lend_dynptr(std::uint64_t dynptr) noexcept;
  // The map that the helper being called was given; to be put back after a callback, which makes calls of its own.
  maps::Map* argument_map() const noexcept { return map_; }
  void set_argument_map(maps::Map* map) noexcept { map_ = map; }

  // For claims about registers: where the value of `map` starts that `address` is in. A deleted one may be forgotten.
  bool has_forgotten() const noexcept { return lent_count_ > kLent; }
  std::optional<std::uint64_t> start_of_value(spec::MapId map, std::uint64_t address) const noexcept;

  // The live object nearest to the faulting access, and how far outside it is.
  void describe(exec::Failure& failure) const;

 private:
  enum class What : std::uint8_t { Value, Key, Record, Memory, Packet, Context };
  struct Object {  // no initial values: the tables below cost nothing until they are used
    std::uint64_t base;
    std::uint64_t bytes;
    What what;
    bool readable;
    bool writable;
    const maps::Map* map;

    bool holds(std::uint64_t address, std::uint64_t size) const noexcept {
      return address - base < bytes && bytes - (address - base) >= size;
    }
  };
  struct Hit {  // of an instruction; sizes are 0 where the access is not allowed
    std::uint64_t base = 0;
    std::uint64_t readable = 0;
    std::uint64_t writable = 0;
  };
  static constexpr std::size_t kHits = 32;
  static constexpr std::size_t kLent = 32;  // objects handed out by helpers; the oldest make room
  static constexpr std::size_t kRecords = 64;
  static constexpr std::size_t kInner = 16;

  Hit& hit(const Code* pc) noexcept { return hits_[reinterpret_cast<std::uint64_t>(pc) / sizeof(Code) % kHits]; }
  static bool inside(std::uint64_t offset, std::uint64_t bytes, std::uint64_t size) noexcept {
    return offset < size && size - offset >= bytes;
  }
  bool slow(Touch touch, std::uint64_t address, std::uint32_t bytes, const Code* pc) noexcept;
  bool slow_stack(Touch touch, std::uint64_t offset, std::uint32_t bytes) noexcept;
  bool refuse(exec::Failure::Kind kind, std::uint64_t address, std::uint64_t bytes, std::string_view why = {}) noexcept;
  void forget_hits() noexcept { hits_.fill({}); }

  bool find(std::uint64_t address, std::uint64_t bytes, Object& found) const noexcept;
  bool find_in_map(maps::Map& map, std::uint64_t address, std::uint64_t bytes, Object& found) const noexcept;
  Object context() const noexcept;
  Object packet() const noexcept;
  Object value(const maps::Map& map, std::uint64_t base) const noexcept;
  void lend(const Object& object) noexcept;
  bool knows_map(std::uint64_t map) const noexcept;

  // Arguments (arguments.cc). `reg` is the number of the argument's register.
  bool check_argument(const spec::Helper& helper, unsigned reg, const std::uint64_t* r) noexcept;
  bool check_memory(spec::ArgUse use, std::uint64_t address, std::uint64_t bytes) noexcept;
  bool check_string(std::uint64_t address) noexcept;
  bool check_record(std::uint64_t address, bool released) noexcept;
  bool check_dynptr(spec::ArgUse use, std::uint64_t address) noexcept;
  void take_dynptr(const spec::ArgInfo& info, std::uint64_t address) noexcept;
  void mark_written(std::uint64_t address, std::uint64_t bytes) noexcept;
  void note_output(std::uint64_t address) noexcept;
  std::uint64_t memory_bytes(const spec::ArgInfo& info, unsigned reg, const std::uint64_t* r) const noexcept;

  // The frame's row of written_ before the helper that is being called writes to it.
  struct Output {
    std::uint64_t* frame = nullptr;
    std::array<std::uint64_t, kFrameWords> before;
  };

  std::uint64_t stack_;
  std::uint64_t live_ = isa::kStackBytes;
  std::uint64_t* written_;
  exec::Call& call_;
  const Program* program_ = nullptr;
  maps::Map* map_ = nullptr;  // the last map argument of the helper call being made
  Output output_;
  Fault fault_;
  std::size_t lent_count_ = 0;
  std::size_t record_count_ = 0;
  std::size_t inner_count_ = 0;
  std::array<Hit, kHits> hits_{};
  std::array<Object, kLent> lent_;
  std::array<Object, kRecords> records_;
  std::array<maps::Map*, kInner> inner_;  // maps found in maps of maps
};

inline bool Objects::read(std::uint64_t address, std::uint32_t bytes, const Code* pc) noexcept {
  const std::uint64_t offset = address - stack_;
  if (offset < live_) {
    const std::uint64_t mask = (~std::uint64_t{0} >> (64 - bytes)) << (offset % 64);
    if (offset % 64 + bytes <= 64 && (written_[offset / 64] & mask) == mask) [[likely]]
      return true;
    return slow_stack(Touch::Read, offset, bytes);
  }
  const Hit& known = hit(pc);
  if (inside(address - known.base, bytes, known.readable)) [[likely]]
    return true;
  return slow(Touch::Read, address, bytes, pc);
}

inline bool Objects::write(std::uint64_t address, std::uint32_t bytes, const Code* pc) noexcept {
  const std::uint64_t offset = address - stack_;
  if (offset < live_) {
    if (offset % 64 + bytes > 64) return slow_stack(Touch::Write, offset, bytes);
    written_[offset / 64] |= (~std::uint64_t{0} >> (64 - bytes)) << (offset % 64);
    return true;
  }
  const Hit& known = hit(pc);
  if (inside(address - known.base, bytes, known.writable)) [[likely]]
    return true;
  return slow(Touch::Write, address, bytes, pc);
}

}  // namespace skep::interp
