// Records of ring buffers, reserved and given back by programs: compiled ones do most of it without the helpers.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "base/thread.h"
#include "helpers/bodies.h"
#include "interp/testing.h"
#include "jit/jit.h"
#include "maps/ring_map.h"

namespace skep::runtime {
namespace {

using interp::testing::Outcome;
using interp::testing::World;
using maps::RingMap;
using spec::HelperId;

enum class With : std::uint8_t { Interp, Jit };

std::string name_of(const ::testing::TestParamInfo<With>& info) { return info.param == With::Jit ? "Jit" : "Interp"; }

constexpr std::uint32_t kBytes = 4096;

unsigned calls = 0;  // of helpers
template <HelperId kHelper>
std::uint64_t counted(exec::Call& call, std::uint64_t r1, std::uint64_t r2, std::uint64_t r3, std::uint64_t r4,
                      std::uint64_t r5) noexcept {
  ++calls;
  return helpers::body(std::to_underlying(kHelper))(call, r1, r2, r3, r4, r5);
}

// Reserves `size` bytes, which may be a register, and stores in them what the context begins with; 1 if there were any.
std::string program_text(std::string_view size, std::string_view giving_back, unsigned flags, unsigned map = 1) {
  return fmt::format(
      "r6 = *(u64 *)(r1 +0)\nr2 = {}\nr1 = map[id:{}]\nr3 = 0\ncall bpf_ringbuf_reserve#131\nif r0 == 0 goto none\n"
      "*(u64 *)(r0 +0) = r6\nr1 = r0\nr2 = {}\ncall {}\nr0 = 1\nexit\nnone: r0 = 0\nexit\n",
      size, map, flags, giving_back);
}
constexpr std::string_view kSubmit = "bpf_ringbuf_submit#132", kDiscard = "bpf_ringbuf_discard#133";

class RingRuns : public ::testing::TestWithParam<With> {
 protected:
  void SetUp() override {
    if (const auto there = jit::available(); !there) GTEST_SKIP() << there.error().message;
    world.add_helper(HelperId::ringbuf_reserve, counted<HelperId::ringbuf_reserve>);
    world.add_helper(HelperId::ringbuf_submit, counted<HelperId::ringbuf_submit>);
    world.add_helper(HelperId::ringbuf_discard, counted<HelperId::ringbuf_discard>);
    ring = &add_ring(1);
    thread_id();  // compiled code does not ask for it
    calls = 0;
  }
  RingMap& add_ring(std::uint32_t id) {
    return static_cast<RingMap&>(world.add_map(id, {.type = spec::MapType::Ringbuf, .max_entries = kBytes}));
  }
  std::unique_ptr<exec::Executable> load(std::string_view text) const {
    auto image = exec::assume_verified(exec::testing::source(text), exec::ContextKind::Memory, "test");
    EXPECT_TRUE(image) << (image ? "" : image.error().message);
    if (!image) return nullptr;
    const auto shared = std::make_shared<const exec::Image>(*std::move(image));
    auto program =
        GetParam() == With::Jit ? jit::bind(shared, world) : interp::bind(shared, world, interp::Policy::Plain);
    EXPECT_TRUE(program) << (program ? "" : program.error().message);
    return program ? *std::move(program) : nullptr;
  }
  std::uint64_t run(const exec::Executable& program, std::uint64_t number = 7, std::uint64_t budget = 0) {
    const Outcome outcome = world.run(program, &number, sizeof number, budget);
    EXPECT_FALSE(outcome.stopped) << outcome.failure.text();
    return outcome.r0;
  }
  static bool woken(RingMap& of) {
    std::uint64_t count = 0;
    return ::read(of.wakeup_fd(), &count, sizeof count) == sizeof count;
  }
  static std::vector<std::pair<std::size_t, std::uint64_t>> drained(RingMap& of) {  // sizes, and what they begin with
    std::vector<std::pair<std::size_t, std::uint64_t>> records;
    of.drain(
        [](void* to, Bytes record) {
          static_cast<decltype(records)*>(to)->emplace_back(record.size(), skep::load<std::uint64_t>(record.data()));
        },
        &records);
    return records;
  }
  std::uint32_t& lock() const { return *reinterpret_cast<std::uint32_t*>(ring->recipe().ring.state); }
  bool compiled() const { return GetParam() == With::Jit; }

