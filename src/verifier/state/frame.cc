#include "verifier/state/frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace skep::verifier {
namespace {

constexpr std::string_view kKindNames[] = {
#define KIND(Name, text) text,
#include "verifier/state/kinds.def"
#undef KIND
};

constexpr char letter(ByteKind kind) noexcept {
  switch (kind) {
    case ByteKind::Invalid: return '?';
    case ByteKind::Spill: return 'r';
    case ByteKind::Misc: return 'm';
    case ByteKind::Zero: return '0';
  }
  return '?';
}

// 6.18 knows what is live before it walks, and marks nothing.
std::string_view liveness(const Register& reg, Rules rules) noexcept {
  return reg.written && rules == Rules::Linux612 ? "_w" : "";
}

void append_pointer(std::string& out, const Register& reg, const char*& separator) {
  if (reg.offset != 0) {
    out += separator;
    out += "off=";
    append_signed(out, reg.offset);
    separator = ",";
  }
  if (reg.is_packet()) {
    out += separator;
    out += "r=";
    append_unsigned(out, static_cast<std::uint64_t>(std::int64_t{reg.range}));
    separator = ",";
  }
  if (!reg.number.is_constant()) return append_knowledge(out, reg.number, separator);
  if (reg.number.value() == 0) return;
  out += separator;
  out += "imm=";
  append_signed(out, static_cast<std::int64_t>(reg.number.value()));
}

void append(std::string& out, const Register& reg) {
  if (reg.is_constant()) return append_signed(out, static_cast<std::int64_t>(reg.number.value()));
  out += name(reg.kind);
  if (reg.kind == Kind::Stack && reg.number.is_constant())
    return append_signed(out, static_cast<std::int64_t>(reg.number.value()) + reg.offset);
  out += '(';
  const char* separator = "";
  if (reg.id != 0) {
    fmt::format_to(std::back_inserter(out), "id={}", reg.id);
    if (reg.is_offset) fmt::format_to(std::back_inserter(out), "{:+}", reg.offset);
    separator = ",";
  }
  if (reg.is_scalar())
    append_knowledge(out, reg.number, separator);
  else
    append_pointer(out, reg, separator);
  out += ')';
}

void append(std::string& out, const Slot& slot, std::size_t index, Rules rules) {
  fmt::format_to(std::back_inserter(out), " fp-{}{}=", (index + 1) * kSlotBytes, liveness(slot.spilled, rules));
  for (const ByteKind kind : slot.bytes) {
    if (slot.holds_register() && kind == ByteKind::Spill) break;
    out += letter(kind);
  }
  if (slot.holds_register()) append(out, slot.spilled);
}

}  // namespace

std::string_view name(Kind kind) noexcept { return kKindNames[static_cast<std::size_t>(kind)]; }

unsigned Slot::spilled_bytes() const noexcept {
  const auto other = std::find_if(bytes.rbegin(), bytes.rend(), [](ByteKind kind) { return kind != ByteKind::Spill; });
  return static_cast<unsigned>(other - bytes.rbegin());
}

bool Slot::is_valid() const noexcept {
  return std::ranges::any_of(bytes, [](ByteKind kind) { return kind != ByteKind::Invalid; });
}

void append(std::string& out, const Frame& frame, const Changes& which, Rules rules) {
  for (std::size_t i = 0; i < frame.registers.size(); ++i) {
    const Register& reg = frame.registers[i];
    if (reg.kind == Kind::Unset || !(which.registers >> i & 1)) continue;
    fmt::format_to(std::back_inserter(out), " R{}{}=", i, liveness(reg, rules));
    append(out, reg);
  }
  for (std::size_t i = 0; i < frame.stack.size(); ++i)
    if (frame.stack[i].is_valid() && (which.slots >> i & 1)) append(out, frame.stack[i], i, rules);
}

}  // namespace skep::verifier
