// What OBJ_GET_INFO says of compiled programs, beside the running kernel's answers to the same questions.
#include <algorithm>
#include <array>

#include "hive/testing.h"
#include "jit/jit.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::ProgType;

// main calls f; a line for each instruction.
long load_two_functions(Bpf& bpf, Fds& fds) {
  BtfBuilder types;
  const std::uint32_t word = types.integer("int", 4);
  types.add("", 13, 0, word);
  types.add("main", 12, 1, 2);
  types.add("f", 12, 0, 2);
  const std::uint32_t file = types.string("file.c");
  const Code code = {insn(0x85, 0, 1, 0, 1), exit_insn(), mov(0, 1), exit_insn()};
  const spec::FuncInfo funcs[] = {{0, 3}, {2, 4}};
  std::vector<spec::LineInfo> lines;
  for (std::uint32_t i = 0; i < code.size(); ++i) lines.push_back({i, file, file, (i + 1) << 10});
  spec::Attr attr = prog_attr(ProgType::SocketFilter, code, "GPL");
  attr.prog_load.prog_btf_fd = static_cast<std::uint32_t>(fds.keep(load_btf(bpf, types.bytes())));
  attr.prog_load.func_info = address(funcs);
  attr.prog_load.func_info_cnt = 2;
  attr.prog_load.func_info_rec_size = sizeof funcs[0];
  attr.prog_load.line_info = address(lines.data());
  attr.prog_load.line_info_cnt = static_cast<std::uint32_t>(lines.size());
  attr.prog_load.line_info_rec_size = sizeof lines[0];
  return fds.keep(bpf(Command::ProgLoad, attr));
}

// Room for what can be asked.
struct Room {
  std::array<std::byte, 4096> code{};
  std::array<std::uint64_t, 8> symbols{}, lines{};
  std::array<std::uint32_t, 8> lengths{};
  std::array<std::array<std::uint8_t, 8>, 8> tags{};
};
using Shape = void (*)(spec::ProgInfo& info, Room& room);

struct Answer {
  long error = 0;
  spec::ProgInfo info{};
  Room room;
};
Answer ask(Bpf& bpf, long prog, Shape shape) {
  Answer answer;
  shape(answer.info, answer.room);
  answer.error = get_info(bpf, prog, answer.info);
  return answer;
}

constexpr std::uint32_t kLine = sizeof(std::uint64_t);
constexpr std::uint64_t kBad = 16;

const std::pair<std::string_view, Shape> kShapes[] = {
    {"nothing", [](spec::ProgInfo&, Room&) {}},
    {"all symbols",
     [](spec::ProgInfo& info, Room& room) { info.jited_ksyms = address(&room.symbols), info.nr_jited_ksyms = 8; }},
    {"one symbol",
     [](spec::ProgInfo& info, Room& room) { info.jited_ksyms = address(&room.symbols), info.nr_jited_ksyms = 1; }},
    {"symbols nowhere", [](spec::ProgInfo& info, Room&) { info.nr_jited_ksyms = 2; }},
    {"symbols at a bad address", [](spec::ProgInfo& info, Room&) { info.jited_ksyms = kBad, info.nr_jited_ksyms = 2; }},
    {"all lengths", [](spec::ProgInfo& info,
                       Room& room) { info.jited_func_lens = address(&room.lengths), info.nr_jited_func_lens = 8; }},
    {"lengths at a bad address",
     [](spec::ProgInfo& info, Room&) { info.jited_func_lens = kBad, info.nr_jited_func_lens = 2; }},
    {"code at a bad address",
     [](spec::ProgInfo& info, Room&) { info.jited_prog_insns = kBad, info.jited_prog_len = 8; }},
    {"lines",
     [](spec::ProgInfo& info, Room& room) {
       info.jited_line_info = address(&room.lines), info.nr_jited_line_info = 8, info.jited_line_info_rec_size = kLine;
     }},
    {"two lines",
     [](spec::ProgInfo& info, Room& room) {
       info.jited_line_info = address(&room.lines), info.nr_jited_line_info = 2, info.jited_line_info_rec_size = kLine;
     }},
    {"lines of no size", [](spec::ProgInfo& info,
                            Room& room) { info.jited_line_info = address(&room.lines), info.nr_jited_line_info = 2; }},
    {"lines of another size", [](spec::ProgInfo& info, Room&) { info.jited_line_info_rec_size = 4; }},
    {"func_info of another size", [](spec::ProgInfo& info, Room&) { info.func_info_rec_size = 4; }},
    {"line_info of another size", [](spec::ProgInfo& info, Room&) { info.line_info_rec_size = 4; }},
    {"lines at a bad address",
     [](spec::ProgInfo& info, Room&) {
       info.jited_line_info = kBad, info.nr_jited_line_info = 2, info.jited_line_info_rec_size = kLine;
     }},
    {"tags", [](spec::ProgInfo& info, Room& room) { info.prog_tags = address(&room.tags), info.nr_prog_tags = 8; }},
};

