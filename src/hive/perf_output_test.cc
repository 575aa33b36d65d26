// Perf events of the hive: rings whose every word may be anything, and when events go. What programs and tools see of
// them is in tests/exec.
#include "hive/perf_output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <vector>

#include "hive/descriptor.h"
#include "maps/region.h"

namespace skep::hive {
namespace {

constexpr std::uint64_t kPage = maps::kPageSize;
constexpr std::uint64_t kTag = 77;
constexpr std::uint64_t kControlAt = kPage + PerfOutput::kMostData;

// An event with a ring, as a user has it.
struct UsersEvent {
  explicit UsersEvent(PerfOutputs& events, std::uint64_t pages, PerfOutputSpec spec = {.wakeup = 1})
      : fd(*events.open(spec, kTag)), event(events.find(fd.get(), kTag)) {
    const int said = pages == 0 ? 0 : prepare_ring(fd.get(), (pages + 1) * kPage, 0, true);
    EXPECT_EQ(said, 0);
  }
  template <class T>
  T get(std::uint64_t at) const {
    T value{};
    EXPECT_EQ(::pread(fd.get(), &value, sizeof value, static_cast<off_t>(at)), static_cast<ssize_t>(sizeof value));
    return value;
  }
  template <class T>
  void set(std::uint64_t at, T value) const {
    EXPECT_EQ(::pwrite(fd.get(), &value, sizeof value, static_cast<off_t>(at)), static_cast<ssize_t>(sizeof value));
  }
  std::uint64_t head() const { return get<std::uint64_t>(offsetof(perf_event_mmap_page, data_head)); }
  void read_all() const { set(offsetof(perf_event_mmap_page, data_tail), head()); }
  bool is_woken() const { return is_ready(event->wakeup(), fd.get()) != 0; }

  Fd fd;
  std::shared_ptr<PerfOutput> event;
};

std::vector<std::byte> record(std::size_t bytes, int fill) { return {bytes, static_cast<std::byte>(fill)}; }

TEST(PerfOutput, RecordsGoRoundTheRing) {
  PerfOutputs events;
  const UsersEvent user(events, 1);
  constexpr std::size_t kBytes = 100, kWhole = 112;  // 12 bytes before it; a multiple of 8
  std::uint64_t at = 0;
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(user.event->write(record(kBytes, i)), 0);
    ASSERT_EQ(user.head(), at + kWhole);
    std::array<std::byte, kWhole> got{};
    for (std::size_t k = 0; k < kWhole; ++k) got[k] = user.get<std::byte>(kPage + (at + k) % kPage);
    const auto header = load<perf_event_header>(got.data());
    EXPECT_EQ(header.type, std::uint32_t{PERF_RECORD_SAMPLE});
    EXPECT_EQ(header.size, kWhole);
    EXPECT_EQ(load<std::uint32_t>(got.data() + 8), kWhole - 12);
    EXPECT_EQ(got[12], static_cast<std::byte>(i));
    EXPECT_EQ(got[12 + kBytes - 1], static_cast<std::byte>(i));
    at += kWhole;
    user.read_all();
  }
}

TEST(PerfOutput, RecordsSayWhenIfAsked) {
  PerfOutputs events;
  const UsersEvent user(events, 1, {.has_time = 1});
  std::uint64_t before = 0, at = 0;
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(user.event->write(record(5, 9)), 0);
    EXPECT_EQ(user.get<perf_event_header>(kPage + at).size, 32);  // 20 and 5, as a multiple of 8
    const auto time = user.get<std::uint64_t>(kPage + at + 8);
    EXPECT_GE(time, before);
    EXPECT_NE(time, 0U);
    EXPECT_EQ(user.get<std::uint32_t>(kPage + at + 16), 12U);
    EXPECT_EQ(user.get<std::byte>(kPage + at + 20), std::byte{9});
    before = time;
    at += 32;
  }
}

TEST(PerfOutput, NothingIsWrittenWithoutARing) {
  PerfOutputs events;
  const UsersEvent user(events, 0);
  EXPECT_EQ(user.event->write(record(8, 1)), -ENOSPC);
  const UsersEvent disabled(events, 1, {.is_disabled = 1});
  EXPECT_EQ(disabled.event->write(record(8, 1)), -EOPNOTSUPP);
  EXPECT_EQ(enable_output(disabled.fd.get(), true), 0);
  EXPECT_EQ(disabled.event->write(record(8, 1)), 0);
}

