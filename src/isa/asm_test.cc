#include "isa/asm.h"

#include <gtest/gtest.h>

#include <bit>
#include <fstream>
#include <limits>
#include <sstream>

#include "isa/disasm.h"
#include "isa/op.h"

namespace skep::isa {
namespace {

class Known : public Symbols {
 public:
  std::optional<std::int32_t> helper(std::string_view name) const override {
    return name == "bpf_map_lookup_elem" ? std::optional(1) : std::nullopt;
  }
  std::optional<std::int32_t> kfunc(std::string_view name) const override {
    return name == "bpf_dynptr_size" ? std::optional(4242) : std::nullopt;
  }
};

std::vector<Insn> assembled(std::string_view text, Syntax syntax = Syntax::Kernel) {
  const auto result = assemble(text, Known(), syntax);
  EXPECT_TRUE(result) << text << '\n' << (result ? "" : result.error().message);
  return result ? result->insns : std::vector<Insn>{};
}

std::string message(std::string_view text, Syntax syntax = Syntax::Kernel) {
  const auto result = assemble(text, Known(), syntax);
  return result ? "accepted" : result.error().message;
}

std::string bytes(const std::vector<Insn>& program) { return disassemble(program, no_names(), {.text = Text::Source}); }

// Every way of showing a program in Text::Source reads back as the same bits.
void expect_round_trip(const std::vector<Insn>& program) {
  for (const Show index : {Show::No, Show::Yes})
    for (const Show code : {Show::No, Show::Yes})
      for (const Show hex : {Show::No, Show::Yes}) {
        const PrintOptions options{.text = Text::Source, .index = index, .code = code, .bytes = hex};
        const std::string text = disassemble(program, no_names(), options);
        const auto back = assemble(text);
        ASSERT_TRUE(back) << text << back.error().message;
        ASSERT_EQ(back->insns, program) << text << "read back as\n" << bytes(back->insns);
      }
}

TEST(Asm, EveryOperationWithVariedOperands) {
  for (std::size_t i = 1; i < kOps; ++i) {
    const Op op = static_cast<Op>(i);
    for (const std::int16_t off : std::initializer_list<std::int16_t>{0, 1, -1, 8, 32767, -32768})
      for (const std::int32_t imm : {0, 1, -1, 16, 65536, 0x7fffffff, std::numeric_limits<std::int32_t>::min()})
        for (const unsigned reg : {0U, 3U, 10U, 15U}) {
          Insn insn = encode(op);
          const Select select = info(op).select;
          insn.dst = reg & 0xf;
          if (select != Select::Src) insn.src = (reg + 1) & 0xf;
          if (select != Select::Off) insn.off = off;
          if (select != Select::Imm) insn.imm = imm;
          ASSERT_EQ(decode(insn), op);
          const Insn meant = [&] {  // without what the operation gives no meaning
            Insn clean = insn;
            const unsigned stray = stray_fields(op, insn);
            if (stray & kDst) clean.dst = 0;
            if (stray & kSrc) clean.src = 0;
            if (stray & kOff) clean.off = 0;
            if (stray & kImm) clean.imm = 0;
            return clean;
          }();
          for (const Insn& one : {insn, meant}) {
            std::vector<Insn> program{one};
            if (is_ld_imm64(op)) program.push_back({0, 0, 0, 0, imm});
            ASSERT_NO_FATAL_FAILURE(expect_round_trip(program));
          }
          if (!is_ld_imm64(op) && stray_fields(op, meant) == 0) {
            EXPECT_FALSE(bytes({meant}).contains(".insn")) << info(op).name;
          }
        }
  }
}

TEST(Asm, SlotsNoFormCanSay) {
  expect_round_trip({{0x18, 1, 0, 0, 5}});                      // no second slot
  expect_round_trip({{0x18, 1, 0, 0, 5}, {0xb7, 1, 0, 0, 5}});  // another instruction in its place
  expect_round_trip({{0x18, 1, 1, 0, 5}, {0, 0, 0, 0, 7}});     // reserved imm
  expect_round_trip({{0, 1, 2, 3, 4}, {0xff, 15, 15, -1, -1}, {0xb7, 1, 0, 9, 1}});
}

struct Line {
  std::string_view text;
  Insn insn;
};

TEST(Asm, AcceptsWhatPeopleWrite) {
  const Line lines[] = {
      {"r1=5", {0xb7, 1, 0, 0, 5}},
      {"r1 = 0x10", {0xb7, 1, 0, 0, 16}},
      {"(b7) r1 = -1", {0xb7, 1, 0, 0, -1}},
      {"w1 = 0xffffffff", {0xb4, 1, 0, 0, -1}},
      {"  0: (bf) r2 = (s8)r1 ; sign-extend", {0xbf, 2, 1, 8, 0}},
      {"r0 %= r3 // remainder", {0x9f, 0, 3, 0, 0}},
      {"r0 s%= -3", {0x97, 0, 0, 1, -3}},
      {"r0 s>>= 63", {0xc7, 0, 0, 0, 63}},
      {"r2 = *(u32 *)(r1 + 0)", {0x61, 2, 1, 0, 0}},
      {"r2 = *(u32*)(r1+76)", {0x61, 2, 1, 76, 0}},
      {"r2 = *(u8 *)(r1 - 0x10)", {0x71, 2, 1, -16, 0}},
      {"r2 = *(s16 *)(r1)", {0x89, 2, 1, 0, 0}},
      {"*(u64 *)(r10 -8) = r1", {0x7b, 10, 1, -8, 0}},
      {"*(u32 *)(r10 -8) = 0xffffffff", {0x62, 10, 0, -8, -1}},
      {"lock *(u64 *)(r1 +0) += r2", {0xdb, 1, 2, 0, 0}},
      {"r2 = atomic_xchg((u32 *)(r1 +4), r2)", {0xc3, 1, 2, 4, 0xe1}},
      {"r0 = atomic64_cmpxchg((u64 *)(r1 +4), r0, r2)", {0xdb, 1, 2, 4, 0xf1}},
      {"r2 = load_acquire((u8 *)(r1 +4))", {0xd3, 2, 1, 4, 0x100}},
      {"store_release((u16 *)(r1 +4), r2)", {0xcb, 1, 2, 4, 0x110}},
      {"if r1 s<= 0xffffffff goto pc-1", {0xd5, 1, 0, -1, -1}},
      {"if r1 > -5 goto +3", {0x25, 1, 0, 3, -5}},
      {"if w1 & w2 goto pc+0", {0x4e, 1, 2, 0, 0}},
      {"goto pc + 3", {0x05, 0, 0, 3, 0}},
      {"gotol pc-70000", {0x06, 0, 0, 0, -70000}},
      {"may_goto pc+2", {0xe5, 0, 0, 2, 0}},
      {"call bpf_map_lookup_elem", {0x85, 0, 0, 0, 1}},
      {"call bpf_whatever#77", {0x85, 0, 0, 0, 77}},
      {"call #77", {0x85, 0, 0, 0, 77}},
      {"call 77", {0x85, 0, 0, 0, 77}},
      {"call bpf_dynptr_size", {0x85, 0, 2, 0, 4242}},
      {"call kfunc x#9 fd:1", {0x85, 0, 2, 1, 9}},
      {"call pc+4#bpf_prog_79aa95555f6b99c7_F", {0x85, 0, 1, 0, 4}},
      {"callx r2", {0x8d, 2, 0, 0, 0}},
      {"r0 = *(u16 *)skb[r7 + -4]", {0x48, 0, 7, 0, -4}},
      {"r0 = *(u8 *)skb[12]", {0x30, 0, 0, 0, 12}},
      {"r1 = addr_space_cast(r2, 0, 1)", {0xbf, 1, 2, 1, 1}},
      {"r1 = be16 r1", {0xdc, 1, 0, 0, 16}},
      {"r1 = -r1", {0x87, 1, 0, 0, 0}},
      {".insn 0xb7, 1, 2, -3, 0xffffffff", {0xb7, 1, 2, -3, -1}},
      {"exit", {0x95, 0, 0, 0, 0}},
  };
  for (const Line& line : lines) EXPECT_EQ(bytes(assembled(line.text)), bytes({line.insn})) << line.text;
}

TEST(Asm, SixtyFourBitImmediates) {
  const auto wide = [](std::uint64_t value) {
    return std::vector<Insn>{{0x18, 1, 0, 0, static_cast<std::int32_t>(value)},
                             {0, 0, 0, 0, static_cast<std::int32_t>(value >> 32)}};
  };
  EXPECT_EQ(assembled("r1 = 0x5566778811223344"), wide(0x5566778811223344));
  EXPECT_EQ(assembled("r1 = 0xffffffff"), wide(0xffffffff));  // a mov would extend the sign
  EXPECT_EQ(assembled("r1 = 5 ll"), wide(5));
  EXPECT_EQ(assembled("(18) r1 = 0x5"), wide(5));
  EXPECT_EQ(assembled("r1 = -3000000000"), wide(static_cast<std::uint64_t>(-3000000000)));
}

TEST(Asm, References) {
  const auto result = assemble(
      "r1 = map[counters]\n r1 = map[id:4]\n r1 = map[fd:5][0]+8\n r1 = map[idx:2]+1\n r1 = map[.rodata][0]+16\n"
      "r2 = btf[jiffies]\n r2 = btf[id:7, fd:3]\n");
  ASSERT_TRUE(result);
  using enum Reference::Kind;
  const std::pair<Reference::Kind, std::string> kinds[] = {
      {MapName, "counters"}, {MapId, ""}, {MapFd, ""}, {MapIndex, ""}, {MapName, ".rodata"}, {BtfName, "jiffies"}};
  ASSERT_EQ(result->references.size(), std::size(kinds));
  for (std::size_t i = 0; i < std::size(kinds); ++i) {
    EXPECT_EQ(result->references[i].kind, kinds[i].first);
    EXPECT_EQ(result->references[i].name, kinds[i].second);
    EXPECT_EQ(result->references[i].insn, 2 * i);
  }
  const std::vector<Insn> expected{{0x18, 1, 1, 0, 0}, {},
                                   {0x18, 1, 1, 0, 4}, {},
                                   {0x18, 1, 2, 0, 5}, {0, 0, 0, 0, 8},
                                   {0x18, 1, 6, 0, 2}, {0, 0, 0, 0, 1},
                                   {0x18, 1, 2, 0, 0}, {0, 0, 0, 0, 16},
                                   {0x18, 2, 3, 0, 0}, {},
                                   {0x18, 2, 3, 0, 7}, {0, 0, 0, 0, 3}};
  EXPECT_EQ(result->insns, expected) << bytes(result->insns);
}

TEST(Asm, LabelsHeadersAndSubprograms) {
  const auto result = assemble(R"(
int prog(struct xdp_md * ctx):
; int prog(struct xdp_md *ctx) {
   0: (b7) r0 = 0
again:
   1: (07) r0 += 1
   2: if r0 < 10 goto again
   3: (18) r2 = subprog[+2]
       18 42 00 00 02 00 00 00 00 00 00 00 00 00 00 00
   5: call sub
   6: gotol done
sub:  7: r0 = 3
done: 8: exit
)");
  ASSERT_TRUE(result) << result.error().message;
  const std::vector<Insn> expected{{0xb7, 0, 0, 0, 0}, {0x07, 0, 0, 0, 1}, {0xa5, 0, 0, -2, 10}, {0x18, 2, 4, 0, 2}, {},
                                   {0x85, 0, 1, 0, 1}, {0x06, 0, 0, 0, 1}, {0xb7, 0, 0, 0, 3},   {0x95, 0, 0, 0, 0}};
  EXPECT_EQ(result->insns, expected) << bytes(result->insns);
  ASSERT_EQ(result->labels.size(), 4U);
  EXPECT_EQ(result->labels[0].name, "prog");
  EXPECT_EQ(result->labels[2].insn, 7U);
  EXPECT_EQ(result->lines.front(), 4U);
}

TEST(Asm, ErrorsSayWhereWhatAndWhatWasExpected) {
  EXPECT_EQ(message("r0 = 1\nr1 = *(u33 *)(r1 +0)\nexit"),
            "line 2: found \"u33\", expected \"u8\", \"u16\", \"u32\", \"u64\", \"s8\", \"s16\", \"s32\"");
  EXPECT_EQ(message("r1 += "),
            "line 1: found the end of the line, expected a number from -2147483648 to 2147483647, "
            "a register r0 to r10");
  EXPECT_EQ(message("frobnicate r1"), "line 1: found \"frobnicate\", expected an instruction or a label");
  EXPECT_EQ(message("r1 = -r2"), "line 1: found \"r2\", expected r1 again");
  EXPECT_EQ(message("*(u64 *)(r10 +40000) = r1"), "line 1: found \"+\", expected a distance from -32768 to +32767");
  EXPECT_EQ(message("exit now"), "line 1: found \"now\", expected the end of the line");
  EXPECT_EQ(message("goto nowhere\nhere: exit"), "line 1: found label \"nowhere\", expected one of here");
  EXPECT_EQ(message("goto nowhere"), "line 1: found label \"nowhere\", expected a distance, as no labels are there");
  EXPECT_EQ(message("a: exit\na: exit"), "line 2: label \"a\" is there twice");
  EXPECT_EQ(message("r1 = 1 ll\n1: exit"), "line 2: found \"1:\", expected \"2:\" (a 64-bit immediate counts as two)");
  EXPECT_EQ(message("call bpf_frobnicate"),
            "line 1: found \"call bpf_frobnicate\", expected a label, a helper or a kfunc (or a number: call "
            "bpf_frobnicate#1)");
  EXPECT_EQ(message("(ff) exit"), "line 1: found code (ff), expected the code of an instruction");
  EXPECT_EQ(message("(b7) exit"), "line 1: found \"exit\", expected a register r0 to r10");
  EXPECT_EQ(message(".insn 256, 0, 0, 0, 0"), "line 1: found \"256\", expected a number from 0 to 255");
  EXPECT_EQ(message("mov %r1, %r11x", Syntax::Mnemonic),
            "line 1: found \"%r11x\", expected a number from -2147483648 to 4294967295, a register %r0 to %r10");
  std::string far = "goto end\n";
  for (int i = 0; i < 33000; ++i) far += "r0 = 0\n";
  EXPECT_EQ(message(far + "end: exit"),
            "line 1: label \"end\" is 33000 instructions away, expected at most 32767 (gotol reaches further)");
}

// ---- The conformance vectors: assembly and bits of 313 programs ----

struct Vector {
  std::string name;
  std::vector<Insn> insns;
};

std::string corpus() { return std::string(SKEP_SOURCE_DIR) + "/../shared/corpus/bpf_conformance/"; }

std::vector<Insn> from_hex(const std::string& hex) {
  std::vector<Insn> program;
  for (std::size_t at = 0; at + 16 <= hex.size(); at += 16) {
    std::uint64_t bits = 0;  // eight bytes, little endian as the vectors and this machine are
    for (std::size_t i = 0; i < 8; ++i)
      bits |= std::uint64_t{std::stoul(hex.substr(at + 2 * i, 2), nullptr, 16)} << 8 * i;
    program.push_back(std::bit_cast<Insn>(bits));
  }
  return program;
}

std::vector<Vector> vectors() {
  std::vector<Vector> all;
  std::ifstream file(corpus() + "vectors.tsv");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    all.push_back({line.substr(0, line.find('\t')), from_hex(line.substr(line.rfind('\t') + 1))});
  }
  return all;
}

// The lines of a .data file's section, "-- asm" say; empty if there is none.
std::string section(const std::string& name, const std::string& title) {
  std::ifstream file(corpus() + name + ".data");
  std::string text;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("-- "))
      inside = line == "-- " + title;
    else if (inside)
      text += line + '\n';
  }
  return text;
}

