// For tests: programs from their text, with helpers by name.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string_view>
#include <vector>

#include "isa/asm.h"
#include "spec/helpers.h"

namespace skep::verifier::testing {

class HelperNames : public isa::Symbols {
 public:
  std::optional<std::int32_t> helper(std::string_view name) const override {
    const spec::Helper* found = spec::find_helper(name);
    return found ? std::optional(static_cast<std::int32_t>(found->id)) : std::nullopt;
  }
};

inline std::vector<isa::Insn> assembled(std::string_view text) {
  const auto result = isa::assemble(text, HelperNames());
  EXPECT_TRUE(result) << text << '\n' << (result ? "" : result.error().message);
  return result ? result->insns : std::vector<isa::Insn>{};
}

}  // namespace skep::verifier::testing
