#include "cli/ring_reader.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "spec/uapi.h"

namespace skep::cli {
namespace {

std::size_t page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

std::atomic_ref<std::uint64_t> position(void* page) {
  return std::atomic_ref<std::uint64_t>(*static_cast<std::uint64_t*>(page));
}

std::uint32_t header_word(void* header) {
  return std::atomic_ref<std::uint32_t>(*static_cast<std::uint32_t*>(header)).load(std::memory_order_acquire);
}

constexpr std::uint64_t kAlignment = 8;  // of records

}  // namespace

Result<RingReader> RingReader::open(int fd, std::size_t data_bytes, Use use) {
  RingReader ring(use, data_bytes);
  const std::size_t page = page_bytes();
  const int access = use == Use::Take ? PROT_READ | PROT_WRITE : PROT_READ;
  void* consumer = ::mmap(nullptr, page, access, MAP_SHARED, fd, 0);
  if (consumer == MAP_FAILED)
    return fail(errno, fmt::format("the ring buffer cannot be mapped: {}", std::strerror(errno)));
  ring.consumer_ = consumer;
  void* producer = ::mmap(nullptr, page + 2 * data_bytes, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(page));
  if (producer == MAP_FAILED)
    return fail(errno, fmt::format("the ring buffer cannot be mapped: {}", std::strerror(errno)));
  ring.producer_ = producer;
  return ring;
}

RingReader::~RingReader() {
  if (consumer_ != nullptr) ::munmap(consumer_, page_bytes());
  if (producer_ != nullptr) ::munmap(producer_, page_bytes() + 2 * bytes_);
}

std::uint64_t RingReader::waiting() const {
  const std::uint64_t end = position(producer_).load(std::memory_order_acquire);
  const std::uint64_t at = position(consumer_).load(std::memory_order_acquire);
  return std::min<std::uint64_t>(end - at, bytes_);
}

std::size_t RingReader::read(const std::function<bool(Bytes record)>& visit) {
  std::size_t visited = 0;
  std::uint64_t at = position(consumer_).load(std::memory_order_acquire);
  const std::uint64_t end = position(producer_).load(std::memory_order_acquire);
  if (end - at > bytes_) return 0;
  for (bool more = true; more && at < end && at % kAlignment == 0;) {
    std::byte* header = static_cast<std::byte*>(producer_) + page_bytes() + at % bytes_;
    const std::uint32_t word = header_word(header);
    if ((word & spec::kRingbufBusyBit) != 0) break;
    const std::size_t size = word & ~(spec::kRingbufBusyBit | spec::kRingbufDiscardBit);
    if (size > bytes_) break;
    if ((word & spec::kRingbufDiscardBit) == 0) {
      more = visit({header + spec::kRingbufHdrBytes, size});
      ++visited;
    }
    at += round_up(size + spec::kRingbufHdrBytes, kAlignment);
    if (use_ == Use::Take) position(consumer_).store(at, std::memory_order_release);
  }
  return visited;
}

}  // namespace skep::cli
