// States as the log shows them.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "verifier/state/state.h"

namespace skep::verifier {
namespace {

constexpr std::string_view kKindNames[] = {
#define KIND(Name, text) text,
#include "verifier/state/kinds.def"
#undef KIND
};

constexpr std::string_view kTraitNames[] = {"rdonly_",    "ringbuf_", "user_", "percpu_",
                                            "untrusted_", "trusted_", "rcu_"};

constexpr std::string_view kIterStates[] = {"<invalid>", "active", "drained"};
constexpr std::string_view kDynptrTypes[] = {"<invalid>", "local", "ringbuf", "skb", "xdp"};

template <class E>
std::size_t index_of(E value) noexcept {
  return static_cast<std::size_t>(value);
}

constexpr char letter(ByteKind kind) noexcept {
  switch (kind) {
    case ByteKind::Invalid: return '?';
    case ByteKind::Spill: return 'r';
    case ByteKind::Misc: return 'm';
    case ByteKind::Zero: return '0';
    case ByteKind::Dynptr: return 'd';
    case ByteKind::Iterator: return 'i';
  }
  return '?';
}

class Printer {
 public:
  Printer(std::string& out, const State& state, unsigned index, const PrintContext& context)
      : out_(out), frame_(*state.frames[index]), marks_(state.marks[index]), index_(index), context_(context) {}

  void registers(std::uint32_t which) {
    for (std::size_t i = 0; i < frame_.registers.size(); ++i) {
      const Register& reg = frame_.registers[i];
      if (reg.kind == Kind::Unset || !(which >> i & 1)) continue;
      print(" R{}", i);
      liveness(marks_.read() >> i & 1, marks_.written >> i & 1);
      out_ += '=';
      value(reg, marks_.precise >> i & 1);
    }
  }

  void slots(std::uint64_t which) {
    for (std::size_t i = 0; i < frame_.stack.size(); ++i) {
      if (!frame_.stack[i].is_valid() || !(which >> i & 1)) continue;
      if (frame_.stack[i].bytes.back() == ByteKind::Dynptr && i + 1 < frame_.stack.size()) ++i;  // its first slot
      slot(frame_.stack[i], i);
    }
  }

 private:
  template <class... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void listed(fmt::format_string<Args...> format, Args&&... args) {
    out_ += separator_;
    separator_ = ",";
    print(format, std::forward<Args>(args)...);
  }

  // 6.18 knows what is live before it walks, and marks nothing.
  void liveness(bool read, bool written) {
    if (context_.rules != Rules::Linux612 || !(read || written)) return;
    out_ += '_';
    if (read) out_ += 'r';
    if (written) out_ += 'w';
  }

  void value(const Register& reg, bool precise) {
    if (reg.is_scalar() && (precise || context_.all_precise)) out_ += 'P';
    if (reg.is_constant()) return append_signed(out_, static_cast<std::int64_t>(reg.number.value()));
    out_ += reg.type_name();
    if (reg.kind == Kind::Arena) return;
    if (reg.kind == Kind::Stack) {
      if (reg.frame != index_) print("[{}]", reg.frame);
      if (reg.number.is_constant())
        return append_signed(out_, static_cast<std::int64_t>(reg.number.value()) + reg.offset);
    }
    if (reg.kind == Kind::Btf) out_ += context_.names.btf_type(reg.btf, reg.btf_type);
    out_ += '(';
    separator_ = "";
    identity(reg);
    if (reg.is_scalar())
      append_knowledge(out_, reg.number, separator_);
    else
      pointer(reg);
    out_ += ')';
  }

  void identity(const Register& reg) {
    if (reg.id != 0) listed("id={}", reg.id);
    if (reg.is_offset) print("{:+}", reg.offset);
    if (reg.ref_obj_id != 0) listed("ref_obj_id={}", reg.ref_obj_id);
    if (reg.is(kNonOwning)) listed("non_own_ref");
    if (reg.kind != Kind::MapPointer && reg.kind != Kind::MapValue && reg.kind != Kind::MapKey) return;
    const PrintNames::Map map = context_.names.map(reg.map);
    if (!map.name.empty()) listed("map={}", map.name);
    listed("ks={},vs={}", map.key_size, map.value_size);
  }

