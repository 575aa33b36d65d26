// The 313 vectors of the public bpf_conformance project on compiled code, counted and not.
#include "interp/conformance.h"

#include <gtest/gtest.h>

#include <string>

#include "jit/jit.h"

namespace skep::runtime {
namespace {

class Compiled : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Compiled, EveryVector) {
  if (const auto there = jit::available(); !there) GTEST_SKIP() << there.error().message;
  const auto all = interp::read_vectors(SKEP_SOURCE_DIR "/../shared/corpus/bpf_conformance/vectors.tsv");
  if (all.empty()) GTEST_SKIP() << "the vectors are not there";
  EXPECT_EQ(all.size(), 313U);
  for (const interp::Vector& vector : all) {
    auto memory = interp::parse_hex(vector.memory);
    auto insns = interp::parse_hex(vector.insns);
    ASSERT_TRUE(memory && insns) << vector.name;
    const auto bind = [](auto image, const exec::Bindings& bindings) { return jit::bind(std::move(image), bindings); };
    const auto r0 = interp::run_vector(*interp::parse_insns(*insns), *memory, bind, GetParam());
    ASSERT_TRUE(r0) << vector.name << ": " << r0.error().message;
    EXPECT_EQ(*r0, std::stoull(vector.r0, nullptr, 16)) << vector.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Budgets, Compiled, testing::Values(0, interp::kVectorBudget),
                         [](const auto& param) { return param.param == 0 ? "Free" : "Counted"; });

}  // namespace
}  // namespace skep::runtime
