// Objects known by their BTF type: which field an access reaches, and what a pointer loaded from one is worth.
#include <algorithm>

#include "base/bytes.h"
#include "btf/record.h"
#include "spec/btf_rules.h"
#include "spec/types.h"
#include "verifier/step/memory.h"

namespace skep::verifier {
namespace {

using btf::Btf;
using btf::Member;
using btf::Type;

constexpr Traits kTrustTraits = kTrusted | kAllocated | kNonOwning | kRcu;

// ---- Finding a field

// An element type with its size and how many of it there are: arrays of arrays are taken as one.
struct Elements {
  std::uint32_t type;
  std::uint32_t bytes;  // of one
  std::uint64_t count;
};

Elements elements_of(const Btf& btf, std::uint32_t id) {
  std::uint64_t count = 1;
  std::uint32_t type = btf.resolve(id);
  while (btf.type(type).kind() == btf::Kind::Array) {
    count *= btf.type(type).array().nelems;
    type = btf.resolve(btf.type(type).array().type);
  }
  return {type, btf.size_of(type).value_or(0), count};
}

// Names as messages have them.
std::string_view shown(std::string_view name) { return name.empty() ? "(anon)" : name; }
std::string_view shown(const Type& type) { return shown(type.name()); }

// Where a search is: a structure, and an offset in it.
struct Position {
  std::uint32_t type;
  std::int64_t offset;
};

class Finder {
 public:
  Finder(Walk& walk, const Btf& btf, std::int64_t size) : walk_(walk), btf_(btf), size_(size) {}

  // The field at the position; nothing when `at` was changed to the inside of a nested structure.
  CheckedOf<bool> look(Position& at, FieldFound& found);

 private:
  CheckedOf<bool> behind_end(const Type& type, Position& at, FieldFound& found);
  CheckedOf<bool> members(const Type& type, Position& at, FieldFound& found);
  CheckedOf<bool> member(const Type& type, const Member& member, Position& at, FieldFound& found, bool& is_passed);
  CheckedOf<bool> pointer(const Type& type, const Member& member, const Type& of, std::int64_t begin,
                          std::int64_t offset, FieldFound& found, bool& is_number);