TEST(PerfOutput, RingsHaveSizesOfTwo) {
  PerfOutputs events;
  const UsersEvent user(events, 0);
  const int fd = user.fd.get();
  EXPECT_EQ(prepare_ring(fd, 0, 0, true), -EINVAL);
  EXPECT_EQ(prepare_ring(fd, kPage, 0, true), 0);
  EXPECT_EQ(prepare_ring(fd, kPage + 1, 0, true), -EINVAL);
  EXPECT_EQ(prepare_ring(fd, 4 * kPage, 0, true), -EINVAL);
  EXPECT_EQ(prepare_ring(fd, 5 * kPage, kPage, true), -EINVAL);
  EXPECT_EQ(prepare_ring(fd, kPage + 2 * PerfOutput::kMostData, 0, true), -EPERM);
  EXPECT_EQ(prepare_ring(fd, ~std::uint64_t{0}, 0, true), -EPERM);
  EXPECT_EQ(prepare_ring(fd, 5 * kPage, 0, true), 0);
  EXPECT_EQ(user.get<std::uint64_t>(offsetof(perf_event_mmap_page, data_size)), 4 * kPage);
  EXPECT_EQ(user.get<std::uint64_t>(offsetof(perf_event_mmap_page, data_offset)), kPage);
}

TEST(PerfOutput, WordsOfTheUsersMayBeAnything) {
  PerfOutputs events;
  const UsersEvent user(events, 1);
  const std::uint64_t words[] = {0,
                                 1,
                                 7,
                                 kPage - 1,
                                 kPage,
                                 3 * kPage,
                                 PerfOutput::kMostData,
                                 2 * PerfOutput::kMostData,
                                 std::uint64_t{1} << 63,
                                 ~std::uint64_t{0}};
  for (const std::uint64_t bytes : words) {
    user.set(kControlAt + offsetof(PerfControl, data_bytes), bytes);
    for (const std::uint64_t tail : words) {
      user.set(offsetof(perf_event_mmap_page, data_tail), tail);
      user.set(offsetof(perf_event_mmap_page, data_head), tail);
      for (int i = 0; i < 3; ++i) {
        const int said = user.event->write(record(2000, i));
        EXPECT_TRUE(said == 0 || said == -ENOSPC) << said;
      }
    }
  }
  // The file keeps its size, whatever users do.
  EXPECT_NE(::ftruncate(user.fd.get(), 0), 0);
  EXPECT_EQ(user.event->write(record(65536, 0)), -E2BIG);
}

TEST(PerfOutput, ReadersThatOnlyReadAreOvertaken) {
  PerfOutputs events;
  const UsersEvent user(events, 0);
  ASSERT_EQ(prepare_ring(user.fd.get(), 2 * kPage, 0, false), 0);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(user.event->write(record(1000, i)), 0);
  EXPECT_EQ(user.event->write(record(2 * kPage, 0)), -ENOSPC);
}

TEST(PerfOutput, WakesAfterRecordsOrBytes) {
  PerfOutputs events;
  const UsersEvent third(events, 1, {.wakeup = 3});
  for (int i = 1; i <= 9; ++i) {
    EXPECT_EQ(third.event->write(record(8, 0)), 0);
    EXPECT_EQ(third.is_woken(), i % 3 == 0) << i;
  }
  const UsersEvent bytes(events, 1, {.counts_bytes = 1, .wakeup = 1000});
  int woken = 0;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(bytes.event->write(record(236, 0)), 0);  // 248 bytes each
    woken += bytes.is_woken() ? 1 : 0;
    bytes.read_all();
  }
  EXPECT_EQ(woken, 20 * 248 / 1000);
}

TEST(PerfOutput, GoesWithItsLastUser) {
  PerfOutputs events;
  const Fd kept(*events.open({}, kTag));
  std::weak_ptr<PerfOutput> gone, mapped;
  void* pages = nullptr;
  {
    const UsersEvent one(events, 1);
    gone = one.event;
    const UsersEvent other(events, 1);
    mapped = other.event;
    pages = ::mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, other.fd.get(), 0);
    ASSERT_NE(pages, MAP_FAILED);
  }
  const Fd next(*events.open({}, kTag));
  EXPECT_TRUE(gone.expired());
  EXPECT_FALSE(mapped.expired());
  ::munmap(pages, 2 * kPage);
  const Fd last(*events.open({}, kTag));
  EXPECT_TRUE(mapped.expired());
  EXPECT_NE(events.find(kept.get(), kTag), nullptr);
  EXPECT_EQ(events.find(kept.get(), kTag + 1), nullptr);                      // of another hive
  EXPECT_FALSE(from_position(::lseek(kept.get(), 0, SEEK_CUR)).has_value());  // no map
}

}  // namespace
}  // namespace skep::hive
