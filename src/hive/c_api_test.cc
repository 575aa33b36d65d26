#include <array>

#include "hive/testing.h"
#include "skep/skep.h"

namespace skep::hive::testing {
namespace {

TEST(CApi, RunsAProgramOnBytes) {
  skep_hive* hive = skep_hive_new(SKEP_ENGINE_CHECKED);
  ASSERT_NE(hive, nullptr);
  const Code code = return_value(2);
  spec::Attr attr = prog_attr(spec::ProgType::Xdp, code);
  const int prog = static_cast<int>(skep_bpf(hive, static_cast<int>(spec::Command::ProgLoad), &attr, sizeof attr));
  ASSERT_GE(prog, 0) << skep_last_error();
  EXPECT_NE(skep_owns(prog), 0);
  const std::array<std::uint8_t, 20> packet = {1, 2, 3};
  std::array<std::uint8_t, 64> out{};
  std::uint32_t size = out.size();
  std::uint32_t verdict = 0;
  ASSERT_EQ(skep_run_bytes(hive, prog, packet.data(), packet.size(), out.data(), &size, &verdict), 0);
  EXPECT_EQ(verdict, 2U);
  EXPECT_EQ(size, 20U);
  EXPECT_EQ(out[2], 3);
  size = 5;
  EXPECT_EQ(skep_run_bytes(hive, prog, packet.data(), packet.size(), out.data(), &size, &verdict), -1);
  EXPECT_EQ(errno, ENOSPC);
  EXPECT_EQ(skep_run_bytes(hive, prog, packet.data(), 5, nullptr, nullptr, &verdict), -1);
  EXPECT_EQ(errno, EINVAL);
  ::close(prog);
  skep_hive_free(hive);
}

TEST(CApi, ErrorsHaveASentence) {
  skep_hive* hive = skep_hive_new(SKEP_ENGINE_INTERP);
  ASSERT_NE(hive, nullptr);
  spec::Attr attr = map_attr({.entries = 0, .name = "empty"});
  EXPECT_EQ(skep_bpf(hive, 0, &attr, sizeof attr), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_NE(std::string(skep_last_error()), "");
  EXPECT_EQ(skep_last_failure(), std::string());
  EXPECT_EQ(skep_owns(0), 0);
  skep_hive_free(hive);
}

}  // namespace
}  // namespace skep::hive::testing
