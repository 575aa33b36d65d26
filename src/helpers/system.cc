// System calls of programs of type syscall, with which a light skeleton loads itself.
#include <cerrno>
#include <cstring>

#include "helpers/subjects.h"

namespace skep::helpers {

namespace {

// A name whose last byte ends it; nothing when it is none.
std::string_view name_in(Bytes text) noexcept {
  if (text.size() <= 1 || text.back() != std::byte{0}) return {};
  return {reinterpret_cast<const char*>(text.data()),
          ::strnlen(reinterpret_cast<const char*>(text.data()), text.size())};
}

long sys_bpf(Call& call, std::uint32_t command, Bytes attr) noexcept {
  return call.system != nullptr ? call.system->bpf(command, attr) : -EINVAL;
}

long sys_close(Call& call, std::uint32_t fd) noexcept {
  return call.system != nullptr ? call.system->close(fd) : -EBADF;
}

long btf_find_by_name_kind(Call& call, Bytes text, std::uint32_t kind, std::uint32_t flags) noexcept {
  const std::string_view name = name_in(text);
  if (flags != 0 || name.data() == nullptr) return -EINVAL;
  return call.system != nullptr ? call.system->find_type(name, kind) : -ENOENT;
}

// The machine's kernel is out of reach: no symbol of it has an address here.
int kallsyms_lookup_name(Call&, Bytes text, std::uint32_t flags, std::byte* to) noexcept {
  store(to, std::uint64_t{0});
  return flags != 0 || name_in(text).data() == nullptr ? -EINVAL : -ENOENT;
}

}  // namespace

std::span<const Binding> system_bindings() noexcept {
  static constexpr Binding rows[] = {SKEP_BIND(sys_bpf), SKEP_BIND(sys_close), SKEP_BIND(btf_find_by_name_kind),
                                     SKEP_BIND(kallsyms_lookup_name)};
  return rows;
}

}  // namespace skep::helpers
