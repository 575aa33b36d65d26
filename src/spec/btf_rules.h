// What is known of the kernel's types and functions beside what its BTF says: which of their pointers can be trusted,
// what the arguments of iterators are, what stands behind a context or a map.
//
// Source: btf_rules.def, Linux 6.12. Cost: a walk along a few rows; asked when such a type is met. Tested by:
// spec/btf_rules_test.cc, and through the verifier.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "spec/types.h"

namespace skep::spec {

enum class FieldTrust : std::uint8_t { None, Rcu, RcuOrNull, Trusted, TrustedOrNull };
FieldTrust field_trust(std::string_view structure, std::string_view field) noexcept;

enum class ArgumentKind : std::uint8_t { Object, TrustedObject, Buffer, ReadOnlyBuffer };
struct ArgumentRule {
  ArgumentKind kind;
  std::string_view structure;  // of objects
};
// An argument of an iterator's programs that may be NULL; nothing for others.
std::optional<ArgumentRule> argument_rule(std::string_view function, std::uint32_t argument) noexcept;

bool is_rcu_object(std::string_view structure) noexcept;
bool is_untrusted_hook(std::string_view function) noexcept;
bool is_boolean_hook(std::string_view function) noexcept;

// The kernel's structure behind the context that programs of this type call `structure`; empty if it is not theirs.
std::string_view kernel_context(ProgType type, std::string_view structure) noexcept;
std::string_view map_structure(MapType type) noexcept;  // empty for none

}  // namespace skep::spec