TEST(Vectors, MnemonicsGiveTheirBits) {
  const auto all = vectors();
  if (all.empty()) GTEST_SKIP() << "no conformance vectors at " << corpus();
  EXPECT_EQ(all.size(), 313U);
  for (const Vector& vector : all) {
    const std::string text = section(vector.name, "asm");
    ASSERT_FALSE(text.empty()) << vector.name;
    EXPECT_EQ(bytes(assembled(text, Syntax::Mnemonic)), bytes(vector.insns)) << vector.name;
  }
}

TEST(Vectors, RawSectionsAreTheSameBits) {
  const auto all = vectors();
  if (all.empty()) GTEST_SKIP() << "no conformance vectors at " << corpus();
  unsigned raw_sections = 0;
  for (const Vector& vector : all) {
    std::istringstream words(section(vector.name, "raw"));
    std::vector<Insn> raw;
    for (std::string word; words >> word;) {
      const std::uint64_t bits = std::stoull(word, nullptr, 16);
      raw.push_back(std::bit_cast<Insn>(bits));
    }
    if (raw.empty()) continue;
    ++raw_sections;
    EXPECT_EQ(bytes(raw), bytes(vector.insns)) << vector.name;
  }
  EXPECT_GE(raw_sections, 1U);
}

TEST(Vectors, RoundTrip) {
  const auto all = vectors();
  if (all.empty()) GTEST_SKIP() << "no conformance vectors at " << corpus();
  for (const Vector& vector : all) ASSERT_NO_FATAL_FAILURE(expect_round_trip(vector.insns)) << vector.name;
}

}  // namespace
}  // namespace skep::isa
