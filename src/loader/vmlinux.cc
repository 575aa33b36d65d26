#include "loader/vmlinux.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "loader/btf_text.h"
#include "loader/object.h"

namespace skep::loader {
namespace {

namespace fs = std::filesystem;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
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

Result<> write_types(const fs::path& path) {
  const auto cannot = [](const Error& error) {
    return fail(error.code,
                fmt::format("vmlinux.h: cannot be made: {}; put a vmlinux.h beside the source", error.message));
  };
  const auto btf = read_object_file(kKernelBtf);
  if (!btf) return cannot(btf.error());
  const auto types = c_declarations(*btf);
  if (!types) return cannot(types.error());
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "we"));
  if (!file || std::fputs(types->c_str(), file.get()) < 0 || std::fflush(file.get()) != 0)
    return fail(errno, fmt::format("{}: {}", path.string(), std::strerror(errno)));
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
