// Many threads on one hive: elements, loads, closes, runs and iteration at the same time. For the thread sanitizer, and
// for what it cannot see: objects that are freed too early or never.
#include <atomic>
#include <thread>

#include "hive/testing.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::MapType;
using spec::ProgType;

constexpr int kRounds = 60;

class Threads {
 public:
  ~Threads() {
    for (std::thread& thread : threads_) thread.join();
  }
  template <class Work>
  void add(Work work) {
    threads_.emplace_back([work] {
      for (int i = 0; i < kRounds; ++i) work(i);
    });
  }

 private:
  std::vector<std::thread> threads_;
};

long test_run(Bpf& bpf, long prog) {
  std::array<std::byte, 64> packet{};
  spec::Attr attr{};
  attr.test.prog_fd = static_cast<std::uint32_t>(prog);
  attr.test.data_in = address(packet.data());
  attr.test.data_size_in = packet.size();
  attr.test.repeat = 4;
  return bpf(Command::ProgTestRun, attr);
}

TEST(Threads, ElementsLoadsClosesAndRuns) {
  auto hive = std::move(*Hive::create({}));
  Shared bpf(*hive);
  Fds fds;
  const long hash = fds.keep(create_map(bpf, {.type = MapType::Hash, .entries = 64}));
  const long programs = fds.keep(create_map(bpf, {.type = MapType::ProgArray, .value = 4}));
  const long maps =
      fds.keep(create_map(bpf, {.type = MapType::ArrayOfMaps, .value = 4, .inner = static_cast<int>(hash)}));
  const Code calling =
      ld_imm64(2, 1, static_cast<int>(programs)) + Code{mov(3, 0), call_helper(12), mov(0, 1), exit_insn()};
  const long caller = fds.keep(load_prog(bpf, ProgType::Xdp, calling));
  ASSERT_GE(caller, 0) << Hive::last_error();
  std::atomic<int> failures{0};
  const auto expect = [&failures](bool good) { failures += good ? 0 : 1; };
  {
    Threads threads;
    for (std::uint32_t who = 0; who < 2; ++who)
      threads.add([&, who](int i) {
        const std::uint32_t key = who * 32 + static_cast<std::uint32_t>(i) % 32;
        expect(update(bpf, hash, key, std::uint64_t{key}) == 0);
        expect(lookup<std::uint64_t>(bpf, hash, key) == key);
        expect(erase(bpf, hash, key) == 0);
      });
    threads.add([&](int) {  // a program in a slot, then gone
      const long prog = load_prog(bpf, ProgType::Xdp, return_value(7));
      expect(prog >= 0 && update(bpf, programs, 0U, static_cast<int>(prog)) == 0);
      ::close(static_cast<int>(prog));
      expect(erase(bpf, programs, 0U) == 0);
    });
    threads.add([&](int) { expect(test_run(bpf, caller) == 0); });
    threads.add([&](int) {  // a map in a slot, then gone
      const long map = create_map(bpf, {.type = MapType::Hash, .entries = 64});
      expect(update(bpf, maps, 0U, static_cast<int>(map)) == 0);
      ::close(static_cast<int>(map));
    });
    threads.add([&](int) {
      for (const Command command : {Command::MapGetNextId, Command::ProgGetNextId})
        for (std::uint32_t id = next_id(bpf, command, 0); id != 0; id = next_id(bpf, command, id)) {
        }
    });
  }
  EXPECT_EQ(failures, 0);
  std::size_t left = 0;
  for (std::uint32_t id = next_id(bpf, Command::ProgGetNextId, 0); id != 0;
       id = next_id(bpf, Command::ProgGetNextId, id))
    ++left;
  EXPECT_EQ(left, 1U);
}

}  // namespace
}  // namespace skep::hive::testing
