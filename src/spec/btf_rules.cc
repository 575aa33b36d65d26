#include "spec/btf_rules.h"

#include <algorithm>
#include <array>

namespace skep::spec {
namespace {

struct SafeField {
  FieldTrust trust;
  std::string_view structure, field;
};
constexpr std::array kSafeFields{
#define SAFE_FIELD(trust, structure, field) SafeField{FieldTrust::trust, structure, field},
#include "spec/btf_rules.def"
};

struct Argument {
  std::string_view function;
  std::uint32_t argument;
  ArgumentRule rule;
};
constexpr std::array kArguments{
#define ARGUMENT(function, argument, kind, structure) Argument{function, argument, {ArgumentKind::kind, structure}},
#include "spec/btf_rules.def"
};

constexpr std::array kRcuObjects{
#define RCU_OBJECT(structure) std::string_view(structure),
#include "spec/btf_rules.def"
};

constexpr std::array kUntrustedHooks{
#define UNTRUSTED_HOOK(function) std::string_view(function),
#include "spec/btf_rules.def"
};

constexpr std::array kBooleanHooks{
#define BOOLEAN_HOOK(function) std::string_view(function),
#include "spec/btf_rules.def"
};

struct ContextType {
  ProgType type;
  std::string_view seen, behind;
};
constexpr std::array kContextTypes{
#define CONTEXT_TYPE(type, seen, behind) ContextType{ProgType::type, seen, behind},
#include "spec/btf_rules.def"
};

}  // namespace

FieldTrust field_trust(std::string_view structure, std::string_view field) noexcept {
  const auto row = std::ranges::find_if(
      kSafeFields, [&](const SafeField& f) { return f.structure == structure && f.field == field; });
  return row == kSafeFields.end() ? FieldTrust::None : row->trust;
}

std::optional<ArgumentRule> argument_rule(std::string_view function, std::uint32_t argument) noexcept {
  const auto row = std::ranges::find_if(
      kArguments, [&](const Argument& a) { return a.function == function && a.argument == argument; });
  return row == kArguments.end() ? std::nullopt : std::optional(row->rule);
}

bool is_rcu_object(std::string_view structure) noexcept {
  return std::ranges::find(kRcuObjects, structure) != kRcuObjects.end();
}

bool is_untrusted_hook(std::string_view function) noexcept {
  return std::ranges::find(kUntrustedHooks, function) != kUntrustedHooks.end();
}

bool is_boolean_hook(std::string_view function) noexcept {
  return std::ranges::find(kBooleanHooks, function) != kBooleanHooks.end();
}

std::string_view kernel_context(ProgType type, std::string_view structure) noexcept {
  const auto row =
      std::ranges::find_if(kContextTypes, [&](const ContextType& c) { return c.type == type && c.seen == structure; });
  return row == kContextTypes.end() ? std::string_view() : row->behind;
}

std::string_view map_structure(MapType type) noexcept {
  switch (type) {
#define MAP_STRUCTURE(Type, structure) \
  case MapType::Type: return structure;
#include "spec/btf_rules.def"
    default: return "";
  }
}

}  // namespace skep::spec
