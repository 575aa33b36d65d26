// Runs a command whose tree of processes is supervised: this process stays its parent, passes signals on, and answers
// for it what the filter catches. Tested by: tests/exec.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "supervisor/filter.h"
#include "supervisor/overlay.h"

namespace skep::supervisor {

struct Command {
  std::string file;
  std::vector<std::string> arguments;  // the first is its name
  std::string hive;                    // where the hive's host listens
  bool needs_filter = false;           // it reaches bpf(2) in no other way
  As as = As::User;
  Overlay overlay = Overlay::Auto;
  bool must_be_filtered() const noexcept { return needs_filter || as == As::Root; }
};

// Returns when the command has ended: its status, as waitpid(2) gives it. If processes that it left behind live on, so
// does a process in the background that answers them. An outer supervisor, if there is one, answers in place of this.
// This process is then in the namespaces of the command, too. Errors: the overlay's; the filter cannot be installed
// where the command needs it; execve(2)'s.
Result<int> run(const Command& command);

}  // namespace skep::supervisor
