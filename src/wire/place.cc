#include "wire/place.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

#include "base/user.h"
#include "wire/channel.h"
#include "wire/overlay.h"

namespace skep::wire {
namespace {

constexpr std::size_t kMostName = 64;
constexpr int kBacklog = 128;

std::string why(int code) { return std::strerror(code); }

// A folder of ours alone, made when it is not there.
Result<> own_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(errno, "cannot make the folder " + path + ": " + why(errno));
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return fail(errno, path + ": " + why(errno));
  if (!S_ISDIR(status.st_mode) || status.st_uid != effective_user() || (status.st_mode & 0077) != 0)
    return fail(EPERM, path + " is not a folder of this user that is closed to others (chmod 700)");
  return {};
}

Result<std::string> folder_of(std::string_view name) {
  TRY_VOID(check_name(name));
  TRY(const std::string hives, hives_folder());
  return hives + "/" + std::string(name);
}

Result<std::string> socket_in(const std::string& folder) {
  std::string path = folder + "/socket";
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    return fail(ENAMETOOLONG, path + " is too long for a socket; set XDG_RUNTIME_DIR to a shorter folder");
  return path;
}

Result<Fd> new_socket() {
  Fd made(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!made) return fail(errno, "no socket: " + why(errno));
  return made;
}

sockaddr_un address_of(const std::string& path) noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

bool same_file(int fd, const std::string& path) noexcept {
  struct stat open_one{};
  struct stat named{};
  return ::fstat(fd, &open_one) == 0 && ::stat(path.c_str(), &named) == 0 && open_one.st_ino == named.st_ino &&
         open_one.st_dev == named.st_dev;
}

// The lock file, locked; nothing when somebody holds it. A host that leaves removes the file, so one that was opened
// before may be nobody's any more: then again.
Result<Fd> take_lock(const std::string& folder, std::string_view name) {
  const std::string path = folder + "/lock";
  for (;;) {
    TRY_VOID(own_folder(folder));
    Fd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock && errno == ENOENT) continue;
    if (!lock) return fail(errno, path + ": " + why(errno));
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
      return fail(EADDRINUSE, "a hive of the name " + std::string(name) + " is running already");
    if (same_file(lock.get(), path)) return lock;
  }
}

// A folder and all that is in it.
void remove_folder(int from, const char* name) noexcept {
  Fd folder(::openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) return;
  const int at = folder.get();
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(at), ::closedir);
  if (!directory) return;
  [[maybe_unused]] const int now_its = folder.release();
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view inside(entry->d_name);
    if (inside == "." || inside == "..") continue;
    if (::unlinkat(at, entry->d_name, 0) != 0) remove_folder(at, entry->d_name);
  }
  ::unlinkat(from, name, AT_REMOVEDIR);
}

}  // namespace

Result<> check_name(std::string_view name) {
  const auto legal = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_' ||
           c == '.';
  };
  if (!name.empty() && name.size() <= kMostName && name.front() != '.' && std::ranges::all_of(name, legal)) return {};
  return fail(EINVAL, "\"" + std::string(name) +
                          "\" is no name of a hive: 1 to 64 letters, digits, '-', '_' and '.', the first no '.'");
}

Result<std::string> hives_folder() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  const bool has_runtime = runtime != nullptr && *runtime == '/';
  std::string folder = has_runtime ? std::string(runtime) + "/skep"
                                   : "/tmp/skep-hives-" + std::to_string(static_cast<unsigned>(effective_user()));
  TRY_VOID(own_folder(folder));
  return folder;
}

Result<std::string> socket_path(std::string_view name) {
  TRY(const std::string folder, folder_of(name));
  return socket_in(folder);
}

Result<std::vector<std::string>> names() {
  TRY(const std::string folder, hives_folder());
  std::vector<std::string> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(folder.c_str()), ::closedir);
  if (!directory) return fail(errno, folder + ": " + why(errno));
  while (const dirent* entry = ::readdir(directory.get()))
    if (check_name(entry->d_name) && ::access((folder + "/" + entry->d_name + "/socket").c_str(), F_OK) == 0)
      found.emplace_back(entry->d_name);
  std::ranges::sort(found);
  return found;
}

Result<Fd> connect_to(const std::string& path) {
  TRY(Fd made, new_socket());
  if (path.size() >= sizeof(sockaddr_un::sun_path)) return fail(ENAMETOOLONG, path + " is too long for a socket");
  const sockaddr_un address = address_of(path);
  if (::connect(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int code = errno == ENOENT || errno == ECONNREFUSED ? ENOTCONN : errno;
    return fail(code, path + ": no hive is there: " + why(errno));
  }
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(made.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != effective_user())
    return fail(EPERM, path + " is the hive of another user");
  return made;
}

Result<Seat> Seat::take(std::string_view name) {
  TRY(const std::string folder, folder_of(name));
  TRY(std::string path, socket_in(folder));
  TRY(Fd lock, take_lock(folder, name));
  ::unlink(path.c_str());
  for (const char* kept : {kBpffsFolder, kOverlayFolder}) {
    const std::string inside = folder + "/" + kept;
    remove_folder(AT_FDCWD, inside.c_str());
    TRY_VOID(own_folder(inside));
  }
  TRY(Fd listener, new_socket());
  const sockaddr_un address = address_of(path);
  const mode_t before = ::umask(0077);
  const int bound = ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  ::umask(before);
  if (bound != 0) return fail(error, path + ": " + why(error));
  if (::listen(listener.get(), kBacklog) != 0) return fail(errno, path + ": " + why(errno));
  return Seat(std::string(name), std::move(path), std::move(lock), std::move(listener));
}

std::string Seat::bpffs() const { return path_.substr(0, path_.rfind('/') + 1) + kBpffsFolder; }

std::string Seat::overlay() const { return overlay_folder(path_); }

void Seat::leave() noexcept {
  if (!lock_) return;
  const std::string folder = path_.substr(0, path_.rfind('/'));
  ::unlink(path_.c_str());
  remove_folder(AT_FDCWD, bpffs().c_str());
  remove_folder(AT_FDCWD, overlay().c_str());
  ::unlink((folder + "/lock").c_str());
  ::rmdir(folder.c_str());
  hand_over();
}

void Seat::hand_over() noexcept {
  listener_.reset();
  lock_.reset();
}

}  // namespace skep::wire
