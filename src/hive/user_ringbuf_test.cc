// What users write into a user ring buffer, and a program that drains it: on hives and on the running kernel.
#include <sys/mman.h>

#include <array>
#include <atomic>

#include "base/bytes.h"
#include "hive/testing.h"
#include "spec/helpers.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::HelperId;
using spec::MapType;
using spec::ProgType;

constexpr std::uint32_t kBytes = 4096;

int id(HelperId helper) { return static_cast<int>(helper); }

// The user's side, mapped as libbpf does it: the producer's page and the data.
class Producer {
 public:
  explicit Producer(long map)
      : at_(static_cast<std::byte*>(
            ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, static_cast<int>(map), 4096))) {
    EXPECT_NE(at_, MAP_FAILED);
  }
  ~Producer() { ::munmap(at_, kSize); }
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  void write(std::uint32_t number, std::uint32_t bits = 0) {
    std::byte* sample = at_ + 4096 + (position() & (kBytes - 1));
    store(sample + 8, number);
    std::atomic_ref(*reinterpret_cast<std::uint32_t*>(sample)).store(4 | bits);
    std::atomic_ref(position()).fetch_add(16);
  }
  void claim(std::uint64_t bytes) { std::atomic_ref(position()).fetch_add(bytes); }

 private:
  static constexpr std::size_t kSize = 4096 + 2 * kBytes;
  std::uint64_t& position() { return *reinterpret_cast<std::uint64_t*>(at_); }
  std::byte* at_;
};

// return 1000 * drain(map, callback, &sum) + sum, where callback(sample, sum) { *sum += *(u32 *)sample; }
Code drainer(long map) {
  const Code callback = {
      mov_reg(6, 2),
      mov(2, 0),
      mov(3, 4),
      call_helper(id(HelperId::dynptr_data)),
      insn(0x15, 0, 0, 4, 0),
      insn(0x61, 1, 0, 0, 0),
      insn(0x79, 2, 6, 0, 0),
      insn(0x0f, 2, 1, 0, 0),
      insn(0x7b, 6, 2, 0, 0),
      mov(0, 0),
      exit_insn(),
  };
  const Code before = Code{insn(0x7a, 10, 0, -8, 0)} + ld_imm64(1, 1, static_cast<int>(map));
  const Code after = {mov_reg(3, 10),
                      insn(0x07, 3, 0, 0, -8),
                      mov(4, 0),
                      call_helper(id(HelperId::user_ringbuf_drain)),
                      insn(0x27, 0, 0, 0, 1000),
                      insn(0x79, 1, 10, -8, 0),
                      insn(0x0f, 0, 1, 0, 0),
                      exit_insn()};
  return before + ld_imm64(2, 4, static_cast<int>(after.size()) + 1) + after + callback;
}

// Loads it with the types of its two functions, which the kernel wants to see where there is a callback.
long load(Bpf& bpf, Fds& fds, const Code& code, std::uint32_t callback_at) {
  BtfBuilder types;
  const std::uint32_t number = types.integer("int", 4);
  const std::uint32_t pointer = types.add("", 2, 0, 0);
  const std::uint32_t main = types.add("", 13, 1, number, {types.string("ctx"), pointer});
  const std::uint32_t callback =
      types.add("", 13, 2, number, {types.string("sample"), pointer, types.string("sum"), pointer});
  const spec::FuncInfo functions[] = {{0, types.add("main", 12, 1, main)},
                                      {callback_at, types.add("callback", 12, 0, callback)}};
  spec::Attr attr = prog_attr(ProgType::Xdp, code);
  attr.prog_load.prog_btf_fd = static_cast<std::uint32_t>(fds.keep(load_btf(bpf, types.bytes())));
  attr.prog_load.func_info = address(functions);
  attr.prog_load.func_info_cnt = 2;
  attr.prog_load.func_info_rec_size = sizeof functions[0];
  return fds.keep(bpf(Command::ProgLoad, attr));
}

struct Drained {
  Bpf& bpf;
  Fds& fds;
  long map = fds.keep(create_map(bpf, {.type = MapType::UserRingbuf, .key = 0, .value = 0, .entries = kBytes}));
  Code code = drainer(map);
  long program = load(bpf, fds, code, static_cast<std::uint32_t>(code.size()) - 11);
  Producer user{map};

  long run() {
    EXPECT_GE(program, 0) << Hive::last_error();
    std::array<std::byte, 64> packet{};
    spec::Attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(program);
    attr.test.data_in = address(packet.data());
    attr.test.data_size_in = packet.size();
    EXPECT_EQ(bpf(Command::ProgTestRun, attr), 0) << Hive::last_failure().text();
    return static_cast<std::int32_t>(attr.test.retval);
  }
};

void judge_on_all_engines(const std::vector<Case>& cases) {
  judge(cases);
  for (const Engine engine : {Engine::Interp, Engine::Jit})
    for (const Case& test : cases) {
      HiveBpf hive({.engine = engine});
      Fds fds;
      EXPECT_EQ(test.call(hive, fds), test.expected) << test.name;
    }
}

TEST(UserRingbuf, ProgramsDrainWhatUsersWrote) {
  constexpr std::uint32_t kDiscarded = spec::kRingbufDiscardBit, kBusy = spec::kRingbufBusyBit;
  judge_on_all_engines({{"nothing", 0, [](Bpf& b, Fds& f) { return Drained{b, f}.run(); }},
                        {"three samples", 3060,
                         [](Bpf& b, Fds& f) {
                           Drained it{b, f};
                           for (const std::uint32_t number : {10U, 20U, 30U}) it.user.write(number);
                           return it.run();
                         }},
                        {"once only", 1005,
                         [](Bpf& b, Fds& f) {
                           Drained it{b, f};
                           it.user.write(7);
                           it.run();
                           it.user.write(5);
                           return it.run();
                         }},
                        {"not what was discarded", 1004,
                         [](Bpf& b, Fds& f) {
                           Drained it{b, f};
                           it.user.write(3, kDiscarded);
                           it.user.write(4);
                           return it.run();
                         }},
                        {"nor what is not ready", 1001,
                         [](Bpf& b, Fds& f) {
                           Drained it{b, f};
                           it.user.write(1);
                           it.user.write(2, kBusy);
                           it.user.write(3);
                           return it.run();
                         }},
                        {"a position that is none", -22000, [](Bpf& b, Fds& f) {
                           Drained it{b, f};
                           it.user.claim(4);
                           return it.run();
                         }}});
}

}  // namespace
}  // namespace skep::hive::testing
