// Per-CPU values are exact: programs add to them with a load, an addition and a store, in more threads and processes
// than there are CPUs, interrupted by programs in signal handlers, stopped, continued and killed, and no increment is
// lost. SKEP_EXACT_INCREMENTS says how many each test makes (scripts/soak: 100 million).
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <atomic>
#include <cstdlib>
#include <numeric>
#include <random>
#include <thread>

#include "base/sanitized.h"
#include "hive/testing.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::MapType;
using spec::ProgType;

constexpr std::uint32_t kWorkers = 16;
constexpr int kKeys = 4;              // of the values that all add to
constexpr std::uint64_t kRounds = 8;  // of one run; each adds to a value of the array and one of the hash
constexpr std::uint64_t kIncrements = 2 * kRounds;

std::uint64_t increments() {
  const char* const asked = std::getenv("SKEP_EXACT_INCREMENTS");
  return asked != nullptr ? std::strtoull(asked, nullptr, 10) : SKEP_SANITIZED != 0 ? 300'000 : 3'000'000;
}

// What a program does behind a look-up that found a value: half of the time it has read and not written yet.
const Code kBump{mov_reg(8, 0),  insn(0x79, 7, 8, 0, 0), call_helper(7),        call_helper(5),
                 call_helper(7), insn(0x07, 7, 0, 0, 1), insn(0x7b, 8, 7, 0, 0)};
// r0 = the value of the key at r10 + at.
Code find(long map, int at) {
  return Code{mov_reg(2, 10), insn(0x07, 2, 0, 0, at)} + ld_imm64(1, 1, static_cast<int>(map)) + Code{call_helper(1)};
}
Code jump_if_r0(bool null, const Code& over) {
  return {insn(null ? 0x15 : 0x55, 0, 0, static_cast<int>(over.size()), 0)};
}
Code bump(long map, int at) { return find(map, at) + jump_if_r0(true, kBump) + kBump; }
// Makes the element that is not there.
Code bump_or_make(long map, int at) {
  const Code make = Code{mov_reg(2, 10), insn(0x07, 2, 0, 0, at), mov_reg(3, 10), insn(0x07, 3, 0, 0, -16)} +
                    ld_imm64(1, 1, static_cast<int>(map)) +
                    Code{insn(0x7a, 10, 0, -16, 0), mov(4, spec::kNoExist), call_helper(2)} + find(map, at);
  return find(map, at) + jump_if_r0(false, make) + make + jump_if_r0(true, kBump) + kBump;
}

class Exactness : public ::testing::Test {
 protected:
  struct Sums {
    std::uint64_t before, array, hash, after;
  };

  void SetUp() override {
    hive_ = std::move(*Hive::create({.engine = Engine::Jit}));
    bpf_ = std::make_unique<Shared>(*hive_);
    array_ = make({.type = MapType::PercpuArray, .entries = 2 * kKeys});
    hash_ = make({.type = MapType::PercpuHash, .entries = 2 * kKeys});
    marks_ = make({.type = MapType::PercpuArray, .entries = 4 * kWorkers});
    values_.resize(hive_->domain().cpus());
  }
  long make(const MapShape& shape) { return fds_.keep(create_map(*bpf_, shape)); }

  // A program that notes in marks of its own, which only this thread writes, how often it has begun and how often it
  // has ended to add to values from `first_key` on.
  long load(std::uint32_t mark, int first_key) {
    const int own = static_cast<int>(2 * mark);
    const Code round = Code{insn(0x62, 10, 0, -8, own), call_helper(7), insn(0x57, 0, 0, 0, kKeys - 1),
                            insn(0x07, 0, 0, 0, first_key), insn(0x63, 10, 0, -4, 0)} +
                       bump(marks_, -8) + bump(array_, -4) + bump_or_make(hash_, -4) +
                       Code{insn(0x62, 10, 0, -8, own + 1)} + bump(marks_, -8) + Code{insn(0x07, 6, 0, 0, 1)};
    const int back = -static_cast<int>(round.size()) - 1;
    const Code code = Code{mov(6, 0)} + round + Code{insn(0xa5, 6, 0, back, kRounds)} + return_value(2);
    const long prog = fds_.keep(load_prog(*bpf_, ProgType::Xdp, code));
    EXPECT_GE(prog, 0) << Hive::last_error();
    return prog;
  }

  bool run(long prog, std::uint64_t times) {
    std::array<std::byte, 64> packet{};
    spec::Attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(prog);
    attr.test.data_in = address(packet.data());
    attr.test.data_size_in = packet.size();
    attr.test.repeat = static_cast<std::uint32_t>(times);
    return (*bpf_)(Command::ProgTestRun, attr) == 0 && attr.test.retval == 2;
  }

  std::uint64_t value(long map, std::uint32_t key) {
    spec::Attr attr = elem_attr(map, &key, values_.data());
    if ((*bpf_)(Command::MapLookupElem, attr) != 0) return 0;
    return std::accumulate(values_.begin(), values_.end(), std::uint64_t{0});
  }
  // Of the values from `first_key` on, and the marks of workers from `first_mark` on.
  Sums sums(std::uint32_t first_key = 0, std::uint32_t first_mark = 0) {
    Sums all{};
    for (std::uint32_t i = 0; i < kWorkers; ++i) all.after += value(marks_, 2 * (first_mark + i) + 1);
    for (std::uint32_t key = first_key; key < first_key + kKeys; ++key) {
      all.array += value(array_, key);
      all.hash += value(hash_, key);
    }
    for (std::uint32_t i = 0; i < kWorkers; ++i) all.before += value(marks_, 2 * (first_mark + i));
    return all;
  }
  static void expect_exact(const Sums& sums, std::uint64_t rounds) {
    EXPECT_EQ(sums.before, rounds);
    EXPECT_EQ(sums.array, rounds);
    EXPECT_EQ(sums.hash, rounds);
    EXPECT_EQ(sums.after, rounds);
  }

