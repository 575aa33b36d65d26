#include "exec/context_model.h"

#include <algorithm>
#include <cstddef>

#include "packet/sk_buff.h"
#include "packet/xdp_buff.h"

namespace skep::exec {
namespace {

using packet::SkBuff;
using packet::XdpBuff;
using spec::ContextSource;

constexpr ModelField kModel[] = {
#define CONTEXT_MODEL(source, structure, member, store)                                                   \
  {ContextSource::source, ContextKind::structure, offsetof(structure, member), sizeof(structure::member), \
   FieldStore::store},
#define CONTEXT_NULL(source) {ContextSource::source, ContextKind::SkBuff, 0, 0, FieldStore::None},
#include "exec/context_model.def"
};

}  // namespace

std::span<const ModelField> model_fields() noexcept { return kModel; }

const ModelField* find_model(ContextSource source) noexcept {
  const auto found = std::ranges::find(kModel, source, &ModelField::source);
  return found == std::end(kModel) ? nullptr : found;
}

}  // namespace skep::exec
