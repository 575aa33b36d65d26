// The names of pins: which paths are beneath /sys/fs/bpf, read as text.
//
// A hive's pins are files in a folder of its own (hive/bpffs.h), and /sys/fs/bpf stands for that folder, whatever the
// machine has there: for bpf(2) in the hive, for other system calls in the preload library. No allocation, nothing but
// the text is looked at, so it may be asked in a signal handler. Tested by: hive/bpffs_path_test.cc.
#pragma once

#include <cstddef>
#include <string_view>

namespace skep::hive {

inline constexpr std::string_view kBpffsMount = "/sys/fs/bpf";
inline constexpr std::size_t kMostPath = 4096;  // bytes, the NUL with them, as in the kernel

class BpffsPath {
 public:
  // `path` as a program gave it. Only absolute ones are beneath: others depend on more than text.
  explicit BpffsPath(const char* path) noexcept;
  // Whether it is /sys/fs/bpf or beneath.
  bool is_beneath() const noexcept { return is_beneath_; }
  // What follows /sys/fs/bpf/, without "." and ".." and doubled slashes; empty for the mount point itself. A slash at
  // the end stays, as it asks for a folder.
  const char* rest() const noexcept { return text_ + rest_; }
  bool is_root() const noexcept { return *rest() == '\0'; }
  // Names with a dot in them are refused by a bpf file system: EPERM.
  bool has_dot() const noexcept { return std::string_view(rest()).find('.') != std::string_view::npos; }

 private:
  bool is_beneath_ = false;
  std::size_t rest_ = 0;
  char text_[kMostPath] = {};
};

}  // namespace skep::hive
