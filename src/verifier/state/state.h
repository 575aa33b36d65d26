// One moment on one path: its frames, references and sections, and how it hangs together with the checkpoints before.
//
// Frames are shared between states and copied when one of them writes (FrameRef): a fork, and a checkpoint, copy
// pointers. What was read, written and precise is kept apart from the registers, as bits per frame (Marks): marking
// goes back along parents without touching a frame, so that shared frames stay equal. `written` speaks of the time
// since the last checkpoint and screens its reads; `read` is set in checkpoints only, by what came after. A frame that
// was entered after the last checkpoint has no ancestor there (`has_parent`), nor has a slot deeper than the ancestor's
// stack.
//
// Histories (the jumps taken since the last checkpoint) are chains of entries in an arena, shared by forks. One
// verification is one thread: counts are plain integers. Cost: a fork is about 1 KiB. Source: the observable algorithm
// of Linux 6.12. Tested by: verifier/explore/verify_test.cc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string>
#include <utility>
#include <vector>

#include "isa/insn.h"
#include "verifier/domain/rules.h"
#include "verifier/state/frame.h"

namespace skep::verifier {

// Frames that no state holds any more are used again, with their stack's capacity. Memory is the resource's, which
// must live longer.
class FramePool {
 public:
  explicit FramePool(std::pmr::memory_resource* memory = std::pmr::get_default_resource()) : memory_(memory) {}
  ~FramePool() {
    for (Frame* frame : all_) memory_.delete_object(frame);
  }
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;

  Frame* make() {
    if (free_.empty()) return all_.emplace_back(memory_.new_object<Frame>(memory_.resource()));
    Frame* frame = free_.back();
    free_.pop_back();
    return frame;
  }
  void take_back(Frame* frame) { free_.push_back(frame); }
  std::size_t bytes() const noexcept;  // allocated at the peak

 private:
  std::pmr::polymorphic_allocator<> memory_;
  std::vector<Frame*> all_, free_;
};

// A shared frame. Reading is free; mutate() copies if others hold it too.
class FrameRef {
 public:
  FrameRef() = default;
  FrameRef(FramePool& pool, const Frame& initial) : pool_(&pool), frame_(pool.make()) {
    *frame_ = initial;
    frame_->owners = 1;
  }
  FrameRef(const FrameRef& other) noexcept : pool_(other.pool_), frame_(other.frame_) {
    if (frame_ != nullptr) ++frame_->owners;
  }
  FrameRef(FrameRef&& other) noexcept : pool_(other.pool_), frame_(std::exchange(other.frame_, nullptr)) {}
  FrameRef& operator=(FrameRef other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~FrameRef() {
    if (frame_ != nullptr && --frame_->owners == 0) pool_->take_back(frame_);
  }

  const Frame& operator*() const noexcept { return *frame_; }
  const Frame* operator->() const noexcept { return frame_; }
  bool same_as(const FrameRef& other) const noexcept { return frame_ == other.frame_; }
  Frame& mutate() {
    if (frame_->owners != 1) *this = FrameRef(*pool_, *frame_);
    return *frame_;
  }

 private:
  FramePool* pool_ = nullptr;
  Frame* frame_ = nullptr;
};

// What was done to a frame's registers and slots, one bit each.
struct Marks {
  static constexpr std::uint8_t kOwn = 0xff, kNone = 0xfe;
  static constexpr unsigned kPassed = 6;  // r0 to r5

  std::uint16_t written = 0, read_half = 0, read_full = 0, precise = 0;  // by register
  bool has_parent = false;
  // Whose register in the parent this one was: a call hands r1 to r5 on, a return r0.
  std::array<std::uint8_t, kPassed> ancestor{kOwn, kOwn, kOwn, kOwn, kOwn, kOwn};
  std::uint64_t slots_written = 0, slots_read = 0, slots_precise = 0;

  std::uint16_t read() const noexcept { return read_half | read_full; }
  // The frame in the parent in which this register was, seen from frame `own`; kNone: it is new.
  std::uint8_t ancestor_of(unsigned number, unsigned own) const noexcept {
    if (number < kPassed && ancestor[number] != kOwn) return ancestor[number];
    return has_parent ? static_cast<std::uint8_t>(own) : kNone;
  }
};

// A reference that must be released before the program ends.
struct Reference {
  std::uint32_t id = 0;
  std::uint32_t insn = 0;            // that acquired it
  std::uint32_t callback_frame = 0;  // index of the callback's frame that acquired it; 0: none
  friend bool operator==(const Reference&, const Reference&) = default;
};

// The bpf_spin_lock that is held: the map (index + 1) or the reference of the allocated object it lies in, and the id
// of the value; no lock when `object` is 0.
struct ActiveLock {
  std::uint64_t object = 0;
  std::uint32_t id = 0;
  friend bool operator==(const ActiveLock&, const ActiveLock&) = default;
};

// The places whose numbers are linked to an operand of a branch: registers and spilled registers of any frame.
struct LinkedPlace {
  std::uint8_t frame = 0;
  bool is_slot = false;
  std::uint8_t number = 0;
};
class LinkedSet {  // one word, ten bits a place and the count on top: histories have very many
 public:
  static constexpr unsigned kMost = 6;
  // False when it is full.
  bool add(LinkedPlace place) noexcept {
    if (size() == kMost) return false;
    const std::uint64_t bits =
        place.frame | std::uint64_t{place.is_slot} << kFrameBits | std::uint64_t{place.number} << (kFrameBits + 1);
    word_ |= bits << (kPlaceBits * size());
    word_ += kOne;
    return true;
  }
  unsigned size() const noexcept { return static_cast<unsigned>(word_ >> (kPlaceBits * kMost)); }
  LinkedPlace operator[](unsigned at) const noexcept {
    const auto bits = static_cast<unsigned>(word_ >> (kPlaceBits * at)) & ((1U << kPlaceBits) - 1);
    return {static_cast<std::uint8_t>(bits & ((1U << kFrameBits) - 1)), (bits >> kFrameBits & 1) != 0,
            static_cast<std::uint8_t>(bits >> (kFrameBits + 1))};
  }

