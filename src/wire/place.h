// Where a hive of a name is found: NAME/socket in this user's folder of hives, $XDG_RUNTIME_DIR/skep or
// /tmp/skep-hives-UID.
//
// The folders belong to the user and are closed to everybody else, and whoever connects or is connected to must be of
// the same user (SO_PEERCRED). Beside the socket lies `lock`, which the host holds with flock(2) while it lives: who
// can take it knows that no host is there, whatever a killed one has left. Tested by: host/host_test.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace skep::wire {

// The variable that says which hive the programs of `skep exec` are on: the path of a socket.
inline constexpr const char* kHiveVariable = "SKEP_HIVE";
// The folder beside the socket for which /sys/fs/bpf stands: the hive's pins (hive/bpffs.h).
inline constexpr const char* kBpffsFolder = "bpffs";

// 1 to 64 letters, digits, '-', '_' and '.', not beginning with '.': EINVAL if not.
Result<> check_name(std::string_view name);
// The folder of hives; made when it is not there. EPERM when it is not ours alone.
Result<std::string> hives_folder();
// The socket of the hive, whether it exists or not. ENAMETOOLONG when the folder's name leaves no room.
Result<std::string> socket_path(std::string_view name);
// Names of which there is a socket, in order; those of hosts that were killed may be among them.
Result<std::vector<std::string>> names();

// A connected socket: ENOTCONN when no host is there, EPERM when it is another user's.
Result<Fd> connect_to(const std::string& path);

// The right to be the host of a name, and its socket: both go with it.
class Seat {
 public:
  // With empty folders for pins and the overlay. EADDRINUSE when somebody has it.
  static Result<Seat> take(std::string_view name);
  Seat(Seat&& other) noexcept = default;
  Seat& operator=(Seat&& other) noexcept = default;
  // Removes the socket, the pins and the folder, in the process that is the host.
  void leave() noexcept;
  // After a fork, in the process that is not the host: lets go, so that the other's end is the end.
  void hand_over() noexcept;

  const std::string& name() const noexcept { return name_; }
  const std::string& path() const noexcept { return path_; }
  std::string bpffs() const;
  std::string overlay() const;  // wire/overlay.h
  int listener() const noexcept { return listener_.get(); }
  int lock() const noexcept { return lock_.get(); }

 private:
  Seat(std::string name, std::string path, Fd lock, Fd listener)
      : name_(std::move(name)), path_(std::move(path)), lock_(std::move(lock)), listener_(std::move(listener)) {}
  std::string name_, path_;
  Fd lock_, listener_;
};

}  // namespace skep::wire
