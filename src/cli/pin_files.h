// Pins as files of this machine: the kernel's bpf file system, or the folder that stands for a hive's /sys/fs/bpf.
// Tested by: tests/prog_command.
#pragma once

#include <string>
#include <vector>

#include "cli/back_end.h"

namespace skep::cli {

// The file of this machine for a path as bpf(2) of the place takes it.
std::string file_of(const BackEnd& place, const std::string& path);

// Makes a folder of pins, and those around it. Refused.
Expected<> make_pin_folder(const BackEnd& place, const std::string& path);
// Removes a pin; an object ends with the last reference. Absent, Refused.
Expected<> remove_pin(const BackEnd& place, const std::string& path);

// Pins what it is told to, and unpins all of it again unless keep() was called.
class Pinning {
 public:
  explicit Pinning(const BackEnd& place) : place_(place) {}
  ~Pinning();
  Pinning(const Pinning&) = delete;
  Pinning& operator=(const Pinning&) = delete;

  Expected<> pin(int fd, const std::string& path);
  void keep() { made_.clear(); }

 private:
  const BackEnd& place_;
  std::vector<std::string> made_;
};

}  // namespace skep::cli
