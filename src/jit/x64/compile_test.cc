// What the code of small programs looks like, where that is the point: frames, saved registers, jumps.
#include "jit/x64/compile.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/bytes.h"
#include "exec/testing.h"
#include "jit/x64/survey.h"

namespace skep::jit::x64 {
namespace {

exec::Image image_of(std::string_view text) {
  auto image = exec::assume_verified(exec::testing::source(text), exec::ContextKind::Memory, "test");
  EXPECT_TRUE(image) << (image ? "" : image.error().message);
  return image ? *std::move(image) : exec::Image{};
}

Code compiled(const exec::Image& image, Features features = {.direct_calls = true}) {
  const std::vector<std::uint64_t> values(image.insns.size(), 0x1000);
  auto code = compile(
      {.image = image, .values = values, .recipes = {}, .helpers = {}, .features = features, .place = {0, 0x100000}});
  EXPECT_TRUE(code) << (code ? "" : code.error().message);
  return code ? *std::move(code) : Code{};
}

Code compiled(std::string_view text, Features features = {.direct_calls = true}) {
  return compiled(image_of(text), features);
}

std::string hex(const Code& code) {
  std::string text;
  for (const std::uint8_t byte : code.bytes) text += fmt::format("{:02x}", byte);
  return text;
}

constexpr std::string_view kEntry = "f30f1efa";

TEST(Frames, NoneWithoutStack) {
  EXPECT_EQ(hex(compiled("r0 = 7\nexit")), fmt::format("{}b807000000c3", kEntry));
  EXPECT_EQ(hex(compiled("r0 = *(u32 *)(r1 +4)\nexit")), fmt::format("{}8b4604c3", kEntry));
}

TEST(Frames, OnlyWhatIsUsed) {
  // push rbp; mov rbp, rsp; sub rsp, 16 ... leave
  EXPECT_EQ(hex(compiled("*(u64 *)(r10 -12) = 1\nr0 = 0\nexit")),
            fmt::format("{}554889e54883ec1048c745f40100000031c0c9c3", kEntry));
  // r10 copied: all 512 bytes
  EXPECT_NE(hex(compiled("r0 = r10\nexit")).find("4881ec00020000"), std::string::npos);
  // rbx for r6, r15 for r9, no others
  EXPECT_EQ(hex(compiled("r6 = r1\nr9 = r2\nr0 = r6\nr0 -= r9\nexit")),
            fmt::format("{}5341574889f34989d74889d84c29f8415f5bc3", kEntry));
}

TEST(Dead, InstructionsAreLeftOut) {
  EXPECT_EQ(hex(compiled("r3 = 5\nr3 += r2\nr4 = *(u64 *)(r1 +0)\nr0 = 7\nr0 = 8\nexit")),
            fmt::format("{}b808000000c3", kEntry));
}

// A program of which nothing is known but that it runs from one instruction to the next, and what claim() says.
class Known {
 public:
  explicit Known(std::string_view text) : image_(image_of(text)) {
    facts_.entries.assign(image_.insns.size(), {.first = 0, .count = 0, .reach = spec::Facts::Reach::Follows});
    facts_.entries[0].reach = spec::Facts::Reach::Anew;
  }
  // On entry to `insn`, the first claims first.
  Known& claim(std::size_t insn, unsigned reg, std::uint64_t value) {
    spec::Fact fact{.kind = spec::Fact::Kind::Number, .map = spec::MapId::None, .numbers = {}};
    fact.numbers.bits = value, fact.numbers.unknown = 0;
    facts_.entries[insn].first = static_cast<std::uint32_t>(facts_.claims.size());
    facts_.entries[insn].count = 1;
    facts_.claims.push_back(spec::Facts::Claim::of(reg, static_cast<std::uint32_t>(facts_.values.size())));
    facts_.values.push_back(fact);
    return *this;
  }
  Known& reach(std::size_t insn, spec::Facts::Reach reach) {
    facts_.entries[insn].reach = reach;
    return *this;
  }
  std::string code() {
    image_.facts = std::make_shared<const spec::Facts>(facts_);
    return hex(compiled(image_));
  }

