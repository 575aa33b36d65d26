#include "hive/bpffs_path.h"

#include <algorithm>
#include <cstring>

namespace skep::hive {
namespace {

// "/a//b/./c/../d" is "/a/b/d": as text, so a ".." behind a symbolic link goes another way than it would in a kernel.
// The length; 0 when there is no room.
std::size_t flatten(std::string_view path, char (&to)[kMostPath]) noexcept {
  std::size_t size = 0;
  while (!path.empty()) {
    path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(name.size());
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      while (size > 0 && to[--size] != '/') {
      }
      continue;
    }
    if (size + 1 + name.size() + 2 > sizeof to) return 0;
    to[size++] = '/';
    std::memcpy(to + size, name.data(), name.size());
    size += name.size();
  }
  return size;
}

}  // namespace

BpffsPath::BpffsPath(const char* path) noexcept {
  // Nearly every path of a program leaves here.
  if (path == nullptr || *path != '/' || std::strstr(path, "bpf") == nullptr) return;
  const std::string_view given(path);
  std::size_t size = flatten(given, text_);
  const std::string_view flat(text_, size);
  if (!flat.starts_with(kBpffsMount)) return;
  if (size > kBpffsMount.size() && flat[kBpffsMount.size()] != '/') return;
  is_beneath_ = true;
  const bool has_rest = size > kBpffsMount.size();
  if (has_rest && given.ends_with('/')) text_[size++] = '/';
  text_[size] = '\0';
  rest_ = has_rest ? kBpffsMount.size() + 1 : size;
}

}  // namespace skep::hive
