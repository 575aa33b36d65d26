// The overlay's files (wire/overlay.h) mounted in the machine's place, in a mount namespace of the command's own: for
// programs that no preloaded library reaches, and for what libc opens itself. Nothing is left when the command's last
// process has ended. docs/design/overlay.md. Tested by: tests/exec.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace skep::supervisor {

// Auto mounts where that changes nothing else for the command, or where the library cannot reach it.
enum class Overlay : std::uint8_t { Auto, Mounts, Library, None };

// For the calling process, which has one thread, and all that come of it. `hive` is where the hive's host listens;
// `is_reached` by the preload library. Errors of Mounts: no namespace may be made, or nothing be mounted in it; with
// Auto that is no error.
Result<> enter_overlay(Overlay way, const std::string& hive, bool is_reached);

}  // namespace skep::supervisor