 private:
  exec::Image image_;
  spec::Facts facts_;
};

TEST(Facts, ResultsThatAreAlwaysTheSame) {
  // of the load nothing is left, nor of its address
  EXPECT_EQ(Known("r1 += 8\nr0 = *(u32 *)(r1 +4)\nexit").claim(2, 0, 7).code(), fmt::format("{}b807000000c3", kEntry));
  // others may come to the exit with another number
  EXPECT_EQ(Known("r0 = *(u32 *)(r1 +4)\nexit").claim(1, 0, 7).reach(1, spec::Facts::Reach::Anew).code(),
            fmt::format("{}8b4604c3", kEntry));
}

TEST(Facts, JumpsThatAlwaysGoOneWay) {
  constexpr auto kAnew = spec::Facts::Reach::Anew, kNever = spec::Facts::Reach::Never;
  constexpr std::string_view kText = "r0 = 1\nif r1 > 5 goto pc+1\nr0 = 2\nexit";
  EXPECT_EQ(Known(kText).claim(1, 1, 6).reach(2, kNever).reach(3, kAnew).code(), fmt::format("{}b801000000c3", kEntry));
  EXPECT_EQ(Known(kText).claim(1, 1, 5).reach(3, kAnew).code(), fmt::format("{}b802000000c3", kEntry));
  // what its target is reached by says it, too
  EXPECT_EQ(Known("r0 = 1\nif r1 > 5 goto pc+1\nexit\nr0 = 2\nexit").reach(3, kNever).reach(4, kNever).code(),
            fmt::format("{}b801000000c3", kEntry));
}

// How often code compares r2 with 8.
std::size_t comparisons(std::string_view text) {
  constexpr std::string_view kCompare = "4883fa08";
  const std::string code = hex(compiled(text));
  std::size_t found = 0;
  for (std::size_t at = code.find(kCompare); at != code.npos; at = code.find(kCompare, at + 1)) ++found;
  return found;
}

TEST(Loops, EndInTheirHeadsWhereOneJumpLeadsBack) {
  // entered in the body, left by the jump
  EXPECT_EQ(comparisons("r0 = 0\nr2 = 0\ngoto pc+2\nr2 += 1\nif r2 == 8 goto pc+2\nr0 += r1\ngoto pc-4\nexit"), 2U);
  // entered in the head, left behind the jump
  EXPECT_EQ(comparisons("r0 = 0\nr2 = 0\nr2 += 1\nif r2 != 8 goto pc+1\nexit\nr0 += r1\ngoto pc-5"), 2U);
  // two jumps lead back
  EXPECT_EQ(comparisons("r0 = 0\nr2 = 0\ngoto pc+2\nr2 += 1\nif r2 == 8 goto pc+4\nr0 += r1\nif r0 > r1 goto pc-4\n"
                        "r0 += 1\ngoto pc-6\nexit"),
            1U);
  // what leads back past a call that found nothing hardly counts
  EXPECT_EQ(comparisons("r6 = 0\nr2 = 0\ngoto pc+2\nr2 += 1\nif r2 == 8 goto pc+4\ncall 7\nif r0 == 0 goto pc-4\n"
                        "r2 = r0\ngoto pc-6\nr0 = 0\nexit"),
            2U);
}

TEST(Bytes, AreLoadedAtOnce) {
  const std::string_view big =
      "r2 = *(u8 *)(r1 +4)\nr2 <<= 24\nr3 = *(u8 *)(r1 +7)\nr4 = *(u8 *)(r1 +5)\nr4 <<= 16\nr3 |= r2\nr3 |= r4\n"
      "r0 = *(u8 *)(r1 +6)\nr0 <<= 8\nr0 |= r3\nexit";
  EXPECT_EQ(hex(compiled(big)), fmt::format("{}8b46040fc8c3", kEntry));  // mov eax, [rsi + 4]; bswap eax
  EXPECT_EQ(hex(compiled(big, {.movbe = true})), fmt::format("{}0f38f04604c3", kEntry));
  EXPECT_EQ(hex(compiled("r2 = *(u8 *)(r1 +1)\nr0 = *(u8 *)(r1 +0)\nw2 <<= 8\nr0 |= r2\nexit")),
            fmt::format("{}0fb706c3", kEntry));
  // not across a store, which may be to them
  EXPECT_EQ(hex(compiled("r2 = *(u8 *)(r1 +1)\n*(u8 *)(r1 +0) = 3\nr0 = *(u8 *)(r1 +0)\nr2 <<= 8\nr0 |= r2\nexit"))
                .find("0fb706c3"),
            std::string::npos);
}

TEST(Memory, IsChangedInPlace) {
  EXPECT_EQ(hex(compiled("r2 = *(u64 *)(r1 +8)\nr2 += 1\n*(u64 *)(r1 +8) = r2\nr0 = 0\nexit")),
            fmt::format("{}4883460801"
                        "31c0c3",
                        kEntry));
}

// ---- Ring buffers

// A program that names a ring buffer of a page by its instructions' values.
std::string with_ring(std::string_view text, std::int32_t owner = -64) {
  const exec::Image image = image_of(text);
  std::vector<std::uint64_t> values(image.insns.size(), 0x1000);
  maps::Recipe recipe;
  recipe.map = reinterpret_cast<const maps::Map*>(std::uintptr_t{0x1000});
  recipe.ring = {.data = 0x11223344'00000000, .state = 0x11223344'00005000, .mask = 4095, .wake = nullptr};
  auto code = compile({.image = image,
                       .values = values,
                       .recipes = {&recipe, 1},
                       .helpers = {},
                       .owner = owner,
                       .features = {.direct_calls = true},
                       .place = {0, 0x100000}});
  EXPECT_TRUE(code);
  return code ? hex(*code) : "";
}
constexpr std::string_view kLocks = "f0410fb13a";           // lock cmpxchg [r10], edi
constexpr std::string_view kExchanges = "8746f8";           // xchg [rsi - 8], eax
constexpr std::string_view kThreadId = "648b3c25c0ffffff";  // mov edi, fs:[-64]

TEST(Rings, RecordsAreReservedInPlaceOfTheCall) {
  const auto reserve = [](std::string_view size, std::string_view flags) {
    return fmt::format("r2 = {}\nr3 = {}\nr1 = map[id:1]\ncall bpf_ringbuf_reserve#131\nr0 = 0\nexit", size, flags);
  };
  const std::string code = with_ring(reserve("40", "0"));
  ASSERT_NE(code.find(kThreadId), std::string::npos) << code;
  const std::size_t locks = code.find(kLocks);
  ASSERT_NE(locks, std::string::npos);
  // In this order: the owner, the length with its bit, the producers' position, the lock, as those who die may leave
  // it.
  const std::string_view stores[] = {"897804", "c70028000080", "4d898b00f0ffff", "41c70200000000"};
  std::size_t at = locks;
  for (const std::string_view store : stores) {
    at = code.find(store, at);
    ASSERT_NE(at, std::string::npos) << store << " in " << code;
  }
  for (const auto& [size, flags] : std::vector<std::pair<std::string_view, std::string_view>>{
           {"4088", "0"}, {"-1", "0"}, {"r1", "0"}, {"40", "1"}, {"40", "r1"}})
    EXPECT_EQ(with_ring(reserve(size, flags)).find(kLocks), std::string::npos) << size << ' ' << flags;
  EXPECT_EQ(with_ring(reserve("40", "0"), 0).find(kLocks), std::string::npos) << "the thread is not known";
}

TEST(Rings, RecordsAreGivenBackInPlaceOfTheCall) {
  const auto give_back = [](std::string_view before, std::string_view helper, unsigned flags) {
    return with_ring(fmt::format("{}r2 = {}\ncall {}\nr0 = 0\nexit", before, flags, helper));
  };
  constexpr std::string_view kReserve = "r1 = map[id:1]\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve#131\nr1 = r0\n";
  constexpr std::string_view kSubmit = "bpf_ringbuf_submit#132", kDiscard = "bpf_ringbuf_discard#133";
  constexpr std::string_view kLength = "8b46f881e0ffffff7f", kDiscards = "81c800000040";  // mov, and; or
  EXPECT_NE(give_back("", kSubmit, 1).find(fmt::format("{}8946f8", kLength)), std::string::npos);
  EXPECT_NE(give_back("", kDiscard, 1).find(fmt::format("{}{}8946f8", kLength, kDiscards)), std::string::npos);
  // Who may have to wake somebody must know the ring buffer.
  EXPECT_NE(give_back(kReserve, kSubmit, 0).find(fmt::format("{}{}", kLength, kExchanges)), std::string::npos);
  EXPECT_EQ(give_back("", kSubmit, 0).find(kLength), std::string::npos);
  EXPECT_EQ(give_back(kReserve, kSubmit, 2).find(kLength), std::string::npos);
}

// ---- Chains of comparisons

// Comparisons of r1 with `count` numbers from `first` on, each with a result of its own.
std::string chain_of(int count, int first, int step, std::string_view compared = "w1") {
  std::string text;
  for (int i = 0; i < count; ++i)
    text += fmt::format("if {} == {} goto pc+{}\n", compared, first + i * step, count - i + 1 + 2 * i);
  text += "r0 = 77\nexit\n";
  for (int i = 0; i < count; ++i) text += fmt::format("r0 = {}\nexit\n", i);
  return text;
}
Code compiled_so(std::string_view text, Counting counting, Hardening hardening, Wanted wanted = Wanted::Layout) {
  const exec::Image image = image_of(text);
  const std::vector<std::uint64_t> values(image.insns.size(), 0x1000);
  auto code = compile({.image = image,
                       .values = values,
                       .recipes = {},
                       .helpers = {},
                       .counting = counting,
                       .hardening = hardening,
                       .wanted = wanted});
  EXPECT_TRUE(code) << (code ? "" : code.error().message);
  return code ? *std::move(code) : Code{};
}
Code laid_out(std::string_view text) { return compiled_so(text, Counting::No, {}); }
constexpr std::string_view kThroughTable = "3e41ffe2";  // notrack jmp r10
std::size_t tables_of(const Code& code) {
  return static_cast<std::size_t>(std::ranges::count(code.layout.pieces, Layout::kTable, &Layout::Piece::slot));
}
std::size_t count_of(std::string_view text, std::string_view what) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

TEST(Chains, DenseNumbersGoThroughATable) {
  const Code code = laid_out(chain_of(8, 40, 2));
  // lea r10d, [rsi - 40]; cmp r10d, 14; ja; lea r11, table; movsxd r10, [r11 + 4 * r10]; add r10, r11; notrack jmp r10
  EXPECT_EQ(hex(code).find("448d56d84183fa0e77"), kEntry.size()) << hex(code);
  EXPECT_NE(hex(code).find("4f6314934d01da3e41ffe2"), std::string::npos) << hex(code);
  EXPECT_EQ(count_of(hex(code), "83fe"), 0U) << "no comparison of the chain is left";
  ASSERT_EQ(tables_of(code), 1U);
  const Layout::Piece& table = code.layout.pieces.back();
  ASSERT_EQ(table.slot, Layout::kTable);
  EXPECT_EQ(table.offset % CodeBuffer::kAlignment, 0U);
  ASSERT_EQ(code.bytes.size() - table.offset, 15 * sizeof(std::int32_t));
  const std::vector<std::uint32_t> offsets = code.layout.offsets(26);
  for (std::uint32_t i = 0; i < 15; ++i) {
    const auto distance = load<std::int32_t>(code.bytes.data() + table.offset + i * sizeof(std::int32_t));
    const std::uint32_t slot = i % 2 != 0 ? 8 : 10 + i;
    EXPECT_EQ(table.offset + static_cast<std::uint32_t>(distance), offsets[slot]) << i;
  }
}

TEST(Chains, AreLeftAsTheyAreWhereThatIsBetterOrAskedFor) {
  EXPECT_EQ(tables_of(laid_out(chain_of(4, 1, 1))), 0U) << "few are as fast";
  EXPECT_EQ(tables_of(laid_out(chain_of(16, 1, 1000))), 0U) << "a table would be mostly empty";
  const std::string dense = chain_of(12, 0, 1);
  ASSERT_EQ(tables_of(laid_out(dense)), 1U);
  for (const auto& [counting, hardening] : std::vector<std::pair<Counting, Hardening>>{
           {Counting::Yes, {}}, {Counting::No, {.blinding = 7}}, {Counting::No, {.retpolines = true}}}) {
    const Code code = compiled_so(dense, counting, hardening);
    EXPECT_EQ(tables_of(code), 0U);
    EXPECT_EQ(hex(code).find(kThroughTable), std::string::npos);
  }
  // bits are no number
  EXPECT_EQ(tables_of(laid_out("if r1 & 1 goto pc+5\nif r1 & 2 goto pc+4\nif r1 & 4 goto pc+3\nif r1 & 8 goto pc+2\n"
                               "r0 = 0\nexit\nr0 = 1\nexit")),
            0U);
}

TEST(Chains, EndWhereOthersComeIn) {
  const std::string chain = chain_of(12, 0, 1);
  ASSERT_EQ(tables_of(laid_out(chain)), 1U);
  // a jump to the seventh comparison: six before it and six from it on, too few each
  EXPECT_EQ(tables_of(laid_out("if r2 == 0 goto pc+6\n" + chain)), 0U);
  // one of another register, and one of another width
  EXPECT_EQ(tables_of(laid_out(chain_of(6, 0, 1) + chain_of(6, 6, 1, "w2"))), 0U);
  EXPECT_EQ(tables_of(laid_out(chain_of(6, 0, 1) + chain_of(6, 6, 1, "r1"))), 0U);
}

TEST(Chains, OfManySparseNumbersAreSearched) {
  const Code code = laid_out(chain_of(64, 7, 1000));
  EXPECT_EQ(tables_of(code), 0U);
  // Each number is compared once (7 has a shorter form), and below half of them the code goes on below.
  EXPECT_EQ(count_of(hex(code), "81fe"), 63U);
  EXPECT_GE(count_of(hex(code), "0f82") + count_of(hex(code), "72"), 31U);
  EXPECT_EQ(hex(compiled_so(chain_of(64, 7, 1000), Counting::No, {.retpolines = true})), hex(code));
}

// Trees as compilers make them: comparisons with less and greater lead to others further down.
TEST(Chains, MayBeTrees) {
  constexpr int kEven = 39, kOdd = 41, kNone = 43;
  std::vector<std::string> lines;
  const auto line = [&](std::string_view condition, int target) {
    lines.push_back(fmt::format("{}goto pc{:+}\n", condition, target - static_cast<int>(lines.size()) - 1));
  };
  const auto leaf = [&](int first) {
    for (int i = first; i < first + 8; ++i) line(fmt::format("if w1 == {} ", i), i % 2 == 0 ? kEven : kOdd);
    line("", kNone);
  };
  line("if w1 s> 15 ", 20);
  line("if w1 s> 7 ", 11);
  leaf(0);
  leaf(8);
  line("if w1 s> 23 ", 30);
  leaf(16);
  leaf(24);
  const std::string tree = fmt::format("{}r0 = 2\nexit\nr0 = 1\nexit\nr0 = 0\nexit", fmt::join(lines, ""));
  const Code code = laid_out(tree);
  ASSERT_EQ(tables_of(code), 1U) << tree;
  EXPECT_EQ(code.bytes.size() - code.layout.pieces.back().offset, 32 * sizeof(std::int32_t));
  EXPECT_EQ(count_of(hex(code), "83fe"), 0U);
  // What only leads out of the tree is not written either.
  const std::vector<std::uint32_t> offsets = code.layout.offsets(lines.size() + 6);
  EXPECT_EQ(offsets[1], offsets[kEven]);
}

TEST(Guard, OnlyWhereTheProgramMayBeStopped) {
  EXPECT_FALSE(compiled("r0 = 1\nexit").guarded);
  EXPECT_FALSE(compiled("call bpf_ktime_get_ns#5\nexit").guarded);
  EXPECT_TRUE(compiled("r2 = subprog[f]\ncall bpf_loop#181\nexit\nf: r0 = 0\nexit").guarded);
  EXPECT_FALSE(compiled("call bpf_tail_call#12\nr0 = 0\nexit").guarded) << "main's frame is gone then";
  EXPECT_TRUE(compiled("call pc+1\nexit\ncall bpf_tail_call#12\nr0 = 0\nexit").guarded);
}

TEST(Calls, DirectWhereTheyReach) {
  const Code code = compiled("call bpf_ktime_get_ns#5\nexit");
  ASSERT_EQ(code.fixups.size(), 1U);
  EXPECT_EQ(code.fixups[0].target, 0x1000U);
  const Place far{0x7f00'0000'0000, 0x7f00'1000'0000};
  EXPECT_FALSE(far.reaches(0x1000));
  EXPECT_TRUE(far.reaches(0x7f00'7000'0000));
  EXPECT_TRUE(far.reaches(0x7eff'a000'0000));
  EXPECT_FALSE(far.reaches(0x7eff'8000'0000));
  EXPECT_FALSE(far.reaches(0x7f00'8000'0000));
}

// push two zeros; mov edi, the clock; mov rsi, rsp; call ... imul and add; pop them
TEST(Calls, OfClocksThatAreKnownAreNotTheHelpers) {
  const exec::Image image = image_of("call bpf_ktime_get_boot_ns#125\nexit");
  const std::vector<std::uint64_t> values(image.insns.size(), 0x1000);
  const auto code = compile({.image = image,
                             .values = values,
                             .recipes = {},
                             .helpers = {},
                             .clock = 0x2000,
                             .features = {.direct_calls = true},
                             .place = {0, 0x100000}});
  ASSERT_TRUE(code);
  ASSERT_EQ(code->fixups.size(), 1U);
  EXPECT_EQ(code->fixups[0].target, 0x2000U);
  EXPECT_NE(hex(*code).find("31c05050bf070000004889e6e8"), std::string::npos) << hex(*code);
  EXPECT_NE(hex(*code).find("488b04244869c000ca9a3b48034424084883c410"), std::string::npos) << hex(*code);
}

TEST(Depth, OfCallsIsLimited) {
  std::string text;
  for (unsigned i = 0; i < 8; ++i) text += "call pc+1\nexit\n";
  const exec::Image deep = image_of(text + "r0 = 0\nexit");
  EXPECT_EQ(exec::testing::refusal(Survey::of(deep)), "calls nested too deep");
  EXPECT_EQ(exec::testing::refusal(Survey::of(image_of("call pc-1\nexit"))), "calls nested too deep");
}

TEST(Survey, FindsWhatFunctionsNeed) {
  const auto survey =
      Survey::of(image_of("r6 = r1\nif r1 > 3 goto pc+1\ncall pc+2\nr0 = 0\nexit\n*(u64 *)(r10 -24) = 1\nr3 = "
                          "0x1122334455667788\ncall bpf_tail_call#12\nexit"));
  ASSERT_TRUE(survey);
  ASSERT_EQ(survey->functions.size(), 2U);
  const Function &main = survey->functions[0], &sub = survey->functions[1];
  EXPECT_TRUE(!main.frame_pointer && main.calls && main.tail_calls && (main.writes >> 6 & 1));
  EXPECT_TRUE(sub.frame_pointer && sub.tail_calls);
  EXPECT_EQ(sub.stack, 24U);
  EXPECT_TRUE(survey->at(3, Survey::kTarget) && survey->at(3, Survey::kBlock));
  EXPECT_TRUE(!survey->at(2, Survey::kTarget) && survey->at(2, Survey::kBlock));
  EXPECT_TRUE(survey->at(6, Survey::kFirst) && !survey->at(7, Survey::kFirst));
}

}  // namespace
}  // namespace skep::jit::x64
