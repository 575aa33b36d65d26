#include "helpers/bodies.h"

#include "helpers/subjects.h"

namespace skep::helpers {

namespace {

using Table = std::array<exec::HelperBody, spec::kHelperCount + 1>;

void add(Table& table, std::span<const Binding> bindings) noexcept {
  for (const Binding& binding : bindings) table[static_cast<std::size_t>(binding.id)] = binding.body;
}

Table make_table() noexcept {
  Table table{};
#define SUBJECT(name) add(table, name##_bindings());
#include "helpers/subjects.def"
#undef SUBJECT
  return table;
}

}  // namespace

exec::HelperBody body(std::uint32_t id) noexcept {
  static const Table table = make_table();
  return id < table.size() ? table[id] : nullptr;
}

}  // namespace skep::helpers
