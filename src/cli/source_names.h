// What a program's BTF says of its instructions: which line of the source, which function. For isa/disasm.h.
// Tested by: tests/cli, tests/prog_command.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "btf/btf.h"
#include "isa/disasm.h"
#include "spec/info.h"

namespace skep::cli {

// Of a source line also the whole path of its file and the column.
enum class Places : std::uint8_t { Short, Full };

class SourceNames : public isa::Names {
 public:
  // What is passed lives as long; `types` may be null.
  SourceNames(std::span<const spec::FuncInfo> functions, std::span<const spec::LineInfo> lines, const btf::Btf* types,
              Places places = Places::Short)
      : functions_(functions), lines_(lines), types_(types), places_(places) {}

  std::string helper(std::int32_t id) const override;
  std::string subprog(std::size_t index) const override;
  std::string prototype(std::size_t index) const override;
  std::string source(std::size_t index) const override;
  // The line as `source` tells it.
  std::string text_of(const spec::LineInfo& line) const;

 private:
  const spec::FuncInfo* function_at(std::size_t index) const;

  std::span<const spec::FuncInfo> functions_;
  std::span<const spec::LineInfo> lines_;
  const btf::Btf* types_;
  Places places_;
};

// [{"index": 0, "text": "r1 = 1", "source": "..."}, ...]
nlohmann::json insns_json(std::span<const isa::Insn> insns, const isa::Names& names, const isa::PrintOptions& options);

}  // namespace skep::cli
