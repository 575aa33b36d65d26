// Types as C declarations.
#include <fmt/format.h>

#include "btf/print.h"

namespace skep::btf {
namespace {

constexpr unsigned kMaxDepth = 64;
constexpr std::size_t kMaxSteps = 1U << 18;  // types named: anonymous ones may contain pointers to themselves

class Declarer {
 public:
  Declarer(const Btf& btf, std::size_t& steps) : btf_(btf), steps_(steps) {}

  // `declarator` is what stands behind the base type: a name with '*', '[]' and '()' around it.
  Result<> declare(std::uint32_t id, std::string declarator, unsigned depth);
  Result<> body(const Type& type, unsigned depth);
  std::string take() { return std::move(text_); }

 private:
  Result<> base(const Type& type, const std::string& declarator, unsigned depth);
  Result<std::string> parameters(const Type& proto, unsigned depth);

  const Btf& btf_;
  std::size_t& steps_;  // shared with those that write the parameters of functions
  std::string text_;
};

std::string_view keyword(Kind kind) {
  switch (kind) {
    case Kind::Struct: return "struct";
    case Kind::Union: return "union";
    default: return "enum";
  }
}

bool has_body(Kind kind) { return is_composite(kind) || kind == Kind::Enum || kind == Kind::Enum64; }

std::string with_space(std::string_view declarator) {
  return declarator.empty() ? std::string() : fmt::format(" {}", declarator);
}

// From the name outwards, as C reads: `ops[3]`, then `*ops[3]`, then `(*ops[3])(void)`.
Result<> Declarer::declare(std::uint32_t id, std::string declarator, unsigned depth) {
  bool pointed = false;  // the declarator begins with '*', so that [] and () need parentheses
  for (unsigned steps = 0; steps < 4 * kMaxDepth; ++steps) {
    const Type type = btf_.type(id);
    switch (type.kind()) {
      case Kind::Ptr:
        declarator.insert(0, "*");
        pointed = true;
        break;
      case Kind::Array:
        if (pointed) declarator = fmt::format("({})", declarator);
        declarator += fmt::format("[{}]", type.array().nelems);
        pointed = false;
        id = type.array().type;
        continue;
      case Kind::FuncProto: {
        if (pointed) declarator = fmt::format("({})", declarator);
        TRY(const std::string inside, parameters(type, depth + 1));
        declarator += fmt::format("({})", inside);
        pointed = false;
        break;
      }
      case Kind::Const:
      case Kind::Volatile:
      case Kind::Restrict: {
        const std::string_view word = type.kind() == Kind::Const      ? "const"
                                      : type.kind() == Kind::Volatile ? "volatile"
                                                                      : "restrict";
        if (btf_.type(type.type()).kind() == Kind::Ptr)
          declarator = fmt::format("{}{}", word, with_space(declarator));
        else
          text_ += fmt::format("{} ", word);
        break;
      }
      case Kind::Func: declarator = type.name(); break;
      case Kind::TypeTag: break;
      default: return base(type, declarator, depth);
    }
    id = type.type();
  }
  return fail(E2BIG, "the type is nested too deeply to be declared");
}

Result<> Declarer::base(const Type& type, const std::string& declarator, unsigned depth) {
  if (++steps_ > kMaxSteps) return fail(E2BIG, fmt::format("the declaration names more than {} types", kMaxSteps));
  if (has_body(type.kind())) {
    text_ += keyword(type.kind());
    if (type.name().empty()) {
      TRY_VOID(body(type, depth));
    } else {
      text_ += fmt::format(" {}", type.name());
    }
  } else if (type.kind() == Kind::Fwd) {
    text_ += fmt::format("{} {}", type.flag() ? "union" : "struct", type.name());
  } else {
    text_ += type.kind() == Kind::Void ? "void" : type.name();
  }
  text_ += with_space(declarator);
  return {};
}

Result<> Declarer::body(const Type& type, unsigned depth) {
  if (depth > kMaxDepth) return fail(E2BIG, fmt::format("the type is nested deeper than {}", kMaxDepth));
  const std::string indent(2 * (std::size_t{depth} + 1), ' ');
  text_ += " {\n";
  for (std::uint32_t i = 0; i < type.vlen(); ++i) {
    text_ += indent;
    if (is_composite(type.kind())) {
      const Member member = type.member(i);
      std::string name(member.name);
      if (member.bits != 0) name += fmt::format(": {}", member.bits);
      TRY_VOID(declare(member.type, std::move(name), depth + 1));
      text_ += ";\n";
    } else {
      const Enumerator value = type.enumerator(i);
      text_ += type.is_signed() ? fmt::format("{} = {},\n", value.name, static_cast<std::int64_t>(value.value))
                                : fmt::format("{} = {},\n", value.name, value.value);
    }
  }
  text_ += std::string(2 * std::size_t{depth}, ' ') + "}";
  return {};
}

Result<std::string> Declarer::parameters(const Type& proto, unsigned depth) {
  if (depth > kMaxDepth) return fail(E2BIG, fmt::format("the type is nested deeper than {}", kMaxDepth));
  if (proto.vlen() == 0) return "void";
  Declarer inner(btf_, steps_);
  for (std::uint32_t i = 0; i < proto.vlen(); ++i) {
    const Param param = proto.param(i);
    if (i != 0) inner.text_ += ", ";
    if (param.type == 0) {
      inner.text_ += "...";
    } else {
      TRY_VOID(inner.declare(param.type, std::string(param.name), depth));
    }
  }
  return inner.take();
}

}  // namespace

Result<std::string> declare(const Btf& btf, std::uint32_t id) {
  if (!btf.has(id)) return fail(EINVAL, fmt::format("there is no type {}", id));
  std::size_t steps = 0;
  Declarer declarer(btf, steps);
  const Type type = btf.type(id);
  if (!has_body(type.kind())) {
    TRY_VOID(declarer.declare(id, "", 0));
    return declarer.take();
  }
  std::string head(keyword(type.kind()));
  if (!type.name().empty()) head += fmt::format(" {}", type.name());
  TRY_VOID(declarer.body(type, 0));
  return head + declarer.take() + ";";
}

}  // namespace skep::btf
