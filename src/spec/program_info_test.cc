// The func_info and line_info a program may be loaded with (btf/ext.h), against the running kernel.
#include <gtest/gtest.h>

#include <functional>

#include "btf/ext.h"
#include "btf/testing_builder.h"
#include "spec/testing_load.h"

namespace skep::spec {
namespace {

// 0: call 4   1: r0 = imm64 (two slots)   3: exit   4: r0 = 0   5: exit
std::vector<isa::Insn> two_functions() {
  return {{.code = 0x85, .src = 1, .imm = 3}, {.code = 0x18}, {}, {.code = 0x95}, {.code = 0xb7}, {.code = 0x95}};
}
const std::vector<std::uint32_t> kSubprograms{0, 4};

struct Given {
  std::vector<FuncInfo> funcs;
  std::vector<LineInfo> lines;
  std::uint32_t func_record_bytes = sizeof(FuncInfo);
  std::uint32_t line_record_bytes = sizeof(LineInfo);
};

btf::testing::Builder types() {
  btf::testing::Builder b;
  const std::uint32_t i = b.add_int("int", 4, btf::kSigned);
  const std::uint32_t proto = b.add(btf::Kind::FuncProto, "", i);
  b.add(btf::Kind::Func, "main", proto, 1);
  b.add(btf::Kind::Func, "other", proto);
  b.string("file.c");
  return b;
}

// The kernel's errno.
int kernel_says(const Given& given, const btf::testing::Builder& builder) {
  const std::vector<std::byte> bytes = builder.bytes();
  Attr attr{};
  attr.btf_load.btf = reinterpret_cast<std::uint64_t>(bytes.data());
  attr.btf_load.btf_size = static_cast<std::uint32_t>(bytes.size());
  const Fd btf(static_cast<int>(btf::testing::kernel_bpf(18, &attr, sizeof attr)));
  if (!btf) return -1;

  const std::vector<isa::Insn> insns = two_functions();
  attr = {};
  AttrProgLoad& load = attr.prog_load;
  load.prog_type = static_cast<std::uint32_t>(ProgType::SocketFilter);
  load.insn_cnt = static_cast<std::uint32_t>(insns.size());
  load.insns = reinterpret_cast<std::uint64_t>(insns.data());
  load.license = reinterpret_cast<std::uint64_t>("GPL");
  load.prog_btf_fd = static_cast<std::uint32_t>(btf.get());
  load.func_info = reinterpret_cast<std::uint64_t>(given.funcs.data());
  load.func_info_cnt = static_cast<std::uint32_t>(given.funcs.size());
  load.func_info_rec_size = given.func_record_bytes;
  load.line_info = reinterpret_cast<std::uint64_t>(given.lines.data());
  load.line_info_cnt = static_cast<std::uint32_t>(given.lines.size());
  load.line_info_rec_size = given.line_record_bytes;
  const long fd = btf::testing::kernel_bpf(static_cast<std::uint32_t>(Command::ProgLoad), &attr, sizeof attr);
  const Fd closed(fd < 0 ? -1 : static_cast<int>(fd));
  return fd < 0 ? static_cast<int>(-fd) : 0;
}

template <class T>
btf::Records records_of(const std::vector<T>& infos, std::uint32_t record_bytes) {
  // The bytes a caller of bpf(2) has there; a record size beyond them is tried only where it is refused before it
  // matters.
  return {std::as_bytes(std::span(infos)), record_bytes, static_cast<std::uint32_t>(infos.size())};
}

int we_say(const Given& given, const btf::testing::Builder& builder) {
  const std::vector<isa::Insn> insns = two_functions();
  const auto types = btf::Btf::parse(builder.bytes());
  if (!types) return -1;
  const auto funcs = btf::parse_func_info(*types, records_of(given.funcs, given.func_record_bytes));
  if (!funcs) return funcs.error().code;
  if (const auto match = btf::match_func_info(*funcs, kSubprograms); !match) return match.error().code;
  const auto lines =
      btf::parse_line_info(*types, records_of(given.lines, given.line_record_bytes), std::as_bytes(std::span(insns)));
  if (!lines) return lines.error().code;
  const auto match = btf::match_line_info(*lines, kSubprograms);
  return match ? 0 : match.error().code;
}

TEST(ProgramInfo, TheKernelAgrees) {
  SKEP_NEEDS_KERNEL_BPF();
  const btf::testing::Builder builder = types();
  const Given good{{{0, 3}, {4, 4}}, {{0, 1, 1, 1 << 10}, {1, 1, 1, 2 << 10}, {4, 1, 1, 3 << 10}}};
  ASSERT_EQ(kernel_says(good, builder), 0);
  EXPECT_EQ(we_say(good, builder), 0);

  unsigned refused = 0;
  const auto compare = [&](const char* what, const std::function<void(Given&)>& change) {
    Given given = good;
    change(given);
    const int kernel = kernel_says(given, builder);
    refused += kernel != 0;
    EXPECT_EQ(we_say(given, builder), kernel) << what;
  };
  for (std::uint32_t at = 0; at < 9; ++at) {
    compare("start of the first function", [&](Given& g) { g.funcs[0].insn_off = at; });
    compare("start of the second function", [&](Given& g) { g.funcs[1].insn_off = at; });
    compare("type of a function", [&](Given& g) { g.funcs[1].type_id = at; });
    compare("place of the first line", [&](Given& g) { g.lines[0].insn_off = at; });
    compare("place of the second line", [&](Given& g) { g.lines[1].insn_off = at; });
    compare("place of the last line", [&](Given& g) { g.lines[2].insn_off = at; });
  }
  for (const std::uint32_t offset : {0U, 5U, 40U, 0xffffffU, 0xffffffffU}) {
    compare("text of a line", [&](Given& g) { g.lines[1].line_off = offset; });
    compare("file of a line", [&](Given& g) { g.lines[1].file_name_off = offset; });
  }
  for (const std::uint32_t bytes : {0U, 4U, 7U, 9U, 256U}) {
    compare("size of function records", [&](Given& g) { g.func_record_bytes = bytes; });
    compare("size of line records", [&](Given& g) { g.line_record_bytes = bytes + 8; });
  }
  compare("one function only", [](Given& g) { g.funcs.pop_back(); });
  compare("one line only", [](Given& g) { g.lines.resize(1); });
  compare("no lines", [](Given& g) { g.lines.clear(); });
  EXPECT_GT(refused, 40U);
}

}  // namespace
}  // namespace skep::spec
