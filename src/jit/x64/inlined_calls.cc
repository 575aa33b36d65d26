// Calls of helpers that are written in their place, and what is known of their arguments.
//
// What sets the arguments is looked for in the instructions before the call; the key's place, and between what an index
// lies, also in the facts. A call that is written in its place reads less than a call does, and what only set the rest
// is dead then.
#include <algorithm>
#include <optional>

#include "jit/x64/survey.h"
#include "spec/helpers.h"

namespace skep::jit::x64 {
namespace {

using isa::Insn;
using isa::Op;
using Ring = maps::Recipe::Ring;
using spec::HelperId;

constexpr std::uint32_t kLookBack = 24;  // slots: calls follow soon on what sets their arguments
constexpr std::uint32_t kUnknown = UINT32_MAX;
constexpr unsigned kFramePointer = 10;
constexpr unsigned kIndexBytes = 4;
constexpr std::uint32_t kMostCompared = 64;
constexpr std::uint32_t kMostCopied = 64;  // bytes
constexpr std::uint32_t kMostSummed = 96;  // bytes: two IPv6 headers, and a little

constexpr isa::RegisterSet set_of(unsigned number) { return static_cast<isa::RegisterSet>(1U << number); }

bool reads_clock(HelperId helper) {
  using enum HelperId;
  return helper == ktime_get_ns || helper == ktime_get_boot_ns || helper == ktime_get_coarse_ns ||
         helper == ktime_get_tai_ns;
}

bool is_plain_store(Op op) { return isa::form(op) == isa::Form::StoreImm || isa::form(op) == isa::Form::StoreReg; }

class Finder {
 public:
  Finder(const exec::Image& image, const Surroundings& surroundings, Survey& survey)
      : image_(image),
        values_(surroundings.values),
        recipes_(surroundings.recipes),
        maps_(surroundings.maps),
        survey_(survey) {}

  void find() {
    for (const Function& function : survey_.functions) {
      if (!function.calls) continue;
      for (std::uint32_t slot = function.start; slot < function.end; ++slot)
        if (survey_.ops[slot] == Op::CallHelper && (values_[slot] != 0 || image_.insns[slot].imm == kTailCall))
          look_at(slot, function.start);
    }
  }

 private:
  void look_at(std::uint32_t slot, std::uint32_t start) {
    const auto helper = static_cast<HelperId>(image_.insns[slot].imm);
    if (helper == HelperId::get_smp_processor_id || helper == HelperId::get_prandom_u32) return note({.slot = slot}, 0);
    if (reads_clock(helper)) return note({.slot = slot}, survey_.uses[slot].reads);  // it may have to be the helper
    if (helper == HelperId::tail_call) return look_at_tail_call(slot, start);
    if (helper == HelperId::loop) return look_at_loop(slot, start);
    if (helper == HelperId::xdp_load_bytes || helper == HelperId::xdp_store_bytes) return look_at_copy(slot, start);
    if (helper == HelperId::strncmp) return look_at_text(slot, start);
    if (helper == HelperId::csum_diff) return look_at_checksum(slot, start);
    if (helper == HelperId::map_lookup_elem) look_at_lookup(slot, start);
    if (helper == HelperId::map_update_elem || helper == HelperId::map_delete_elem) look_at_change(slot, start);
    if (helper == HelperId::ringbuf_reserve) look_at_reserve(slot, start);
    if (helper == HelperId::ringbuf_submit || helper == HelperId::ringbuf_discard) look_at_giving_back(slot, start);
  }

  // The number in a register at `slot`, if there is but one.
  std::optional<std::uint32_t> constant_in(unsigned number, std::uint32_t slot, std::uint32_t start) const {
    if (const Index index = index_in(number, slot); index.is_constant()) return index.least;
    const std::uint32_t setter = setter_of(number, slot, start);
    if (setter == kUnknown || isa::form(survey_.ops[setter]) != isa::Form::MovImm) return {};
    return static_cast<std::uint32_t>(image_.insns[setter].imm);
  }

  // The same of the whole register.
  std::optional<std::uint64_t> number_in(unsigned number, std::uint32_t slot, std::uint32_t start) const {
    if (const Index index = index_in(number, slot); index.is_constant() && index.is_whole) return index.least;
    const std::uint32_t setter = setter_of(number, slot, start);
    if (setter == kUnknown || isa::form(survey_.ops[setter]) != isa::Form::MovImm) return {};
    const std::int32_t value = image_.insns[setter].imm;
    return value < 0 ? std::optional<std::uint64_t>() : static_cast<std::uint64_t>(value);
  }

