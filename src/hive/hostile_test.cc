// Attributes that nobody means well: random words, bad addresses, huge sizes. Nothing may crash, leak a descriptor
// number or write where it should not.
#include <random>

#include "hive/testing_programs.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::MapType;
using spec::ProgType;

constexpr int kCommands = 37;

// Words that are likely to be taken for something.
std::uint64_t word(std::mt19937_64& random, std::span<const std::uint64_t> addresses) {
  switch (random() % 8) {
    case 0: return 0;
    case 1: return random() % 16;
    case 2: return random();
    case 3: return UINT64_MAX;
    case 4: return 0xffffffff;
    case 5: return random() % 8192;
    default: return addresses[random() % addresses.size()];
  }
}

// Creations are bounded here, by the test: a hostile caller's memory is his own.
bool too_large(int command, const spec::Attr& attr) {
  return command == static_cast<int>(Command::MapCreate) && attr.map_create.max_entries > 4096;
}

TEST(Hostile, RandomAttributes) {
  HiveBpf bpf({.budget = 1000});
  std::vector<std::byte> memory(1 << 16);
  const Code code = return_value(0);
  const std::uint64_t addresses[] = {address(memory.data()), address(memory.data() + 4096),
                                     address(code.data()),   16,
                                     0xffff888000000000,     address(memory.data() + memory.size() - 4)};
  std::mt19937_64 random(7);
  Fds fds;
  std::vector<long> open = {fds.keep(create_map(bpf, {})), fds.keep(create_map(bpf, {.type = MapType::Hash})),
                            fds.keep(load_prog(bpf, ProgType::Xdp, code))};
  if (const long iterator = fds.keep(load_iterator(bpf, "bpf_map_elem", code)); iterator >= 0) {
    open.push_back(iterator);
    open.push_back(fds.keep(link_iterator(bpf, iterator, open[1])));
    ASSERT_GE(open.back(), 0);
  }
  for (int i = 0; i < 20'000; ++i) {
    const int command = static_cast<int>(random() % kCommands);
    alignas(8) std::uint64_t words[sizeof(spec::Attr) / 8];
    for (std::uint64_t& w : words) w = word(random, addresses);
    spec::Attr attr;
    std::memcpy(&attr, words, sizeof attr);
    if (random() % 2 == 0) attr.elem.map_fd = static_cast<std::uint32_t>(open[random() % open.size()]);
    if (too_large(command, attr)) continue;
    const long result = bpf.call(command, &attr, static_cast<std::uint32_t>(random() % (sizeof attr + 1)));
    ASSERT_GE(result, -4095);
    if (result > 2) ::close(static_cast<int>(result));
  }
}

TEST(Hostile, BytesBehindABufferStay) {
  HiveBpf bpf;
  Fds fds;
  const long map = fds.keep(create_map(bpf, {.value = 12}));
  std::array<std::uint8_t, 32> value;
  value.fill(0xaa);
  std::uint32_t key = 0;
  spec::Attr attr = elem_attr(map, &key, value.data());
  ASSERT_EQ(bpf(Command::MapLookupElem, attr), 0);
  EXPECT_EQ(value[11], 0);
  EXPECT_EQ(value[12], 0xaa);
}

TEST(Hostile, HugeSizesAreErrors) {
  HiveBpf bpf;
  Fds fds;
  spec::Attr attr = map_attr({.value = 0x7fffffff, .entries = 0x7fffffff});
  EXPECT_LT(fds.keep(bpf(Command::MapCreate, attr)), 0);
  const long prog = fds.keep(load_prog(bpf, ProgType::Xdp, return_value(0)));
  attr = {};
  attr.test.prog_fd = static_cast<std::uint32_t>(prog);
  attr.test.data_size_in = 0xffffffff;
  EXPECT_LT(bpf(Command::ProgTestRun, attr), 0);
  attr = {};
  attr.test.prog_fd = static_cast<std::uint32_t>(prog);
  attr.test.ctx_in = 16;
  attr.test.ctx_size_in = 0xffffffff;
  EXPECT_LT(bpf(Command::ProgTestRun, attr), 0);
}

}  // namespace
}  // namespace skep::hive::testing
