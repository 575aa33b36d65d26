#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "hive/kernel_objects.h"
#include "hive/prog_load.h"
#include "hive/prog_types.h"
#include "isa/op.h"
#include "spec/helpers.h"
#include "spec/kfuncs.h"
#include "verifier/explore/verify.h"

namespace skep::hive {
namespace {

using isa::Insn;
using isa::Op;
using spec::ProgType;

// ---- What the verifier is told

spec::MapView view_of(const MapObject& map) {
  const spec::MapSpec& spec = map.map->spec();
  spec::MapView view{.id = spec::MapId{map.id()}, .spec = spec, .fields = map.fields};
  const std::byte* value = map.map->direct_value();
  view.is_frozen = map.map->frozen();
  view.has_direct_value = value != nullptr;
  view.is_guarded = map.is_guarded;
  view.btf = map.btf != nullptr ? &map.btf->types : nullptr;
  if (view.is_frozen && value != nullptr && (spec.flags & spec::kRdonlyProg) != 0)
    view.frozen = {value, spec.value_size};
  return view;
}

// Views of the program's maps, and of the templates of those that are maps of maps.
class Views {
 public:
  explicit Views(std::span<const Ref<MapObject>> maps) {
    inner_.reserve(maps.size());
    for (const Ref<MapObject>& map : maps) {
      views_.push_back(view_of(*map));
      if (!map->inner) continue;
      inner_.push_back({.spec = *map->inner, .fields = map->inner_fields});
      views_.back().inner = &inner_.back();
    }
  }
  std::span<const spec::MapView> get() const noexcept { return views_; }

