#include "exec/doors.h"

#include "exec/structure.h"
#include "isa/op.h"
#include "spec/helpers.h"

namespace skep::exec {
namespace {

using isa::Op;

ContextKind context_of(spec::ProgType type) {
  using spec::ProgType;
  switch (type) {
    case ProgType::Xdp: return ContextKind::XdpBuff;
    case ProgType::SocketFilter:
    case ProgType::SchedCls:
    case ProgType::SchedAct: return ContextKind::SkBuff;
    default: return ContextKind::Memory;
  }
}

// What binding must fill in.
std::vector<Relocation> relocations_of(const std::vector<isa::Insn>& insns) {
  using Kind = Relocation::Kind;
  std::vector<Relocation> found;
  for (std::size_t i = 0; i < insns.size(); i += isa::slots(isa::decode(insns[i]))) {
    const auto at = static_cast<std::uint32_t>(i);
    const auto id = static_cast<std::uint32_t>(insns[i].imm);
    switch (isa::decode(insns[i])) {
      case Op::LdMapFd: found.push_back({at, Kind::Map, id, 0}); break;
      case Op::LdMapValue:
        found.push_back({at, Kind::MapValue, id, static_cast<std::uint32_t>(insns[i + 1].imm)});
        break;
      case Op::CallHelper: found.push_back({at, Kind::Helper, id, 0}); break;
      default: break;
    }
  }
  return found;
}

}  // namespace

Result<Image> assume_verified(const Source& source, std::string_view reason) {
  return assume_verified(source, context_of(source.type), reason);
}

Result<Image> assume_verified(const Source& source, ContextKind context, std::string_view) {
  const bool typed = source.type != spec::ProgType::Unspec;
  Image image;
  image.type = source.type;
  image.attach_type = source.attach_type;
  image.context = context;
  image.name = source.name;
  TRY(image.subprograms, check_structure(source, typed ? Legal::Linux : Legal::Any));
  image.insns = source.insns;
  image.lines = source.lines;
  image.relocations = relocations_of(image.insns);
  return image;
}

}  // namespace skep::exec
