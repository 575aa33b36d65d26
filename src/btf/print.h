// A value as text, by its BTF type: what is in a map, for people and for programs.
//
// Json is what `bpftool map dump` prints and what a map file reads back (docs/map-files.md): members of anonymous
// structures stand in the object itself, an enumerator is its name, an array of char that holds text is text, pointers
// and integers of 16 bytes are "0x..." texts. C is an initialiser: { .port = 80, .name = "eth0" }. Both come in one
// line or indented.
//
// Values may come from anywhere, and types may be hostile (unions of unions without end): the work is bounded.
// Cost: linear in the text. Tested by: btf/print_test.cc, fuzz/btf_print_fuzz.cc.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "btf/btf.h"

namespace skep::btf {

enum class Notation : std::uint8_t { Json, C };
enum class Layout : std::uint8_t { Line, Indented };

struct PrintOptions {
  Notation notation = Notation::Json;
  Layout layout = Layout::Line;
  unsigned indent = 0;               // columns that following lines begin at, and grow by two from
  std::size_t max_bytes = 4U << 20;  // of text; more is E2BIG
};

// The text of `value`, which has the size of `type` or more. EINVAL: the type has no value, or `value` is too short.
// E2BIG: the text would be longer than max_bytes, or the type is nested deeper than 64.
Result<std::string> print(const Btf& btf, std::uint32_t type, Bytes value, const PrintOptions& options = {});

// The declaration of a type as C, with its members: "struct flow_key {\n  __u32 saddr;\n ...};". Types it refers to are
// named, not declared; anonymous ones stand inside. E2BIG as above.
Result<std::string> declare(const Btf& btf, std::uint32_t type);

}  // namespace skep::btf