  std::unique_ptr<Hive> hive_;
  std::unique_ptr<Shared> bpf_;
  Fds fds_;
  long array_ = -1, hash_ = -1, marks_ = -1;
  std::vector<std::uint64_t> values_;
};

TEST_F(Exactness, OfMoreThreadsThanCpus) {
  const std::uint64_t runs = increments() / kIncrements / kWorkers + 1;
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < kWorkers; ++i)
    threads.emplace_back([&, prog = load(i, 0)] { failures += run(prog, runs) ? 0 : 1; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0) << Hive::last_error();
  expect_exact(sums(), kWorkers * runs * kRounds);
}

// ---- Programs that interrupt others on their thread

struct Nested {
  Hive* hive;
  Hive::Program program;
  std::atomic<std::uint64_t> runs{0};
};
thread_local constinit Nested* interrupting = nullptr;

void run_nested(int) {
  Nested* const nested = interrupting;
  if (nested == nullptr) return;
  ::sched_yield();  // others run while the program that was interrupted is in the midst of it
  exec::Call call(nested->hive->host());
  nested->hive->run(nested->program, call);
  nested->runs.fetch_add(1, std::memory_order_relaxed);
}

TEST_F(Exactness, OfProgramsThatInterruptOthers) {
  // A new element's maker holds a lock, which a handler on its thread does not wait for.
  for (std::uint32_t key = 0; key < 2 * kKeys; ++key) {
    std::vector<std::uint64_t> zeros(values_.size());
    spec::Attr attr = elem_attr(hash_, &key, zeros.data());
    ASSERT_EQ((*bpf_)(Command::MapUpdateElem, attr), 0);
  }
  struct sigaction action{}, before{};
  action.sa_handler = run_nested;
  action.sa_flags = SA_RESTART;
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);

  const std::uint64_t runs = increments() / kIncrements / kWorkers + 1;
  std::atomic<std::uint32_t> working{kWorkers};
  std::atomic<int> failures{0};
  std::vector<std::unique_ptr<Nested>> nested;
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < kWorkers; ++i) {
    auto program = hive_->program(static_cast<int>(load(kWorkers + i, kKeys)));
    ASSERT_TRUE(program);
    nested.push_back(std::make_unique<Nested>(hive_.get(), *std::move(program)));
    threads.emplace_back([&, own = nested.back().get(), prog = load(i, 0)] {
      interrupting = own;
      failures += run(prog, runs) ? 0 : 1;
      --working;
      while (working != 0) ::usleep(100);  // signals still come
      interrupting = nullptr;
    });
  }
  std::mt19937 random(1);
  while (working != 0) {
    ::pthread_kill(threads[random() % kWorkers].native_handle(), SIGUSR1);
    if (random() % 4 == 0) ::usleep(1);
  }
  for (std::thread& thread : threads) thread.join();
  ::sigaction(SIGUSR1, &before, nullptr);
  EXPECT_EQ(failures, 0) << Hive::last_error();
  expect_exact(sums(), kWorkers * runs * kRounds);
  const std::uint64_t interruptions =
      std::accumulate(nested.begin(), nested.end(), std::uint64_t{0},
                      [](std::uint64_t sum, const auto& one) { return sum + one->runs; });
  EXPECT_GT(interruptions, 0U);
  expect_exact(sums(kKeys, kWorkers), interruptions * kRounds);
}

// ---- Processes that are stopped and killed

class Processes : public Exactness {
 protected:
  struct Worker {
    long prog;
    pid_t pid = 0;
  };

  void TearDown() override {
    for (const Worker& worker : workers_) end(worker);
  }
  void start(Worker& worker) {
    worker.pid = ::fork();
    while (worker.pid == 0)
      if (!run(worker.prog, 100)) ::_exit(1);
  }
  static void end(const Worker& worker) {
    ::kill(worker.pid, SIGKILL);
    int status = 0;
    ::waitpid(worker.pid, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "a run failed";
  }

  std::vector<Worker> workers_;
};

// An increment that was being made when its process died was made or not; all others are there.
TEST_F(Processes, OfWhichSomeAreStoppedAndKilled) {
  for (std::uint32_t i = 0; i < kWorkers; ++i) workers_.push_back({.prog = load(i, 0)});
  for (Worker& worker : workers_) start(worker);
  std::mt19937 random(1);
  std::uint64_t kills = 0;
  const auto another = [&]() -> Worker& { return workers_[random() % kWorkers]; };
  const auto pause = [&] { ::usleep(static_cast<useconds_t>(random() % 3000)); };
  for (std::uint64_t rounds = 0; rounds < increments() / 2 || kills < 20; rounds = sums().after) {
    Worker& stopped = another();
    ::kill(stopped.pid, SIGSTOP);
    pause();
    Worker& killed = another();
    end(killed);
    ++kills;
    start(killed);
    if (killed.pid != stopped.pid) ::kill(stopped.pid, SIGCONT);
    pause();
  }
  for (const Worker& worker : workers_) end(worker);
  workers_.clear();
  kills += kWorkers;
  const Sums all = sums();
  EXPECT_LE(all.before - all.after, kills);
  for (const std::uint64_t sum : {all.array, all.hash}) {
    EXPECT_GE(sum, all.after);
    EXPECT_LE(sum, all.before);
  }
}

}  // namespace
}  // namespace skep::hive::testing
