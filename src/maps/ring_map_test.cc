#include "maps/ring_map.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "maps/domain.h"
#include "maps/words.h"

namespace skep::maps {
namespace {

constexpr std::uint32_t kBytes = 4096;

class RingTest : public testing::Test {
 protected:
  void SetUp() override { ring_ = make(kBytes); }

  std::unique_ptr<RingMap> make(std::uint32_t bytes) {
    auto map = Map::create(*domain_, {.type = spec::MapType::Ringbuf, .max_entries = bytes}, spec::MapId{1});
    EXPECT_TRUE(map) << map.error().message;
    return std::unique_ptr<RingMap>(static_cast<RingMap*>(map->release()));
  }
  std::vector<std::string> drain() {
    std::vector<std::string> records;
    ring_->drain(
        [](void* to, Bytes record) {
          static_cast<std::vector<std::string>*>(to)->emplace_back(reinterpret_cast<const char*>(record.data()),
                                                                   record.size());
        },
        &records);
    return records;
  }
  int output(const std::string& text, std::uint64_t flags = 0) {
    return ring_->output(reinterpret_cast<const std::byte*>(text.data()), text.size(), flags);
  }
  bool woken() {
    std::uint64_t count = 0;
    return ::read(ring_->wakeup_fd(), &count, sizeof count) == sizeof count;
  }

