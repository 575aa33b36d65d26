#include "loader/vmlinux.h"

#include <bpf/btf.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "loader/log.h"

namespace skep::loader {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHead =
    "#ifndef __VMLINUX_H__\n#define __VMLINUX_H__\n\n"
    "#ifndef BPF_NO_PRESERVE_ACCESS_INDEX\n"
    "#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)\n#endif\n\n";
constexpr const char* kTail = "\n#ifndef BPF_NO_PRESERVE_ACCESS_INDEX\n#pragma clang attribute pop\n#endif\n\n#endif\n";

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
struct FreeBtf {
  void operator()(struct btf* btf) const { btf__free(btf); }
};
struct FreeDump {
  void operator()(struct btf_dump* dump) const { btf_dump__free(dump); }
};

fs::path cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache && *cache == '/') return fs::path(cache) / "skep";
  const char* home = std::getenv("HOME");
  if (home && *home == '/') return fs::path(home) / ".cache" / "skep";
  return fs::temp_directory_path() / fmt::format("skep-{}", ::getuid());
}

// Kernels of one release may differ in their types: the size of the BTF tells most apart.
std::string kernel_name() {
  utsname name{};
  ::uname(&name);
  std::error_code error;
  struct stat status{};
  const auto bytes = ::stat(kKernelBtf, &status) == 0 ? status.st_size : 0;
  return fmt::format("vmlinux-{}-{}", name.release, bytes);
}

__attribute__((format(printf, 2, 0))) void print(void* file, const char* format, va_list list) {
  std::vfprintf(static_cast<std::FILE*>(file), format, list);
}

Result<> write_types(const fs::path& path) {
  const Log log;
  const std::unique_ptr<struct btf, FreeBtf> btf(btf__parse(kKernelBtf, nullptr));
  if (!btf) {
    return fail(errno, fmt::format("vmlinux.h: cannot be made: {}: {}; put a vmlinux.h beside the source", kKernelBtf,
                                   std::strerror(errno)));
  }
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "we"));
  if (!file) return fail(errno, fmt::format("{}: {}", path.string(), std::strerror(errno)));
  const std::unique_ptr<struct btf_dump, FreeDump> dump(btf_dump__new(btf.get(), print, file.get(), nullptr));
  if (!dump) return fail(errno, fmt::format("vmlinux.h: {}", std::strerror(errno)));
  std::fputs(kHead, file.get());
  for (std::uint32_t id = 1; id < btf__type_cnt(btf.get()); ++id) {
    if (const int error = btf_dump__dump_type(dump.get(), id); error != 0) {
      return fail(-error, fmt::format("vmlinux.h: type {}: {}", id, std::strerror(-error)));
    }
  }
  std::fputs(kTail, file.get());
  if (std::fflush(file.get()) != 0) return fail(errno, fmt::format("{}: {}", path.string(), std::strerror(errno)));
  return {};
}

}  // namespace

Result<std::string> vmlinux_folder() {
  const fs::path folder = cache_folder() / kernel_name(), header = folder / "vmlinux.h";
  std::error_code error;
  if (fs::exists(header, error)) return folder.string();
  fs::create_directories(folder, error);
  if (error) return fail(error.value(), fmt::format("{}: {}", folder.string(), error.message()));
  const fs::path fresh = folder / fmt::format("vmlinux.h.{}", ::getpid());
  if (Result<> written = write_types(fresh); !written) {
    fs::remove(fresh, error);
    return std::unexpected(written.error());
  }
  fs::rename(fresh, header, error);
  if (error) return fail(error.value(), fmt::format("{}: {}", header.string(), error.message()));
  return folder.string();
}

}  // namespace skep::loader