class CompiledInfo : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto there = jit::available(); !there) GTEST_SKIP() << there.error().message;
    prog_ = load_two_functions(bpf_, fds_);
    ASSERT_GE(prog_, 0) << Hive::last_error();
  }
  HiveBpf bpf_{Options{.engine = Engine::Jit}};
  Fds fds_;
  long prog_ = -1;
};

TEST_F(CompiledInfo, AnswersAreShapedLikeTheKernels) {
  if (!KernelBpf::here()) GTEST_SKIP() << "no bpf(2) here";
  KernelBpf kernel;
  const long theirs = load_two_functions(kernel, fds_);
  ASSERT_GE(theirs, 0);
  for (const auto& [name, shape] : kShapes) {
    const Answer ours = ask(bpf_, prog_, shape), wanted = ask(kernel, theirs, shape);
    EXPECT_EQ(ours.error, wanted.error) << name;
    if (wanted.error != 0) continue;
    if (wanted.info.jited_prog_len == 0) GTEST_SKIP() << "the kernel does not compile";
    EXPECT_NE(ours.info.jited_prog_len, 0U) << name;
    EXPECT_EQ(ours.info.nr_jited_ksyms, wanted.info.nr_jited_ksyms) << name;
    EXPECT_EQ(ours.info.nr_jited_func_lens, wanted.info.nr_jited_func_lens) << name;
    EXPECT_EQ(ours.info.nr_jited_line_info, wanted.info.nr_jited_line_info) << name;
    EXPECT_EQ(ours.info.jited_line_info_rec_size, wanted.info.jited_line_info_rec_size) << name;
    EXPECT_EQ(ours.info.func_info_rec_size, wanted.info.func_info_rec_size) << name;
    EXPECT_EQ(ours.info.line_info_rec_size, wanted.info.line_info_rec_size) << name;
    EXPECT_EQ(ours.info.nr_prog_tags, wanted.info.nr_prog_tags) << name;
    // what was filled in is filled in, and no more
    for (std::size_t i = 0; i < 8; ++i) {
      EXPECT_EQ(ours.room.symbols[i] != 0, wanted.room.symbols[i] != 0) << name << ' ' << i;
      EXPECT_EQ(ours.room.lengths[i] != 0, wanted.room.lengths[i] != 0) << name << ' ' << i;
      EXPECT_EQ(ours.room.lines[i] != 0, wanted.room.lines[i] != 0) << name << ' ' << i;
      EXPECT_EQ(ours.room.tags[i] == decltype(ours.room.tags)::value_type{},
                wanted.room.tags[i] == decltype(ours.room.tags)::value_type{})
          << name << ' ' << i;
    }
  }
}

