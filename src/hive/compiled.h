// Compiled programs for those who show them: where their functions stand, which instruction each piece of code is of,
// and who can be told of them. What tools ask for that must not know the engines. Tested by: tests/jit, tests/cli.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hive/hive.h"

namespace skep::hive {

// Whether programs can be compiled here; the error says why not.
Result<> can_compile();

using CompiledFunction = jit::Function;
using CompiledPiece = jit::Piece;
struct Compiled {
  std::vector<CompiledFunction> functions;  // as the image's subprograms; empty: the program is interpreted
  std::vector<CompiledPiece> pieces;        // all of the code, in its order
};
Compiled compiled(const exec::Executable& program);

// Who can be told: the rows of jit/tools.def.
struct ToolName {
  std::string_view name, how;
};
std::span<const ToolName> tool_names() noexcept;
// Sets Options::jit.tools from a list with commas. EINVAL, and which there are.
Result<> choose_tools(std::string_view list, Options& options);

}  // namespace skep::hive
