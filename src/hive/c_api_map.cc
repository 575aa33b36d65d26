// The map handles of include/skep/skep.h: a map of a hive, or one that bpf(2) is asked about.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/cpus.h"
#include "hive/c_api.h"
#include "hive/map_handle.h"
#include "maps/kinds.h"
#include "skep/skep.h"
#include "spec/attr.h"
#include "spec/commands.h"
#include "spec/info.h"

struct skep_map {
  std::unique_ptr<skep::hive::MapHandle> handle;  // null: the kernel's
  skep::Fd fd;                                    // then
  skep_map_info info{};
};

namespace {

using skep::hive::libc_result;
using skep::spec::Command;

const std::byte* bytes(const void* at) noexcept { return static_cast<const std::byte*>(at); }
std::byte* bytes(void* at) noexcept { return static_cast<std::byte*>(at); }
std::uint64_t address(const void* at) noexcept { return reinterpret_cast<std::uintptr_t>(at); }

// bpf(2) as libc's syscall() reaches it: -1 and errno.
int kernel_call(Command command, skep::spec::Attr& attr) noexcept {
  return static_cast<int>(::syscall(SYS_bpf, static_cast<int>(command), &attr, sizeof attr));
}

int kernel_element(const skep_map& map, Command command, const void* key, const void* value,
                   std::uint64_t flags = 0) noexcept {
  skep::spec::Attr attr{};
  attr.elem.map_fd = static_cast<std::uint32_t>(map.fd.get());
  attr.elem.key = address(key);
  attr.elem.value = address(value);
  attr.elem.flags = flags;
  return kernel_call(command, attr);
}

int result(int code) noexcept { return static_cast<int>(libc_result(code)); }

void settle(skep_map_info& info, bool per_cpu) {
  info.cpus = per_cpu ? skep::possible_cpus() : 1;
  const std::size_t each = per_cpu ? skep::round_up(info.value_size, 8) : info.value_size;
  info.value_bytes = static_cast<std::uint32_t>(each * info.cpus);
}

bool is_per_cpu(skep::spec::MapType type) noexcept {
  const skep::maps::Kind* kind = skep::maps::find_kind(type);
  return kind != nullptr && kind->has(skep::maps::kPerCpu);
}

skep_map* open_in(const skep::hive::Hive& hive, int fd) {
  auto handle = skep::hive::MapHandle::open(hive, fd);
  if (!handle) {
    errno = static_cast<int>(-skep::hive::refuse(std::move(handle.error())));
    return nullptr;
  }
  const skep::spec::MapSpec& spec = (*handle)->map().spec();
  auto* map = new skep_map{.handle = *std::move(handle), .fd = {}};
  map->info = {.type = static_cast<std::uint32_t>(spec.type),
               .key_size = spec.key_size,
               .value_size = spec.value_size,
               .max_entries = spec.max_entries,
               .cpus = 1,
               .value_bytes = 0,
               .name = {}};
  std::copy_n(spec.name.begin(), std::min(spec.name.size(), sizeof map->info.name - 1), map->info.name);
  settle(map->info, is_per_cpu(spec.type));
  return map;
}

skep_map* open_by_bpf(int fd) {
  skep::spec::MapInfo about{};
  skep::spec::Attr attr{};
  attr.info.bpf_fd = static_cast<std::uint32_t>(fd);
  attr.info.info_len = sizeof about;
  attr.info.info = address(&about);
  skep::Fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy || kernel_call(Command::ObjGetInfoByFd, attr) != 0) return nullptr;
  auto* map = new skep_map{.handle = nullptr, .fd = std::move(copy)};
  map->info = {.type = about.type,
               .key_size = about.key_size,
               .value_size = about.value_size,
               .max_entries = about.max_entries,
               .cpus = 1,
               .value_bytes = 0,
               .name = {}};
  std::copy_n(about.name, sizeof map->info.name - 1, map->info.name);
  settle(map->info, is_per_cpu(static_cast<skep::spec::MapType>(about.type)));
  return map;
}

}  // namespace

extern "C" {

skep_map* skep_map_open(skep_hive* hive, int fd) {
  return hive != nullptr ? open_in(*hive->hive, fd) : open_by_bpf(fd);
}

void skep_map_close(skep_map* map) { delete map; }

void skep_map_describe(const skep_map* map, skep_map_info* info, uint32_t size) {
  std::memset(info, 0, size);
  std::memcpy(info, &map->info, std::min<std::size_t>(size, sizeof map->info));
}

int skep_map_lookup(skep_map* map, const void* key, void* value) {
  if (map->handle) return result(map->handle->lookup(bytes(key), bytes(value)));
  return kernel_element(*map, Command::MapLookupElem, key, value);
}

int skep_map_update(skep_map* map, const void* key, const void* value, uint64_t flags) {
  if (map->handle) return result(map->handle->update(bytes(key), bytes(value), flags));
  return kernel_element(*map, Command::MapUpdateElem, key, value, flags);
}

int skep_map_delete(skep_map* map, const void* key) {
  if (map->handle) return result(map->handle->erase(bytes(key)));
  return kernel_element(*map, Command::MapDeleteElem, key, nullptr);
}

int skep_map_take(skep_map* map, const void* key, void* value) {
  if (map->handle) return result(map->handle->take(bytes(key), bytes(value)));
  return kernel_element(*map, Command::MapLookupAndDeleteElem, key, value);
}

int skep_map_next_key(skep_map* map, const void* key, void* next) {
  if (map->handle) return result(map->handle->next_key(bytes(key), bytes(next)));
  return kernel_element(*map, Command::MapGetNextKey, key, next);
}

void* skep_map_value(skep_map* map, const void* key) { return map->handle ? map->handle->value(bytes(key)) : nullptr; }

}  // extern "C"