TEST_F(CompiledInfo, CodeSymbolsAndLinesBelongTogether) {
  const Answer all = ask(bpf_, prog_, [](spec::ProgInfo& info, Room& room) {
    info.jited_prog_insns = address(&room.code), info.jited_prog_len = static_cast<std::uint32_t>(room.code.size());
    info.jited_ksyms = address(&room.symbols), info.nr_jited_ksyms = 8;
    info.jited_func_lens = address(&room.lengths), info.nr_jited_func_lens = 8;
    info.jited_line_info = address(&room.lines), info.nr_jited_line_info = 8, info.jited_line_info_rec_size = kLine;
  });
  ASSERT_EQ(all.error, 0);
  ASSERT_EQ(all.info.nr_jited_ksyms, 2U);
  ASSERT_EQ(all.info.nr_jited_line_info, 4U);
  EXPECT_EQ(all.room.lengths[0] + all.room.lengths[1], all.info.jited_prog_len);
  // the code is what stands at the symbols
  std::size_t at = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto* code = reinterpret_cast<const std::byte*>(all.room.symbols[i]);
    EXPECT_TRUE(std::equal(code, code + all.room.lengths[i], all.room.code.begin() + static_cast<std::ptrdiff_t>(at)));
    at += all.room.lengths[i];
  }
  // the first line of a function is the function
  EXPECT_EQ(all.room.lines[0], all.room.symbols[0]);
  EXPECT_EQ(all.room.lines[2], all.room.symbols[1]);
  EXPECT_TRUE(std::ranges::is_sorted(std::span(all.room.lines).first(4)));

  const Answer part = ask(bpf_, prog_, [](spec::ProgInfo& info, Room& room) {
    info.jited_prog_insns = address(&room.code), info.jited_prog_len = 5;
  });
  EXPECT_EQ(part.info.jited_prog_len, all.info.jited_prog_len);
  EXPECT_TRUE(std::equal(part.room.code.begin(), part.room.code.begin() + 5, all.room.code.begin()));
  EXPECT_EQ(part.room.code[5], std::byte{0});
}

TEST_F(CompiledInfo, IsNotForTheUnprivileged) {
  spec::ProgInfo info{};
  std::array<std::uint64_t, 4> symbols{};
  info.jited_ksyms = address(&symbols), info.nr_jited_ksyms = 4;
  spec::Attr attr{};
  attr.info.bpf_fd = static_cast<std::uint32_t>(prog_);
  attr.info.info = address(&info);
  attr.info.info_len = sizeof info;
  Unprivileged nobody;
  ASSERT_EQ(bpf_.hive->call(nobody, static_cast<int>(Command::ObjGetInfoByFd), address(&attr), sizeof attr), 0);
  EXPECT_EQ(info.jited_prog_len, 0U);
  EXPECT_EQ(info.nr_jited_ksyms, 0U);
  EXPECT_EQ(info.nr_jited_func_lens, 0U);
  EXPECT_EQ(info.nr_jited_line_info, 0U);
  EXPECT_EQ(symbols[0], 0U);
}

// ---- Whose constants are blinded

TEST(Harden, LevelsAreThoseOfLinux) {
  if (const auto there = jit::available(); !there) GTEST_SKIP() << there.error().message;
  for (const Harden level : {Harden::Nobody, Harden::Unprivileged, Harden::All}) {
    HiveBpf bpf({.engine = Engine::Jit, .harden = level, .unprivileged = true});
    Fds fds;
    const long privileged = fds.keep(load_prog(bpf, ProgType::SocketFilter, return_value(5)));
    const Code code = return_value(5);
    spec::Attr attr = prog_attr(ProgType::SocketFilter, code, "GPL");
    Unprivileged nobody;
    const long modest =
        fds.keep(bpf.hive->call(nobody, static_cast<int>(Command::ProgLoad), address(&attr), sizeof attr));
    ASSERT_GE(modest, 0) << Hive::last_error();
    EXPECT_EQ(jit::blinded(*bpf.hive->program(static_cast<int>(privileged))->code), level == Harden::All);
    EXPECT_EQ(jit::blinded(*bpf.hive->program(static_cast<int>(modest))->code), level != Harden::Nobody);
  }
}

}  // namespace
}  // namespace skep::hive::testing
