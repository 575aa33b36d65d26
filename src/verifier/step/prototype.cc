// Reading prototypes: what each argument of a function is, from its type and its tags.
#include <optional>
#include <string_view>
#include <vector>

#include "verifier/step/btf_match.h"
#include "verifier/step/context_pointer.h"
#include "verifier/step/global.h"

namespace skep::verifier {
namespace {

using btf::Kind;

enum Tag : std::uint8_t { kCtx = 1, kTrustedTag = 2, kNonnull = 4, kNullable = 8, kArenaTag = 16 };
constexpr struct {
  std::string_view name;
  Tag tag;
} kTags[] = {
    {"ctx", kCtx}, {"trusted", kTrustedTag}, {"nonnull", kNonnull}, {"nullable", kNullable}, {"arena", kArenaTag}};

std::optional<Tag> tag_named(std::string_view name) {
  for (const auto& row : kTags)
    if (row.name == name) return row.tag;
  return std::nullopt;
}

bool is_number(Kind kind) { return kind == Kind::Int || kind == Kind::Enum || kind == Kind::Enum64; }

class Reader {
 public:
  Reader(Walk& walk, std::uint32_t subprog)
      : walk_(walk),
        subprog_(walk.subprogs[subprog]),
        types_(*walk.input.btf),
        function_(types_.type(walk.funcs[subprog].type_id)),
        proto_(types_.type(function_.type())),
        is_global_(subprog_.is_global) {}

  CheckedOf<Prototype> read() {
    Prototype result;
    result.count = proto_.vlen();
    if (proto_.vlen() > kMaxArguments)
      return refuse("Global function {}() with {} > {} args. Buggy compiler.", function_.name(), proto_.vlen(),
                    kMaxArguments);
    const std::uint32_t returned = types_.resolve(proto_.type());
    if (returned == 0 || !is_number(types_.type(returned).kind()))
      return refuse("Global function {}() doesn't return scalar. Only those are supported.", function_.name());
    for (unsigned i = 0; i < result.count; ++i) {
      TRY(const Argument argument, read(i));
      result.arguments[i] = argument;
    }
    return result;
  }

 private:
  // What is wrong with a static function is not said: it is only not relied on.
  template <class... Args>
  std::unexpected<Rejected> refuse(fmt::format_string<Args...> format, Args&&... args) {
    if (!is_global_) return walk_.reject(EINVAL, "");
    return walk_.reject(EINVAL, format, std::forward<Args>(args)...);
  }

  CheckedOf<unsigned> tags_of(unsigned i) {
    constexpr std::string_view kPrefix = "arg:";
    unsigned tags = 0;
    for (std::uint32_t id = 1; id <= types_.count(); ++id) {
      const btf::Type type = types_.type(id);
      if (type.kind() != Kind::DeclTag || type.type() != function_.id() ||
          type.component() != static_cast<std::int32_t>(i) || !type.name().starts_with(kPrefix))
        continue;
      if (!is_global_) return walk_.reject(EOPNOTSUPP, "arg#{} type tag is not supported in static functions", i);
      const auto tag = tag_named(type.name().substr(kPrefix.size()));
      if (!tag) return walk_.reject(EOPNOTSUPP, "arg#{} has unsupported set of tags", i);
      tags |= *tag;
    }
    return tags;
  }

  CheckedOf<Argument> read(unsigned i) {
    TRY(const unsigned tags, tags_of(i));
    const std::uint32_t id = types_.resolve(proto_.param(i).type);
    if (id != 0 && types_.type(id).kind() == Kind::Ptr) {
      TRY(const auto pointer, read_pointer(i, types_.type(id).type(), tags));
      if (pointer) return *pointer;
    }
    if (tags != 0) return walk_.reject(EINVAL, "arg#{} has pointer tag, but is not a pointer type", i);
    if (id != 0 && is_number(types_.type(id).kind())) return Argument{};
    return refuse("Arg#{} type {} in {}() is not supported yet.", i, kind_of(id), function_.name());
  }

