#include "exec/lower_context.h"

#include <fmt/format.h>

#include <bit>

#include "exec/context_model.h"
#include "exec/structure.h"
#include "isa/op.h"

namespace skep::exec {
namespace {

using isa::Form;
using isa::Insn;
using isa::Op;
using spec::FieldKind;

static_assert(std::endian::native == std::endian::little, "narrow loads take the low bytes first");

constexpr std::int32_t kNoQueue = 0xffff;  // NO_QUEUE_MAPPING

// `insn` as an access of 8 or 2 bytes.
Insn resized(const Insn& insn, Op as) {
  Insn other = insn;
  other.code = isa::info(as).code;
  return other;
}

Op with_size(Form form, Op load, Op imm, Op reg) {
  return form == Form::Load ? load : form == Form::StoreImm ? imm : reg;
}

// A store of a field that has 16 bits: what the instruction becomes, if anything.
void narrow_store(const Insn& insn, Form form, FieldStore store, std::vector<Insn>& out) {
  const Insn half = resized(insn, with_size(form, Op::Load16, Op::StoreImm16, Op::StoreReg16));
  if (store == FieldStore::Queue && form == Form::StoreReg) {
    Insn skip = isa::encode(Op::JGe64Imm);
    skip.dst = insn.src;
    skip.imm = kNoQueue;
    skip.off = 1;
    out.push_back(skip);
  } else if (store == FieldStore::Queue && insn.imm >= kNoQueue) {
    return out.push_back(isa::encode(Op::Goto));  // to the next instruction
  }
  out.push_back(half);
}

void rewrite(const Insn& insn, Form form, const spec::ContextField& field, const ModelField& model,
             std::vector<Insn>& out) {
  Insn lowered = insn;
  if (model.bytes == 0) {
    lowered = isa::encode(Op::Mov64Imm);
    lowered.dst = insn.dst;
    return out.push_back(lowered);
  }
  lowered.off = static_cast<std::int16_t>(model.offset + (insn.off - static_cast<std::int32_t>(field.offset)));
  if (field.kind != FieldKind::Scalar) return out.push_back(resized(lowered, Op::Load64));
  const bool stores = form == Form::StoreImm || form == Form::StoreReg;
  if (stores && model.store != FieldStore::Whole) return narrow_store(lowered, form, model.store, out);
  out.push_back(lowered);
}

}  // namespace

Result<> lower_context(const Image& image, std::span<const ContextAccess> accesses, Rewriter& rewriter) {
  std::vector<Insn> replacement;
  for (const ContextAccess& access : accesses) {
    const Insn& insn = image.insns[access.insn];
    const Op op = isa::decode(insn);
    const Form form = isa::form(op);
    const bool reads = form == Form::Load || form == Form::LoadSx;
    const auto allowed = spec::check_access({.type = image.type,
                                             .attach = static_cast<spec::AttachType>(image.attach_type),
                                             .offset = access.offset,
                                             .size = isa::access_bytes(op),
                                             .direction = reads ? spec::Direction::Read : spec::Direction::Write});
    if (!allowed) return std::unexpected(error_at(image.insns, access.insn, allowed.error().message, EACCES));
    const spec::ContextField& field = **allowed;
    if (form == Form::LoadSx && field.kind != FieldKind::Scalar)
      return std::unexpected(error_at(
          image.insns, access.insn,
          fmt::format("invalid bpf_context access off={} size={}", access.offset, isa::access_bytes(op)), EACCES));
    const ModelField* model = find_model(field.source);
    if (!model || model->context != image.context)
      return std::unexpected(error_at(image.insns, access.insn,
                                      fmt::format("context field {} has no value here", field.name), EOPNOTSUPP));
    replacement.clear();
    rewrite(insn, form, field, *model, replacement);
    rewriter.replace(access.insn, replacement);
  }
  return {};
}

}  // namespace skep::exec
