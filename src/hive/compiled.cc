#include "hive/compiled.h"

#include "jit/jit.h"

namespace skep::hive {

Result<> can_compile() { return jit::available(); }

Compiled compiled(const exec::Executable& program) { return {jit::functions(program), jit::pieces(program)}; }

std::span<const ToolName> tool_names() noexcept {
  static constexpr ToolName kNames[] = {
#define TOOL(field, text, how) {text, how},
#include "jit/tools.def"
  };
  return kNames;
}

Result<> choose_tools(std::string_view list, Options& options) {
  TRY(options.jit.tools, jit::tools_of(list));
  return {};
}

}  // namespace skep::hive
