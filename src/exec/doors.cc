#include "exec/doors.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "exec/context_flow.h"
#include "exec/lower_context.h"
#include "exec/rewriter.h"
#include "exec/structure.h"
#include "isa/op.h"
#include "spec/context.h"
#include "spec/helper_access.h"

namespace skep::exec {
namespace {

using isa::Op;
using spec::HelperId;
using spec::ProgType;

// Contexts without a model are memory: whoever runs such a program lays it out as the program sees it.
ContextKind lowered_context(ProgType type) {
  const spec::ContextKind context = spec::context_of(type);
  if (context == spec::ContextKind::Xdp) return ContextKind::XdpBuff;
  return context == spec::ContextKind::SkBuff ? ContextKind::SkBuff : ContextKind::Memory;
}

// ---- What the program calls ----

constexpr spec::ProgTypes kPacketLoaders =
    spec::prog_types(ProgType::SocketFilter, ProgType::SchedCls, ProgType::SchedAct);

Result<> check_helper(const Image& image, std::size_t index) {
  const auto number = static_cast<std::uint32_t>(image.insns[index].imm);
  const spec::Helper* helper = spec::find_helper(number);
  if (!helper) return std::unexpected(error_at(image.insns, index, fmt::format("invalid func unknown#{}", number)));
  if (!spec::helper_allowed(image.type, static_cast<spec::AttachType>(image.attach_type), helper->id))
    return std::unexpected(error_at(
        image.insns, index, fmt::format("program of this type cannot use helper bpf_{}#{}", helper->name, number)));
  return {};
}

// Only what can be reached counts: libbpf leaves calls of no helper where the running kernel lacks a field.
Result<> check_calls(const Image& image, const std::vector<bool>& reached) {
  for (std::size_t i = 0; i < image.insns.size(); ++i) {
    if (!reached[i]) continue;
    const Op op = isa::decode(image.insns[i]);
    const isa::Form form = isa::form(op);
    const bool loads_packet = form == isa::Form::PacketAbs || form == isa::Form::PacketInd;
    if (loads_packet && !(kPacketLoaders & spec::prog_types(image.type)))
      return std::unexpected(
          error_at(image.insns, i, "BPF_LD_[ABS|IND] instructions not allowed for this program type"));
    if (op == Op::CallHelper && image.type != ProgType::Unspec) TRY_VOID(check_helper(image, i));
  }
  return {};
}

// Whether the helper may touch per-CPU state. Which map it is given is known only when the program is bound, so any
// map counts; a tail call may lead to a program that does.
bool may_need_cpu(const spec::Helper& helper) {
  if (helper.id == HelperId::get_smp_processor_id) return true;
  for (const spec::ArgKind arg : helper.args)
    if (spec::info(arg).base == spec::ArgBase::Map) return true;
  return false;
}

// ---- What binding must fill in ----

void collect_relocations(Image& image, std::span<const CalledKfunc> kfuncs) {
  using Kind = Relocation::Kind;
  const auto& insns = image.insns;
  for (std::size_t i = 0; i < insns.size(); i += isa::slots(isa::decode(insns[i]))) {
    const auto at = static_cast<std::uint32_t>(i);
    const auto id = static_cast<std::uint32_t>(insns[i].imm);
    const Op op = isa::decode(insns[i]);
    if (op == Op::LdMapFd) image.relocations.push_back({at, Kind::Map, id, 0});
    if (op == Op::LdMapValue)
      image.relocations.push_back({at, Kind::MapValue, id, static_cast<std::uint32_t>(insns[i + 1].imm)});
    if (op == Op::CallKfunc)
      if (const auto called = std::ranges::find(kfuncs, insns[i].imm, &CalledKfunc::btf_id); called != kfuncs.end())
        image.relocations.push_back({at, Kind::Kfunc, called->row, 0});
    if (op != Op::CallHelper) continue;
    image.relocations.push_back({at, Kind::Helper, id, 0});
    const spec::Helper* helper = spec::find_helper(id);
    image.uses_cpu |= helper && may_need_cpu(*helper);
  }
}

Result<> lower(Image& image) {
  TRY(const ContextFlow flow, follow_context(image.insns, image.subprograms, image.context));
  TRY_VOID(check_calls(image, flow.reached));
  if (image.context == ContextKind::Memory) return {};
  Rewriter rewriter(image.insns);
  TRY_VOID(lower_context(image, flow.accesses, rewriter));
  TRY(auto insns, rewriter.rewritten());
  for (Subprogram& subprogram : image.subprograms) subprogram.start = rewriter.moved(subprogram.start);
  for (SourceLine& line : image.lines) line.insn = rewriter.moved(line.insn);
  for (spec::Barrier& barrier : image.barriers) barrier.insn = rewriter.moved(barrier.insn);
  for (std::uint32_t& load : image.probed) load = rewriter.moved(load);
  for (std::uint32_t& access : image.arena_accesses) access = rewriter.moved(access);
  for (std::size_t i = 0; i < image.insns.size(); ++i) image.places.push_back(rewriter.moved(i));
  if (image.facts) image.facts = std::make_shared<const spec::Facts>(image.facts->moved(image.places, insns.size()));
  image.insns = std::move(insns);
  return {};
}

Result<> check_places(const Source& source) {
  const auto outside = [&](std::uint32_t insn) { return insn >= source.insns.size(); };
  if (std::ranges::any_of(source.barriers, outside, &spec::Barrier::insn))
    return fail(EINVAL, fmt::format("a barrier belongs to none of the {} instructions", source.insns.size()));
  if (std::ranges::any_of(source.probed, outside))
    return fail(EINVAL,
                fmt::format("a load of the kernel's objects is none of the {} instructions", source.insns.size()));
  if (std::ranges::any_of(source.arena_accesses, outside))
    return fail(EINVAL, fmt::format("an access of an arena is none of the {} instructions", source.insns.size()));
  if (!source.arena_accesses.empty() && source.arena == spec::MapId::None)
    return fail(EINVAL, "there is no arena that is accessed");
  return {};
}

Result<> check_lines(const Source& source) {
  for (const SourceLine& line : source.lines)
    if (line.insn >= source.insns.size())
      return fail(EINVAL, fmt::format("source line {} belongs to instruction {} of {}", line.line, line.insn,
                                      source.insns.size()));
  return {};
}

}  // namespace

Result<Image> verify(const Source& source) { return assume_verified(source, "verified"); }

Result<Image> assume_verified(const Source& source, std::string_view reason) {
  return assume_verified(source, lowered_context(source.type), reason);
}

// The reason is for the reader of the call.
Result<Image> assume_verified(const Source& source, ContextKind context, std::string_view) {
  const bool typed = source.type != ProgType::Unspec;
  Image image;
  image.type = source.type;
  image.attach_type = source.attach_type;
  image.context = context;
  image.name = source.name;
  TRY(image.subprograms, check_structure(source, typed ? Legal::Linux : Legal::Any));
  TRY_VOID(check_lines(source));
  TRY_VOID(check_places(source));
  image.insns = source.insns;
  image.lines = source.lines;
  image.facts = source.facts;
  image.barriers = source.barriers;
  image.probed = source.probed;
  image.arena_accesses = source.arena_accesses;
  image.arena = source.arena;
  image.is_deep = source.is_deep;
  TRY_VOID(lower(image));
  collect_relocations(image, source.kfuncs);
  return image;
}

}  // namespace skep::exec
