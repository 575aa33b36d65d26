// Making hosts: processes that hold a hive and nothing else. Tested by: tests/host.
#pragma once

#include <string>

#include "base/result.h"
#include "hive/hive.h"

namespace skep::host {

// A host in the background: a session of its own, no descriptors but its own, its standard ones on /dev/null.
struct Background {
  std::string name;
  hive::Options options;
  // A hive for the command that this process is or becomes: it ends after it (host/host.h) and stays in its directory.
  bool for_command = false;
};
// Returns when clients can come, with the path of the socket; or why they cannot. The process must have one thread.
Result<std::string> start(const Background& background);

// The same in this process, until a client, SIGTERM, SIGINT or SIGHUP ends it.
Result<> serve(const std::string& name, hive::Options options);

}  // namespace skep::host