 private:
  static constexpr unsigned kFrameBits = 3, kPlaceBits = kFrameBits + 1 + 6;
  static constexpr std::uint64_t kOne = std::uint64_t{1} << (kPlaceBits * kMost);
  static_assert(isa::kMaxFrames <= 1U << kFrameBits && kMaxSlots <= 64);
  std::uint64_t word_ = 0;
};

// Where execution did not just go on with the next instruction, or what the way back has to know of one.
struct HistoryEntry {
  std::uint32_t previous = 0;  // index of the entry before, in the arena; 0: none
  std::uint32_t insn = 0;
  std::uint32_t from = 0;        // the instruction before it
  std::uint8_t stack_frame = 0;  // of the stack access there
  std::uint8_t stack_slot = 0;
  bool accesses_stack : 1 = false;
  // Of a conditional jump: the operand pointed to the stack, whose address mattered to no number.
  bool is_stack_destination : 1 = false;
  bool is_stack_source : 1 = false;
  LinkedSet linked;  // what learnt together at the branch there
};
static_assert(sizeof(HistoryEntry) == 24);

struct Checkpoint;

struct State {
  static constexpr std::uint32_t kNoInsn = ~std::uint32_t{0};

  std::array<FrameRef, isa::kMaxFrames> frames;
  std::array<Marks, isa::kMaxFrames> marks;
  unsigned top = 0;  // index of the current frame
  std::vector<Reference> references;
  ActiveLock lock;
  bool in_rcu = false;
  bool speculative = false;
  bool may_sleep = false;           // in a context where sleeping is allowed
  std::uint32_t preempt_depth = 0;  // bpf_preempt_disable calls not yet undone
  std::uint32_t may_goto_depth = 0;
  std::uint32_t callback_unroll_depth = 0;
  // The way here.
  Checkpoint* parent = nullptr;
  std::uint32_t first_insn = 0;
  std::uint32_t last_insn = kNoInsn;  // before the current one
  std::uint32_t history = 0;          // index of the newest entry, 0: none
  std::uint32_t history_count = 0;    // since the parent
  std::uint32_t branches = 1;         // paths from here that have not ended (checkpoints); 1 for one that runs
  std::uint32_t dfs_depth = 0;
  Checkpoint* loop_entry = nullptr;

  const Frame& frame() const noexcept { return *frames[top]; }
  Frame& mutable_frame() { return frames[top].mutate(); }
  Frame& mutable_frame(unsigned index) { return frames[index].mutate(); }
  // The frames that were left are given back.
  void truncate_frames() {
    for (unsigned i = top + 1; i < frames.size(); ++i) frames[i] = FrameRef{}, marks[i] = Marks{};
  }
  // Applies `f(Register&)` to every register, and every register spilled to the stack, for which `matches` holds.
  // Frames in which nothing matches stay shared.
  template <class Matches, class F>
  void update_registers(Matches&& matches, F&& f);
  template <class F>
  void for_each_register(F&& f) const;  // f(const Register&)
};

template <class Matches, class F>
void State::update_registers(Matches&& matches, F&& f) {
  for (unsigned i = 0; i <= top; ++i) {
    const Frame& seen = *frames[i];
    for (std::size_t r = 0; r < seen.registers.size(); ++r)
      if (matches(frames[i]->registers[r])) f(frames[i].mutate().registers[r]);
    for (std::size_t s = 0; s < frames[i]->stack.size(); ++s)
      if (frames[i]->stack[s].holds_register() && matches(frames[i]->stack[s].spilled))
        f(frames[i].mutate().stack[s].spilled);
  }
}

template <class F>
void State::for_each_register(F&& f) const {
  for (unsigned i = 0; i <= top; ++i) {
    for (const Register& reg : frames[i]->registers) f(reg);
    for (const Slot& slot : frames[i]->stack)
      if (slot.holds_register()) f(slot.spilled);
  }
}

// What changed since the log last showed it, as bits.
struct Changes {
  static constexpr std::uint32_t kAllRegisters = (1U << isa::kRegisters) - 1;
  std::uint32_t registers = 0;
  std::uint64_t slots = 0;

  static constexpr Changes all() noexcept { return {kAllRegisters, ~std::uint64_t{0}}; }
  bool any() const noexcept { return registers != 0 || slots != 0; }
};

// What printing needs to know besides the state.
struct PrintNames {
  virtual ~PrintNames() = default;
  virtual std::string btf_type(std::uint32_t btf, std::uint32_t type) const = 0;  // "task_struct"
  // Name and sizes of a map, for "map=values,ks=4,vs=8".
  struct Map {
    std::string name;
    std::uint32_t key_size, value_size;
  };
  virtual Map map(std::uint32_t index) const = 0;
};

struct PrintContext {
  Rules rules;
  bool all_precise;  // of the unprivileged every number matters
  const PrintNames& names;
};

// Appends " frame1: R1=ctx() R10=fp0 fp-8=mmmmmmmm refs=2 cb": of frame `index` what `which` names and is set, each
// behind a space, and the references when all is shown or they changed.
void append(std::string& out, const State& state, unsigned index, const Changes& which, const PrintContext& context);

}  // namespace skep::verifier
