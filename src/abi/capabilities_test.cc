// The granted capabilities beside the kernel's own, in a thread of its own: what a thread drops, its process keeps.
#include "abi/capabilities.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

namespace skep::abi {
namespace {

constexpr std::uint64_t bit(int capability) { return std::uint64_t{1} << capability; }
constexpr std::uint64_t kFour = bit(CAP_BPF) | bit(CAP_PERFMON) | bit(CAP_NET_ADMIN) | bit(CAP_SYS_ADMIN);

struct Data {
  __user_cap_data_struct word[2];
  std::uint64_t effective() const { return std::uint64_t{word[1].effective} << 32 | word[0].effective; }
  std::uint64_t permitted() const { return std::uint64_t{word[1].permitted} << 32 | word[0].permitted; }
};

__user_cap_header_struct header() { return {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0}; }
Data get(const Capabilities& capabilities) {
  __user_cap_header_struct mine = header();
  Data data{};
  EXPECT_EQ(capabilities.get(&mine, data.word), 0);
  return data;
}
long set(const Capabilities& capabilities, const Data& data) {
  __user_cap_header_struct mine = header();
  return capabilities.set(&mine, data.word);
}
void lower(Data& data, std::uint64_t set) {
  for (unsigned i = 0; i < 2; ++i) data.word[i].effective &= ~static_cast<__u32>(set >> (32 * i));
}
void raise(Data& data, std::uint64_t set) {
  for (unsigned i = 0; i < 2; ++i) data.word[i].effective |= static_cast<__u32>(set >> (32 * i));
}

// A thread without any of the kernel's capabilities, as an ordinary user's.
template <class Test>
void in_a_thread_without(Test test) {
  std::thread([&] {
    __user_cap_header_struct mine = header();
    const Data nothing{};
    ASSERT_EQ(::syscall(SYS_capset, &mine, nothing.word), 0);
    test();
  }).join();
}

TEST(Capabilities, AnOrdinaryUserHasTheFour) {
  in_a_thread_without([] {
    const Capabilities capabilities;
    EXPECT_EQ(get(capabilities).effective(), kFour);
    EXPECT_EQ(get(capabilities).permitted(), kFour);
    const hive::Privilege all = capabilities.privilege();
    EXPECT_TRUE(all.bpf && all.perfmon && all.net_admin && all.sys_admin);
  });
}

TEST(Capabilities, WhatIsLoweredCanBeRaisedAgain) {
  in_a_thread_without([] {
    const Capabilities capabilities;
    Data data = get(capabilities);
    lower(data, kFour & ~bit(CAP_BPF));
    ASSERT_EQ(set(capabilities, data), 0);
    EXPECT_EQ(get(capabilities).effective(), bit(CAP_BPF));
    const hive::Privilege one = capabilities.privilege();
    EXPECT_TRUE(one.bpf && !one.perfmon && !one.net_admin && !one.sys_admin);
    raise(data, kFour);
    ASSERT_EQ(set(capabilities, data), 0);
    EXPECT_TRUE(capabilities.privilege().sys_admin);
  });
}

TEST(Capabilities, TheAdministratorHasThemAll) {
  in_a_thread_without([] {
    const Capabilities capabilities;
    Data data = get(capabilities);
    lower(data, kFour & ~bit(CAP_SYS_ADMIN));
    ASSERT_EQ(set(capabilities, data), 0);
    const hive::Privilege all = capabilities.privilege();
    EXPECT_TRUE(all.bpf && all.perfmon && all.net_admin && all.sys_admin);
  });
}

TEST(Capabilities, WhatIsGivenUpIsGone) {
  in_a_thread_without([] {
    const Capabilities capabilities;
    ASSERT_EQ(set(capabilities, Data{}), 0);
    EXPECT_EQ(get(capabilities).permitted(), 0U);
    EXPECT_FALSE(capabilities.privilege().bpf);
    Data data{};
    raise(data, bit(CAP_BPF));
    data.word[1].permitted = data.word[1].effective;
    EXPECT_EQ(set(capabilities, data), -EPERM);
  });
}

TEST(Capabilities, WhatTheKernelGaveGoesThrough) {
  std::thread([] {
    const Capabilities capabilities(0);  // nothing beside it
    const Data before = get(capabilities);
    Data data = before;
    lower(data, kFour);
    ASSERT_EQ(set(capabilities, data), 0);
    __user_cap_header_struct mine = header();
    Data kernels{};
    ASSERT_EQ(::syscall(SYS_capget, &mine, kernels.word), 0);
    EXPECT_EQ(kernels.effective(), before.effective() & ~kFour);
    EXPECT_FALSE(capabilities.privilege().bpf);
  }).join();
}

TEST(Capabilities, BadCallsAreTheKernels) {
  const Capabilities capabilities;
  __user_cap_header_struct mine = header();
  EXPECT_EQ(capabilities.get(nullptr, nullptr), -EFAULT);
  EXPECT_EQ(capabilities.set(&mine, nullptr), -EFAULT);
  mine.version = 1;
  Data data{};
  EXPECT_EQ(capabilities.get(&mine, data.word), -EINVAL);
  EXPECT_EQ(mine.version, static_cast<__u32>(_LINUX_CAPABILITY_VERSION_3)) << "the kernel says which it likes";
}

}  // namespace
}  // namespace skep::abi
