#include "loader/btf_text.h"

#include <bpf/btf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "loader/btf_check.h"
#include "loader/log.h"

namespace skep::loader {
namespace {

constexpr const char* kHead =
    "#ifndef __VMLINUX_H__\n#define __VMLINUX_H__\n\n"
    "#ifndef BPF_NO_PRESERVE_ACCESS_INDEX\n"
    "#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)\n#endif\n\n";
constexpr const char* kTail =
    "#ifndef BPF_NO_PRESERVE_ACCESS_INDEX\n#pragma clang attribute pop\n#endif\n\n#endif /* __VMLINUX_H__ */\n";

struct FreeBtf {
  void operator()(struct btf* btf) const { btf__free(btf); }
};
struct FreeDump {
  void operator()(struct btf_dump* dump) const { btf_dump__free(dump); }
};

__attribute__((format(printf, 2, 0))) void append(void* to, const char* format, va_list list) {
  char* text = nullptr;
  const int length = ::vasprintf(&text, format, list);
  if (length < 0) return;
  static_cast<std::string*>(to)->append(text, static_cast<std::size_t>(length));
  std::free(text);
}

}  // namespace

Result<std::string> c_declarations(Bytes bytes, std::span<const std::uint32_t> roots) {
  const Log log;
  if (Result<> fine = check_btf(bytes); !fine) return fail(EINVAL, fine.error().message);
  const std::unique_ptr<struct btf, FreeBtf> btf(btf__new(bytes.data(), static_cast<std::uint32_t>(bytes.size())));
  if (!btf) return fail(EINVAL, fmt::format("no BTF that libbpf can read: {}", std::strerror(errno)));
  std::string text = kHead;
  const std::unique_ptr<struct btf_dump, FreeDump> dump(btf_dump__new(btf.get(), append, &text, nullptr));
  if (!dump) return fail(errno, fmt::format("types cannot be declared: {}", std::strerror(errno)));
  const auto declare = [&](std::uint32_t id) -> Result<> {
    const int error = btf_dump__dump_type(dump.get(), id);
    return error == 0 ? Result<>{} : fail(-error, fmt::format("type {}: {}", id, std::strerror(-error)));
  };
  for (const std::uint32_t id : roots) TRY_VOID(declare(id));
  for (std::uint32_t id = 1; roots.empty() && id < btf__type_cnt(btf.get()); ++id) TRY_VOID(declare(id));
  return text + kTail;
}

}  // namespace skep::loader
