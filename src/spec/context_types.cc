#include "spec/context_types.h"

#include <algorithm>
#include <array>

namespace skep::spec {
namespace {

struct Row {
  ProgType type;
  ContextType context;
};
constexpr std::array kRows{
#define CONTEXT_TYPE(Type, program, kernel) Row{ProgType::Type, {program, kernel}},
#include "spec/context_types.def"
#undef CONTEXT_TYPE
};

}  // namespace

ContextType context_type(ProgType type) noexcept {
  const auto row = std::ranges::find(kRows, type, &Row::type);
  return row == kRows.end() ? ContextType{} : row->context;
}

}  // namespace skep::spec