  // The map in a register at `slot`, if it has a recipe.
  const maps::Recipe* recipe_in(unsigned number, std::uint32_t slot, std::uint32_t start) const {
    const std::uint32_t setter = setter_of(number, slot, start);
    return setter != kUnknown && survey_.ops[setter] == Op::LdMapFd ? recipe_of(values_[setter]) : nullptr;
  }
  static std::uint64_t address_of(const maps::Recipe& recipe) { return reinterpret_cast<std::uint64_t>(recipe.map); }

  // Compared with a short text that nobody can change.
  void look_at_text(std::uint32_t slot, std::uint32_t start) {
    const std::uint32_t setter = setter_of(3, slot, start);
    const auto most = constant_in(2, slot, start);
    if (setter == kUnknown || !is_map_value(survey_.ops[setter]) || !most) return;
    const std::span<const std::byte> text = unchanging(values_[setter]);
    const auto end = std::ranges::find(text, std::byte{0});
    if (end == text.end()) return;
    const auto length = static_cast<std::size_t>(end - text.begin()) + 1;
    const auto bytes = static_cast<std::uint32_t>(std::min<std::size_t>(length, *most));
    if (bytes == 0 || bytes > kMostCompared) return;
    note({.slot = slot, .bytes = bytes, .text = text.data()}, set_of(1));
  }
  static bool is_map_value(Op op) { return op == Op::LdMapValue || op == Op::LdMapIdxValue; }

  // The memory from an address on that is the value of a frozen map which programs only read.
  std::span<const std::byte> unchanging(std::uint64_t address) const {
    for (maps::Map* const map : maps_) {
      const std::byte* const value = map->direct_value();
      if (value == nullptr) continue;
      const std::uint64_t offset = address - reinterpret_cast<std::uint64_t>(value);
      if (offset >= map->spec().value_size) continue;
      if (!map->frozen() || (map->spec().flags & spec::kRdonlyProg) == 0) return {};
      return {value + offset, map->spec().value_size - offset};
    }
    return {};
  }

  // Of few bytes, from and to memory that is not the packet's.
  void look_at_copy(std::uint32_t slot, std::uint32_t start) {
    const auto bytes = constant_in(4, slot, start);
    const spec::Fact::Kind memory = fact_at(3, slot).kind;
    if (memory != spec::Fact::Kind::Frame && memory != spec::Fact::Kind::MapValue) return;
    if (image_.context != exec::ContextKind::XdpBuff || !bytes || *bytes == 0 || *bytes > kMostCopied) return;
    note({.slot = slot, .bytes = *bytes, .known = {{{4, *bytes}}}}, set_of(1) | set_of(2) | set_of(3));
  }

  // Of few bytes, in words.
  void look_at_checksum(std::uint32_t slot, std::uint32_t start) {
    const auto from = constant_in(2, slot, start), to = constant_in(4, slot, start);
    if (!from || !to || *from % 4 != 0 || *to % 4 != 0 || std::uint64_t{*from} + *to > kMostSummed) return;
    isa::RegisterSet reads = set_of(5);
    if (*from != 0) reads |= set_of(1);
    if (*to != 0) reads |= set_of(3);
    note({.slot = slot, .from_bytes = *from, .to_bytes = *to}, reads);
  }

  // Callbacks that cannot nest further are called by the loop itself.
  void look_at_loop(std::uint32_t slot, std::uint32_t start) {
    const std::uint32_t setter = setter_of(2, slot, start);
    if (setter == kUnknown || survey_.ops[setter] != Op::LdFunc) return;
    const auto target = *isa::subprog_target(Op::LdFunc, image_.insns[setter], setter);
    const std::size_t callback = survey_.function_at(static_cast<std::uint32_t>(target));
    const Function& function = survey_.functions[callback];
    if (!function.is_leaf || function.tail_calls) return;
    note({.slot = slot, .callback = callback}, set_of(1) | set_of(3) | set_of(4));
  }

  void look_at_lookup(std::uint32_t slot, std::uint32_t start) {
    const std::uint32_t setter = setter_of(1, slot, start);
    const bool known = setter != kUnknown && survey_.ops[setter] == Op::LdMapFd;
    InlinedCall call{.slot = slot};
    if (known) call.recipe = recipe_of(values_[setter]);
    if (known && (call.recipe == nullptr || call.recipe->ring.mask != 0)) return;
    if (known && call.recipe->find != nullptr && call.recipe->chunks.count == 0) return note(call, set_of(2));
    call.key_in_frame = key_in_frame(slot);
    if (known && call.recipe->find != nullptr) {
      const bool in_frame = call.key_in_frame != InlinedCall::kNotInFrame;
      return note(call, set_of(in_frame ? kFramePointer : 2U));
    }
    if (known) call.known = {{{1, address_of(*call.recipe)}}};
    // What the call does not ask for in r1 and r2 may be left out, and they keep what they held before.
    const isa::RegisterSet unasked = known ? set_of(1) | set_of(2) : set_of(2);
    if (call.key_in_frame != InlinedCall::kNotInFrame)
      call.index = index_in_frame(call.key_in_frame, slot, start, unasked);
    isa::RegisterSet reads = known ? isa::RegisterSet{0} : set_of(1);
    if (call.index.reg != Index::kNone && !call.index.is_constant()) reads |= set_of(call.index.reg);
    reads |= set_of(call.key_in_frame != InlinedCall::kNotInFrame ? kFramePointer : 2U);
    note(call, reads);
  }

