#include "jit/tools.h"

#include <fmt/format.h>

#include "jit/jit.h"

namespace skep::jit {

Result<Tools> tools_of(std::string_view list) {
  Tools tools;
  while (!list.empty()) {
    const std::size_t end = list.find(',');
    const std::string_view name = list.substr(0, end);
    list = end == list.npos ? std::string_view() : list.substr(end + 1);
#define TOOL(field, text, how) \
  if (name == (text)) {        \
    tools.field = true;        \
    continue;                  \
  }
#include "jit/tools.def"
    std::string known;
#define TOOL(field, text, how) known += known.empty() ? text : ", " text;
#include "jit/tools.def"
    return fail(EINVAL, fmt::format("\"{}\" is none of the tools that can be told of compiled code: {}", name, known));
  }
  return tools;
}

}  // namespace skep::jit
