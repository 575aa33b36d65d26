#include "hive/perf_output.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "hive/descriptor.h"
#include "maps/region.h"

namespace skep::hive {
namespace {

constexpr std::uint64_t kPage = maps::kPageSize;
constexpr std::uint64_t kControlAt = kPage + PerfOutput::kMostData;
constexpr std::uint64_t kFileBytes = kControlAt + kPage;
constexpr std::uint64_t kAlignment = 8;  // of records

struct LostRecord {
  perf_event_header header;
  std::uint64_t id;
  std::uint64_t lost;
};

// Memory that is there: writing to it is no fault where memory is short.
bool make_resident(int memory, std::uint64_t at, std::uint64_t bytes) noexcept {
  return ::fallocate(memory, 0, static_cast<off_t>(at), static_cast<off_t>(bytes)) == 0;
}

std::uint64_t time_now() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

template <class T>
int write_at(int fd, std::uint64_t at, T value) noexcept {
  return ::pwrite(fd, &value, sizeof value, static_cast<off_t>(at)) == sizeof value ? 0 : -EIO;
}
#define SKEP_CONTROL(member) (kControlAt + offsetof(PerfControl, member))

bool is_ring(std::uint64_t bytes) noexcept {
  return std::has_single_bit(bytes) && bytes >= kPage && bytes <= PerfOutput::kMostData;
}

template <class T>
T look(const T& word) noexcept {
  return std::atomic_ref(const_cast<T&>(word)).load(std::memory_order_acquire);
}

}  // namespace

Result<std::unique_ptr<PerfOutput>> PerfOutput::create(const PerfOutputSpec& spec, std::uint64_t tag,
                                                       std::uint32_t id) {
  std::unique_ptr<PerfOutput> made(new PerfOutput(spec, tag, id));
  made->memory_ = Fd(::memfd_create("bpf-event", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  made->wakeup_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const int memory = made->memory_.get();
  if (!made->memory_ || !made->wakeup_) return fail(EMFILE, "no descriptors for a perf event");
  if (::ftruncate(memory, static_cast<off_t>(kFileBytes)) != 0 || !make_resident(memory, 0, kPage) ||
      !make_resident(memory, kControlAt, kPage))
    return fail(ENOMEM, "no memory for a perf event");
  if (::fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return fail(errno, "a perf event's memory cannot be sealed");
  made->mapping_ = Mapping::shared(memory, kFileBytes);
  if (!made->mapping_) return fail(ENOMEM, "a perf event cannot be mapped");
  enable_output(memory, spec.is_disabled == 0);
  return made;
}

Result<Fd> PerfOutput::open() const { return reopen_memory(memory_.get(), O_RDWR, event_position(tag_, id_)); }
bool PerfOutput::has_users() const noexcept { return hive::has_users(memory_.get()); }

perf_event_mmap_page& PerfOutput::page() const noexcept {
  return *reinterpret_cast<perf_event_mmap_page*>(mapping_.data());
}
const PerfControl& PerfOutput::control() const noexcept {
  return *reinterpret_cast<const PerfControl*>(mapping_.data() + kControlAt);
}

// The size of the ring, which is there then; 0: there is none. A ring of another size begins anew.
std::uint64_t PerfOutput::ring_bytes() noexcept {
  const std::uint64_t bytes = look(control().data_bytes);
  if (bytes == bytes_) return bytes_;
  bytes_ = is_ring(bytes) && make_resident(memory_.get(), kPage, bytes) ? bytes : 0;
  head_ = lost_ = woken_ = records_ = 0;
  return bytes_;
}

void PerfOutput::put(Bytes bytes) noexcept {
  std::byte* const ring = mapping_.data() + kPage;
  while (!bytes.empty()) {
    const std::uint64_t at = head_ & (bytes_ - 1);
    const Bytes part = bytes.first(std::min<std::uint64_t>(bytes.size(), bytes_ - at));
    std::memcpy(ring + at, part.data(), part.size());
    head_ += part.size();
    bytes = bytes.subspan(part.size());
  }
}

// Whether it is time to wake who waits, after a record.
bool PerfOutput::is_due() noexcept {
  const bool counts_records = spec_.counts_bytes == 0;
  bool due = counts_records && spec_.wakeup != 0 && ++records_ >= spec_.wakeup;
  if (due) records_ = 0;
  const std::uint64_t asked = counts_records ? 0 : std::min<std::uint64_t>(spec_.wakeup, bytes_);
  const std::uint64_t watermark = asked != 0 ? asked : bytes_ / 2;
  if (head_ - woken_ > watermark) {
    woken_ += watermark;
    due = true;
  }
  return due;
}

int PerfOutput::write(Bytes record) noexcept {
  const std::size_t head_bytes =
      sizeof(perf_event_header) + (spec_.has_time != 0 ? sizeof(std::uint64_t) : 0) + sizeof(std::uint32_t);
  const std::size_t padded = round_up(head_bytes + record.size(), kAlignment);
  if (padded > UINT16_MAX) return -E2BIG;
  const std::scoped_lock lock(mutex_);
  if (look(control().is_enabled) == 0) return -EOPNOTSUPP;
  if (ring_bytes() == 0) return -ENOSPC;
  const std::size_t needed = padded + (lost_ != 0 ? sizeof(LostRecord) : 0);
  const std::uint64_t tail = look(page().data_tail);
  const bool fits =
      look(control().overwrites) != 0 ? needed <= bytes_ : ((tail - (head_ + 1)) & (bytes_ - 1)) >= needed;
  if (!fits || look(control().is_paused) != 0) return ++lost_, -ENOSPC;
  if (lost_ != 0) {
    const LostRecord lost{
        .header = {.type = PERF_RECORD_LOST, .misc = 0, .size = sizeof lost}, .id = id_, .lost = lost_};
    put(bytes_of(lost));
    lost_ = 0;
  }
  const perf_event_header header{
      .type = PERF_RECORD_SAMPLE, .misc = PERF_RECORD_MISC_KERNEL, .size = static_cast<std::uint16_t>(padded)};
  const auto bytes = static_cast<std::uint32_t>(padded - head_bytes);
  constexpr std::byte kPadding[kAlignment] = {};
  put(bytes_of(header));
  if (spec_.has_time != 0) put(bytes_of(time_now()));
  put(bytes_of(bytes));
  put(record);
  put(Bytes(kPadding).first(padded - head_bytes - record.size()));
  std::atomic_ref(page().data_head).store(head_, std::memory_order_release);
  const std::uint64_t one = 1;
  if (is_due()) [[maybe_unused]]
    const ssize_t woken = ::write(wakeup_.get(), &one, sizeof one);
  return 0;
}

Result<Fd> PerfOutputs::open(const PerfOutputSpec& spec, std::uint64_t tag) {
  any_ = true;
  const std::scoped_lock lock(mutex_);
  std::erase_if(events_, [](const auto& event) { return event.use_count() == 1 && !event->has_users(); });
  TRY(std::shared_ptr<PerfOutput> made, PerfOutput::create(spec, tag, ++last_id_));
  TRY(Fd fd, made->open());
  events_.push_back(std::move(made));
  return fd;
}

std::shared_ptr<PerfOutput> PerfOutputs::find(int fd, std::uint64_t tag) noexcept {
  const std::optional<std::uint32_t> id = event_of(::lseek(fd, 0, SEEK_CUR), tag);
  if (!id) return nullptr;
  const std::scoped_lock lock(mutex_);
  const auto found = std::ranges::find(events_, *id, &PerfOutput::id);
  return found != events_.end() ? *found : nullptr;
}

int enable_output(int fd, bool enabled) noexcept {
  return write_at<std::uint32_t>(fd, SKEP_CONTROL(is_enabled), enabled ? 1 : 0);
}
int pause_output(int fd, bool paused) noexcept {
  return write_at<std::uint32_t>(fd, SKEP_CONTROL(is_paused), paused ? 1 : 0);
}

int prepare_ring(int fd, std::uint64_t bytes, std::uint64_t offset, bool writable) noexcept {
  if (offset != 0 || bytes < kPage) return -EINVAL;
  const std::uint64_t data = bytes - kPage;
  if (data > PerfOutput::kMostData) return -EPERM;
  if (data != 0 && !is_ring(data)) return -EINVAL;
  if (data == 0) return 0;
  std::uint64_t before = 0;
  if (::pread(fd, &before, sizeof before, SKEP_CONTROL(data_bytes)) != sizeof before) return -EIO;
  if (before == data) return 0;
  if (!make_resident(fd, kPage, data)) return -ENOMEM;
  int error = write_at(fd, offsetof(perf_event_mmap_page, data_head), std::array<std::uint64_t, 4>{0, 0, kPage, data});
  if (error == 0) error = write_at<std::uint32_t>(fd, SKEP_CONTROL(overwrites), writable ? 0 : 1);
  return error == 0 ? write_at(fd, SKEP_CONTROL(data_bytes), data) : error;
}

}  // namespace skep::hive
