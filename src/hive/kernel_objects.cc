#include "hive/kernel_objects.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/bytes.h"
#include "spec/btf_rules.h"

namespace skep::hive {

std::byte* KernelObjects::allocate(std::size_t bytes) {
  made_.push_back({std::make_unique<std::byte[]>(bytes), bytes});
  return made_.back().memory.get();
}

std::byte* KernelObjects::make(std::string_view structure) {
  const auto type = types_.find(structure, btf::Kind::Struct);
  return type ? allocate(types_.type(*type).size()) : nullptr;
}

std::optional<KernelObjects::Place> KernelObjects::place(std::string_view structure, std::string_view path) const {
  const auto found = types_.find(structure, btf::Kind::Struct);
  if (!found) return std::nullopt;
  std::uint32_t type = *found;
  Place place;
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('.'));
    const auto member = types_.find_member(types_.resolve(type), name);
    if (!member) return std::nullopt;
    type = member->type;
    place.bit += member->bit_offset;
    place.bits = member->bits;
    path.remove_prefix(std::min(path.size(), name.size() + 1));
  }
  place.bytes = types_.size_of(type).value_or(0);
  return place;
}

void KernelObjects::set(std::byte* object, std::string_view structure, std::string_view path, std::uint64_t value) {
  const std::optional<Place> at = place(structure, path);
  if (!at) return;
  std::byte* const to = object + at->bit / 8;
  if (at->bits == 0) {
    std::memcpy(to, &value, std::min<std::size_t>(at->bytes, sizeof value));
  } else if (const unsigned shift = at->bit % 8; shift + at->bits <= 8) {
    const auto mask = static_cast<std::byte>(((1U << at->bits) - 1) << shift);
    *to = (*to & ~mask) | (static_cast<std::byte>(value << shift) & mask);
  }
}

void KernelObjects::set(std::byte* object, std::string_view structure, std::string_view path,
                        const std::byte* pointer) {
  set(object, structure, path, reinterpret_cast<std::uint64_t>(pointer));
}

void KernelObjects::set_bytes(std::byte* object, std::string_view structure, std::string_view path, Bytes bytes) {
  if (const std::optional<Place> at = place(structure, path))
    std::ranges::copy(bytes.first(std::min<std::size_t>(at->bytes, bytes.size())), object + at->bit / 8);
}

void KernelObjects::set_text(std::byte* object, std::string_view structure, std::string_view path,
                             std::string_view text) {
  set_bytes(object, structure, path, std::as_bytes(std::span(text)));
}

std::vector<exec::Lent> KernelObjects::lent() const {
  std::vector<exec::Lent> all;
  for (const Made& made : made_) all.push_back({made.memory.get(), made.bytes, false});
  return all;
}

MutableBytes KernelObjects::map(const MapObject& map) {
  constexpr std::string_view kMap = "bpf_map", kArray = "bpf_array", kHash = "bpf_htab";
  constexpr std::uint32_t kHashElement = 48;  // bytes of an element before its key, as Linux says in elem_size
  const spec::MapSpec& spec = map.map->spec();
  const std::string_view whole = spec::map_structure(spec.type);
  std::byte* made = whole.empty() ? nullptr : make(whole);
  if (made == nullptr) made = make(kMap);
  if (made == nullptr) return {};
  set(made, kMap, "id", map.id());
  set(made, kMap, "map_type", std::to_underlying(spec.type));
  set(made, kMap, "key_size", spec.key_size);
  set(made, kMap, "value_size", spec.value_size);
  set(made, kMap, "max_entries", spec.max_entries);
  set(made, kMap, "map_flags", spec.flags);
  set(made, kMap, "map_extra", spec.extra);
  set(made, kMap, "btf_key_type_id", spec.btf_key_type);
  set(made, kMap, "btf_value_type_id", spec.btf_value_type);
  set(made, kMap, "frozen", map.map->frozen() ? 1 : 0);
  set_text(made, kMap, "name", spec.name);
  const auto rounded = [](std::uint32_t bytes) { return (bytes + 7) & ~7U; };
  if (whole == kArray) {
    set(made, kArray, "elem_size", rounded(spec.value_size));
    set(made, kArray, "index_mask", std::bit_ceil(std::uint64_t{spec.max_entries}) - 1);
  } else if (whole == kHash) {
    set(made, kHash, "n_buckets", std::bit_ceil(std::uint64_t{spec.max_entries}));
    set(made, kHash, "elem_size", kHashElement + rounded(spec.key_size) + rounded(spec.value_size));
  }
  return {made, made_.back().bytes};
}

std::byte* KernelObjects::program(const ProgObject& program) {
  constexpr std::string_view kProg = "bpf_prog", kAux = "bpf_prog_aux";
  std::byte* const made = make(kProg);
  std::byte* const aux = make(kAux);
  if (made == nullptr || aux == nullptr) return nullptr;
  set(made, kProg, "aux", aux);
  set(made, kProg, "type", std::to_underlying(program.type));
  set(made, kProg, "expected_attach_type", program.attach_type);
  set(made, kProg, "len", program.translated.size());
  set(made, kProg, "gpl_compatible", program.gpl ? 1 : 0);
  set_bytes(made, kProg, "tag", std::as_bytes(std::span(program.tag_bytes)));
  set(aux, kAux, "id", program.id());
  set(aux, kAux, "load_time", program.load_time);
  set(aux, kAux, "verified_insns", program.verified_insns);
  set(aux, kAux, "attach_btf_id", program.attach_btf_id);
  set(aux, kAux, "prog", made);
  set_text(aux, kAux, "name", program.name);
  if (program.target != nullptr) set(aux, kAux, "dst_prog", this->program(*program.target));
  if (program.target == nullptr && types_.has(program.attach_btf_id) && program.attach_btf_id != 0) {
    const std::string_view function = types_.type(program.attach_btf_id).name();
    std::byte* const text = allocate(function.size() + 1);
    std::ranges::copy(std::as_bytes(std::span(function)), text);
    set(aux, kAux, "attach_func_name", text);
  }
  return made;
}

std::byte* KernelObjects::link(const LinkObject& link) {
  constexpr std::string_view kLink = "bpf_link";
  std::byte* const made = make(kLink);
  if (made == nullptr) return nullptr;
  set(made, kLink, "id", link.id());
  set(made, kLink, "type", std::to_underlying(link.type));
  set(made, kLink, "prog", program(*link.program()));
  return made;
}

std::byte* KernelObjects::symbol(const std::string& name, const std::byte* address) {
  constexpr std::string_view kSymbol = "kallsym_iter";
  std::byte* const made = make(kSymbol);
  if (made == nullptr) return nullptr;
  set(made, kSymbol, "value", address);
  set(made, kSymbol, "type", 't');
  set(made, kSymbol, "show_value", 1);
  set_text(made, kSymbol, "name", name);
  set_text(made, kSymbol, "module_name", "bpf");
  return made;
}

}  // namespace skep::hive
