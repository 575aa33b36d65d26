#include "supervisor/overlay.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/raw_syscall.h"
#include "base/user.h"
#include "wire/overlay.h"

namespace skep::supervisor {
namespace {

namespace fs = std::filesystem;

struct Place {
  std::string path, file;  // where programs look, and what they are to find there
};

Result<> failed(const std::string& what) { return fail(errno, what + ": " + std::strerror(errno)); }

bool is_same(const Place& place) noexcept {
  struct stat seen{};
  struct stat ours{};
  return ::stat(place.path.c_str(), &seen) == 0 && ::stat(place.file.c_str(), &ours) == 0 &&
         seen.st_dev == ours.st_dev && seen.st_ino == ours.st_ino;
}

// What is to be mounted: the files that the hive has, but for those that are there already (around a nested command).
std::vector<Place> places_of(const std::string& hive) {
  std::vector<Place> places;
  for (const wire::OverlayFile& file : wire::kOverlay) {
    Place place{file.path, wire::overlay_folder(hive) + "/" + file.name};
    if (::access(place.file.c_str(), F_OK) == 0 && !is_same(place)) places.push_back(std::move(place));
  }
  return places;
}

// ---- Namespaces

enum class Rights : std::uint8_t { Mount, Some, None };

Rights rights() noexcept {
  __user_cap_header_struct head{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  if (raw_syscall(SYS_capget, static_cast<long>(reinterpret_cast<std::uintptr_t>(&head)),
                  static_cast<long>(reinterpret_cast<std::uintptr_t>(sets))) != 0)
    return Rights::Some;
  if ((sets[0].effective >> CAP_SYS_ADMIN & 1) != 0) return Rights::Mount;
  return sets[0].effective == 0 && sets[1].effective == 0 ? Rights::None : Rights::Some;
}

// Whether what is mounted in a namespace of one's own is seen outside: where "/" is shared.
bool mounts_get_out() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> list(std::fopen("/proc/self/mountinfo", "re"), std::fclose);
  char line[4096], target[2048], rest[1024];
  bool shared = false;
  while (list && std::fgets(line, sizeof line, list.get()) != nullptr)
    if (std::sscanf(line, "%*s %*s %*s %*s %2047s %*s %1023[^\n]", target, rest) == 2 && std::strcmp(target, "/") == 0)
      shared = std::strstr(rest, "shared:") != nullptr;
  return shared;
}

Result<> write_text(const char* path, const std::string& text) {
  const Fd file(::open(path, O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return failed(path);
  return {};
}

// A user namespace in which one is who one was. An error is for good: one is nobody then.
Result<> own_users() {
  const std::string user = std::to_string(effective_user()), group = std::to_string(real_group());
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return failed("a user namespace");
  TRY_VOID(write_text("/proc/self/setgroups", "deny"));
  TRY_VOID(write_text("/proc/self/uid_map", user + " " + user + " 1"));
  return write_text("/proc/self/gid_map", group + " " + group + " 1");
}

Result<> own_mounts(Rights has) {
  if (has == Rights::None) return own_users();
  if (::unshare(CLONE_NEWNS) != 0) return failed("a mount namespace");
  return {};
}

// ---- Mounting

Result<> bind(const std::string& from, const std::string& to) {
  if (::mount(from.c_str(), to.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) return failed(from + " on " + to);
  return {};
}

Result<> make_file(const std::string& path) {
  const Fd made(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0444));
  if (!made) return failed(path);
  return {};
}

// `from` at `to`, where nothing is.
Result<> show(const std::string& from, const std::string& to) {
  struct stat status{};
  if (::lstat(from.c_str(), &status) != 0) return {};  // it has gone
  std::error_code error;
  if (S_ISLNK(status.st_mode)) {
    fs::copy_symlink(from, to, error);
    return {};
  }
  if (S_ISDIR(status.st_mode)) {
    if (::mkdir(to.c_str(), 0755) != 0) return failed(to);
  } else {
    TRY_VOID(make_file(to));
  }
  return bind(from, to);
}

// Folders of the kernel's take no new files. So a folder of ours goes over `folder`, with everything in it that was.
Result<> make_room(const std::string& folder) {
  const Fd before(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const int listed = before ? ::fcntl(before.get(), F_DUPFD_CLOEXEC, 0) : -1;
  const std::unique_ptr<DIR, int (*)(DIR*)> names(listed < 0 ? nullptr : ::fdopendir(listed), ::closedir);
  if (!names || ::mount("skep", folder.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=64k") != 0)
    return failed(folder);
  const std::string old = "/proc/self/fd/" + std::to_string(before.get()) + "/";
  while (const dirent* entry = ::readdir(names.get())) {
    const std::string_view name(entry->d_name);
    if (name == "." || name == "..") continue;
    TRY_VOID(show(old + entry->d_name, folder + "/" + entry->d_name));
  }
  return {};
}

// A file at `path`, by whatever must be covered for that. Nothing of /proc is: what is in it depends on who looks.
Result<> make_place(const std::string& path) {
  if (::access(path.c_str(), F_OK) == 0) return {};
  if (path.starts_with("/proc/")) return fail(ENOENT, path + " is not there");
  fs::path folder = fs::path(path).parent_path();
  while (::access(folder.c_str(), F_OK) != 0) folder = folder.parent_path();
  TRY_VOID(make_room(folder.string()));
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  return make_file(path);
}

Result<> mount_file(const Place& place) {
  TRY_VOID(make_place(place.path));
  TRY_VOID(bind(place.file, place.path));
  if (::mount(nullptr, place.path.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
              nullptr) != 0)
    return failed(place.path);
  return {};
}

// In namespaces of one's own. What is mounted beneath /proc and /sys stays in there, on all else it goes where it goes.
Result<> mount_all(const std::vector<Place>& places, Rights has) {
  TRY_VOID(own_mounts(has));
  for (const char* root : {"/proc", "/sys"}) ::mount(nullptr, root, nullptr, MS_PRIVATE | MS_REC, nullptr);
  for (const Place& place : places)
    if (Result<> mounted = mount_file(place); !mounted && mounted.error().code != ENOENT) return mounted;
  return {};
}

// Whether a process may do that: tried by one that ends, as a namespace cannot be left.
Result<> try_out(const std::vector<Place>& places, Rights has) {
  const pid_t child = ::fork();
  if (child == 0) {
    const Result<> mounted = mount_all(places, has);
    ::_exit(mounted ? 0 : mounted.error().code);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return failed("a process");
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
  if (code == 0) return {};
  return fail(code, std::string("the overlay cannot be mounted: ") + std::strerror(code));
}

bool is_harmless(Rights has, bool is_reached) {
  switch (has) {
    case Rights::Mount: return mounts_get_out();
    case Rights::Some: return false;
    case Rights::None: return !is_reached;
  }
  __builtin_unreachable();
}

}  // namespace

Result<> enter_overlay(Overlay way, const std::string& hive, bool is_reached) {
  if (way == Overlay::Library || way == Overlay::None) return {};
  const std::vector<Place> places = places_of(hive);
  const Rights has = rights();
  if (places.empty() || (way == Overlay::Auto && !is_harmless(has, is_reached))) return {};
  if (Result<> tried = try_out(places, has); !tried) return way == Overlay::Auto ? Result<>() : tried;
  return mount_all(places, has);
}

}  // namespace skep::supervisor
