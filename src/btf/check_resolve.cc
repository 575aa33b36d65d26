// How types refer to each other: every reference leads to something of a known size, or to what may be without one, and
// no type contains itself.
//
// A search runs depth first with its own stack of at most 32 types; the limit is part of what a kernel accepts.
// Pointers end the search that began at a structure, and structures the one that began at a pointer, so that a list
// node may point to its own type. A type's step either finishes it or puts what it needs first on the stack.
#include <algorithm>
#include <limits>

#include "btf/check.h"

namespace skep::btf {
namespace {

constexpr std::size_t kMaxDepth = 32;
constexpr std::uint32_t kPointerBytes = 8;

bool has_size(Kind kind) {
  switch (kind) {
    case Kind::Int:
    case Kind::Struct:
    case Kind::Union:
    case Kind::Enum:
    case Kind::Enum64:
    case Kind::Datasec:
    case Kind::Float: return true;
    default: return false;
  }
}

// Types that refer to others, which must be looked at first.
bool refers(Kind kind) {
  return is_modifier(kind) || is_composite(kind) || kind == Kind::Ptr || kind == Kind::Array || kind == Kind::Var ||
         kind == Kind::Func || kind == Kind::DeclTag || kind == Kind::Datasec;
}

// Types that nothing but a data section, or nothing at all, refers to.
bool only_refers(Kind kind) { return kind == Kind::Var || kind == Kind::DeclTag || kind == Kind::Datasec; }

bool has_no_value(Kind kind) {
  return kind == Kind::Void || kind == Kind::Fwd || kind == Kind::Func || kind == Kind::FuncProto;
}

// An int that fills 1, 2, 4, 8 or 16 bytes.
bool is_regular(const Type& type) {
  const std::uint32_t bits = int_bits(type.int_data());
  return int_offset(type.int_data()) == 0 && (bits == 8 || bits == 16 || bits == 32 || bits == 64 || bits == 128);
}

}  // namespace

Result<> Checker::types_together() {
  visits_.assign(btf_.offsets_.size(), Visit::Not);
  btf_.resolved_.assign(btf_.offsets_.size(), 0);
  btf_.sizes_.assign(btf_.offsets_.size(), 0);
  for (std::uint32_t id = 1; id <= btf_.count(); ++id) {
    const Type type = btf_.type(id);
    if (refers(type.kind()) && visits_[id] != Visit::Done) TRY_VOID(search(id));
    if (type.kind() == Kind::FuncProto) TRY_VOID(func_proto(type));
  }
  return {};
}

Result<> Checker::search(std::uint32_t root) {
  mode_ = Mode::Undecided;
  stack_.clear();
  TRY_VOID(push(root));
  while (!stack_.empty()) {
    const auto done = step(stack_.back());
    if (done) continue;
    if (done.error().code == E2BIG) return refuse(btf_.type(root), "Exceeded max resolving depth:32", E2BIG);
    if (done.error().code == EEXIST) return refuse(btf_.type(root), "Loop detected", EEXIST);
    return std::unexpected(done.error());
  }
  return {};
}

Result<> Checker::push(std::uint32_t id) {
  if (stack_.size() == kMaxDepth) return fail(E2BIG, "too deep");
  if (visits_[id] != Visit::Not) return fail(EEXIST, "loop");
  visits_[id] = Visit::Started;
  stack_.push_back({id, 0});
  if (mode_ == Mode::Undecided) {
    const Kind kind = btf_.type(id).kind();
    if (kind == Kind::Ptr) mode_ = Mode::Pointer;
    if (is_composite(kind) || kind == Kind::Array) mode_ = Mode::Composite;
  }
  return {};
}

Result<Checker::Step> Checker::descend(std::uint32_t id) {
  TRY_VOID(push(id));
  return Step::Descended;
}

Checker::Step Checker::finish(std::uint32_t id, std::uint32_t resolved, std::uint32_t size) {
  visits_[id] = Visit::Done;
  btf_.resolved_[id] = resolved;
  btf_.sizes_[id] = size;
  stack_.pop_back();
  return Step::Finished;
}

bool Checker::must_wait(std::uint32_t id) const {
  const Kind kind = btf_.type(id).kind();
  if (!refers(kind) || visits_[id] == Visit::Done) return false;
  switch (mode_) {
    case Mode::Undecided: return true;
    case Mode::Pointer: return is_modifier(kind) || kind == Kind::Ptr;
    case Mode::Composite: return is_modifier(kind) || kind == Kind::Array || is_composite(kind);
  }
  return true;
}

bool Checker::refers_wrongly(std::uint32_t id) const { return !btf_.has(id) || only_refers(btf_.type(id).kind()); }

std::uint32_t Checker::resolved(std::uint32_t id) const { return visits_[id] == Visit::Done ? btf_.resolved_[id] : id; }

std::optional<Checker::Sized> Checker::sized(std::uint32_t id) const {
  if (!btf_.has(id)) return std::nullopt;
  const Kind outer = btf_.type(id).kind();
  if (is_modifier(outer) || outer == Kind::Var) id = btf_.resolved_[id];
  const Type type = btf_.type(id);
  if (has_size(type.kind())) return Sized{id, type.size()};
  if (type.kind() == Kind::Array) return Sized{id, btf_.sizes_[id]};
  if (type.kind() == Kind::Ptr) return Sized{id, kPointerBytes};
  return std::nullopt;
}

bool Checker::may_be_referred_to_without_size(std::uint32_t id) const {
  const Kind kind = btf_.type(resolved(id)).kind();
  return kind == Kind::Void || kind == Kind::Fwd || kind == Kind::FuncProto;
}

// A pointer behind modifiers that were finished by a search which ended at pointers must still be looked at.
std::optional<std::uint32_t> Checker::pointer_behind(std::uint32_t id) const {
  if (!is_modifier(btf_.type(id).kind())) return std::nullopt;
  const std::uint32_t behind = resolved(id);
  if (btf_.type(behind).kind() != Kind::Ptr || !must_wait(behind)) return std::nullopt;
  return behind;
}

Result<Checker::Step> Checker::step(Frame& top) {
  const Type type = btf_.type(top.id);
  switch (type.kind()) {
    case Kind::Ptr: return pointer_step(type);
    case Kind::Var: return var_step(type);
    case Kind::Array: return array_step(type);
    case Kind::Struct:
    case Kind::Union: return composite_step(type, top);
    case Kind::Datasec: return datasec_step(type, top);
    case Kind::Func: return func_step(type);
    case Kind::DeclTag: return decl_tag_step(type);
    default: return modifier_step(type);
  }
}

Result<Checker::Step> Checker::modifier_step(const Type& type) {
  const std::uint32_t next = type.type();
  if (refers_wrongly(next)) return refuse(type, "Invalid type_id");
  if (must_wait(next)) return descend(next);
  const auto found = sized(next);
  if (!found && !may_be_referred_to_without_size(next)) return refuse(type, "Invalid type_id");
  return finish(type.id(), found ? found->id : resolved(next), 0);
}

Result<Checker::Step> Checker::pointer_step(const Type& type) {
  const std::uint32_t next = type.type();
  if (refers_wrongly(next)) return refuse(type, "Invalid type_id");
  if (must_wait(next)) return descend(next);
  if (const auto pointer = pointer_behind(next)) return descend(*pointer);
  const auto found = sized(next);
  if (!found && !may_be_referred_to_without_size(next)) return refuse(type, "Invalid type_id");
  return finish(type.id(), found ? found->id : resolved(next), 0);
}

Result<Checker::Step> Checker::var_step(const Type& type) {
  const std::uint32_t next = type.type();
  if (refers_wrongly(next)) return refuse(type, "Invalid type_id");
  if (must_wait(next)) return descend(next);
  if (const auto pointer = pointer_behind(next)) return descend(*pointer);
  const auto found = sized(next);
  if (!found) return refuse(type, "Invalid type_id");
  return finish(type.id(), found->id, 0);
}

Result<Checker::Step> Checker::array_step(const Type& type) {
  const RawArray array = type.array();
  if (refers_wrongly(array.index_type)) return refuse(type, "Invalid index");
  if (must_wait(array.index_type)) return descend(array.index_type);
  const auto index = sized(array.index_type);
  if (!index || btf_.type(index->id).kind() != Kind::Int || !is_regular(btf_.type(index->id)))
    return refuse(type, "Invalid index");

  if (refers_wrongly(array.type)) return refuse(type, "Invalid elem");
  if (must_wait(array.type)) return descend(array.type);
  const auto element = sized(array.type);
  if (!element) return refuse(type, "Invalid elem");
  const Type element_type = btf_.type(element->id);
  if (element_type.kind() == Kind::Int && !is_regular(element_type)) return refuse(type, "Invalid array of int");
  const std::uint64_t size = std::uint64_t{element->bytes} * array.nelems;
  if (size > std::numeric_limits<std::uint32_t>::max()) return refuse(type, "Array size overflows U32_MAX");
  return finish(type.id(), 0, static_cast<std::uint32_t>(size));
}

Result<Checker::Step> Checker::composite_step(const Type& type, Frame& top) {
  for (; top.next < type.vlen(); ++top.next) {
    const std::uint32_t next = type.member(top.next).type;
    if (refers_wrongly(next) || has_no_value(btf_.type(next).kind()))
      return refuse_member(type, top.next, "Invalid member");
    if (must_wait(next)) return descend(next);
    TRY_VOID(member_fits(type, top.next));
  }
  return finish(type.id(), 0, 0);
}

Result<Checker::Step> Checker::datasec_step(const Type& type, Frame& top) {
  for (; top.next < type.vlen(); ++top.next) {
    const Variable variable = type.variable(top.next);
    if (!btf_.has(variable.type) || btf_.type(variable.type).kind() != Kind::Var)
      return refuse_variable(type, top.next, "Not a VAR kind member");
    if (must_wait(variable.type)) return descend(variable.type);
    const auto found = sized(variable.type);
    if (!found) return refuse_variable(type, top.next, "Invalid type");
    if (variable.size < found->bytes) return refuse_variable(type, top.next, "Invalid size");
  }
  return finish(type.id(), 0, 0);
}

// A function's prototype must name all arguments.
Result<Checker::Step> Checker::func_step(const Type& type) {
  const std::uint32_t next = type.type();
  if (!btf_.has(next) || btf_.type(next).kind() != Kind::FuncProto) return refuse(type, "Invalid type_id");
  const Type proto = btf_.type(next);
  for (std::uint32_t i = 0; i < proto.vlen(); ++i) {
    const auto param = proto.at<RawParam>(i);
    if (param.name_off == 0 && param.type != 0) return refuse(type, fmt::format("Invalid arg#{}", i + 1));
  }
  return finish(type.id(), next, 0);
}

Result<Checker::Step> Checker::decl_tag_step(const Type& type) {
  const std::uint32_t next = type.type();
  const Kind target = btf_.has(next) ? btf_.type(next).kind() : Kind::Void;
  if (target != Kind::Func && !is_composite(target) && target != Kind::Var && target != Kind::Typedef)
    return refuse(type, "Invalid type_id");
  if (must_wait(next)) return descend(next);
  const std::int32_t component = type.component();
  if (component != -1) {
    if (target == Kind::Var || target == Kind::Typedef) return refuse(type, "Invalid component_idx");
    const Type whole = target == Kind::Func ? btf_.type(btf_.type(next).type()) : btf_.type(next);
    if (static_cast<std::uint32_t>(component) >= whole.vlen()) return refuse(type, "Invalid component_idx");
  }
  return finish(type.id(), next, 0);
}

Result<> Checker::func_proto(const Type& type) {
  if (const std::uint32_t result = type.type(); result != 0) {
    if (refers_wrongly(result)) return refuse(type, "Invalid return type");
    if (refers(btf_.type(result).kind()) && visits_[result] != Visit::Done) TRY_VOID(search(result));
    if (!sized(result)) return refuse(type, "Invalid return type");
  }
  std::uint32_t n = type.vlen();
  if (n != 0 && type.param(n - 1).type == 0) {  // "..."
    if (type.at<RawParam>(n - 1).name_off != 0) return refuse(type, fmt::format("Invalid arg#{}", n));
    --n;
  }
  for (std::uint32_t i = 0; i < n; ++i) {
    const auto param = type.at<RawParam>(i);
    const std::string wrong = fmt::format("Invalid arg#{}", i + 1);
    if (param.type == 0 || refers_wrongly(param.type)) return refuse(type, wrong);
    const auto name = btf_.string(param.name_off);
    if (param.name_off != 0 && (!name || !is_identifier(*name))) return refuse(type, wrong);
    if (refers(btf_.type(param.type).kind()) && visits_[param.type] != Visit::Done) TRY_VOID(search(param.type));
    if (!sized(param.type)) return refuse(type, wrong);
  }
  return {};
}

Result<> Checker::member_fits(const Type& composite, std::uint32_t i) {
  const Member member = composite.member(i);
  const std::uint32_t target = is_modifier(btf_.type(member.type).kind()) ? resolved(member.type) : member.type;
  const Type type = btf_.type(target);
  switch (type.kind()) {
    case Kind::Int: return int_member(composite, i, type);
    case Kind::Enum:
    case Kind::Enum64:
      if (composite.flag()) return enum_member(composite, i, target);
      break;
    case Kind::Ptr:
    case Kind::Array:
    case Kind::Struct:
    case Kind::Union:
    case Kind::Float: break;
    default:
      return refuse_member(composite, i,
                           composite.flag() ? "Unsupported check_kflag_member" : "Unsupported check_member");
  }
  if (member.bits != 0) return refuse_member(composite, i, "Invalid member bitfield_size", target);
  if (type.kind() == Kind::Float) {
    // The least alignment of any machine: CO-RE may move the member.
    if (member.bit_offset % (8 * std::min<std::uint64_t>(kPointerBytes, type.size())) != 0)
      return refuse_member(composite, i, "Member is not properly aligned", target);
  } else if (member.bit_offset % 8 != 0) {
    return refuse_member(composite, i, "Member is not byte aligned", target);
  }
  const std::uint32_t bytes = sized(target)->bytes;
  if (std::uint64_t{member.bit_offset / 8} + bytes > composite.size())
    return refuse_member(composite, i, "Member exceeds struct_size", target);
  return {};
}

Result<> Checker::int_member(const Type& composite, std::uint32_t i, const Type& type) {
  const std::uint32_t target = type.id();
  const Member member = composite.member(i);
  std::uint64_t offset = member.bit_offset;
  std::uint32_t bits = int_bits(type.int_data());
  if (composite.flag()) {
    if (!is_regular(type)) return refuse_member(composite, i, "Invalid member base type", target);
    if (member.bits == 0 && offset % 8 != 0) return refuse_member(composite, i, "Invalid member offset", target);
    if (member.bits > bits) return refuse_member(composite, i, "Invalid member bitfield_size", target);
    if (member.bits != 0) bits = member.bits;
  } else {
    offset += int_offset(type.int_data());
    if (offset > std::numeric_limits<std::uint32_t>::max())
      return refuse_member(composite, i, "bits exceeds U32_MAX", target);
  }
  const std::uint64_t copied = bits + offset % 8;
  if (copied > 128) return refuse_member(composite, i, "nr_copy_bits exceeds 128", target);
  if (offset / 8 + (copied + 7) / 8 > composite.size())
    return refuse_member(composite, i, "Member exceeds struct_size", target);
  return {};
}

Result<> Checker::enum_member(const Type& composite, std::uint32_t i, std::uint32_t target) {
  const Member member = composite.member(i);
  constexpr std::uint32_t kIntBits = 32;
  if (member.bits == 0 && member.bit_offset % 8 != 0)
    return refuse_member(composite, i, "Member is not byte aligned", target);
  if (member.bits > kIntBits) return refuse_member(composite, i, "Invalid member bitfield_size", target);
  const std::uint32_t bits = member.bits == 0 ? kIntBits : member.bits;
  if ((std::uint64_t{member.bit_offset} + bits + 7) / 8 > composite.size())
    return refuse_member(composite, i, "Member exceeds struct_size", target);
  return {};
}

}  // namespace skep::btf
