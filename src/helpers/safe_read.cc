#include "helpers/safe_read.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace skep::helpers {

namespace {

constexpr std::uint64_t kPage = 4096;

}  // namespace

bool safe_read(std::uint64_t address, MutableBytes to) noexcept {
  if (to.empty()) return true;
  const iovec local{to.data(), to.size()};
  const iovec remote{reinterpret_cast<void*>(address), to.size()};
  const int before = errno;
  const ssize_t got = ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0);
  errno = before;
  return got >= 0 && static_cast<std::size_t>(got) == to.size();
}

std::int64_t safe_read_string(std::uint64_t address, MutableBytes to) noexcept {
  std::size_t done = 0;
  while (done < to.size()) {  // page by page: the one behind the string may not be there
    const std::size_t part = std::min<std::size_t>(to.size() - done, kPage - (address + done) % kPage);
    const MutableBytes chunk = to.subspan(done, part);
    if (!safe_read(address + done, chunk)) return -EFAULT;
    const auto nul = std::ranges::find(chunk, std::byte{0});
    if (nul != chunk.end()) return static_cast<std::int64_t>(done) + (nul - chunk.begin()) + 1;
    done += part;
  }
  if (!to.empty()) to.back() = std::byte{0};
  return static_cast<std::int64_t>(done);
}

}  // namespace skep::helpers
