// Links skep_abi alone: the routed bpf() is called by name. That libc's `syscall` is ours in the tool is seen by
// tests/cli.
#include "abi/route.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

#include "spec/attr.h"
#include "spec/commands.h"

namespace skep::abi {
namespace {

constexpr int kCreate = static_cast<int>(spec::Command::MapCreate),
              kUpdate = static_cast<int>(spec::Command::MapUpdateElem);

std::unique_ptr<hive::Hive> new_hive() { return *hive::Hive::create({}); }

// An array of one 4-byte value, from whoever answers.
Fd new_map() {
  spec::Attr attr{};
  attr.map_create.map_type = 2;
  attr.map_create.key_size = 4;
  attr.map_create.value_size = 4;
  attr.map_create.max_entries = 1;
  return Fd(static_cast<int>(bpf(kCreate, &attr, sizeof attr)));
}

long update(int fd) {
  static const std::uint32_t key = 0, value = 5;
  spec::Attr attr{};
  attr.elem.map_fd = static_cast<std::uint32_t>(fd);
  attr.elem.key = reinterpret_cast<std::uintptr_t>(&key);
  attr.elem.value = reinterpret_cast<std::uintptr_t>(&value);
  return bpf(kUpdate, &attr, sizeof attr);
}

TEST(Route, ATargetGetsTheCallsOfItsThread) {
  const auto hive = new_hive();
  const Target target = use(*hive);
  const Fd map = new_map();
  ASSERT_TRUE(map);
  EXPECT_TRUE(hive::Hive::owns(map.get()));
  EXPECT_TRUE(hive->map(map.get()));
  std::thread other([&] { EXPECT_LT(update(map.get()), 0); });  // there it goes to the kernel, whose map it is not
  other.join();
  EXPECT_EQ(update(map.get()), 0);
}

TEST(Route, GuardsNest) {
  const auto outer = new_hive(), inner = new_hive();
  const Target first = use(*outer);
  {
    const Target second = use(*inner);
    EXPECT_TRUE(inner->map(new_map().get()));
  }
  EXPECT_TRUE(outer->map(new_map().get()));
}

TEST(Route, ADescriptorFindsItsHive) {
  const auto a = new_hive(), b = new_hive();
  const Attached attached_a(*a), attached_b(*b);
  Fd map;
  {
    const Target target = use(*b);
    map = new_map();
  }
  EXPECT_EQ(update(map.get()), 0);
  EXPECT_LT(update(-1), 0);
}

TEST(Route, TheKernelAnswersWhereNobodyElseDoes) {
  const auto hive = new_hive();
  const Attached attached(*hive);
  spec::Attr attr{};
  const long routed = bpf(9999, &attr, sizeof attr);
  errno = 0;
  ::syscall(SYS_bpf, 9999, &attr, sizeof attr);
  EXPECT_EQ(routed, -errno);
}

TEST(Route, ABadAddressIsAnErrno) {
  const auto hive = new_hive();
  const Attached attached(*hive);
  EXPECT_LT(bpf(kUpdate, reinterpret_cast<void*>(16), sizeof(spec::Attr)), 0);
  const Target target = use(*hive);
  EXPECT_EQ(bpf(kUpdate, reinterpret_cast<void*>(16), sizeof(spec::Attr)), -EFAULT);
}

TEST(Route, AnAnswererAnswers) {
  struct Seven final : Answerer {
    long bpf(int command, void*, unsigned) noexcept override { return command + 7; }
  } seven;
  const Target target = use(seven);
  EXPECT_EQ(bpf(1, nullptr, 0), 8);
}

}  // namespace
}  // namespace skep::abi
