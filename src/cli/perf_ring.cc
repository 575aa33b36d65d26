#include "cli/perf_ring.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <span>
#include <vector>

#include "base/raw_syscall.h"

namespace skep::cli {
namespace {

constexpr std::size_t kDataPages = 64;

std::size_t page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }
std::size_t data_bytes() { return kDataPages * page_bytes(); }

// Bytes of a ring that goes round.
void copy_from(const std::byte* data, std::uint64_t at, MutableBytes out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = data[(at + i) % data_bytes()];
}

}  // namespace

std::expected<PerfRing, int> PerfRing::open(const perf_event_attr& attr, unsigned cpu) {
  const long event = raw_syscall(SYS_perf_event_open, static_cast<long>(reinterpret_cast<std::uintptr_t>(&attr)), -1,
                                 cpu, -1, PERF_FLAG_FD_CLOEXEC, 0);
  if (event < 0) return std::unexpected(static_cast<int>(-event));
  Fd fd(static_cast<int>(event));
  void* pages = ::mmap(nullptr, page_bytes() + data_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (pages == MAP_FAILED) return std::unexpected(errno);
  return PerfRing(std::move(fd), static_cast<std::byte*>(pages));
}

PerfRing::~PerfRing() {
  if (pages_ != nullptr) ::munmap(pages_, page_bytes() + data_bytes());
}

bool PerfRing::read(const std::function<bool(std::uint32_t type, Bytes body)>& visit) {
  auto& about = *static_cast<perf_event_mmap_page*>(static_cast<void*>(pages_));
  const std::byte* data = pages_ + page_bytes();
  const std::uint64_t end = std::atomic_ref(about.data_head).load(std::memory_order_acquire);
  std::uint64_t at = about.data_tail;
  bool more = true;
  std::vector<std::byte> body;
  while (more && at < end) {
    perf_event_header header;
    copy_from(data, at, std::as_writable_bytes(std::span(&header, 1)));
    if (header.size < sizeof header || header.size > end - at) break;
    body.resize(header.size - sizeof header);
    copy_from(data, at + sizeof header, body);
    at += header.size;
    more = visit(header.type, body);
    std::atomic_ref(about.data_tail).store(at, std::memory_order_release);
  }
  return more;
}

}  // namespace skep::cli
