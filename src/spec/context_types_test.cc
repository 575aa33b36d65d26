#include "spec/context_types.h"

#include <gtest/gtest.h>

#include <cctype>
#include <fstream>
#include <iterator>
#include <string>

#include "btf/btf.h"

namespace skep::spec {
namespace {

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return result;
}

// The kernel lists both structures of each program type as the members of one.
TEST(ContextTypes, AreThoseOfTheRunningKernel) {
  std::ifstream file("/sys/kernel/btf/vmlinux", std::ios::binary);
  if (!file) GTEST_SKIP() << "the running kernel has no BTF";
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const auto kernel = btf::Btf::parse(std::as_bytes(std::span(bytes)), nullptr, {.attribute_tags = true});
  ASSERT_TRUE(kernel) << kernel.error().message;
  const auto list = kernel->find("bpf_ctx_convert", btf::Kind::Struct);
  ASSERT_TRUE(list);
  unsigned compared = 0;
  for (std::uint32_t number = 1; prog_type(number); ++number) {
    const ProgType type = *prog_type(number);
    const std::string prefix = "BPF_PROG_TYPE_" + upper(name(type));
    const auto program = kernel->find_member(*list, prefix + "_prog");
    const auto in_kernel = kernel->find_member(*list, prefix + "_kern");
    if (!program || !in_kernel) continue;  // not configured
    EXPECT_EQ(context_type(type).program, kernel->type(program->type).name()) << prefix;
    EXPECT_EQ(context_type(type).kernel, kernel->type(in_kernel->type).name()) << prefix;
    ++compared;
  }
  EXPECT_GE(compared, 28U);
}

}  // namespace
}  // namespace skep::spec
