#include "cli/pin_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "cli/live_object.h"

namespace skep::cli {

std::string file_of(const BackEnd& place, const std::string& path) {
  const std::string_view root = kPins;
  const bool within = path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
  return within ? place.pins + path.substr(root.size()) : path;
}

Expected<> make_pin_folder(const BackEnd& place, const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(file_of(place, path), error);
  if (!error) return {};
  return give_up(Exit::Refused, fmt::format("{}: the folder cannot be made: {}", path, error.message()));
}

Expected<> remove_pin(const BackEnd& place, const std::string& path) {
  if (::unlink(file_of(place, path).c_str()) == 0) return {};
  const int code = errno;
  if (code == ENOENT) return give_up(Exit::Absent, fmt::format("{}: nothing is pinned there", path));
  return give_up(Exit::Refused, fmt::format("{}: cannot be removed: {}", path, std::strerror(code)));
}

Pinning::~Pinning() {
  for (const std::string& path : made_) {
    [[maybe_unused]] const Expected<> removed = remove_pin(place_, path);
  }
}

Expected<> Pinning::pin(int fd, const std::string& path) {
  if (Expected<> done = pin_at(place_.bpf, fd, path); !done) return done;
  made_.push_back(path);
  return {};
}

}  // namespace skep::cli
