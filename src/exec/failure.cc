#include "exec/failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "exec/call.h"

namespace skep::exec {
namespace {

// "file:line: text" of the line that instruction `insn` belongs to.
std::string source_of(const Image& image, std::uint32_t insn) {
  const auto behind = std::ranges::upper_bound(image.lines, insn, {}, &SourceLine::insn);
  if (behind == image.lines.begin()) return {};
  const SourceLine& line = *std::prev(behind);
  return fmt::format("{}:{}: {}", line.file, line.line, line.text);
}

std::string what(const Failure& failure) {
  using Kind = Failure::Kind;
  const auto access = [&](std::string_view verb) {
    return fmt::format("{} {} byte{} at {:#x}", verb, failure.size, failure.size == 1 ? "" : "s", failure.address);
  };
  switch (failure.kind) {
    case Kind::None: return "ran to its end";
    case Kind::OutOfBounds: return access("accessed") + ", outside every live object";
    case Kind::Uninitialised: return access("read") + " before they were written";
    case Kind::ReadOnly: return access("wrote") + ", which may only be read";
    case Kind::Misaligned: return access("atomically accessed") + ", which is not aligned to its size";
    case Kind::BadInstruction: return "reached an instruction no engine can run";
    case Kind::BadCall: return "made a call that cannot be made";
    case Kind::Budget: return "used up its instruction budget";
    case Kind::WrongFact: return "was reached in a state that the verifier's facts exclude";
  }
  return {};
}

std::string where(const Failure& failure) {
  if (failure.object.empty()) return {};
  if (failure.kind != Failure::Kind::OutOfBounds) return ": " + failure.object;
  if (failure.outside == 0) return "; " + failure.object;
  const std::int64_t distance = failure.outside < 0 ? -failure.outside : failure.outside;
  return fmt::format("; {} byte{} {} {}", distance, distance == 1 ? "" : "s", failure.outside < 0 ? "before" : "behind",
                     failure.object);
}

}  // namespace

std::string Failure::text() const {
  std::string sentence = fmt::format("{} instruction {}", program.empty() ? "program" : program, insn);
  if (!source.empty()) sentence += fmt::format(" ({})", source);
  return sentence + " " + what(*this) + where(*this) + ".";
}

void note_stop(Call& call, const Image& image, std::uint32_t insn, Failure::Kind kind,
               std::string_view object) noexcept {
  call.stopped = true;
  if (call.failure == nullptr) return;
  Failure& failure = *call.failure;
  failure.kind = kind;
  failure.insn = insn;
  failure.object = object;
  failure.program = image.name;
  failure.source = source_of(image, insn);
}

}  // namespace skep::exec
