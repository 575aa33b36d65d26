#include "helpers/bodies.h"

#include <vector>

#include "helpers/subjects.h"
#include "spec/kfuncs.h"

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
  return table;
}

using KfuncTable = std::vector<exec::HelperBody>;

KfuncTable make_kfunc_table() {
  KfuncTable table(spec::kfuncs().size());
  const auto bind = [&](std::span<const KfuncBinding> bindings) {
    for (const KfuncBinding& binding : bindings) table[*spec::kfunc_row(binding.name)] = binding.body;
  };
#define KFUNC_SUBJECT(name) bind(name##_bindings());
#include "helpers/subjects.def"
  return table;
}

}  // namespace

exec::HelperBody body(std::uint32_t id) noexcept {
  static const Table table = make_table();
  return id < table.size() ? table[id] : nullptr;
}

exec::HelperBody kfunc_body(std::uint32_t row) noexcept {
  static const KfuncTable table = make_kfunc_table();
  return row < table.size() ? table[row] : nullptr;
}

void abandon(exec::Call& call) noexcept {
  discard_reservations(call);
  free_allocations(call);
}

}  // namespace skep::helpers