  Walk& walk_;
  const Btf& btf_;
  std::int64_t size_;
};

CheckedOf<bool> Finder::look(Position& at, FieldFound& found) {
  at.type = btf_.resolve(at.type);
  const Type type = btf_.type(at.type);
  if (!btf::is_composite(type.kind())) return walk_.reject(EINVAL, "Type '{}' is not a struct", shown(type));
  // A pointer out of a union may be none.
  if (type.kind() == btf::Kind::Union && type.vlen() != 1) found.traits |= kUntrusted;
  if (at.offset + size_ > type.size()) return behind_end(type, at, found);
  return members(type, at, found);
}

// What lies behind a structure that ends with an array of no declared length is an element of that.
CheckedOf<bool> Finder::behind_end(const Type& type, Position& at, FieldFound& found) {
  const auto refuse = [&] {
    return walk_.reject(EACCES, "access beyond struct {} at off {} size {}", shown(type), at.offset, size_);
  };
  if (type.vlen() == 0) return refuse();
  const Member last = type.member(type.vlen() - 1);
  const Type array = btf_.type(btf_.resolve(last.type));
  if (array.kind() != btf::Kind::Array || array.array().nelems != 0) return refuse();
  const std::int64_t begin = last.bit_offset / 8;
  if (at.offset < begin) return refuse();
  const Type element = btf_.type(btf_.resolve(array.array().type));
  if (element.kind() == btf::Kind::Int) {
    found.is_pointer = false;
    return true;
  }
  if (!btf::is_composite(element.kind()) || element.size() == 0) return refuse();
  at = {element.id(), (at.offset - begin) % element.size()};
  return false;
}

CheckedOf<bool> Finder::members(const Type& type, Position& at, FieldFound& found) {
  for (std::uint32_t i = 0; i < type.vlen(); ++i) {
    const Member field = type.member(i);
    const std::int64_t begin = field.bit_offset / 8;
    if (at.offset + size_ <= begin) break;
    if (field.bits != 0) {
      const std::int64_t end = (std::int64_t{field.bit_offset} + field.bits + 7) / 8;
      if (at.offset <= begin && end <= at.offset + size_) return true;
      continue;
    }
    if (at.offset < begin) break;  // a hole
    bool is_passed = false;
    TRY(const bool done, member(type, field, at, found, is_passed));
    if (!is_passed) return done;
  }
  return walk_.reject(EINVAL, "struct {} doesn't have field at offset {}", shown(type), at.offset);
}

CheckedOf<bool> Finder::member(const Type& type, const Member& field, Position& at, FieldFound& found,
                               bool& is_passed) {
  const auto bytes = btf_.size_of(field.type);
  if (!bytes) return walk_.reject(EFAULT, "field {} doesn't have size", field.name);
  std::int64_t begin = field.bit_offset / 8;
  const std::int64_t end = begin + *bytes;
  is_passed = at.offset >= end;
  if (is_passed) return false;
  const Elements elements = elements_of(btf_, field.type);
  if (elements.count != 1 && elements.bytes != 0) begin += (at.offset - begin) / elements.bytes * elements.bytes;
  const Type of = btf_.type(elements.type);
  if (btf::is_composite(of.kind())) {
    at = {of.id(), at.offset - begin};
    return false;
  }
  bool is_number = true;
  if (of.kind() == btf::Kind::Ptr) TRY_VOID(pointer(type, field, of, begin, at.offset, found, is_number));
  // Numbers may be read as one wishes within the field, an array being a field.
  if (is_number && at.offset + size_ > end && !(found.traits & kUntrusted))
    return walk_.reject(EACCES, "access beyond the end of member {} (mend:{}) in struct {} with off {} size {}",
                        shown(field.name), end, shown(type), at.offset, size_);
  return true;
}

Traits tag_traits(std::string_view tag) {
  if (tag == "user") return kUser;
  if (tag == "percpu") return kPercpu;
  if (tag == "rcu") return kRcu;
  return 0;
}

CheckedOf<bool> Finder::pointer(const Type& type, const Member& field, const Type& of, std::int64_t begin,
                                std::int64_t offset, FieldFound& found, bool& is_number) {
  if (size_ != kSlotBytes || offset != begin)
    return walk_.reject(EACCES, "cannot access ptr member {} with moff {} in struct {} with off {} size {}",
                        shown(field.name), begin, shown(type), offset, size_);
  const Type tag = btf_.type(of.type());
  const Traits tagged = tag.kind() == btf::Kind::TypeTag ? tag_traits(tag.name()) : Traits{0};
  const Type target = btf_.type(btf_.resolve(of.type()));
  is_number = !btf::is_composite(target.kind());
  if (is_number) return true;
  found.is_pointer = true;
  found.type = target.id();
  found.traits |= tagged;
  found.name = field.name;
  return true;
}

// ---- What a loaded pointer is worth

// The field of a trusted object, or of one that an RCU section protects.
Traits inherited(const Walk& walk, const Register& object, std::string_view structure, const FieldFound& found) {
  const spec::FieldTrust trust = spec::field_trust(structure, found.name);
  if (trust == spec::FieldTrust::Trusted) return found.traits | kTrusted;
  if (trust == spec::FieldTrust::TrustedOrNull) return found.traits | kTrusted | kOrNull;
  if (!in_rcu_section(walk) || object.may_be_null()) return kUntrusted;
  if (trust == spec::FieldTrust::Rcu) return found.traits | kRcu;
  if (trust == spec::FieldTrust::RcuOrNull) return static_cast<Traits>((found.traits | kRcu | kOrNull) & ~kUntrusted);
  if (found.traits & kRcu) return found.traits | kOrNull;
  if (found.traits & (kPercpu | kUser)) return found.traits;
  return static_cast<Traits>(found.traits & ~kTrustTraits);
}

Traits worth(const Walk& walk, const Register& object, std::string_view structure, const FieldFound& found) {
  if (object.is(kUntrusted)) return kUntrusted;
  if (is_trusted(object) || object.is(kRcu)) return inherited(walk, object, structure, found);
  return static_cast<Traits>(found.traits & ~kTrustTraits);
}

Register object_of(Walk& walk, std::uint32_t btf, std::uint32_t type, Traits traits) {
  Register made = Register::pointer(Kind::Btf, traits);
  made.btf = btf;
  made.btf_type = type;
  if (traits & kOrNull) made.id = walk.new_id();
  return made;
}

// ---- Rules of an access

Checked check_object(Walk& walk, const Target& target, const Btf& btf, std::string_view structure) {
  const Register& object = walk.peek(target.access.base);
  const unsigned number = target.access.base;
  if (!walk.may_leak)
    return walk.reject(EPERM, "'struct {}' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN", structure);
  if (walk.input.license != spec::License::Gpl && &btf == walk.input.kernel_btf)
    return walk.reject(EINVAL, "Cannot access kernel 'struct {}' from non-GPL compatible program", structure);
  if (target.offset < 0)
    return walk.reject(EACCES, "R{} is ptr_{} invalid negative access: off={}", number, structure, target.offset);
  if (!object.is_fixed())
    return walk.reject(EACCES, "R{} is ptr_{} invalid variable offset: off={}, var_off={}", number, structure,
                       target.offset, text_of(object.number.bits));
  if (object.is(kUser))
    return walk.reject(EACCES, "R{} is ptr_{} access user memory: off={}", number, structure, target.offset);
  if (object.is(kPercpu))
    return walk.reject(EACCES, "R{} is ptr_{} access percpu memory: off={}", number, structure, target.offset);
  return {};
}

// Locks, lists and the like in an object the program allocated.
Checked check_special_fields(Walk& walk, const Target& target, const Btf& btf, std::uint32_t type) {
  const auto fields = btf::special_fields(btf, type);
  if (!fields) return {};
  for (const btf::SpecialField& field : *fields) {
    if (target.offset >= std::int64_t{field.offset} + field.bytes) continue;
    if (std::int64_t{target.offset} + target.access.size <= field.offset) continue;
    return walk.reject(EACCES, "direct access to {} is disallowed", field_name(field.kind));
  }
  return {};
}

// ---- Writing the kernel's objects

enum class Begin : std::uint8_t { AtStart, Within };
struct WritableField {
  std::string_view structure, object, path;
  Begin begin;
};
constexpr WritableField kWritableFields[] = {
#define WRITABLE(structure, object, path, begin) {structure, object, path, Begin::begin},
#include "verifier/step/writable_fields.def"
};

struct Extent {
  std::int64_t start = 0, end = 0;  // bytes
};

// Of a field by its path, in a structure.
std::optional<Extent> extent_of(const Btf& btf, std::uint32_t type, std::string_view path) {
  Extent extent;
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('.'));
    const auto member = btf.find_member(btf.resolve(type), name);
    if (!member) return std::nullopt;
    type = member->type;
    extent.start += member->bit_offset / 8;
    path.remove_prefix(std::min(path.size(), name.size() + 1));
  }
  extent.end = extent.start + btf.size_of(type).value_or(0);
  return extent;
}

