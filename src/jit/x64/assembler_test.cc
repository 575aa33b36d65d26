// Bytes as other assemblers write them. That instructions do what they are to do is for tests that run them.
#include "jit/x64/assembler.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "base/bytes.h"

namespace skep::jit::x64 {
namespace {

template <class Write>
std::string bytes(Write write) {
  Assembler a(64);
  a.reserve();
  write(a);
  a.finish();
  std::string text;
  for (const std::uint8_t byte : a.bytes()) text += fmt::format("{:02x}", byte);
  return text;
}
#define BYTES(...) bytes([](Assembler& a) { a.__VA_ARGS__; })

TEST(Assembler, Moves) {
  EXPECT_EQ(BYTES(mov(Width::W64, Reg::Rax, Reg::R15)), "4c89f8");
  EXPECT_EQ(BYTES(mov(Width::W32, Reg::Rsi, Reg::Rdx)), "89d6");
  EXPECT_EQ(BYTES(mov(Reg::Rcx, 0)), "31c9");
  EXPECT_EQ(BYTES(mov(Reg::R9, 0x12345678)), "41b978563412");
  EXPECT_EQ(BYTES(mov(Reg::Rax, ~std::uint64_t{0})), "48c7c0ffffffff");
  EXPECT_EQ(BYTES(mov(Reg::R8, 0x1122334455667788)), "49b88877665544332211");
  EXPECT_EQ(BYTES(movzx(Width::W8, Reg::Rax, Reg::Rsi)), "400fb6c6");
  EXPECT_EQ(BYTES(movzx(Width::W16, Reg::R8, Reg::Rax)), "440fb7c0");
  EXPECT_EQ(BYTES(movsx(Width::W8, Width::W64, Reg::Rdx, Reg::Rdi)), "480fbed7");
  EXPECT_EQ(BYTES(movsx(Width::W32, Width::W64, Reg::Rdx, Reg::R8)), "4963d0");
  EXPECT_EQ(BYTES(cmov(Condition::NE, Width::W64, Reg::Rax, Reg::Rcx)), "480f45c1");
  EXPECT_EQ(BYTES(set(Condition::A, Reg::Rbx)), "0f97c3");
  EXPECT_EQ(BYTES(set(Condition::E, Reg::Rsi)), "400f94c6");
  EXPECT_EQ(BYTES(set(Condition::L, Reg::R9)), "410f9cc1");
}

TEST(Assembler, AddressesWithEachBase) {
  EXPECT_EQ(BYTES(load(Width::W64, Reg::Rax, Mem{Reg::Rsi, 0})), "488b06");
  EXPECT_EQ(BYTES(load(Width::W32, Reg::Rax, Mem{Reg::Rbp, 0})), "8b4500");
  EXPECT_EQ(BYTES(load(Width::W32, Reg::Rax, Mem{Reg::R13, 0})), "418b4500");
  EXPECT_EQ(BYTES(load(Width::W8, Reg::R9, Mem{Reg::Rsp, 8})), "440fb64c2408");
  EXPECT_EQ(BYTES(load(Width::W16, Reg::Rcx, Mem{Reg::R12, -129})), "410fb78c247fffffff");
  EXPECT_EQ(BYTES(load_signed(Width::W32, Reg::Rcx, Mem{Reg::R8, 127})), "4963487f");
  EXPECT_EQ(BYTES(load(Width::W64, Reg::R11, Indexed{Reg::R10, Reg::R11, 3, 0})), "4f8b1cda");
  EXPECT_EQ(BYTES(load_of_thread(Width::W32, Reg::Rdi, -64)), "648b3c25c0ffffff");
  EXPECT_EQ(BYTES(load_of_thread(Width::W64, Reg::R9, 8)), "644c8b0c2508000000");
  EXPECT_EQ(BYTES(lea(Width::W32, Reg::Rsi, Mem{Reg::Rbx, 0x1000})), "8db300100000");
  EXPECT_EQ(BYTES(store(Width::W8, Mem{Reg::Rdx, 1}, Reg::Rsi)), "40887201");
  EXPECT_EQ(BYTES(store(Width::W16, Mem{Reg::Rdx, 1}, Reg::R9)), "6644894a01");
  EXPECT_EQ(BYTES(store(Width::W16, Mem{Reg::R14, 2}, 0x1234)), "6641c746023412");
  EXPECT_EQ(BYTES(store(Width::W64, Mem{Reg::Rbp, -8}, -1)), "48c745f8ffffffff");
  EXPECT_EQ(BYTES(movbe_load(Width::W64, Reg::R8, Mem{Reg::Rsi, 3})), "4c0f38f04603");
}

TEST(Assembler, Arithmetic) {
  EXPECT_EQ(BYTES(alu(Alu::Add, Width::W64, Reg::R13, Reg::Rbx)), "4901dd");
  EXPECT_EQ(BYTES(alu(Alu::Sub, Width::W32, Reg::Rcx, 127)), "83e97f");
  EXPECT_EQ(BYTES(alu(Alu::And, Width::W64, Reg::R8, 128)), "4981e080000000");
  EXPECT_EQ(BYTES(alu(Alu::Cmp, Width::W8, Mem{Reg::R12, 16}, 0)), "41807c241000");
  EXPECT_EQ(BYTES(test(Width::W64, Reg::Rcx, 1)), "f6c101");
  EXPECT_EQ(BYTES(test(Width::W32, Reg::Rsi, 0x100)), "f7c600010000");
  EXPECT_EQ(BYTES(imul(Width::W64, Reg::Rsi, Reg::R9)), "490faff1");
  EXPECT_EQ(BYTES(imul(Width::W64, Reg::Rsi, Mem{Reg::R9, 8})), "490faf7108");
  EXPECT_EQ(BYTES(imul(Width::W32, Reg::Rsi, Reg::Rsi, 100)), "6bf664");
  EXPECT_EQ(BYTES(unary(Unary::Neg, Width::W64, Reg::R15)), "49f7df");
  EXPECT_EQ(BYTES(unary(Unary::Div, Width::W32, Reg::Rcx)), "f7f1");
  EXPECT_EQ(BYTES(shift(Shift::Sar, Width::W64, Reg::Rbx, 63)), "48c1fb3f");
  EXPECT_EQ(BYTES(shift(Shift::Shl, Width::W32, Reg::Rbx, 1)), "d1e3");
  EXPECT_EQ(BYTES(shift(Shift::Shl, Width::W64, Reg::Rax, Reg::Rsi, Reg::R9)), "c4e2b1f7c6");
  EXPECT_EQ(BYTES(shift(Shift::Shr, Width::W32, Reg::R8, Reg::R8, Reg::Rcx)), "c44273f7c0");
  EXPECT_EQ(BYTES(rorx(Width::W64, Reg::Rax, Reg::R9, 7)), "c4c3fbf0c107");
  EXPECT_EQ(BYTES(andn(Width::W32, Reg::Rax, Reg::Rsi, Reg::R8)), "c4c248f2c0");
  EXPECT_EQ(BYTES(mulx(Width::W64, Reg::R10, Reg::R11, Reg::R8)), "c442a3f6d0");
  EXPECT_EQ(BYTES(bswap(Width::W64, Reg::R8)), "490fc8");
  EXPECT_EQ(BYTES(xadd(Width::W32, Mem{Reg::Rsi, 4}, Reg::Rdx)), "0fc15604");
  EXPECT_EQ(BYTES(cmpxchg(Width::W64, Mem{Reg::Rsi, 4}, Reg::R8)), "4c0fb14604");
}

TEST(Assembler, Control) {
  EXPECT_EQ(BYTES(push(Reg::R12)), "4154");
  EXPECT_EQ(BYTES(pop(Reg::Rbx)), "5b");
  EXPECT_EQ(BYTES(call(Reg::Rax)), "ffd0");
  EXPECT_EQ(BYTES(jump(Reg::R11)), "41ffe3");
  EXPECT_EQ(BYTES(endbr()), "f30f1efa");
  EXPECT_EQ(BYTES(notrack()), "3e");
}

// A jump over `distance` bytes, forwards and backwards.
std::string jump_over(std::size_t distance, bool backwards) {
  Assembler a(64);
  const Label there = a.label();
  a.reserve();
  if (backwards) a.bind(there);
  if (!backwards) a.jump(Condition::E, there);
  for (std::size_t i = 0; i < distance; ++i) {
    a.reserve();
    a.byte(0x90);
  }
  if (backwards) a.jump(there);
  if (!backwards) a.bind(there);
  a.finish();
  std::string text;
  const auto all = a.bytes();
  const std::size_t length = all.size() - distance;
  for (const std::uint8_t byte : backwards ? all.last(length) : all.first(length)) text += fmt::format("{:02x}", byte);
  return text;
}

TEST(Jumps, AreShortWhereTheyReach) {
  EXPECT_EQ(jump_over(0, false), "7400");
  EXPECT_EQ(jump_over(127, false), "747f");
  EXPECT_EQ(jump_over(128, false), "0f8480000000");
  EXPECT_EQ(jump_over(126, true), "eb80");
  EXPECT_EQ(jump_over(127, true), "e97cffffff");
}

// Short jumps bring others within reach.
TEST(Jumps, BecomeShortTogether) {
  Assembler a(64);
  std::vector<Label> labels;
  constexpr std::size_t kJumps = 30;  // 6 bytes each at first: not all reach the end; short ones do
  const Label end = a.label();
  for (std::size_t i = 0; i < kJumps; ++i) {
    a.reserve();
    a.jump(Condition::NE, end);
  }
  a.bind(end);
  a.finish();
  EXPECT_EQ(a.bytes().size(), 2 * kJumps);
  EXPECT_EQ(a.offset(end), 2 * kJumps);
  for (std::size_t i = 0; i < kJumps; ++i) EXPECT_EQ(a.bytes()[2 * i + 1], 2 * (kJumps - i - 1));
}

TEST(Jumps, FixupsAndDistancesMoveWithTheCode) {
  Assembler a(64);
  const Label end = a.label();
  a.reserve();
  a.jump(end);
  a.byte(0xe8);
  a.absolute(0x1234);
  a.lea(Reg::Rax, end);
  a.bind(end);
  a.ret();
  a.finish();
  ASSERT_EQ(a.fixups().size(), 1U);
  EXPECT_EQ(a.fixups()[0].at, 3U);
  EXPECT_EQ(a.fixups()[0].target, 0x1234U);
  EXPECT_EQ(a.offset(end), a.bytes().size() - 1);
  EXPECT_EQ(a.bytes()[1], 12);  // over call and lea
  EXPECT_EQ(a.bytes()[10], 0);  // lea: behind itself
}

TEST(Tables, HoldDistancesFromTheirBeginning) {
  Assembler a(64);
  const Label start = a.label(), end = a.label(), first = a.label(), second = a.label();
  a.reserve();
  a.bind(start);
  a.jump(end);  // two bytes in the end
  a.bind(end);
  a.ret();
  a.align();
  a.bind(first);
  a.entries(1, start, first);
  a.entries(1000, end, first);  // more than a piece
  a.bind(second);
  a.entries(1, end, second);
  a.finish();
  ASSERT_EQ(a.offset(first), CodeBuffer::kAlignment);
  ASSERT_EQ(a.bytes().size(), CodeBuffer::kAlignment + 1002 * sizeof(std::int32_t));
  const auto entry = [&](std::size_t i) {
    return load<std::int32_t>(a.bytes().data() + CodeBuffer::kAlignment + i * sizeof(std::int32_t));
  };
  EXPECT_EQ(entry(0), -32);
  EXPECT_EQ(entry(1), 2 - 32);
  EXPECT_EQ(entry(1000), 2 - 32);
  EXPECT_EQ(entry(1001), 2 - 32 - 1001 * 4);
}

}  // namespace
}  // namespace skep::jit::x64
