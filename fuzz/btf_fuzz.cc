// BTF from anywhere is refused or can be walked: every type, member, name and size of what parse() lets through.
// links: skep_btf
#include <cstdint>
#include <cstdlib>

#include "btf/btf.h"
#include "btf/record.h"

namespace {

using skep::btf::Btf;
using skep::btf::Kind;
using skep::btf::Type;

void walk(const Btf& btf, const Type& type) {
  std::size_t sum = type.name().size();
  for (std::uint32_t i = 0; i < type.vlen(); ++i) {
    switch (type.kind()) {
      case Kind::Struct:
      case Kind::Union: {
        const skep::btf::Member member = type.member(i);
        const auto size = btf.size_of(member.type);
        if (!size || member.bit_offset / 8 > type.size()) std::abort();
        sum += member.name.size();
        break;
      }
      case Kind::Enum:
      case Kind::Enum64: sum += type.enumerator(i).name.size(); break;
      case Kind::FuncProto: sum += type.param(i).name.size(); break;
      case Kind::Datasec:
        if (!btf.size_of(type.variable(i).type)) std::abort();
        break;
      default: break;
    }
  }
  const std::uint32_t end = btf.resolve(type.id());
  if (skep::btf::is_modifier(btf.type(end).kind())) std::abort();
  btf.find_member(type.id(), "m");
  if (const auto special = skep::btf::special_fields(btf, type.id()))
    if (special->size() > skep::btf::kMaxSpecialFields) std::abort();
  volatile std::size_t use = sum;
  (void)use;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string log;
  const skep::Bytes bytes = std::as_bytes(std::span(data, size));
  const auto btf = Btf::parse(bytes, &log);
  if (!btf && btf.error().message.empty()) std::abort();
  if (!btf) return 0;
  for (std::uint32_t id = 1; id <= btf->count(); ++id) walk(*btf, btf->type(id));
  return 0;
}