bool begins_in(const WritableField& field, const Extent& extent, std::int64_t at) {
  return field.begin == Begin::AtStart ? at == extent.start : at >= extent.start && at < extent.end;
}

// Whether there are fields that this program may write in objects of this kind.
bool may_write(const Walk& walk, const WritableField& field, std::string_view object) {
  const bool on_packets = walk.type == spec::ProgType::Xdp || walk.type == spec::ProgType::SchedCls ||
                          walk.type == spec::ProgType::SchedAct;
  const bool is_writer = field.structure.empty() ? on_packets : walk.attached.structure == field.structure;
  return is_writer && field.object == object;
}

Checked write_field(Walk& walk, const Target& target, const Btf& btf, const Type& type) {
  const std::int64_t at = target.offset, end = at + target.access.size;
  for (const WritableField& field : kWritableFields) {
    const auto extent = may_write(walk, field, type.name()) ? extent_of(btf, type.id(), field.path) : std::nullopt;
    if (!extent || !begins_in(field, *extent, at)) continue;
    if (end <= extent->end) return {};
    return walk.reject(EACCES, "write access at off {} with size {} beyond the member of {} ended at {}", at,
                       target.access.size, type.name(), extent->end);
  }
  return walk.reject(EACCES, "no write support to {} at off {}", type.name(), at);
}