  // An element that is updated or deleted by a function of its map.
  void look_at_change(std::uint32_t slot, std::uint32_t start) {
    const maps::Recipe* const recipe = recipe_in(1, slot, start);
    if (recipe == nullptr) return;
    const bool updates = static_cast<HelperId>(image_.insns[slot].imm) == HelperId::map_update_elem;
    if (updates && recipe->update != nullptr)
      note({.slot = slot, .recipe = recipe}, set_of(2) | set_of(3) | set_of(4));
    else if (!updates && recipe->erase != nullptr)
      note({.slot = slot, .recipe = recipe}, set_of(2));
  }

  // A record of a known size, of a known ring buffer that is larger.
  void look_at_reserve(std::uint32_t slot, std::uint32_t start) {
    const maps::Recipe* const recipe = recipe_in(1, slot, start);
    if (recipe == nullptr || recipe->ring.mask == 0) return;
    last_ring_ = recipe;
    const auto bytes = number_in(2, slot, start), flags = number_in(3, slot, start);
    if (!bytes || flags != 0U || *bytes >= Ring::kDiscarded) return;
    if (Ring::record_bytes(*bytes) > recipe->ring.mask) return;
    note({.slot = slot,
          .recipe = recipe,
          .bytes = static_cast<std::uint32_t>(*bytes),
          .known = {{{1, address_of(*recipe)}, {2, *bytes}, {3, 0}}}},
         0);
  }

  // Where nobody is woken, or perhaps the consumer of the ring buffer that was last reserved from.
  void look_at_giving_back(std::uint32_t slot, std::uint32_t start) {
    const auto flags = number_in(2, slot, start);
    if (flags == Ring::kNoWakeup)
      note({.slot = slot, .known = {{{2, *flags}}}}, set_of(1));
    else if (flags == 0U && last_ring_ != nullptr)
      note({.slot = slot, .recipe = last_ring_, .known = {{{2, 0}}}}, set_of(1));
  }

  void look_at_tail_call(std::uint32_t slot, std::uint32_t start) {
    const maps::Recipe* const recipe = recipe_in(2, slot, start);
    if (recipe == nullptr || !recipe->references) return;
    const Index index = index_in(3, slot);
    note({.slot = slot, .index = index, .recipe = recipe},
         set_of(1) | (index.is_constant() ? isa::RegisterSet{0} : set_of(3)));
  }

  // What the lower half of a register holds at `slot`.
  Index index_in(unsigned number, std::uint32_t slot) const {
    Index index{.reg = number};
    const spec::Fact fact = fact_at(number, slot);
    if (fact.kind != spec::Fact::Kind::Number) return index;
    index.is_whole = fact.numbers.umax <= UINT32_MAX;
    index.least = fact.numbers.low_umin;
    index.most = fact.numbers.low_umax;
    return index;
  }

  // The index that was stored in the frame before `slot`, if nobody can have changed it since.
  Index index_in_frame(std::int32_t offset, std::uint32_t slot, std::uint32_t start, isa::RegisterSet unasked) {
    isa::RegisterSet changed = 0;
    for (std::uint32_t i = slot; i > start && slot - i < kLookBack; --i) {
      if (survey_.at(i, Survey::kFirst) && survey_.at(i, Survey::kTarget)) return {};
      const std::uint32_t before = i - 1;
      if (!survey_.at(before, Survey::kFirst)) continue;
      const Op op = survey_.ops[before];
      if (isa::is_call(op)) return {};
      const Insn& insn = image_.insns[before];
      if (isa::has(op, isa::kWritesMemory) && may_write(before, op, insn, offset)) {
        const bool is_key = is_plain_store(op) && insn.dst == kFramePointer && insn.off == offset &&
                            isa::access_bytes(op) >= kIndexBytes;
        if (!is_key) return {};
        if (isa::form(op) == isa::Form::StoreReg && (changed & unasked & set_of(insn.src)) != 0 &&
            leave_out(insn.src, before + 1, slot))
          changed &= static_cast<isa::RegisterSet>(~set_of(insn.src));
        return stored_index(before, op, insn, changed);
      }
      changed |= survey_.uses[before].writes;
    }
    return {};
  }

