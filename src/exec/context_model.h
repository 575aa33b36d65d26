// Where a context field lives in the structure that programs really get. The rows are context_model.def; the lowering
// reads them to rewrite accesses, the checked interpreter to know which bytes of a context a program may write.
// Tested by: exec/lower_context_test.cc.
#pragma once

#include <cstdint>
#include <span>

#include "exec/image.h"
#include "spec/context.h"

namespace skep::exec {

enum class FieldStore : std::uint8_t { None, Whole, Low16, Queue };

struct ModelField {
  spec::ContextSource source;
  ContextKind context;
  std::uint16_t offset;  // in packet::XdpBuff or packet::SkBuff
  std::uint16_t bytes;   // of the member; 0: the field is always null
  FieldStore store;
};

std::span<const ModelField> model_fields() noexcept;
const ModelField* find_model(spec::ContextSource source) noexcept;  // null: there is no model of it

}  // namespace skep::exec
