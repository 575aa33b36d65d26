#include "jit/x64/compiler.h"

#include <algorithm>
#include <cstddef>
#include <ranges>

#include "exec/executable.h"

namespace skep::jit::x64 {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored \
    "-Winvalid-offsetof"  // a Call has a reference; where its members are is known all the same
const CallOffsets kCallOffsets = {
    .context = offsetof(exec::Call, context),
    .program = offsetof(exec::Call, program),
    .cpu = offsetof(exec::Call, cpu),
    .tail_calls = offsetof(exec::Call, tail_calls),
    .generator = offsetof(exec::Call, generator),
    .budget = offsetof(exec::Call, budget),
    .stopped = offsetof(exec::Call, stopped),
    .reserved = offsetof(exec::Call, reservations) + exec::Reservations::offsets().record,
    .reserved_from = offsetof(exec::Call, reservations) + exec::Reservations::offsets().map,
    .reservations = offsetof(exec::Call, reservations) + exec::Reservations::offsets().count,
};

namespace {
std::int32_t in_elements(std::size_t offset) noexcept {
  return static_cast<std::int32_t>(maps::Map::elements_offset() + offset);
}
}  // namespace
const OtherOffsets kOtherOffsets = {
    .reference = offsetof(exec::Known, reference),
    .object = offsetof(exec::Known, object),
    .code = offsetof(exec::Known, target.code),
    .body = offsetof(exec::Known, target.body),
    .frame = offsetof(exec::Known, target.frame),
    .base = in_elements(offsetof(maps::Map::Elements, base)),
    .stride = in_elements(offsetof(maps::Map::Elements, stride)),
    .entries = in_elements(offsetof(maps::Map::Elements, entries)),
};
#pragma GCC diagnostic pop

void (Compiler::* const Compiler::kForms[])(const At& at) = {
#define FORM(name, ...) &Compiler::name,
#include "isa/forms.def"
};

namespace {
constexpr std::size_t kBytesPerSlot = 6;  // a little more than what programs need on average
}

Compiler::Compiler(const Order& order, const Survey& survey)
    : order_(order), survey_(survey), a_(order.image.insns.size() * kBytesPerSlot) {
  key_state_ = order.hardening.blinding;
  uses_call_ = survey.uses_call || survey.stops || order.counting == Counting::Yes;
  a_.labels(order.image.insns.size() + survey.functions.size());
  abandon_ = a_.label();
  body_ = a_.label();
}

Code Compiler::compile() {
  for (std::size_t i = 0; i < survey_.functions.size(); ++i) function(i);
  const std::uint32_t shared = a_.size();
  note_piece(Layout::kNoSlot);
  write_stops();
  write_thunks();
  write_tables();
  a_.finish();
  Code code;
  code.bytes.assign(a_.bytes().begin(), a_.bytes().end());
  code.fixups.assign(a_.fixups().begin(), a_.fixups().end());
  for (std::size_t i = 0; i < survey_.functions.size(); ++i) code.entries.push_back(a_.offset(label_of_function(i)));
  code.body = a_.offset(body_);
  code.guarded = survey_.callbacks || tails_may_stop() || !stops_.empty();
  code.frame = main_frame_ | (code.guarded ? 0 : exec::JumpTarget::kNeverStops);
  if (order_.wanted == Wanted::Layout) code.layout = final_layout(shared);
  return code;
}

// Whether what a tail call goes to may have to be stopped past frames of this program: those of callers of subprograms.
bool Compiler::tails_may_stop() const noexcept {
  const auto subprograms = survey_.functions | std::views::drop(1);
  return std::ranges::any_of(subprograms, &Function::tail_calls);
}

// ---- Layout

void Compiler::note_piece(std::uint32_t slot) {
  if (order_.wanted == Wanted::Layout) layout_.pieces.push_back({a_.size(), slot});
}

void Compiler::note_frame(FrameStep::Kind kind, Reg reg, std::uint32_t bytes) {
  if (order_.wanted == Wanted::Layout)
    layout_.frames.push_back({a_.size(), kind, static_cast<std::uint8_t>(reg), bytes});
}

Layout Compiler::final_layout(std::uint32_t shared) {
  layout_.shared = a_.moved(shared);
  for (Layout::Piece& piece : layout_.pieces) piece.offset = a_.moved(piece.offset);
  for (FrameStep& step : layout_.frames) step.offset = a_.moved(step.offset);
  return std::move(layout_);
}

Result<Code> compile(const Order& order) {
  const Helpers helpers = order.is_plain() ? Helpers::Called : Helpers::InPlace;
  TRY(Survey survey, Survey::of(order.image, {order.values, order.recipes, order.maps, helpers}));
  if (!order.is_plain() && order.counting == Counting::No)
    find_compare_chains(order.image, order.hardening.retpolines ? Tables::No : Tables::Yes, survey);
  return Compiler(order, survey).compile();
}

}  // namespace skep::jit::x64