  std::unique_ptr<Domain> domain_ = *Domain::create();
  std::unique_ptr<RingMap> ring_;
};

TEST_F(RingTest, RecordsComeOutInOrderDiscardedOnesNot) {
  std::byte* first = ring_->reserve(3, 0);
  std::byte* second = ring_->reserve(5, 0);
  ASSERT_NE(second, nullptr);
  std::memcpy(first, "abc", 3);
  ring_->submit(first, 0);
  EXPECT_EQ(output("third"), 0);
  EXPECT_EQ(drain(), std::vector<std::string>{"abc"}) << "the second is being written";
  ring_->discard(second, 0);
  EXPECT_EQ(drain(), std::vector<std::string>{"third"});
  EXPECT_TRUE(drain().empty());
}

TEST_F(RingTest, SizesThatDoNotFit) {
  EXPECT_EQ(ring_->reserve(kBytes, 0), nullptr);
  EXPECT_EQ(ring_->reserve(kBytes - 8, 0), nullptr) << "one position is kept free, as in the kernel";
  EXPECT_EQ(ring_->reserve(UINT64_MAX, 0), nullptr);
  EXPECT_EQ(ring_->reserve(UINT32_MAX, 0), nullptr);
  EXPECT_EQ(ring_->reserve(8, 1), nullptr);
  std::byte* most = ring_->reserve(kBytes - 16, 0);
  ASSERT_NE(most, nullptr);
  EXPECT_EQ(ring_->reserve(0, 0), nullptr);
  ring_->submit(most, 0);
  EXPECT_EQ(output("x"), -EAGAIN);
  EXPECT_EQ(output("x", 4), -EINVAL);
  EXPECT_EQ(drain().size(), 1U);
  EXPECT_EQ(output("x"), 0);
}

TEST_F(RingTest, QueriesCountBytes) {
  EXPECT_EQ(ring_->query(1), kBytes);
  EXPECT_EQ(output("0123456789"), 0);
  EXPECT_EQ(ring_->query(0), 24U);
  EXPECT_EQ(ring_->query(3), 24U);
  EXPECT_EQ(ring_->query(2), 0U);
  drain();
  EXPECT_EQ(ring_->query(0), 0U);
  EXPECT_EQ(ring_->query(2), 24U);
  EXPECT_EQ(ring_->query(4), 0U);
}

TEST_F(RingTest, WakesOnlyAConsumerThatHasCaughtUpUnlessTold) {
  EXPECT_FALSE(woken());
  output("a");
  EXPECT_TRUE(woken());
  output("b");
  EXPECT_FALSE(woken()) << "the consumer is behind and will come anyway";
  output("c", 2);
  EXPECT_TRUE(woken());
  drain();
  output("d", 1);
  EXPECT_FALSE(woken());
}

// A consumer that reads as libbpf's does: header and data linearly from data + (position & mask), through the mappings
// it makes.
TEST_F(RingTest, ALinearReaderSeesWholeRecordsAcrossTheEnd) {
  const Fd file(::open(("/proc/self/fd/" + std::to_string(ring_->memfd())).c_str(), O_RDWR | O_CLOEXEC));
  void* consumer_page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  const std::size_t rest = 4096 + 2 * std::size_t{kBytes};
  void* producer_page = ::mmap(nullptr, rest, PROT_READ, MAP_SHARED, file.get(), 4096);
  ASSERT_NE(consumer_page, MAP_FAILED);
  ASSERT_NE(producer_page, MAP_FAILED);
  auto& consumed = *static_cast<std::uint64_t*>(consumer_page);
  const auto* data = static_cast<const std::byte*>(producer_page) + 4096;
  std::mt19937 random(1);
  bool crossed = false;
  for (int round = 0; round < 2000; ++round) {
    const std::string sent(random() % 700, static_cast<char>('a' + round % 26));
    ASSERT_EQ(output(sent), 0);
    const std::uint64_t at = consumed & (kBytes - 1);
    const auto length = load<std::uint32_t>(data + at);
    ASSERT_EQ(length, sent.size());
    ASSERT_EQ(std::memcmp(data + at + 8, sent.data(), length), 0);
    crossed |= at + 8 + length > kBytes;
    set(consumed, consumed + round_up(length + 8, 8));
  }
  EXPECT_TRUE(crossed);
  ::munmap(consumer_page, 4096);
  ::munmap(producer_page, rest);
}

TEST_F(RingTest, NothingOverwritesARecordThatIsBeingWritten) {
  std::byte* open = ring_->reserve(1000, 0);
  ASSERT_NE(open, nullptr);
  const std::uint64_t far = 1ULL << 40;  // what a consumer that lies says
  const Fd file(::open(("/proc/self/fd/" + std::to_string(ring_->memfd())).c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::pwrite(file.get(), &far, sizeof far, 0), 8);
  EXPECT_EQ(ring_->reserve(8, 0), nullptr);
  const std::uint64_t all = ring_->query(3);
  ASSERT_EQ(::pwrite(file.get(), &all, sizeof all, 0), 8);
  for (int i = 0; i < 100; ++i) {
    std::byte* record = ring_->reserve(100, 0);
    if (record == nullptr) break;
    EXPECT_TRUE(record >= open + 1000 || record + 100 <= open);
    ring_->submit(record, 0);
    const std::uint64_t now = ring_->query(3);
    ASSERT_EQ(::pwrite(file.get(), &now, sizeof now, 0), 8);
  }
}

// Whatever somebody wrote where the positions are, a record lies in the data, and looking for room ends.
TEST_F(RingTest, PositionsOfNoiseLeadNowhereElse) {
  constexpr off_t kPositions[] = {0, 4096, 2 * 4096 + 2 * off_t{kBytes} + off_t{offsetof(Header, kind)} + 8};
  const std::byte* const data = ring_->reserve(8, 0) - 8;
  const Fd file(::open(("/proc/self/fd/" + std::to_string(ring_->memfd())).c_str(), O_RDWR | O_CLOEXEC));
  std::mt19937_64 random(1);
  int reserved = 0;
  for (int round = 0; round < 20000; ++round) {
    const std::uint64_t near = random() >> random() % 64;
    for (const off_t at : kPositions) {
      const std::uint64_t position = random() % 4 == 0 ? random() >> random() % 64 : near + random() % 3 * 8;
      ASSERT_EQ(::pwrite(file.get(), &position, sizeof position, at), 8);
    }
    const std::size_t size = random() % (kBytes + 100);
    std::byte* const record = ring_->reserve(size, 0);
    if (record == nullptr) continue;
    ++reserved;
    ASSERT_TRUE(record >= data + 8 && record + size <= data + 2 * std::size_t{kBytes});
    if (random() % 2 == 0) ring_->submit(record, random() % 4);
  }
  EXPECT_GT(reserved, 1000);
}

TEST_F(RingTest, MemoryOfARecordIsKnownWhileItIsWritten) {
  output("before");
  std::byte* record = ring_->reserve(24, 0);
  const auto bounds = ring_->value_at(record + 23);
  ASSERT_TRUE(bounds);
  EXPECT_EQ(bounds->data(), record);
  EXPECT_EQ(bounds->size(), 24U);
  EXPECT_FALSE(ring_->value_at(record + 24));
  EXPECT_FALSE(ring_->value_at(record - 1));
  ring_->submit(record, 0);
  EXPECT_FALSE(ring_->value_at(record));
}

TEST_F(RingTest, ProducersInThreadsAndAConsumer) {
  ring_ = make(1U << 16);
  constexpr int kThreads = 3;
  constexpr std::uint64_t kEach = 20000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([this, t] {
      for (std::uint64_t i = 0; i < kEach;) {
        std::byte* record = ring_->reserve(16, 0);
        if (record == nullptr) {
          std::this_thread::yield();
          continue;
        }
        store(record, std::uint64_t(t));
        store(record + 8, i);
        ring_->submit(record, 0);
        ++i;
      }
    });
  struct Seen {
    std::uint64_t next[kThreads] = {};
    bool ordered = true;
    std::uint64_t all = 0;
  } seen;
  while (seen.all < kThreads * kEach) {
    pollfd poll{ring_->wakeup_fd(), POLLIN, 0};
    ::poll(&poll, 1, 10);
    woken();
    ring_->drain(
        [](void* to, Bytes record) {
          auto& into = *static_cast<Seen*>(to);
          const auto thread = load<std::uint64_t>(record.data());
          into.ordered &= thread < kThreads && load<std::uint64_t>(record.data() + 8) == into.next[thread]++;
          ++into.all;
        },
        &seen);
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(seen.ordered);
}

TEST_F(RingTest, AChildsRecordsReachTheParent) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(output("from the child") == 0 ? 0 : 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(woken());
  EXPECT_EQ(drain(), std::vector<std::string>{"from the child"});
}

}  // namespace
}  // namespace skep::maps
