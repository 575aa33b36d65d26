// Kernel functions that iterate, called as programs call them.
#include <gtest/gtest.h>

#include <bit>
#include <string_view>
#include <vector>

#include "helpers/testing.h"
#include "spec/kfuncs.h"

namespace skep::helpers {
namespace {

class Iterators : public ::testing::Test {
 protected:
  ~Iterators() override { abandon(call); }

  template <class... Args>
  std::uint64_t run(std::string_view name, Args... args) {
    const auto row = spec::kfunc_row(name);
    const exec::HelperBody body = row ? kfunc_body(*row) : nullptr;
    if (body == nullptr) return ADD_FAILURE() << name << " has no body", 0;
    std::uint64_t r[5] = {};
    std::size_t i = 0;
    ((r[i++] = static_cast<std::uint64_t>(args)), ...);
    return body(call, r[0], r[1], r[2], r[3], r[4]);
  }
  std::int64_t make_bits(const std::vector<std::uint64_t>& words, std::uint64_t count) {
    return static_cast<std::int64_t>(run("bpf_iter_bits_new", it(), std::bit_cast<std::uint64_t>(words.data()), count));
  }
  std::vector<std::int32_t> all(std::string_view next) {
    std::vector<std::int32_t> given;
    while (const std::uint64_t at = run(next, it())) given.push_back(*std::bit_cast<const std::int32_t*>(at));
    return given;
  }
  std::uint64_t it() const { return std::bit_cast<std::uint64_t>(&state[0]); }

  testing::TestHost host;
  exec::Call call{host};
  std::uint64_t state[2] = {};
};

using List = std::vector<std::int32_t>;

TEST_F(Iterators, Numbers) {
  EXPECT_EQ(run("bpf_iter_num_new", it(), -2, 2), 0U);
  EXPECT_EQ(all("bpf_iter_num_next"), (List{-2, -1, 0, 1}));
  EXPECT_EQ(all("bpf_iter_num_next"), List{});
  EXPECT_EQ(run("bpf_iter_num_new", it(), 5, 5), 0U);
  EXPECT_EQ(all("bpf_iter_num_next"), List{});
  EXPECT_EQ(static_cast<int>(run("bpf_iter_num_new", it(), 5, 4)), -EINVAL);
  EXPECT_EQ(all("bpf_iter_num_next"), List{});
  EXPECT_EQ(static_cast<int>(run("bpf_iter_num_new", it(), 0, (8 << 20) + 1)), -E2BIG);
  EXPECT_EQ(run("bpf_iter_num_new", it(), INT32_MIN, INT32_MIN + 2), 0U);
  EXPECT_EQ(all("bpf_iter_num_next"), (List{INT32_MIN, INT32_MIN + 1}));
  run("bpf_iter_num_destroy", it());
}

TEST_F(Iterators, BitsOfOneWord) {
  EXPECT_EQ(make_bits({0x8000000000000005}, 1), 0);
  EXPECT_EQ(all("bpf_iter_bits_next"), (List{0, 2, 63}));
  EXPECT_EQ(call.allocated, nullptr);
  EXPECT_EQ(make_bits({0}, 1), 0);
  EXPECT_EQ(all("bpf_iter_bits_next"), List{});
  run("bpf_iter_bits_destroy", it());
}

TEST_F(Iterators, BitsOfManyWordsAreCopied) {
  std::vector<std::uint64_t> words(511);
  words[0] = 2, words[3] = 1, words[510] = std::uint64_t{1} << 63;
  EXPECT_EQ(make_bits(words, words.size()), 0);
  words.assign(511, 0);
  EXPECT_EQ(all("bpf_iter_bits_next"), (List{1, 3 * 64, 511 * 64 - 1}));
  EXPECT_NE(call.allocated, nullptr);
  run("bpf_iter_bits_destroy", it());
  EXPECT_EQ(call.allocated, nullptr);
}

TEST_F(Iterators, BitsThatCannotBeHad) {
  EXPECT_EQ(static_cast<std::int64_t>(run("bpf_iter_bits_new", it(), 0, 1)), -EINVAL);
  EXPECT_EQ(make_bits({1}, 0), -EINVAL);
  EXPECT_EQ(make_bits({1}, 512), -E2BIG);
  for (const std::uint64_t words : {1U, 2U}) {
    EXPECT_EQ(static_cast<std::int64_t>(run("bpf_iter_bits_new", it(), 4096, words)), -EFAULT);
    EXPECT_EQ(all("bpf_iter_bits_next"), List{});
    run("bpf_iter_bits_destroy", it());
  }
  EXPECT_EQ(call.allocated, nullptr);
}

TEST_F(Iterators, WhatAStoppedRunLeavesIsFreed) {
  const std::vector<std::uint64_t> words(4, 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(make_bits(words, words.size()), 0);
  EXPECT_NE(call.allocated, nullptr);
  abandon(call);
  EXPECT_EQ(call.allocated, nullptr);
}

}  // namespace
}  // namespace skep::helpers