// The state that functions of this structure are tested with is theirs as a whole.
Checked write_dummy_state(Walk& walk, const Target& target, const Type& type) {
  if (std::int64_t{target.offset} + target.access.size <= type.size()) return {};
  return walk.reject(EACCES, "write access at off {} with size {}", target.offset, target.access.size);
}

Checked write_kernel_object(Walk& walk, const Target& target, const Btf& btf, const Register& object) {
  const Type type = btf.type(object.btf_type);
  const auto writes = [&](const WritableField& field) { return may_write(walk, field, type.name()); };
  if (std::ranges::any_of(kWritableFields, writes)) return write_field(walk, target, btf, type);
  if (walk.attached.structure == "bpf_dummy_ops" && type.name() == "bpf_dummy_ops_state")
    return write_dummy_state(walk, target, type);
  return walk.reject(EACCES, "only read is supported");
}

}  // namespace

const Btf* btf_of(const Walk& walk, std::uint32_t index) noexcept {
  return index == spec::kKernelBtf ? walk.input.kernel_btf : walk.input.btf;
}

bool is_trusted(const Register& reg) noexcept {
  constexpr Traits kSafe = kAllocated | kTrusted | kNonOwning;
  if (reg.ref_obj_id != 0) return true;
  const bool plain = (reg.traits & ~kSafe) == 0;
  switch (reg.kind) {  // sockets are there while they are at hand
    case Kind::Socket:
    case Kind::SockCommon:
    case Kind::TcpSock: return plain;
    default: return plain && reg.is(kSafe);
  }
}

CheckedOf<FieldFound> find_field(Walk& walk, const Btf& btf, std::uint32_t type, std::int64_t offset,
                                 std::int64_t size) {
  // Each turn goes one structure deeper, and BTF bounds their nesting; arrays without length only lead to smaller
  // offsets.
  constexpr unsigned kMostTurns = 256;
  Finder finder(walk, btf, size);
  FieldFound found;
  Position at{type, offset};
  for (unsigned turn = 0; turn < kMostTurns; ++turn) {
    TRY(const bool done, finder.look(at, found));
    if (done) return found;
  }
  return walk.reject(EINVAL, "struct {} doesn't have field at offset {}", shown(btf.type(at.type)), at.offset);
}

Checked access_btf_object(Walk& walk, const Target& target, Register& loaded) {
  const Register object = walk.peek(target.access.base);
  const Btf* btf = btf_of(walk, object.btf);
  if (btf == nullptr || !btf->has(object.btf_type)) return walk.unsupported("objects without BTF");
  const std::string_view structure = btf->type(object.btf_type).name();
  TRY_VOID(check_object(walk, target, *btf, structure));
  const bool allocated = object.is(kAllocated);
  if (!target.reads() && !allocated) return write_kernel_object(walk, target, *btf, object);
  if (allocated) TRY_VOID(check_special_fields(walk, target, *btf, object.btf_type));
  TRY(const FieldFound found, find_field(walk, *btf, object.btf_type, target.offset, target.access.size));
  // What lies in memory of the program's own types is a number.
  if (found.is_pointer && !allocated && target.reads() && target.access.value)
    loaded = object_of(walk, object.btf, found.type, worth(walk, object, structure, found));
  return {};
}

Checked access_map_pointer(Walk& walk, const Target& target, Register& loaded) {
  const unsigned number = target.access.base;
  const spec::MapType map = walk.map(walk.peek(number).map).spec.type;
  const std::string_view structure = spec::map_structure(map);
  const Btf* btf = walk.input.kernel_btf;
  const auto type = btf == nullptr ? std::nullopt : btf->find(structure, btf::Kind::Struct);
  if (!type) return walk.unsupported("map_ptr access without the kernel's BTF");
  if (!walk.may_leak)
    return walk.reject(EPERM, "'struct {}' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN", structure);
  if (target.offset < 0)
    return walk.reject(EACCES, "R{} is {} invalid negative access: off={}", number, structure, target.offset);
  if (!target.reads()) return walk.reject(EACCES, "only read from {} is supported", structure);
  TRY(const FieldFound found, find_field(walk, *btf, *type, target.offset, target.access.size));
  if (found.is_pointer && target.access.value) loaded = object_of(walk, spec::kKernelBtf, found.type, found.traits);
  return {};
}

}  // namespace skep::verifier
