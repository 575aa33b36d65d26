#include "cli/back_end.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/syscall.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <memory>

#include "kernel/bpf.h"
#include "wire/client.h"
#include "wire/place.h"

namespace skep::cli {
namespace {

// The definition behind this program's own, which routes calls to hives of this process (abi/route.h): that of
// libskep-preload.so, else libc's.
long next_syscall_bpf(int command, spec::Attr& attr) {
  using Syscall = long (*)(long number, ...);
  static const auto next = reinterpret_cast<Syscall>(::dlsym(RTLD_NEXT, "syscall"));
  if (next == nullptr) return kernel::bpf(command, &attr, sizeof attr);
  const long result = next(SYS_bpf, static_cast<long>(command), &attr, sizeof attr);
  return result < 0 ? -errno : result;
}

// What libskep-preload.so says where it is loaded (abi/preload_main.cc).
ListMaps preloaded_list_maps() {
  using List = int (*)(void (*each)(void* context, const void* map), void* context, unsigned bytes);
  const auto list = reinterpret_cast<List>(::dlsym(RTLD_DEFAULT, "skep_list_maps"));
  if (list == nullptr) return {};
  return [list]() -> Result<std::vector<hive::ListedMap>> {
    std::vector<hive::ListedMap> maps;
    const auto add = [](void* to, const void* map) {
      static_cast<std::vector<hive::ListedMap>*>(to)->push_back(*static_cast<const hive::ListedMap*>(map));
    };
    const int error = list(add, &maps, sizeof(hive::ListedMap));
    if (error != 0) return fail(-error, std::strerror(-error));
    return maps;
  };
}

// The folder beside the hive's socket.
Expected<std::string> pins_of(const std::string& name) {
  const Result<std::string> socket = wire::socket_path(name);
  if (!socket) return give_up(Exit::Usage, socket.error().message);
  return socket->substr(0, socket->rfind('/') + 1) + wire::kBpffsFolder;
}

Expected<BackEnd> join_hive(const std::string& name) {
  auto client = wire::Client::join(name);
  if (!client && client.error().code != ENOTCONN) return give_up(Exit::Usage, client.error().message);
  if (!client) {
    return give_up(Exit::Unavailable, fmt::format("no hive \"{0}\" is running; start it with: skep hive start {0}, or "
                                                  "see: skep hive list",
                                                  name));
  }
  auto pins = pins_of(name);
  if (!pins) return std::unexpected(pins.error());
  const std::shared_ptr<wire::Client> hive = *std::move(client);
  return BackEnd{.bpf = [hive](int command, spec::Attr& attr) { return hive->call(command, &attr, sizeof attr); },
                 .list_maps = [hive] { return hive->maps(); },
                 .pins = *std::move(pins)};
}

}  // namespace

void add_back_end_options(CLI::App& command, BackEndOptions& options) {
  auto* hive = command.add_option("--hive", options.hive, "the objects of the hive with this name")->type_name("NAME");
  command
      .add_flag("--kernel", options.kernel,
                "the running kernel's objects (default: those of the hive of `skep exec`, else the kernel's)")
      ->excludes(hive);
}

Expected<BackEnd> open_back_end(const BackEndOptions& options) {
  if (!options.hive.empty()) return join_hive(options.hive);
  if (options.kernel)
    return BackEnd{.bpf = [](int command, spec::Attr& attr) { return kernel::bpf(command, &attr, sizeof attr); },
                   .list_maps = {},
                   .pins = kPins};
  if (options.given.bpf) return options.given;
  return BackEnd{.bpf = next_syscall_bpf, .list_maps = preloaded_list_maps(), .pins = kPins};
}

}  // namespace skep::cli