  World world;
  RingMap* ring = nullptr;
};
INSTANTIATE_TEST_SUITE_P(Engines, RingRuns, ::testing::Values(With::Interp, With::Jit), name_of);

// What two rings show that are used alike, one of them by RingMap's own functions, while consumers come and go.
TEST_P(RingRuns, RingsAreAsTheMapsOwnFunctionsLeaveThem) {
  RingMap& model = add_ring(2);
  std::mt19937 random(1);
  for (const std::size_t size : {8U, 9U, 40U, 700U})
    for (const std::string_view giving : {kSubmit, kDiscard})
      for (const unsigned flags : {0U, 1U, 2U, 3U}) {
        const auto program = load(program_text(std::to_string(size), giving, flags));
        ASSERT_NE(program, nullptr);
        unsigned reserved = 0, refused = 0;
        calls = 0;
        for (std::uint64_t i = 0; i < 400; ++i) {
          std::byte* const record = model.reserve(size, 0);
          ASSERT_EQ(run(*program, i, i % 3 == 0 ? 100 : 0), record != nullptr ? 1U : 0U) << size << ' ' << i;
          ++(record != nullptr ? reserved : refused);
          if (record != nullptr) {
            store(record, i);
            giving == kSubmit ? model.submit(record, flags) : model.discard(record, flags);
          }
          for (const std::uint64_t what : {0U, 2U, 3U}) ASSERT_EQ(ring->query(what), model.query(what));
          ASSERT_EQ(woken(*ring), woken(model)) << flags << ' ' << i;
          if (random() % 32 == 0) {
            ASSERT_EQ(drained(*ring), drained(model));
          }
        }
        ASSERT_EQ(drained(*ring), drained(model));
        ASSERT_TRUE(reserved > 40 && (refused > 0 || size < 700)) << reserved;
        // of compiled programs helpers reserve what there is no room for, and wake whoever flags say
        if (compiled()) {
          EXPECT_EQ(calls, refused + (flags > 1 ? reserved : 0)) << size << ' ' << flags;
        }
      }
}

TEST_P(RingRuns, SizesAndFlagsThatAreNotKnownOrDoNotFit) {
  EXPECT_EQ(run(*load(program_text("r6", kSubmit, 1)), 24), 1U);
  EXPECT_EQ(calls, compiled() ? 1U : 2U);
  EXPECT_EQ(drained(*ring), (std::vector<std::pair<std::size_t, std::uint64_t>>{{24, 24}}));
  EXPECT_EQ(run(*load(program_text("4096", kSubmit, 1))), 0U);
  EXPECT_EQ(run(*load(program_text("4088", kSubmit, 1))), 0U);
  EXPECT_EQ(run(*load(program_text("-1", kSubmit, 1))), 0U);
  EXPECT_EQ(run(*load(program_text("0x100000008 ll", kSubmit, 1))), 0U);
  EXPECT_EQ(run(*load(program_text("0x40000008", kSubmit, 1))), 0U);
  EXPECT_EQ(run(*load(program_text("4080", kSubmit, 1))), 1U);
  EXPECT_EQ(run(*load("r1 = map[id:1]\nr2 = 8\nr3 = 1\ncall bpf_ringbuf_reserve#131\nexit")), 0U);
}

// Two at once, the first of which is given back first: what the helpers do for one must not be lost for the other.
TEST_P(RingRuns, SeveralRecordsOfARun) {
  add_ring(2);
  for (const unsigned second : {1U, 2U}) {
    const auto program = load(fmt::format(
        "r1 = map[id:1]\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve#131\nif r0 == 0 goto none\nr6 = r0\n"
        "r1 = map[id:{}]\nr2 = 16\nr3 = 0\ncall bpf_ringbuf_reserve#131\nif r0 == 0 goto none\nr7 = r0\n"
        "*(u64 *)(r6 +0) = 3\n*(u64 *)(r7 +0) = 4\n"
        "r1 = r6\nr2 = 0\ncall bpf_ringbuf_submit#132\nr1 = r7\nr2 = 0\ncall bpf_ringbuf_submit#132\nr0 = 1\nexit\n"
        "none: r0 = 0\nexit\n",
        second));
    auto& other = static_cast<RingMap&>(*world.map(spec::MapId{second}));
    for (int i = 0; i < 300; ++i) {
      ASSERT_EQ(run(*program), 1U);
      EXPECT_TRUE(woken(*ring));
      auto records = drained(*ring);
      if (second == 2) {
        EXPECT_TRUE(woken(other));
        std::ranges::copy(drained(other), std::back_inserter(records));
      }
      ASSERT_EQ(records, (std::vector<std::pair<std::size_t, std::uint64_t>>{{8, 3}, {16, 4}}));
    }
  }
}

// A record that others write keeps compiled code from knowing where the oldest is.
TEST_P(RingRuns, WhileOthersWriteRecords) {
  const auto program = load(program_text("16", kSubmit, 0));
  std::byte* open = ring->reserve(24, 0);
  for (std::uint64_t i = 0; i < 50; ++i) ASSERT_EQ(run(*program, i), 1U);
  EXPECT_TRUE(drained(*ring).empty());
  store(open, std::uint64_t{99});
  ring->submit(open, 0);
  const auto records = drained(*ring);
  ASSERT_EQ(records.size(), 51U);
  EXPECT_EQ(records.front(), (std::pair<std::size_t, std::uint64_t>{24, 99}));
  EXPECT_EQ(records.back(), (std::pair<std::size_t, std::uint64_t>{16, 49}));
  calls = 0;
  ASSERT_EQ(run(*program), 1U);
  ASSERT_EQ(run(*program), 1U);
  EXPECT_LE(calls, compiled() ? 1U : 4U) << "the first reservation passes over all that is complete";
}

TEST_P(RingRuns, WhileTheLockIsHeld) {
  const auto program = load(program_text("16", kSubmit, 1));
  lock() = this_owner();
  EXPECT_EQ(run(*program), 0U) << "by this thread: in the middle of a reservation a signal came";
  lock() = UINT32_MAX;
  EXPECT_EQ(run(*program), 1U) << "by one that is no more";
  EXPECT_EQ(lock(), 0U);
  EXPECT_EQ(run(*program), 1U);
  EXPECT_EQ(lock(), 0U);
  EXPECT_EQ(drained(*ring).size(), 2U);
}

TEST_P(RingRuns, ARecordThatIsNotGivenBackIsTheRuns) {
  const auto program = load("r1 = map[id:1]\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve#131\nr0 = 5\nexit\n");
  exec::Call call(world);
  call.program = program.get();
  EXPECT_EQ(program->run(call), 5U);
  EXPECT_FALSE(call.reservations.empty());
  EXPECT_TRUE(drained(*ring).empty());
  helpers::abandon(call);
  EXPECT_TRUE(call.reservations.empty());
  EXPECT_EQ(run(*load(program_text("8", kSubmit, 0)), 6), 1U);
  EXPECT_EQ(drained(*ring), (std::vector<std::pair<std::size_t, std::uint64_t>>{{8, 6}})) << "the other was discarded";
}

TEST_P(RingRuns, OfAnAddressThatIsNoRecordNothingBecomes) {
  std::uint64_t memory[2] = {5, 5};
  const auto program = load("r1 += 8\nr2 = 1\ncall bpf_ringbuf_submit#132\nr0 = 1\nexit\n");
  world.run(*program, memory, sizeof memory);
  EXPECT_EQ(memory[0], 5U);
}

TEST_P(RingRuns, ProducersThatAreKilledLeaveRingsThatGoOn) {
  const auto program = load(program_text("24", kSubmit, 0));
  const auto work = [&](std::uint64_t i) { world.run(*program, &i, sizeof i); };
  std::mt19937 random(2);
  for (unsigned round = 0; round < 40; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      thread_id();
      for (std::uint64_t i = 0;; ++i) work(i << 32 | i);
    }
    ::usleep(static_cast<useconds_t>(random() % 2000));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    for (const auto& [size, number] : drained(*ring))
      ASSERT_TRUE(size == 24 && number >> 32 == (number & UINT32_MAX)) << "a torn record, round " << round;
    std::size_t seen = 0;
    for (std::uint64_t i = 0; i < 400; ++i) {  // more than there is room for at once
      work(i);
      seen += drained(*ring).size();
    }
    ASSERT_EQ(seen, 400U) << "a dead producer's record is passed over, round " << round;
  }
}

}  // namespace
}  // namespace skep::runtime
