#include "runner.h"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace skep::bench {

Result<double> Runner::time(MutableBytes packet, std::uint32_t times) {
  const double before = thread_time();
  TRY_VOID(run(packet, times));
  return thread_time() - before;
}

double thread_time() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

Rings::~Rings() {
  const auto page = static_cast<std::size_t>(::getpagesize());
  for (const Pages& pages : pages_) {
    ::munmap(pages.reader, page);
    ::munmap(pages.writer, page);
  }
}

// The first page holds the reader's position, the second the writer's: linux/bpf.h has no names for them.
Result<> Rings::add(int map_fd) {
  const auto page = static_cast<std::size_t>(::getpagesize());
  void* const reader = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  void* const writer = ::mmap(nullptr, page, PROT_READ, MAP_SHARED, map_fd, static_cast<off_t>(page));
  if (reader == MAP_FAILED || writer == MAP_FAILED) return fail(errno, "a ring buffer cannot be mapped");
  pages_.push_back({reader, writer});
  return {};
}

void Rings::drain() noexcept {
  for (const Pages& pages : pages_) {
    const auto written = std::atomic_ref(*static_cast<std::uint64_t*>(pages.writer)).load();
    std::atomic_ref(*static_cast<std::uint64_t*>(pages.reader)).store(written);
  }
}

Result<> Loaded::load() {
  TRY_VOID(object_.load());
  for (std::size_t i = 0; i < object_.maps().size(); ++i) {
    if (object_.maps()[i].type != BPF_MAP_TYPE_RINGBUF) continue;
    TRY_VOID(rings_.add(object_.map_fd(i)));
  }
  return {};
}

Result<int> Loaded::program_fd(const std::string& program) const {
  TRY(const std::size_t index, object_.find_program(program));
  return object_.program_fd(index);
}

}  // namespace skep::bench
