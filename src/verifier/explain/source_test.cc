#include "verifier/explain/source.h"

#include <gtest/gtest.h>

namespace skep::verifier {
namespace {

std::string at(std::string_view line, std::string_view mark) {
  const auto found = expression_at(line, line.find(mark));
  return found ? found->text + " of " + found->base : "nothing";
}

TEST(Source, ExpressionsAroundAColumn) {
  EXPECT_EQ(at("return data[14];", "data"), "data[14] of data");
  EXPECT_EQ(at("if (eth->h_proto == 8)", "h_proto"), "eth->h_proto of eth");
  EXPECT_EQ(at("*count += 1;", "+="), "*count of count");
  EXPECT_EQ(at("x = *count;", "*count"), "*count of count");
  EXPECT_EQ(at("a.b[i + f[2]].c = 1;", "c ="), "a.b[i + f[2]].c of a");
  EXPECT_EQ(at("return data[14];", "return"), "nothing");
  EXPECT_EQ(at("bpf_ktime_get_ns();", "bpf"), "nothing");
  EXPECT_EQ(at("+ 1", "+"), "nothing");
  EXPECT_EQ(at("]->x", "x"), "nothing");
  EXPECT_FALSE(expression_at("x", 9));
}

TEST(Source, ArgumentsOfCalls) {
  constexpr std::string_view kLine = "v = bpf_map_lookup_elem(&maps[f(1, 2)], &key);";
  EXPECT_EQ(argument_of(kLine, "bpf_map_lookup_elem", 1), "&maps[f(1, 2)]");
  EXPECT_EQ(argument_of(kLine, "bpf_map_lookup_elem", 2), "&key");
  EXPECT_FALSE(argument_of(kLine, "bpf_map_lookup_elem", 3));
  EXPECT_FALSE(argument_of(kLine, "bpf_ktime_get_ns", 1));
  EXPECT_FALSE(argument_of("f(a, b", "f", 2));
}

TEST(Source, WhatALineSets) {
  EXPECT_EQ(assigned_in("unsigned char *data = (void *)(long)ctx->data;"), "data");
  EXPECT_EQ(assigned_in("p->x = 1;"), "p->x");
  EXPECT_FALSE(assigned_in("if (a == b)"));
  EXPECT_FALSE(assigned_in("if (a <= b)"));
  EXPECT_FALSE(assigned_in("return 1;"));
  EXPECT_EQ(stored_in("entry->packets = (__u64)skb;"), "(__u64)skb");
  EXPECT_FALSE(stored_in("entry->packets++;"));
}

}  // namespace
}  // namespace skep::verifier
