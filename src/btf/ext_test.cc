#include "btf/ext.h"

#include <gtest/gtest.h>

#include "btf/testing_builder.h"

namespace skep::btf {
namespace {

struct Program {
  testing::Builder builder;
  std::uint32_t main = 0, helper = 0, file = 0, text = 0;
  std::vector<std::byte> insns;

  Program() : insns(10 * 8, std::byte{0xb7}) {
    const std::uint32_t i = builder.add_int("int", 4);
    const std::uint32_t proto = builder.add(Kind::FuncProto, "", i);
    main = builder.add(Kind::Func, "main", proto, 1);
    helper = builder.add(Kind::Func, "helper", proto);
    file = builder.string("firewall.bpf.c");
    text = builder.string("  return 1;");
  }
};

template <class T>
Records records_of(const std::vector<T>& infos) {
  return {std::as_bytes(std::span(infos)), sizeof(T), static_cast<std::uint32_t>(infos.size())};
}

TEST(Ext, FunctionsAndLinesOfAnInstruction) {
  const Program p;
  const Btf btf = *Btf::parse(p.builder.bytes());
  const std::vector<FuncInfo> funcs{{0, p.main}, {6, p.helper}};
  const std::vector<LineInfo> lines{{0, p.file, p.text, 7 << 10 | 3}, {6, p.file, 0, 9 << 10}};
  const auto func_info = parse_func_info(btf, records_of(funcs));
  const auto line_info = parse_line_info(btf, records_of(lines), p.insns);
  ASSERT_TRUE(func_info && line_info);
  const std::vector<std::uint32_t> subprograms{0, 6};
  EXPECT_TRUE(match_func_info(*func_info, subprograms));
  EXPECT_TRUE(match_line_info(*line_info, subprograms));

  EXPECT_EQ(function_name(btf, *func_info, 5), "main");
  EXPECT_EQ(function_name(btf, *func_info, 6), "helper");
  const auto at = locate(btf, *line_info, 5);
  ASSERT_TRUE(at);
  EXPECT_EQ(at->file, "firewall.bpf.c");
  EXPECT_EQ(at->text, "  return 1;");
  EXPECT_EQ(at->line, 7U);
  EXPECT_EQ(at->column, 3U);
  EXPECT_EQ(locate(btf, *line_info, 9)->line, 9U);
  EXPECT_FALSE(locate(btf, {}, 0));
}

TEST(Ext, LongerRecordsMustBeZeroBehindWhatWeKnow) {
  const Program p;
  const Btf btf = *Btf::parse(p.builder.bytes());
  std::vector<std::uint32_t> words{0, p.main, 0, 6, p.helper, 0};
  const Records records{std::as_bytes(std::span(words)), 12, 2};
  EXPECT_TRUE(parse_func_info(btf, records));
  words[5] = 1;
  EXPECT_EQ(parse_func_info(btf, records).error().code, E2BIG);
}

TEST(Ext, CountsBeyondTheBytes) {
  const Program p;
  const Btf btf = *Btf::parse(p.builder.bytes());
  const std::vector<FuncInfo> funcs{{0, p.main}};
  Records records = records_of(funcs);
  records.count = 0xffffffff;
  EXPECT_EQ(parse_func_info(btf, records).error().code, EFAULT);
}

}  // namespace
}  // namespace skep::btf
