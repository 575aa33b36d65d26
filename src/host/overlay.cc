#include "host/overlay.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/cpus.h"
#include "base/fd.h"
#include "hive/features.h"
#include "host/gzip.h"
#include "host/kernel_types.h"
#include "wire/overlay.h"

namespace skep::host {
namespace {

using wire::OverlayFile;
using wire::OverlayId;
using wire::OverlayWhen;

bool is_readable(const std::string& path) { return ::access(path.c_str(), R_OK) == 0; }

// Programs look into /boot first.
bool has_config_in_boot() {
  utsname name{};
  return ::uname(&name) == 0 && is_readable(std::string("/boot/config-") + name.release);
}

std::string kernel_config() {
  std::string text;
#define SET(option) text += "CONFIG_" option "=y\n";
#define WITHOUT(option) text += "# CONFIG_" option " is not set\n";
#include "host/kernel_config.def"
#undef SET
#undef WITHOUT
  return text;
}

std::string as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::string line(std::size_t number) { return std::to_string(number) + "\n"; }

std::string contents(OverlayId id, const hive::Options& options) {
  constexpr unsigned kSoftware = 1;  // PERF_TYPE_SOFTWARE
  constexpr unsigned kForGood = 1;   // disabled, and nothing changes that
  const bool compiles = options.engine == hive::Engine::Jit;
  switch (id) {
    case OverlayId::JitEnable: return line(compiles ? 1 : 0);
    case OverlayId::JitHarden: return line(std::to_underlying(options.harden));
    case OverlayId::JitKallsyms: return line(compiles ? 1 : 0);
    case OverlayId::JitLimit: return line(hive::most_code());
    case OverlayId::Unprivileged: return line(options.unprivileged ? 0 : kForGood);
    case OverlayId::Config: return gzip(kernel_config());
    case OverlayId::Cpus: return possible_cpus() == 1 ? "0\n" : "0-" + line(possible_cpus() - 1);
    case OverlayId::KernelTypes: return as_text(kernel_types());
    case OverlayId::Software: return line(kSoftware);
  }
  __builtin_unreachable();
}

bool is_ours(const OverlayFile& file) {
  if (file.when == OverlayWhen::Always) return true;
  return !is_readable(file.path) && !(file.id == OverlayId::Config && has_config_in_boot());
}

Result<> write_file(const std::string& path, const std::string& text) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail(errno, path + ": " + std::strerror(errno));
  return {};
}

}  // namespace

Result<> write_overlay(const std::string& folder, hive::Options& options) {
  for (const OverlayFile& file : wire::kOverlay) {
    if (!is_ours(file)) continue;
    const std::string path = folder + "/" + file.name;
    TRY_VOID(write_file(path, contents(file.id, options)));
    if (file.id == OverlayId::KernelTypes && options.kernel_btf == file.path) options.kernel_btf = path;
  }
  return {};
}

}  // namespace skep::host
