#include "isa/op.h"

#include <gtest/gtest.h>

#include <vector>

namespace skep::isa {
namespace {

Op op(std::size_t i) { return static_cast<Op>(i); }

TEST(Op, DecodesWhatItEncodes) {
  for (std::size_t i = 1; i < kOps; ++i) {
    Insn insn = encode(op(i));
    if (op(i) == Op::CastAddrSpace) insn.imm = 1;
    const Dialects in = info(op(i)).dialects;
    EXPECT_EQ(decode(insn), op(i)) << info(op(i)).name;
    EXPECT_EQ(check(insn, Dialect::Linux) == Illegal::None, in != Dialects::OnlyRfc) << info(op(i)).name;
    EXPECT_EQ(check(insn, Dialect::Rfc9669) == Illegal::None, in != Dialects::OnlyLinux) << info(op(i)).name;
  }
}

// The number of code bytes is fixed by RFC 9669's table and Linux's additions.
TEST(Op, EveryCodeByteDecodesOrSaysWhy) {
  unsigned known = 0;
  for (unsigned code = 0; code < 256; ++code) {
    const Insn insn{.code = static_cast<std::uint8_t>(code),
                    .imm = code == 0xd4 || code == 0xdc || code == 0xd7 ? 16 : 0};
    const bool invalid = decode(insn) == Op::Invalid;
    const bool narrow_atomic = code == 0xcb || code == 0xd3;
    EXPECT_EQ(invalid, check(insn, Dialect::Linux) == Illegal::UnknownOpcode || narrow_atomic) << code;
    known += !invalid || narrow_atomic;
  }
  // 2 x 25 ALU, 3 byte orders, 2 x 22 conditions, 2 gotos, may_goto, 2 calls, exit, ld_imm64, 3 x 4 accesses,
  // 3 sign-extending and 6 packet loads, 4 atomic sizes.
  EXPECT_EQ(known, 50U + 3 + 44 + 2 + 1 + 2 + 1 + 1 + 12 + 3 + 6 + 4);
}

struct Case {
  Insn insn;
  Op op;
  Illegal in_linux;
  Illegal in_rfc;
};

TEST(Op, LegalityByDialect) {
  using enum Illegal;
  const Case cases[] = {
      {{0x07, 1, 0, 0, 5}, Op::Add64Imm, None, None},
      {{0x07, 10, 0, 0, 5}, Op::Add64Imm, WritesFramePointer, WritesFramePointer},
      {{0x07, 11, 0, 0, 5}, Op::Add64Imm, BadDstRegister, BadDstRegister},
      {{0x07, 1, 2, 0, 5}, Op::Add64Imm, ReservedSrc, ReservedSrc},
      {{0x07, 1, 0, 1, 5}, Op::Invalid, UnknownVariant, UnknownVariant},
      {{0x0f, 1, 12, 0, 0}, Op::Add64Reg, BadSrcRegister, BadSrcRegister},
      {{0x0f, 1, 2, 0, 9}, Op::Add64Reg, ReservedImm, ReservedImm},
      {{0x37, 1, 0, 1, 9}, Op::SDiv64Imm, None, None},
      {{0x3c, 1, 2, 1, 0}, Op::SDiv32Reg, None, None},
      {{0x9f, 1, 2, 0, 0}, Op::Mod64Reg, None, None},
      {{0xbf, 1, 2, 32, 0}, Op::MovSx32To64, None, None},
      {{0xbc, 1, 2, 32, 0}, Op::Invalid, UnknownVariant, UnknownVariant},
      {{0xbf, 1, 2, 1, 1}, Op::CastAddrSpace, None, NotInDialect},
      {{0xbf, 1, 2, 1, 7}, Op::CastAddrSpace, BadAddressSpaces, NotInDialect},
      {{0xd4, 1, 0, 0, 64}, Op::Le64, None, None},
      {{0xd4, 1, 0, 0, 24}, Op::Invalid, UnknownVariant, UnknownVariant},
      {{0xd4, 1, 0, 0, -1}, Op::Invalid, UnknownVariant, UnknownVariant},
      {{0x87, 1, 0, 0, 1}, Op::Neg64, ReservedImm, ReservedImm},
      {{0x8d, 2, 0, 0, 0}, Op::CallReg, NotInDialect, None},
      {{0x85, 0, 3, 0, 0}, Op::Invalid, UnknownVariant, UnknownVariant},
      {{0x85, 0, 2, 1, 77}, Op::CallKfunc, None, None},
      {{0x85, 0, 0, 1, 77}, Op::CallHelper, ReservedOff, ReservedOff},
      {{0x85, 1, 1, 0, 77}, Op::CallLocal, ReservedDst, ReservedDst},
      {{0xe5, 0, 0, -3, 0}, Op::MayGoto, None, NotInDialect},
      {{0xc3, 1, 2, 8, 0x100}, Op::LoadAcquire32, None, NotInDialect},
      {{0xd3, 1, 2, 8, 0x110}, Op::StoreRelease8, None, NotInDialect},
      {{0xd3, 1, 2, 8, 0x00}, Op::Invalid, UnknownVariant, UnknownVariant},
      {{0xdb, 1, 2, 8, 0xf1}, Op::CmpXchg64, None, None},
      {{0xdb, 10, 2, -8, 0x01}, Op::FetchAdd64, None, None},
      {{0xdb, 1, 10, -8, 0x01}, Op::FetchAdd64, WritesFramePointer, WritesFramePointer},
      {{0x05, 0, 0, 1, 1}, Op::Goto, ReservedImm, ReservedImm},
      {{0x06, 0, 0, 1, 1}, Op::GotoLong, ReservedOff, ReservedOff},
      {{0x95, 0, 0, 0, 0}, Op::Exit, None, None},
      {{0x00, 0, 0, 0, 0}, Op::Invalid, UnknownOpcode, UnknownOpcode},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(info(decode(c.insn)).name, info(c.op).name);
    EXPECT_EQ(text(check(c.insn, Dialect::Linux)), text(c.in_linux)) << info(c.op).name;
    EXPECT_EQ(text(check(c.insn, Dialect::Rfc9669)), text(c.in_rfc)) << info(c.op).name;
  }
}

// The registry of RFC 9669, appendix A, by code byte, written down apart from the table.
struct Registered {
  Group group;
  std::vector<std::uint8_t> codes;
};

TEST(Op, ConformanceGroupsAreTheRegistrys) {
  const Registered registry[] = {
      {Group::Base32,
       {0x04, 0x05, 0x06, 0x0c, 0x14, 0x16, 0x1c, 0x1e, 0x26, 0x2e, 0x36, 0x3e, 0x44, 0x46, 0x4c, 0x4e, 0x54, 0x56,
        0x5c, 0x5e, 0x61, 0x62, 0x63, 0x64, 0x66, 0x69, 0x6a, 0x6b, 0x6c, 0x6e, 0x71, 0x72, 0x73, 0x74, 0x76, 0x7c,
        0x7e, 0x84, 0x85, 0x95, 0xa4, 0xa6, 0xac, 0xae, 0xb4, 0xb6, 0xbc, 0xbe, 0xc4, 0xc6, 0xcc, 0xce, 0xd6, 0xde}},
      {Group::Base64, {0x07, 0x0f, 0x15, 0x17, 0x18, 0x1d, 0x1f, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x47, 0x4d, 0x4f,
                       0x55, 0x57, 0x5d, 0x5f, 0x65, 0x67, 0x6d, 0x6f, 0x75, 0x77, 0x79, 0x7a, 0x7b, 0x7d, 0x7f,
                       0xa5, 0xa7, 0xad, 0xaf, 0xb5, 0xb7, 0xbd, 0xbf, 0xc5, 0xc7, 0xcd, 0xcf, 0xd5, 0xdd}},
      {Group::DivMul32, {0x24, 0x2c, 0x34, 0x3c, 0x94, 0x9c}},
      {Group::DivMul64, {0x27, 0x2f, 0x37, 0x3f, 0x97, 0x9f}},
      {Group::Atomic32, {0xc3}},
      {Group::Atomic64, {0xdb}},
      {Group::Packet, {0x20, 0x28, 0x30, 0x40, 0x48, 0x50}},
      {Group::Callx, {0x8d}},
  };
  for (const Registered& entry : registry)
    for (const std::uint8_t code : entry.codes) {
      const Insn insn{.code = code};
      EXPECT_EQ(name(info(decode(insn)).group), name(entry.group)) << std::hex << unsigned{code};
      EXPECT_NE(info(decode(insn)).dialects, Dialects::OnlyLinux);
    }
}

TEST(Op, SecondSlots) {
  const auto check_pair = [](Insn low, Insn high) {
    const Insn program[] = {low, high};
    return check(program, 0, Dialect::Linux);
  };
  EXPECT_EQ(check_pair({0x18, 1, 0, 0, 5}, {0, 0, 0, 0, -1}), Illegal::None);
  EXPECT_EQ(check_pair({0x18, 1, 0, 0, 5}, {0, 1, 0, 0, -1}), Illegal::BadSecondSlot);
  EXPECT_EQ(check_pair({0x18, 1, 1, 0, 5}, {0, 0, 0, 0, 1}), Illegal::ReservedSecondImm);
  EXPECT_EQ(check_pair({0x18, 1, 2, 0, 5}, {0, 0, 0, 0, 1}), Illegal::None);
  EXPECT_EQ(check_pair({0x18, 1, 7, 0, 5}, {0, 0, 0, 0, 1}), Illegal::UnknownVariant);
  const Insn alone[] = {{0x18, 1, 0, 0, 5}};
  EXPECT_EQ(check(alone, 0, Dialect::Linux), Illegal::MissingSecondSlot);
  EXPECT_EQ(imm64({0x18, 1, 0, 0, -1}, {0, 0, 0, 0, 1}), 0x1ffffffffU);
}

TEST(Op, Registers) {
  const auto uses = [](Insn insn) { return std::pair<unsigned, unsigned>(reads(insn), writes(insn)); };
  using Sets = std::pair<unsigned, unsigned>;
  EXPECT_EQ(uses({0xb7, 3, 0, 0, 1}), Sets(0, 1 << 3));
  EXPECT_EQ(uses({0xbf, 3, 4, 0, 0}), Sets(1 << 4, 1 << 3));
  EXPECT_EQ(uses({0x0f, 3, 4, 0, 0}), Sets(1 << 3 | 1 << 4, 1 << 3));
  EXPECT_EQ(uses({0x79, 3, 4, 0, 0}), Sets(1 << 4, 1 << 3));
  EXPECT_EQ(uses({0x7b, 3, 4, 0, 0}), Sets(1 << 3 | 1 << 4, 0));
  EXPECT_EQ(uses({0xdb, 3, 4, 0, 0xf1}), Sets(1 | 1 << 3 | 1 << 4, 1));
  EXPECT_EQ(uses({0xdb, 3, 4, 0, 0xe1}), Sets(1 << 3 | 1 << 4, 1 << 4));
  EXPECT_EQ(uses({0x85, 0, 0, 0, 1}), Sets(0x3e, 0x3f));
  EXPECT_EQ(uses({0x28, 0, 0, 0, 12}), Sets(1 << 6, 0x3f));
  EXPECT_EQ(uses({0x95, 0, 0, 0, 0}), Sets(1, 0));
  EXPECT_EQ(uses({0x0f, 12, 15, 0, 0}), Sets(0, 0));
  EXPECT_EQ(uses({0x00, 1, 2, 0, 0}), Sets(0, 0));
}

TEST(Op, Targets) {
  const auto target = [](Insn insn) { return jump_target(decode(insn), insn, 10); };
  EXPECT_EQ(target({0x05, 0, 0, -3, 0}), 8);
  EXPECT_EQ(target({0x06, 0, 0, 0, 100000}), 100011);
  EXPECT_EQ(target({0xe5, 0, 0, 2, 0}), 13);
  EXPECT_EQ(target({0x15, 1, 0, -32768, 7}), 11 - 32768);
  EXPECT_EQ(target({0x85, 0, 1, 0, 7}), std::nullopt);
  EXPECT_EQ(subprog_target(Op::CallLocal, {0x85, 0, 1, 0, 7}, 10), 18);
  EXPECT_EQ(subprog_target(Op::LdFunc, {0x18, 0, 4, 0, -11}, 10), 0);
  EXPECT_EQ(subprog_target(Op::CallHelper, {0x85, 0, 0, 0, 7}, 10), std::nullopt);
}

TEST(Op, Kinds) {
  EXPECT_TRUE(is_conditional_jump(Op::MayGoto) && !is_terminator(Op::MayGoto));
  EXPECT_TRUE(is_terminator(Op::Exit) && !is_jump(Op::Exit));
  EXPECT_TRUE(is_call(Op::CallReg) && is_call(Op::CallKfunc) && !is_call(Op::LdFunc));
  EXPECT_TRUE(reads_memory(Op::LoadAcquire8) && !writes_memory(Op::LoadAcquire8));
  EXPECT_TRUE(!reads_memory(Op::StoreRelease8) && writes_memory(Op::StoreRelease8));
  EXPECT_TRUE(reads_memory(Op::AtomicAdd32) && writes_memory(Op::AtomicAdd32) && is_atomic(Op::Xchg32));
  EXPECT_EQ(access_bytes(Op::LdAbs16), 2U);
  EXPECT_EQ(access_bytes(Op::CmpXchg64), 8U);
  EXPECT_EQ(access_bytes(Op::Add64Imm), 0U);
  EXPECT_TRUE(is_sign_extending(Op::LoadSx8) && is_sign_extending(Op::MovSx8To32) && !is_sign_extending(Op::Mov32Reg));
  EXPECT_EQ(slots(Op::LdMapValue), 2U);
}

}  // namespace
}  // namespace skep::isa