 private:
  std::vector<spec::MapView> views_, inner_;
};

// Whether the program speaks of the kernel's types. Reading them takes a while, so they are only read then.
bool names_kernel_types(const spec::Helper& helper) {
  if (!spec::info(helper.result).btf_type.empty() || spec::info(helper.result).base == spec::ResultBase::Btf ||
      spec::info(helper.result).base == spec::ResultBase::MemOrBtf)
    return true;
  return std::ranges::any_of(helper.args, [](spec::ArgKind arg) {
    const spec::ArgInfo& info = spec::info(arg);
    return !info.btf_type.empty() || info.base == spec::ArgBase::Btf || info.base == spec::ArgBase::PercpuBtf ||
           info.base == spec::ArgBase::KptrSlot;
  });
}
bool names_kernel_types(const Insn& insn) {
  const Op op = isa::decode(insn);
  if (op == Op::CallKfunc || op == Op::LdBtfId) return true;
  const spec::Helper* helper = op == Op::CallHelper ? spec::find_helper(static_cast<std::uint32_t>(insn.imm)) : nullptr;
  return helper != nullptr && names_kernel_types(*helper);
}
bool needs_kernel_types(const Loading& loading, ProgType type) {
  return attaches_to_btf(type) || type == ProgType::Netfilter ||
         std::ranges::any_of(loading.maps, [](const auto& map) { return !map->fields.empty(); }) ||
         std::ranges::any_of(loading.insns, [](const Insn& insn) { return names_kernel_types(insn); });
}

spec::AttachTarget target_of(const Loading& loading) {
  const Target& target = loading.target;
  spec::AttachTarget result{.btf_id = target.btf_id, .btf = target.kernel};
  if (!target.program) return result;
  const ProgObject& program = *target.program;
  result.btf = program.btf != nullptr ? &program.btf->types : nullptr;
  result.is_program = true;
  result.program_name = program.name;
  result.program_type = program.type;
  result.program_attach = spec::AttachType{program.attach_type};
  result.program_is_attached = program.target != nullptr;
  result.functions = program.functions;
  return result;
}

spec::VerifyInput input_of(const Loading& loading, const ProgObject& program, std::span<const spec::MapView> maps) {
  const Privilege privilege = loading.request.caller.privilege();
  return {
      .type = program.type,
      .attach = spec::AttachType{program.attach_type},
      .insns = loading.insns,
      .maps = maps,
      .map_uses = loading.uses,
      .flags = program.flags,
      .log_level = loading.log.level,
      .log_limit = loading.log.size != 0 ? loading.log.size : 1,
      .license = program.gpl ? spec::License::Gpl : spec::License::Other,
      .rights = {.bpf = privilege.bpf, .perfmon = privilege.perfmon},
      .name = program.name,
      .kernel_btf = needs_kernel_types(loading, program.type) ? loading.request.hive.kernel_btf() : nullptr,
      .btf = loading.btf ? &loading.btf->types : nullptr,
      .func_info = func_records(loading),
      .line_info = line_records(loading),
      .target = target_of(loading),
      .possible_cpus = loading.request.hive.domain->cpus(),
  };
}

// Where the walk itself comes upon the kernel's types (a field of a map, an argument that a tag describes), the
// verifier says that it misses them, which no verdict of Linux does.
verifier::Verdict ask(Loading& loading, const ProgObject& program, std::span<const spec::MapView> maps) {
  State& hive = loading.request.hive;
  spec::VerifyInput input = input_of(loading, program, maps);
  verifier::Verdict verdict = verifier::verify(input);
  const bool refused = !verdict.result && verdict.result.error().code == EOPNOTSUPP;
  if (refused && input.kernel_btf == nullptr && hive.kernel_btf() != nullptr) {
    input.kernel_btf = hive.kernel_btf();
    verdict = verifier::verify(input);
  }
  if (hive.options.observer != nullptr) hive.options.observer->verified(input, verdict);
  return verdict;
}

// ---- What it found

// Maps by id instead of by descriptor.
void name_maps(const Loading& loading, const spec::VerifiedProgram& verified, std::vector<Insn>& insns) {
  for (std::size_t i = 0; i < insns.size(); ++i) {
    const auto use = std::ranges::lower_bound(loading.uses, verified.origins[i], {}, &spec::MapUse::insn);
    if (use == loading.uses.end() || use->insn != verified.origins[i]) continue;
    const Op op = isa::decode(insns[i]);
    const bool is_value = op == Op::LdMapValue || op == Op::LdMapIdxValue;
    insns[i].src = isa::encode(is_value ? Op::LdMapValue : Op::LdMapFd).src;
    insns[i].imm = static_cast<std::int32_t>(loading.maps[use->map]->id());
    ++i;
  }
}

// The kernel functions it calls.
void name_kfuncs(Loading& loading) {
  const btf::Btf* types = nullptr;
  for (const Insn& insn : loading.source.insns) {
    if (isa::decode(insn) != Op::CallKfunc) continue;
    if (types == nullptr) types = loading.request.hive.kernel_btf();
    if (std::ranges::find(loading.source.kfuncs, insn.imm, &exec::CalledKfunc::btf_id) != loading.source.kfuncs.end())
      continue;
    const auto row = spec::kfunc_row(types->type(static_cast<std::uint32_t>(insn.imm)).name());
    if (row) loading.source.kfuncs.push_back({insn.imm, *row});
  }
}

void place_functions(Loading& loading, ProgObject& program, const spec::VerifiedProgram& verified) {
  std::vector<btf::FuncInfo> given;
  if (loading.btf)
    if (auto parsed = btf::parse_func_info(loading.btf->types, func_records(loading))) given = *std::move(parsed);
  for (const spec::VerifiedFunction& function : verified.functions) {
    loading.source.subprograms.push_back({function.start, function.name});
    if (given.empty()) continue;
    const std::uint32_t type = given[function.given].type_id;
    loading.funcs.push_back({function.start, type});
    program.functions.push_back({.type_id = type,
                                 .is_unreliable = !function.is_global,
                                 .changes_packet = function.changes_packet,
                                 .is_exception_callback = function.is_exception_callback});
  }
}

// Each line at the first instruction that is left of it; of several that end up at one place the last.
void place_lines(Loading& loading, const spec::VerifiedProgram& verified) {
  if (!loading.btf) return;
  const btf::Btf& types = loading.btf->types;
  const auto insns = std::as_bytes(std::span<const Insn>(loading.insns));
  const auto given = btf::parse_line_info(types, line_records(loading), insns);
  if (!given) return;
  for (btf::LineInfo line : *given) {
    const auto at = std::ranges::lower_bound(verified.origins, line.insn_off);
    if (at == verified.origins.end()) break;
    line.insn_off = static_cast<std::uint32_t>(at - verified.origins.begin());
    if (!loading.lines.empty() && loading.lines.back().insn_off == line.insn_off) loading.lines.pop_back();
    loading.lines.push_back(line);
  }
  for (const btf::LineInfo& line : loading.lines) loading.source.lines.push_back(source_line(types, line));
}

// ---- Fields of maps

Result<std::int64_t> value_of_field(Loading& loading, std::uint32_t at) {
  const Insn& load = loading.source.insns[at];
  const spec::Fact fact = loading.source.facts ? loading.source.facts->at(at, load.src) : spec::Fact{};
  const auto map =
      std::ranges::find(loading.maps, std::to_underlying(fact.map), [](const auto& one) { return one->id(); });
  if (fact.kind != spec::Fact::Kind::Map || map == loading.maps.end())
    return fail(EOPNOTSUPP, fmt::format("instruction {} reads a field of a map that is only known when it runs; fields "
                                        "are read here through pointers to one of the program's own maps",
                                        at));
  KernelObjects objects(*loading.request.hive.kernel_btf());
  const Bytes map_as_kernels = objects.map(**map);
  const Op op = isa::decode(load);
  const std::uint32_t bytes = isa::access_bytes(op);
  std::uint64_t value = 0;
  if (load.off < 0 || static_cast<std::size_t>(load.off) + bytes > map_as_kernels.size()) return 0;
  std::memcpy(&value, map_as_kernels.data() + load.off, bytes);
  const unsigned unused = 64 - 8 * bytes;
  if (isa::form(op) == isa::Form::LoadSx) return static_cast<std::int64_t>(value << unused) >> unused;
  return static_cast<std::int64_t>(value);
}

// What is loaded of them never changes: it becomes a number.
Result<> answer_map_fields(Loading& loading, std::span<const std::uint32_t> loads) {
  for (const std::uint32_t at : loads) {
    TRY(const std::int64_t value, value_of_field(loading, at));
    const bool is_half = std::in_range<std::uint32_t>(value);
    if (!is_half && !std::in_range<std::int32_t>(value))
      return fail(EOPNOTSUPP,
                  fmt::format("instruction {} reads {:#x} of a map's fields at once: at most 32 bits", at, value));
    Insn& insn = loading.source.insns[at];
    Insn number = isa::encode(is_half ? Op::Mov32Imm : Op::Mov64Imm);
    number.dst = insn.dst;
    number.imm = static_cast<std::int32_t>(value);
    insn = number;
  }
  return {};
}

}  // namespace

Result<> verify(Loading& loading, ProgObject& program) {
  find_maps(loading);
  const Views views(loading.maps);
  verifier::Verdict verdict = ask(loading, program, views.get());
  loading.log.add(std::move(verdict.log), verdict.log_size);
  if (!verdict.result) {
    spec::Rejection& rejection = verdict.result.error();
    return fail(rejection.code, std::move(rejection.message));
  }
  spec::VerifiedProgram& verified = *verdict.result;
  program.enforces_attach_type = verified.enforces_attach_type;
  program.read_buffer_end = verified.read_buffer_end;
  program.write_buffer_end = verified.write_buffer_end;
  program.verified_insns = verdict.stats.insns_processed;
  loading.source.insns = std::move(verified.insns);
  loading.source.facts = std::move(verified.facts);
  loading.source.barriers = verified.rewrites.barriers;
  loading.source.probed = std::move(verified.probed);
  loading.source.arena_accesses = std::move(verified.arena_accesses);
  if (verified.arena) loading.source.arena = spec::MapId{loading.maps[*verified.arena]->id()};
  name_maps(loading, verified, loading.source.insns);
  name_kfuncs(loading);
  TRY_VOID(answer_map_fields(loading, verified.map_fields));
  place_functions(loading, program, verified);
  place_lines(loading, verified);
  loading.functions = std::move(verified.functions);
  loading.rewrites = std::move(verified.rewrites);
  return {};
}

}  // namespace skep::hive
