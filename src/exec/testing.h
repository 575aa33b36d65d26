// What tests of exec/ and interp/ write programs with: the assembler, with helpers by name and subprograms by label.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "exec/doors.h"
#include "isa/asm.h"
#include "isa/disasm.h"
#include "maps/domain.h"
#include "maps/map.h"
#include "spec/helpers.h"

namespace skep::exec::testing {

class HelperNames final : public isa::Symbols {
 public:
  std::optional<std::int32_t> helper(std::string_view name) const override {
    const spec::Helper* row = spec::find_helper(name);
    return row ? std::optional(static_cast<std::int32_t>(row->id)) : std::nullopt;
  }
};

inline std::vector<isa::Insn> assembled(std::string_view text) {
  const auto program = isa::assemble(text, HelperNames());
  EXPECT_TRUE(program) << text << '\n' << (program ? "" : program.error().message);
  return program ? program->insns : std::vector<isa::Insn>{};
}

// The instructions as text, without indices and code bytes, one a line.
inline std::string listing(const std::vector<isa::Insn>& insns) {
  return isa::disassemble(insns, isa::no_names(),
                          {.text = isa::Text::Source, .index = isa::Show::No, .code = isa::Show::No});
}

// `text` assembled and printed again: what listing() of the same instructions gives.
inline std::string canonical(std::string_view text) { return listing(assembled(text)); }

inline Source source(std::string_view text, spec::ProgType type = spec::ProgType::Unspec) {
  Source made;
  made.type = type;
  made.name = "prog";
  made.insns = assembled(text);
  return made;
}

// Maps in memory of their own, by id.
class Maps {
 public:
  // `inner` is the template of a map of maps, else null.
  maps::Map& add(std::uint32_t id, spec::MapSpec spec, const spec::MapSpec* inner = nullptr) {
    if (spec.name.empty()) spec.name = "m" + std::to_string(id);
    auto made = maps::Map::create(*domain_, spec, spec::MapId{id}, inner);
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    return *(maps_[spec::MapId{id}] = *std::move(made));
  }
  maps::Map* find(spec::MapId id) const {
    const auto found = maps_.find(id);
    return found == maps_.end() ? nullptr : found->second.get();
  }

 private:
  std::unique_ptr<maps::Domain> domain_ = *maps::Domain::create();
  std::map<spec::MapId, std::unique_ptr<maps::Map>> maps_;
};

// The message of a refusal, "accepted" if there was none.
template <class T>
std::string refusal(const Result<T>& result) {
  return result ? "accepted" : result.error().message;
}

}  // namespace skep::exec::testing
