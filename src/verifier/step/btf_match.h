// Whether one BTF type will do for another.
//
// A pointer to an object is one to its first member too, and with an offset to the member there: an object of type
// `task_struct` at the offset of its `cpus_mask` is a `cpumask`. Types of one BTF are the same when their ids are; of
// two, when kind, name and size are. Tested by: verifier/step/btf_match_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "btf/btf.h"

namespace skep::verifier {

struct TypeIn {
  const btf::Btf* btf = nullptr;
  std::uint32_t id = 0;
};
bool same_type(const TypeIn& a, const TypeIn& b) noexcept;

// Strict: the type itself, at its start. Nested: or a structure inside it that starts at the offset.
enum class Match : std::uint8_t { Strict, Nested };
bool is_or_contains(const TypeIn& has, std::int64_t offset, const TypeIn& needed, Match match);

// The innermost structure's member that is a structure and starts at `offset`: its type; nullopt where there is none.
std::optional<std::uint32_t> structure_at(const btf::Btf& btf, std::uint32_t id, std::int64_t offset);

// `name` is `full`, or `full` with a flavour: "task_struct___v2".
bool is_flavor_of(std::string_view name, std::string_view full) noexcept;
// A name without its flavour.
std::string_view without_flavor(std::string_view name) noexcept;

// A scalar, or a structure of nothing but scalars, arrays of them, and such structures, at most four deep.
bool is_plain_data(const btf::Btf& btf, std::uint32_t id, unsigned depth = 0);

}  // namespace skep::verifier