  std::unexpected<Rejected> bad_combination(unsigned i) {
    return walk_.reject(EINVAL, "arg#{} has invalid combination of tags", i);
  }

  // Nothing: a pointer of a static function, of which nothing is known.
  CheckedOf<std::optional<Argument>> read_pointer(unsigned i, std::uint32_t target, unsigned tags) {
    if ((tags & kCtx) || is_context(walk_, types_, target, i)) {
      if (tags & ~unsigned{kCtx}) return bad_combination(i);
      if (tags & kCtx) TRY_VOID(check_tagged_context(walk_, types_, target, i));
      return Argument{.kind = Argument::Kind::Context};
    }
    const std::uint32_t id = types_.resolve(target);
    if (id != 0 && types_.type(id).kind() == Kind::Struct && types_.type(id).name() == "bpf_dynptr") {
      if (tags != 0) return bad_combination(i);
      return Argument{.kind = Argument::Kind::Dynptr};
    }
    if (tags & kTrustedTag) return read_object(i, id, tags);
    if (tags & kArenaTag) {
      if (tags & ~unsigned{kArenaTag})
        return walk_.reject(EINVAL, "arg#{} arena cannot be combined with any other tags", i);
      return Argument{.kind = Argument::Kind::Arena};
    }
    if (!is_global_) return std::nullopt;
    return read_memory(i, id, tags);
  }

  CheckedOf<std::optional<Argument>> read_memory(unsigned i, std::uint32_t id, unsigned tags) {
    if (tags & kNullable) return bad_combination(i);
    const auto size = id == 0 ? std::nullopt : types_.size_of(id);
    if (!size)
      return walk_.reject(EINVAL, "arg#{} reference type('{} {}') size cannot be determined: {}", i, kind_of(id),
                          id == 0 ? "" : types_.type(id).name(), -EINVAL);
    return Argument{.kind = Argument::Kind::Memory, .may_be_null = !(tags & kNonnull), .memory_size = *size};
  }

  // A kernel object: the one type of the kernel of that name, whatever flavour the program's has.
  CheckedOf<std::optional<Argument>> read_object(unsigned i, std::uint32_t id, unsigned tags) {
    if (tags & kNonnull) return bad_combination(i);
    const std::string_view name = id == 0 ? "" : types_.type(id).name();
    const btf::Btf* kernel = walk_.input.kernel_btf;
    if (kernel == nullptr) return walk_.unsupported("objects of the kernel without its BTF");
    std::optional<std::uint32_t> found;
    std::size_t count = 0;
    if (id != 0 && !name.empty()) {
      found = kernel->find(without_flavor(name), types_.type(id).kind());
      count = kernel->count(without_flavor(name), types_.type(id).kind());
    }
    if (count != 1)
      return walk_.reject(count == 0 ? ENOENT : ESRCH, "arg#{} reference type('{} {}') {}", i, kind_of(id), name,
                          count == 0 ? "has no matches" : "is ambiguous");
    return Argument{.kind = Argument::Kind::Object, .may_be_null = (tags & kNullable) != 0, .btf_type = *found};
  }

  std::string_view kind_of(std::uint32_t id) { return id == 0 ? "UNKNOWN" : btf::name(types_.type(id).kind()); }

  Walk& walk_;
  const Subprog& subprog_;
  const btf::Btf& types_;
  const btf::Type function_, proto_;
  const bool is_global_;
};

}  // namespace

Checked read_prototype(Walk& walk, std::uint32_t subprog) {
  Subprog& function = walk.subprogs[subprog];
  if (function.prototype) return {};
  if (subprog >= walk.funcs.size()) return walk.reject(EFAULT, "Verifier bug");
  if (function.has_unreliable_btf) return walk.reject(EFAULT, "Verifier bug in function {}()", function.name);
  TRY(const Prototype prototype, Reader(walk, subprog).read());
  walk.subprogs[subprog].prototype = prototype;
  return {};
}

}  // namespace skep::verifier
