#include "hive/user_text.h"

#include <algorithm>
#include <array>
#include <span>

#include "hive/bpffs_path.h"

namespace skep::hive {

Result<std::string> read_path(Caller& caller, std::uint64_t address) {
  constexpr std::size_t kChunk = 64;  // chunks that are aligned do not cross pages
  std::string path;
  char chunk[kChunk];
  while (path.size() < kMostPath) {
    const std::size_t size = kChunk - address % kChunk;
    if (!caller.copy_in(address, std::as_writable_bytes(std::span(chunk, size))))
      return fail(EFAULT, "the path cannot be read");
    const char* end = std::find(chunk, chunk + size, '\0');
    path.append(chunk, static_cast<std::size_t>(end - chunk));
    if (end != chunk + size) break;
    address += size;
  }
  if (path.size() >= kMostPath) return fail(ENAMETOOLONG, "the path has more than 4095 characters");
  return path;
}

Result<std::string> read_name(Caller& caller, std::uint64_t address) {
  std::array<char, 127> text;
  const MutableBytes bytes = std::as_writable_bytes(std::span(text));
  std::size_t read = 0;
  if (caller.copy_in(address, bytes)) read = text.size();
  while (read < text.size()) {  // it may end before its page does
    if (!caller.copy_in(address + read, bytes.subspan(read, 1))) return fail(EFAULT, "the text cannot be read");
    if (text[read++] == '\0') break;
  }
  return std::string(text.begin(), std::find(text.begin(), text.begin() + read, '\0'));
}

}  // namespace skep::hive