  void pointer(const Register& reg) {
    if (reg.offset != 0) {
      listed("off=");
      append_signed(out_, reg.offset);
    }
    if (reg.is_packet()) {
      listed("r=");
      append_unsigned(out_, static_cast<std::uint64_t>(std::int64_t{reg.range}));
    }
    if (reg.kind == Kind::Memory) {
      listed("sz=");
      append_unsigned(out_, reg.memory_size);
    }
    if (reg.kind == Kind::Dynptr) listed("type={}", kDynptrTypes[index_of(reg.dynptr)]);
    if (!reg.number.is_constant()) return append_knowledge(out_, reg.number, separator_);
    if (reg.number.value() == 0) return;
    listed("imm=");
    append_signed(out_, static_cast<std::int64_t>(reg.number.value()));
  }

  void slot(const Slot& slot, std::size_t index) {
    const ByteKind kind = slot.bytes.back();
    if (kind == ByteKind::Iterator && slot.spilled.ref_obj_id == 0) return;  // not the first of its slots
    print(" fp-{}", (index + 1) * kSlotBytes);
    liveness(marks_.slots_read >> index & 1, marks_.slots_written >> index & 1);
    out_ += '=';
    if (kind == ByteKind::Dynptr) return dynptr(slot.spilled);
    if (kind == ByteKind::Iterator) return iterator(slot.spilled);
    for (const ByteKind byte : slot.bytes) {
      if (slot.holds_register() && byte == ByteKind::Spill) break;
      out_ += letter(byte);
    }
    if (slot.holds_register()) value(slot.spilled, marks_.slots_precise >> index & 1);
  }

  void dynptr(const Register& reg) {
    print("dynptr_{}(", kDynptrTypes[index_of(reg.dynptr)]);
    separator_ = "";
    if (reg.id != 0) listed("id={}", reg.id);
    if (reg.ref_obj_id != 0) listed("ref_id={}", reg.ref_obj_id);
    if (reg.dynptr_id != 0) listed("dynptr_id={}", reg.dynptr_id);
    out_ += ')';
  }

  void iterator(const Register& reg) {
    constexpr std::string_view kPrefix = "bpf_iter_";
    std::string type = context_.names.btf_type(0, reg.btf_type);
    if (type.starts_with(kPrefix)) type.erase(0, kPrefix.size());
    print("iter_{}(ref_id={},state={},depth={})", type, reg.ref_obj_id, kIterStates[index_of(reg.iter_state)],
          reg.iter_depth);
  }

  std::string& out_;
  const Frame& frame_;
  const Marks& marks_;
  unsigned index_;
  const PrintContext& context_;
  const char* separator_ = "";
};

}  // namespace

std::string_view name(Kind kind) noexcept { return kKindNames[index_of(kind)]; }

std::string type_name(Kind kind, Traits traits) {
  std::string text;
  for (std::size_t i = 0; i < std::size(kTraitNames); ++i)
    if (traits >> i & 1) text += kTraitNames[i];
  text += name(kind);
  if (traits & kOrNull) text += kind == Kind::Btf ? "or_null_" : "_or_null";
  return text;
}

std::size_t FramePool::bytes() const noexcept {
  std::size_t total = all_.size() * sizeof(Frame);
  for (const auto& frame : all_) total += frame->stack.capacity() * sizeof(Slot);
  return total;
}

void append(std::string& out, const State& state, unsigned index, const Changes& which, const PrintContext& context) {
  if (index != 0) fmt::format_to(std::back_inserter(out), " frame{}:", index);
  Printer printer(out, state, index, context);
  printer.registers(which.registers);
  printer.slots(which.slots);
  if (!state.references.empty()) {
    out += " refs=";
    const char* separator = "";
    for (const Reference& reference : state.references) {
      fmt::format_to(std::back_inserter(out), "{}{}", separator, reference.id);
      separator = ",";
    }
  }
  const CallKind called = state.frames[index]->called_as;
  if (called == CallKind::Callback) out += " cb";
  if (called == CallKind::AsyncCallback) out += " async_cb";
}

}  // namespace skep::verifier
