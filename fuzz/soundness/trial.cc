#include "soundness/trial.h"

#include <algorithm>

#include "btf/ext.h"
#include "exec/doors.h"
#include "helpers/bodies.h"
#include "interp/interp.h"
#include "isa/op.h"
#include "runtime/bindings.h"
#include "spec/kfuncs.h"
#include "spec/uapi.h"
#include "verifier/explore/explored.h"
#include "verifier/explore/verify.h"
#include "verifier/testing_maps.h"
#include "verifier/testing_prototypes.h"

namespace skep::soundness {
namespace {

using exec::Failure;
using isa::Op;

constexpr std::uint64_t kBudget = 20'000;  // instructions of one run

// The functions that generated programs have.
struct Prototypes {
  verifier::testing::FunctionTypes made{judge::prototypes()};
  btf::Btf types = btf::Btf::parse(made.bytes()).value();
  static const Prototypes& get() {
    static const Prototypes prototypes;
    return prototypes;
  }
};

bool is_violation(const Failure& failure) {
  switch (failure.kind) {
    case Failure::Kind::None:
    case Failure::Kind::Budget:
    case Failure::Kind::Uninitialised: return false;
    case Failure::Kind::BadCall: return failure.object.find("no body") == failure.object.npos;
    default: return true;
  }
}

std::vector<exec::CalledKfunc> called_kfuncs(std::span<const isa::Insn> insns) {
  std::vector<exec::CalledKfunc> called;
  const btf::Btf* types = verifier::testing::kernel_types();
  for (const isa::Insn& insn : insns) {
    if (types == nullptr || isa::decode(insn) != Op::CallKfunc) continue;
    if (std::ranges::find(called, insn.imm, &exec::CalledKfunc::btf_id) != called.end()) continue;
    const auto row = spec::kfunc_row(types->type(static_cast<std::uint32_t>(insn.imm)).name());
    if (row) called.push_back({insn.imm, *row});
  }
  return called;
}

}  // namespace

Trial::Trial(World& world, const judge::Program& program, std::span<const Claims> about)
    : world_(world), type_(program.type), attach_(program.attach) {
  start_ = find_maps(program);
  for (const Claims claims : about)
    if (start_ == Start::Ready) start_ = verify(program, claims);
}

Trial::Start Trial::stop(Start why, std::string obstacle) {
  obstacle_ = std::move(obstacle);
  return why;
}

Trial::Start Trial::find_maps(const judge::Program& program) {
  if (!has_context(type_)) return stop(Start::NotHere, "a context of " + std::string(spec::name(type_)));
  for (const judge::MapName& name : program.maps) {
    const WorldMap* map = world_.find(name.name);
    if (map == nullptr) return stop(Start::NotHere, "map " + name.name);
    const auto known = static_cast<std::uint32_t>(std::ranges::find(maps_, map) - maps_.begin());
    if (known == maps_.size()) maps_.push_back(map), views_.push_back(map->view);
    uses_.push_back({static_cast<std::uint32_t>(name.insn), known, 100 + static_cast<std::int32_t>(known), 0});
  }
  std::ranges::sort(uses_, {}, &spec::MapUse::insn);
  return Start::Ready;
}

Trial::Start Trial::verify(const judge::Program& program, Claims claims) {
  std::vector<isa::Insn> insns = program.insns;
  for (const spec::MapUse& use : uses_) insns[use.insn].imm = use.fd;
  std::vector<btf::FuncInfo> infos;
  for (const judge::FunctionStart& function : program.functions)
    infos.push_back({static_cast<std::uint32_t>(function.insn), Prototypes::get().made.id_of(function.name)});
  const std::uint32_t extra = claims == Claims::Explored ? std::uint32_t{spec::kTestStateFreq} : 0U;
  const spec::VerifyInput input{
      .type = type_,
      .attach = attach_,
      .insns = insns,
      .maps = views_,
      .map_uses = uses_,
      .flags = program.flags | extra,
      .kernel_btf = verifier::testing::kernel_types(),
      .btf = infos.empty() ? nullptr : &Prototypes::get().types,
      .func_info = {std::as_bytes(std::span(infos)), sizeof(btf::FuncInfo), static_cast<std::uint32_t>(infos.size())},
      .possible_cpus = world_.cpus()};
  verifier::Explored explored;
  auto verdict =
      verifier::verify(input, verifier::Rules::Linux612, nullptr, claims == Claims::Explored ? &explored : nullptr);
  if (!verdict.result) return stop(Start::Rejected, verdict.result.error().message);
  Accepted& kept = accepted(claims);
  kept.facts = claims == Claims::Facts ? verdict.result->facts
                                       : std::make_shared<const spec::Facts>(explored.claims(*verdict.result));
  kept.insns = std::move(verdict.result->insns);
  name_maps(kept, verdict.result->origins);
  return bind(kept) ? Start::Ready : Start::NoEngine;
}

void Trial::name_maps(Accepted& accepted, std::span<const std::uint32_t> origins) const {
  for (std::size_t i = 0; i < accepted.insns.size(); ++i) {
    const auto use = std::ranges::lower_bound(uses_, origins[i], {}, &spec::MapUse::insn);
    if (use == uses_.end() || use->insn != origins[i]) continue;
    accepted.insns[i].imm = static_cast<std::int32_t>(maps_[use->map]->map->id());
    ++i;
  }
}

bool Trial::bind(Accepted& accepted) {
  exec::Source source;
  source.type = type_;
  source.attach_type = static_cast<std::uint32_t>(attach_);
  source.insns = accepted.insns;
  source.kfuncs = called_kfuncs(accepted.insns);
  source.facts = accepted.facts;
  auto image = exec::verify(source);
  if (!image) {
    obstacle_ = image.error().message;
    return false;
  }
  std::vector<maps::Map*> used;
  for (const WorldMap* map : maps_) used.push_back(map->map.get());
  accepted.image = std::make_shared<const exec::Image>(*std::move(image));
  auto code = interp::bind(accepted.image, runtime::MapBindings(used), interp::Policy::Checked);
  if (!code) {
    obstacle_ = code.error().message;
    return false;
  }
  accepted.code = *std::move(code);
  return true;
}

bool Trial::replace_facts(Claims claims, spec::Facts facts) {
  Accepted& kept = accepted(claims);
  kept.facts = std::make_shared<const spec::Facts>(std::move(facts));
  return bind(kept);
}

std::optional<Failure> Trial::run(Claims claims, std::uint64_t seed) {
  Draw draw(seed);
  world_.set_draw(draw);
  for (const WorldMap* map : maps_) world_.refill(*map, draw);
  const exec::Executable& code = *accepted(claims).code;
  Failure failure;
  exec::Call call{world_};
  input_.draw(type_, code.image().context, draw, call);
  call.program = &code;
  call.budget = kBudget;
  call.failure = &failure;
  code.run(call);
  if (!call.reservations.empty()) helpers::abandon(call);
  if (!call.stopped || !is_violation(failure)) return std::nullopt;
  return failure;
}

}  // namespace skep::soundness
