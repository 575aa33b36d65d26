#include "exec/failure.h"

#include <fmt/format.h>

namespace skep::exec {
namespace {

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

}  // namespace skep::exec
