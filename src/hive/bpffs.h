// The file system of pins: a folder of the hive's own, for which /sys/fs/bpf stands.
//
// A pin is an empty file there. The hive keeps a descriptor of it beside the object (Objects::pin) and knows it by its
// inode, so that the file may be renamed, moved to a folder, or linked to as a real one: it is one, and what is done to
// it is the machine's business. An object is pinned while its file has a name. Nobody tells of the last unlink: like
// the last close it is found by looking.
//
// The folder is made when it is first asked for, and removed with the hive by the process that made it; a host's is
// the host's (host/start.cc). Threads: any. Tested by: hive/pin_test.cc.
#pragma once

#include <sys/types.h>

#include <mutex>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "hive/caller.h"

namespace skep::hive {

class Bpffs {
 public:
  // Empty: a folder of a name of its own in the folder for temporary files.
  explicit Bpffs(std::string folder) : folder_(std::move(folder)) {}
  ~Bpffs();
  Bpffs(const Bpffs&) = delete;
  Bpffs& operator=(const Bpffs&) = delete;

  Result<std::string> folder();

  // Whether the descriptor is the folder itself.
  bool is_root(int file);

  // What a path of the caller names, from its directory `from` if it is relative. Errors as open(2) has them, EPERM for
  // a name with a dot.
  Result<Fd> find(Caller& caller, int from, const std::string& path);
  // Makes a file that is not there yet: errors as BPF_OBJ_PIN has them, EPERM outside of this file system.
  struct Name {
    Fd directory;
    std::string last;
    bool asks_for_folder;  // with a slash at its end
  };
  Result<Name> name(Caller& caller, int from, const std::string& path);
  Result<Fd> make(const Name& name);

 private:
  Result<int> root();
  Result<Fd> open(Caller& caller, int from, const std::string& path, int flags);
  Result<bool> holds(int directory);

  std::mutex mutex_;
  std::string folder_;
  Fd root_;
  pid_t maker_ = 0;  // of a folder of our own: who removes it
};

}  // namespace skep::hive
