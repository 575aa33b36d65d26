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

TEST(CApi, OptionsAreChecked) {
  const auto error_of = [](const skep_hive_options& options) {
    skep_hive* hive = skep_hive_open(&options);
    const int error = hive != nullptr ? 0 : errno;
    skep_hive_free(hive);
    return error;
  };
  const skep_hive_options good{.size = sizeof(skep_hive_options),
                               .engine = SKEP_ENGINE_JIT,
                               .jit_harden = 2,
                               .jit_flags = SKEP_JIT_RETPOLINES | SKEP_JIT_NO_BARRIERS,
                               .jit_tools = "gdb,unwinder"};
  EXPECT_EQ(error_of(good), 0);
  skep_hive_options bad = good;
  bad.size = 0;
  EXPECT_EQ(error_of(bad), EINVAL);
  bad = good, bad.engine = 3;
  EXPECT_EQ(error_of(bad), EINVAL);
  bad = good, bad.jit_harden = 3;
  EXPECT_EQ(error_of(bad), EINVAL);
  bad = good, bad.jit_flags = 4;
  EXPECT_EQ(error_of(bad), EINVAL);
  bad = good, bad.jit_tools = "gdb,vtune";
  EXPECT_EQ(error_of(bad), EINVAL);
  EXPECT_NE(std::string(skep_last_error()).find("vtune"), std::string::npos);
  // longer and shorter structures, as other versions have them
  struct {
    skep_hive_options options;
    std::uint64_t more;
  } longer{good, 0};
  longer.options.size = sizeof longer;
  EXPECT_EQ(error_of(longer.options), 0);
  longer.more = 1;
  EXPECT_EQ(error_of(longer.options), E2BIG);
  bad = good, bad.size = 8, bad.jit_harden = 77;
  EXPECT_EQ(error_of(bad), 0) << "what is behind the size is not looked at";
}

}  // namespace
}  // namespace skep::hive::testing
