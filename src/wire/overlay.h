// The overlay: files of /proc and /sys that are the hive's for programs under `skep exec`. The table is
// wire/overlay.def; the host writes the files (host/overlay.h), and programs find them in the machine's place by mounts
// (supervisor/overlay.h) or by the preload library. docs/design/overlay.md. Tested by: tests/exec.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace skep::wire {

// The folder beside the socket where the files are.
inline constexpr const char* kOverlayFolder = "overlay";
// The variable of a command whose programs are to find the machine's files only.
inline constexpr const char* kNoOverlayVariable = "SKEP_NO_OVERLAY";

enum class OverlayId : std::uint8_t {
#define FILE(id, path, name, when) id,
#include "wire/overlay.def"
#undef FILE
};
enum class OverlayWhen : std::uint8_t { Always, Absent };

struct OverlayFile {
  OverlayId id;
  const char* path;  // where programs look
  const char* name;  // in the folder
  OverlayWhen when;
};
inline constexpr std::array kOverlay{
#define FILE(id, path, name, when) OverlayFile{OverlayId::id, path, name, OverlayWhen::when},
#include "wire/overlay.def"
#undef FILE
};

// The file for which `path` asks, as text; null for nearly every path. Nothing is allocated.
constexpr const OverlayFile* overlay_of(const char* path) noexcept {
  if (path == nullptr) return nullptr;
  const std::string_view text(path);
  if (!text.starts_with("/proc/") && !text.starts_with("/sys/")) return nullptr;
  for (const OverlayFile& file : kOverlay)
    if (text == file.path) return &file;
  return nullptr;
}

// The folder of the hive whose host listens at `socket`.
inline std::string overlay_folder(const std::string& socket) {
  return socket.substr(0, socket.rfind('/') + 1) + kOverlayFolder;
}

}  // namespace skep::wire
