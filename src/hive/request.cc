#include "hive/request.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "base/latin1.h"

namespace skep::hive {
namespace {

thread_local std::string last_error;

// A map's descriptor whose position somebody moved: the memory file itself tells which map it is.
std::optional<Identity> from_file(State& hive, int fd) noexcept {
  struct stat status{};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  const std::scoped_lock lock(hive.inode_mutex);
  const auto found = hive.map_inodes.find(status.st_ino);
  if (found == hive.map_inodes.end()) return std::nullopt;
  const Ref<Object> object = hive.objects.find(Kind::Map, found->second);
  struct stat ours{};
  if (!object || ::fstat(static_cast<MapObject&>(*object).map->memfd(), &ours) != 0 || ours.st_dev != status.st_dev ||
      ours.st_ino != status.st_ino)
    return std::nullopt;
  const int mode = ::fcntl(fd, F_GETFL) & O_ACCMODE;
  return Identity{.kind = Kind::Map,
                  .tag = object->tag(),
                  .id = object->id(),
                  .access = mode == O_RDONLY   ? Access::ReadOnly
                            : mode == O_WRONLY ? Access::WriteOnly
                                               : Access::ReadWrite};
}

template <class T>
Found<T> found(const Ref<Object>& object, Access access = Access::ReadWrite) noexcept {
  if (!object) return {.object = {}, .error = EINVAL};
  return {.object = Ref<T>(static_cast<T*>(object.get())), .error = 0, .access = access};
}

template <class T>
Found<T> find_end(State& hive, Caller& caller, int fd, Kind kind) noexcept {
  const Fd copy = caller.descriptor(fd);
  if (!copy) return {.object = {}, .error = EBADF};
  const std::optional<Identity> identity = from_socket(copy.get());
  if (!identity || identity->kind != kind) return {.object = {}, .error = EINVAL};
  return found<T>(hive.objects.find(*identity));
}

}  // namespace

const std::string& Hive::last_error() noexcept { return hive::last_error; }

long refuse(int code, std::string message) {
  last_error = std::move(message);
  return -code;
}
long refuse(Error error) { return refuse(error.code, std::move(error.message)); }

int check_tail(Caller& caller, std::uint64_t address, std::uint32_t size, std::size_t known) noexcept {
  if (size > spec::kMaxAttrBytes) return E2BIG;
  if (size <= known) return 0;
  std::array<std::byte, spec::kMaxAttrBytes> tail;
  const MutableBytes rest(tail.data(), size - known);
  if (!caller.copy_in(address + known, rest)) return EFAULT;
  return std::ranges::all_of(rest, [](std::byte b) { return b == std::byte{0}; }) ? 0 : E2BIG;
}

Found<MapObject> find_map(State& hive, Caller& caller, int fd) noexcept {
  const std::int64_t position = caller.position(fd);
  if (position == -EBADF) return {.object = {}, .error = EBADF};
  std::optional<Identity> identity = from_position(position);
  if (!identity && position >= 0) {
    const Fd copy = caller.descriptor(fd);
    if (!copy) return {.object = {}, .error = EBADF};
    identity = from_file(hive, copy.get());
  }
  if (!identity) return {.object = {}, .error = EINVAL};
  return found<MapObject>(hive.objects.find(*identity), identity->access);
}

Found<ProgObject> find_prog(State& hive, Caller& caller, int fd) noexcept {
  return find_end<ProgObject>(hive, caller, fd, Kind::Prog);
}
Found<BtfObject> find_btf(State& hive, Caller& caller, int fd) noexcept {
  return find_end<BtfObject>(hive, caller, fd, Kind::Btf);
}
Found<LinkObject> find_link(State& hive, Caller& caller, int fd) noexcept {
  return find_end<LinkObject>(hive, caller, fd, Kind::Link);
}

long install(Request& request, Object& object) {
  Result<Fd> fd = request.hive.objects.open(object);
  if (!fd) return refuse(std::move(fd.error()));
  return request.caller.give(std::move(*fd));
}

long install_map(Request& request, MapObject& map, Access access) {
  Result<Fd> fd = reopen_map(map.map->memfd(), {.tag = map.tag(), .id = map.id(), .access = access});
  if (!fd) return refuse(std::move(fd.error()));
  return request.caller.give(std::move(*fd));
}

Result<std::string> object_name(const char (&text)[spec::kObjNameBytes]) {
  const char* end = std::find(std::begin(text), std::end(text), '\0');
  const auto legal = [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '.'; };
  if (end == std::end(text)) return fail(EINVAL, "an object's name has more than 15 characters");
  if (!std::all_of(std::begin(text), end, legal))
    return fail(EINVAL, "an object's name has characters other than letters, digits, '_' and '.'");
  return std::string(text, end);
}

}  // namespace skep::hive
