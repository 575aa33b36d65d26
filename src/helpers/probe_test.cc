#include "helpers/safe_read.h"
#include "helpers/testing.h"

#include <sys/mman.h>

namespace skep::helpers::testing {
namespace {

// One page of memory with nothing mapped behind it.
struct Probe : ::testing::Test {
  void SetUp() override {
    void* const at = ::mmap(nullptr, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(at, MAP_FAILED);
    start = static_cast<std::byte*>(at);
    end = start + 2 * 4096;
    ASSERT_EQ(::munmap(end, 4096), 0);
  }
  void TearDown() override { ::munmap(start, 2 * 4096); }
  void put(std::byte* at, std::string_view text) { std::memcpy(at, text.data(), text.size()); }

  std::byte* start = nullptr;
  std::byte* end = nullptr;
  TestHost host;
  exec::Call call{host};
};

TEST_F(Probe, ReadsAllOrNothing) {
  for (const HelperId id :
       {HelperId::probe_read, HelperId::probe_read_kernel, HelperId::probe_read_user, HelperId::copy_from_user}) {
    put(end - 4, "data");
    Buffer to(4);
    EXPECT_EQ(invoke(call, id, to.data(), 4, end - 4), 0);
    EXPECT_EQ(to, packet::testing::hex("64617461"));
    EXPECT_EQ(invoke(call, id, to.data(), 4, end - 3), -EFAULT);
    EXPECT_EQ(to, Buffer(4));
    to.assign(4, std::byte{1});
    EXPECT_EQ(invoke(call, id, to.data(), 4, nullptr), -EFAULT);
    EXPECT_EQ(to, Buffer(4));
    EXPECT_EQ(invoke(call, id, to.data(), 4, ~std::uint64_t{1}), -EFAULT);
    EXPECT_EQ(invoke(call, id, to.data(), 0, nullptr), 0);
  }
}

TEST_F(Probe, StringsEndAtTheirNulOrTheRoom) {
  for (const HelperId id : {HelperId::probe_read_str, HelperId::probe_read_kernel_str, HelperId::probe_read_user_str}) {
    put(end - 4, std::string_view("end", 4));
    Buffer to(16, std::byte{1});
    EXPECT_EQ(invoke(call, id, to.data(), 16, end - 4), 4);
    EXPECT_STREQ(reinterpret_cast<const char*>(to.data()), "end");
    EXPECT_EQ(invoke(call, id, to.data(), 3, end - 4), 3);
    EXPECT_STREQ(reinterpret_cast<const char*>(to.data()), "en");
    EXPECT_EQ(invoke(call, id, to.data(), 0, end - 4), 0);
    put(end - 4, "open");
    EXPECT_EQ(invoke(call, id, to.data(), 16, end - 4), -EFAULT);
    EXPECT_EQ(to, Buffer(16));
    EXPECT_EQ(invoke(call, id, to.data(), 4, end - 4), 4);
    EXPECT_EQ(invoke(call, id, to.data(), 16, nullptr), -EFAULT);
  }
}

TEST_F(Probe, StringsCrossPages) {
  std::memset(start, 'x', 8192);
  end[-1] = std::byte{0};
  Buffer to(8192);
  EXPECT_EQ(safe_read_string(reg(start), to), 8192);
  EXPECT_EQ(safe_read_string(reg(start + 4090), MutableBytes(to).first(10)), 10);
  EXPECT_EQ(to[9], std::byte{0});
}

}  // namespace
}  // namespace skep::helpers::testing