  // Whether an instruction may write to the index at r10 + offset.
  bool may_write(std::uint32_t slot, Op op, const Insn& insn, std::int32_t offset) const {
    if (insn.dst == kFramePointer)
      return insn.off < offset + static_cast<std::int32_t>(kIndexBytes) &&
             offset < insn.off + static_cast<std::int32_t>(isa::access_bytes(op));
    using enum spec::Fact::Kind;
    const spec::Fact::Kind kind = fact_at(insn.dst, slot).kind;
    return kind != Context && kind != Packet && kind != PacketMeta && kind != MapValue;
  }

  // Leaves out what is done to a register from `first` on until the call at `slot`, if that is all of no use to others.
  bool leave_out(unsigned number, std::uint32_t first, std::uint32_t slot) {
    const auto touches = [&](std::uint32_t i) {
      return survey_.at(i, Survey::kFirst) && ((survey_.uses[i].reads | survey_.uses[i].writes) >> number & 1U) != 0;
    };
    for (std::uint32_t i = first; i < slot; ++i)
      if (touches(i) && !(is_pure(survey_.ops[i]) && survey_.uses[i].writes == set_of(number))) return false;
    for (std::uint32_t i = first; i < slot; ++i)
      if (touches(i)) survey_.leave_out(i);
    return true;
  }

  Index stored_index(std::uint32_t slot, Op op, const Insn& insn, isa::RegisterSet changed) const {
    if (isa::form(op) == isa::Form::StoreImm) {
      const auto number = static_cast<std::uint32_t>(insn.imm);
      return {.least = number, .most = number};
    }
    Index index = index_in(insn.src, slot);
    if ((changed >> insn.src & 1U) != 0) index.reg = Index::kNone, index.is_whole = false;
    return index;
  }

  void note(const InlinedCall& call, isa::RegisterSet reads) {
    survey_.inlined.push_back(call);
    survey_.flags[call.slot] |= Survey::kInlined;
    survey_.uses[call.slot].reads = reads;
  }

  // The slot of the instruction whose result is in a register at `slot`, if that can be seen from the instructions
  // before it; never a copy of a register.
  std::uint32_t setter_of(unsigned number, std::uint32_t slot, std::uint32_t start) const {
    for (std::uint32_t i = slot; i > start && slot - i < kLookBack; --i) {
      if (survey_.at(i, Survey::kFirst) && survey_.at(i, Survey::kTarget)) return kUnknown;
      if (!survey_.at(i - 1, Survey::kFirst)) continue;
      const Insn& before = image_.insns[i - 1];
      const Op op = survey_.ops[i - 1];
      if ((survey_.uses[i - 1].writes >> number & 1) == 0) continue;
      if (op == Op::Mov64Reg) {
        number = before.src;
        continue;
      }
      return i - 1;
    }
    return kUnknown;
  }

  const maps::Recipe* recipe_of(std::uint64_t map) const {
    const auto found = std::ranges::find(
        recipes_, map, [](const maps::Recipe& recipe) { return reinterpret_cast<std::uint64_t>(recipe.map); });
    return found == recipes_.end() ? nullptr : &*found;
  }

  // On entry to the instruction at `slot`.
  spec::Fact fact_at(unsigned number, std::uint32_t slot) const {
    const spec::Facts* const facts = image_.facts.get();
    if (facts == nullptr || slot >= facts->entries.size() || !facts->reached(slot)) return {};
    return facts->at(slot, number);
  }

  std::int32_t key_in_frame(std::uint32_t slot) const {
    const spec::Fact key = fact_at(2, slot);
    if (key.kind != spec::Fact::Kind::Frame || !key.numbers.is_constant()) return InlinedCall::kNotInFrame;
    const auto offset = static_cast<std::int64_t>(key.numbers.unknown == 0 ? key.numbers.bits : key.numbers.umin);
    return offset < 0 && offset >= -std::int64_t{isa::kStackBytes} ? static_cast<std::int32_t>(offset)
                                                                   : InlinedCall::kNotInFrame;
  }

  const exec::Image& image_;
  std::span<const std::uint64_t> values_;
  std::span<const maps::Recipe> recipes_;
  std::span<maps::Map* const> maps_;
  Survey& survey_;
  const maps::Recipe* last_ring_ = nullptr;  // that a call was seen to reserve from
};

}  // namespace

void find_inlined_calls(const exec::Image& image, const Surroundings& surroundings, Survey& survey) {
  if (!surroundings.values.empty()) Finder(image, surroundings, survey).find();
}

}  // namespace skep::jit::x64
