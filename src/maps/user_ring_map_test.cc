#include "maps/user_ring_map.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "maps/domain.h"
#include "maps/words.h"
#include "spec/uapi.h"

namespace skep::maps {
namespace {

using spec::kRingbufBusyBit, spec::kRingbufDiscardBit;

constexpr std::uint32_t kBytes = 4096;

class UserRing : public testing::Test {
 protected:
  void SetUp() override {
    auto map = Map::create(*domain_, {.type = spec::MapType::UserRingbuf, .max_entries = kBytes}, spec::MapId{1});
    ASSERT_TRUE(map) << map.error().message;
    ring_.reset(static_cast<UserRingMap*>(map->release()));
    // As libbpf maps it: the producer's position and the data behind it.
    user_ = static_cast<std::byte*>(
        ::mmap(nullptr, kPageSize + 2 * kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring_->memfd(), kPageSize));
    ASSERT_NE(user_, MAP_FAILED);
  }
  void TearDown() override { ::munmap(user_, kPageSize + 2 * kBytes); }

  std::uint64_t& producer() { return *reinterpret_cast<std::uint64_t*>(user_); }
  // Writes a sample as users do. `bits`: busy or discarded; `claims`: the length it says it has.
  void write(const std::string& text, std::uint32_t bits = 0, std::uint32_t claims = 0) {
    std::byte* at = user_ + kPageSize + (producer() & (kBytes - 1));
    std::memcpy(at + 8, text.data(), text.size());
    store(at, (claims != 0 ? claims : static_cast<std::uint32_t>(text.size())) | bits);
    set(producer(), producer() + round_up(text.size() + 8, 8));
  }
  // What a program reads: the samples, or the error that ends them.
  std::vector<std::string> drain(int& error) {
    std::vector<std::string> samples;
    EXPECT_TRUE(ring_->begin_drain());
    MutableBytes sample;
    while ((error = ring_->oldest(sample)) == 0 || error == -EAGAIN) {
      if (error == -EAGAIN) continue;
      samples.emplace_back(reinterpret_cast<const char*>(sample.data()), sample.size());
      ring_->release(sample.size());
    }
    ring_->end_drain();
    return samples;
  }
  std::vector<std::string> drain() {
    int error = 0;
    auto samples = drain(error);
    EXPECT_EQ(error, -ENODATA);
    return samples;
  }

  std::unique_ptr<Domain> domain_ = *Domain::create();
  std::unique_ptr<UserRingMap> ring_;
  std::byte* user_ = nullptr;
};

using List = std::vector<std::string>;

TEST_F(UserRing, SamplesComeOutInOrder) {
  EXPECT_EQ(drain(), List{});
  write("first");
  write("second sample");
  EXPECT_EQ(drain(), (List{"first", "second sample"}));
  EXPECT_EQ(drain(), List{});
}

TEST_F(UserRing, DiscardedSamplesAreSkippedAndBusyOnesWaitedFor) {
  write("dropped", kRingbufDiscardBit);
  write("seen");
  write("not ready", kRingbufBusyBit);
  write("behind it");
  EXPECT_EQ(drain(), List{"seen"});
  store(user_ + kPageSize + 32, std::uint32_t{9});  // the third is ready
  EXPECT_EQ(drain(), (List{"not ready", "behind it"}));
}

TEST_F(UserRing, SamplesWrapWithoutAGap) {
  const std::string text(600, 'x');
  List expected, seen;
  for (int i = 0; i < 50; ++i) {
    const std::string sample = text + std::to_string(i);
    expected.push_back(sample);
    write(sample);
    for (auto& each : drain()) seen.push_back(std::move(each));
  }
  EXPECT_EQ(seen, expected);
}

TEST_F(UserRing, HostileProducers) {
  int error = 0;
  set(producer(), std::uint64_t{4});
  EXPECT_EQ(drain(error), List{});
  EXPECT_EQ(error, -EINVAL) << "not a multiple of 8";
  set(producer(), std::uint64_t{0});
  write("short", 0, 100);
  EXPECT_EQ(drain(error), List{});
  EXPECT_EQ(error, -EINVAL) << "longer than what is there";
  set(producer(), std::uint64_t{1} << 40);
  store(user_ + kPageSize, kBytes);
  EXPECT_EQ(drain(error), List{});
  EXPECT_EQ(error, -E2BIG) << "longer than the buffer";
}

TEST_F(UserRing, OneDrainsAtATimeAndADeadOneIsSucceeded) {
  ASSERT_TRUE(ring_->begin_drain());
  EXPECT_FALSE(ring_->begin_drain());
  std::thread([&] { EXPECT_FALSE(ring_->begin_drain()); }).join();
  ring_->end_drain();
  const int child = ::fork();
  if (child == 0) ::_exit(ring_->begin_drain() ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  EXPECT_TRUE(ring_->begin_drain());
  ring_->end_drain();
}

TEST_F(UserRing, WakesProducers) {
  std::uint64_t count = 0;
  EXPECT_LT(::read(ring_->wakeup_fd(), &count, sizeof count), 0);
  ring_->wake();
  EXPECT_EQ(::read(ring_->wakeup_fd(), &count, sizeof count), 8);
}

}  // namespace
}  // namespace skep::maps
