// The rows of helpers.def against the running kernel: the kernel says what it expected when an argument is wrong, so
// each argument is given a wrong value in turn, with right ones before it.
#include <gtest/gtest.h>

#include <algorithm>

#include "spec/helper_access.h"
#include "spec/map_spec.h"
#include "spec/testing_call.h"

namespace skep::spec {
namespace {

using testing::home_of;
using testing::Kernel;
using testing::kLoadable;
using testing::Loadable;

// A word of what the kernel says it expected; empty where any value will do.
std::string_view expected(ArgBase base) {
  switch (base) {
    case ArgBase::Map: return "map_ptr";
    case ArgBase::MapKey:
    case ArgBase::MapValue:
    case ArgBase::Mem:
    case ArgBase::FixedMem: return "fp, pkt, pkt_meta, map_key, map_value, mem";
    case ArgBase::Size:
    case ArgBase::AllocSize: return "scalar";
    case ArgBase::ConstStr:
    case ArgBase::SpinLock:
    case ArgBase::Timer:
    case ArgBase::KptrSlot: return "map_value";
    case ArgBase::Ctx: return "ctx";
    case ArgBase::Func: return "func";
    case ArgBase::Stack: return "fp";
    case ArgBase::RingbufMem: return "ringbuf_mem";
    case ArgBase::Dynptr: return "fp, dynptr_ptr";
    case ArgBase::SockCommon: return "sock_common, sock, tcp_sock, xdp_sock";
    case ArgBase::Socket: return "sock";
    case ArgBase::AnySock: return "sock_common, sock, tcp_sock, xdp_sock, ptr_";
    case ArgBase::PercpuBtf: return "percpu_ptr_";
    case ArgBase::Btf: return "ptr_";
    case ArgBase::Scalar:
    case ArgBase::Unchecked:
    case ArgBase::None: return "";
  }
  return "";
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(Signature, TheKernelExpectsTheSameArguments) {
  SKEP_NEEDS_KERNEL_BPF();
  const Kernel kernel;
  unsigned checked = 0;
  for (const Helper* row : kHelperRows) {
    const Loadable* home = home_of(row->id);
    if (home == nullptr) continue;
    const Helper& seen = signature(home->type, row->id);
    std::vector<isa::Insn> before;
    for (std::uint8_t i = 0; i < seen.arg_count(); ++i) {
      const auto reg = static_cast<std::uint8_t>(i + 1);
      const ArgBase base = info(seen.args[i]).base;
      std::vector<isa::Insn> arguments = before;
      Kernel::wrong(arguments, reg, seen.args[i]);
      const testing::Verdict verdict = kernel.call(*home, row->id, arguments);
      if (contains(verdict.log, "cannot use helper")) break;  // see helper_access_test.cc
      const std::string complaint = "R" + std::to_string(reg) + " type=";
      const std::string_view want = expected(base);
      if (want.empty()) {
        EXPECT_FALSE(contains(verdict.log, complaint)) << row->name << "\n" << verdict.log;
      } else {
        EXPECT_TRUE(contains(verdict.log, complaint) && contains(verdict.log, want))
            << row->name << " argument " << int{reg} << " wants " << want << "\n"
            << verdict.log;
      }
      ++checked;
      if (!kernel.right(before, reg, seen.args[i])) break;
    }
    if (seen.arg_count() == 0) {
      EXPECT_EQ(kernel.call(*home, row->id, {}).error, 0) << row->name;
      ++checked;
    }
  }
  EXPECT_GT(checked, 300U);
}

// Memory the program may only read, or only write, shows what the helper does with it.
TEST(Signature, TheKernelReadsAndWritesTheSameMemory) {
  SKEP_NEEDS_KERNEL_BPF();
  const Kernel kernel;
  unsigned checked = 0;
  for (const Helper* row : kHelperRows) {
    const Loadable* home = home_of(row->id);
    if (home == nullptr) continue;
    const Helper& seen = signature(home->type, row->id);
    std::vector<isa::Insn> before;
    for (std::uint8_t i = 0; i < seen.arg_count(); ++i) {
      const auto reg = static_cast<std::uint8_t>(i + 1);
      const ArgInfo& argument = info(seen.args[i]);
      const bool memory = argument.base == ArgBase::Mem || argument.base == ArgBase::FixedMem;
      for (const Kernel::Memory kind : {Kernel::Memory::ReadOnly, Kernel::Memory::WriteOnly}) {
        if (!memory) break;
        std::vector<isa::Insn> arguments = before;
        kernel.right(arguments, reg, seen.args[i], kind);
        if (argument.base == ArgBase::Mem) kernel.right(arguments, static_cast<std::uint8_t>(reg + 1), ArgKind::Size);
        const testing::Verdict verdict = kernel.call(*home, row->id, arguments);
        if (contains(verdict.log, "cannot use helper")) break;
        ++checked;
        const bool writes = has(argument.use, ArgUse::Writes);
        const bool refused = kind == Kernel::Memory::ReadOnly ? writes : !writes;
        const char* sentence =
            kind == Kernel::Memory::ReadOnly ? "write into map forbidden" : "read from map forbidden";
        EXPECT_EQ(contains(verdict.log, sentence), refused) << row->name << " argument " << int{reg} << "\n"
                                                            << verdict.log;
      }
      if (!kernel.right(before, reg, seen.args[i])) break;
    }
  }
  EXPECT_GT(checked, 80U);
}

TEST(Signature, TheKernelAgreesOnLicenseAndSleep) {
  SKEP_NEEDS_KERNEL_BPF();
  const Kernel kernel;
  for (const Helper* row : kHelperRows) {
    for (const Loadable& home : kLoadable) {
      if (!helper_allowed(home.type, home.attach, row->id)) continue;
      const testing::Verdict closed = kernel.call(home, row->id, {}, "Proprietary");
      if (contains(closed.log, "cannot use helper")) continue;
      EXPECT_EQ(contains(closed.log, "GPL"), signature(home.type, row->id).is(HelperTrait::Gpl))
          << row->name << " in " << name(home.type) << "\n"
          << closed.log;
      const testing::Verdict open = kernel.call(home, row->id, {});
      const bool refused = row->is(HelperTrait::Sleeps) && home.flags != kSleepable;
      EXPECT_EQ(contains(open.log, "might sleep"), refused) << row->name << "\n" << open.log;
    }
  }
}

// A packet pointer from before the call is worth something afterwards, or not.
TEST(Signature, TheKernelAgreesOnWhatMovesThePacket) {
  SKEP_NEEDS_KERNEL_BPF();
  const Kernel kernel;
  unsigned moves = 0, stays = 0;
  for (const Loadable& home : {Loadable{ProgType::SchedCls}, Loadable{ProgType::Xdp}}) {
    const bool xdp = home.type == ProgType::Xdp;
    for (const Helper* row : kHelperRows) {
      if (!helper_allowed(home.type, home.attach, row->id)) continue;
      std::vector<isa::Insn> insns{{.code = 0x61, .dst = 7, .src = 6, .off = static_cast<std::int16_t>(xdp ? 0 : 76)},
                                   {.code = 0x61, .dst = 3, .src = 6, .off = static_cast<std::int16_t>(xdp ? 4 : 80)},
                                   {.code = 0xbf, .dst = 2, .src = 7},
                                   {.code = 0x07, .dst = 2, .imm = 14},
                                   {.code = 0xbd, .dst = 2, .src = 3, .off = 2},  // if r2 <= r3 goto +2
                                   {.code = 0xb7},
                                   {.code = 0x95}};
      bool complete = true;
      for (std::uint8_t i = 0; i < row->arg_count() && complete; ++i)
        complete = kernel.right(insns, static_cast<std::uint8_t>(i + 1), row->args[i]);
      if (!complete) continue;
      const isa::Insn look{.code = 0x71, .src = 7};  // r0 = *(u8 *)(r7 + 0)
      const testing::Verdict verdict = kernel.call(home, row->id, insns, "GPL", &look);
      const bool moved = contains(verdict.log, "R7 invalid mem access");
      if (verdict.error != 0 && !moved) continue;  // the map is of the wrong kind, and the like
      (moved ? moves : stays) += 1;
      EXPECT_EQ(moved, row->is(HelperTrait::MovesPacket)) << row->name << "\n" << verdict.log;
    }
  }
  EXPECT_GT(moves, 10U);
  EXPECT_GT(stays, 20U);
}

TEST(Signature, TheKernelAgreesOnWhatReturnsNothing) {
  SKEP_NEEDS_KERNEL_BPF();
  const Kernel kernel;
  unsigned checked = 0;
  for (const Helper* row : kHelperRows) {
    const Loadable* home = home_of(row->id);
    std::vector<isa::Insn> insns;
    bool complete = home != nullptr;
    for (std::uint8_t i = 0; i < row->arg_count() && complete; ++i)
      complete = kernel.right(insns, static_cast<std::uint8_t>(i + 1), signature(home->type, row->id).args[i]);
    if (!complete) continue;
    const isa::Insn look{.code = 0xbf, .dst = 8};  // r8 = r0
    const testing::Verdict verdict = kernel.call(*home, row->id, insns, "GPL", &look);
    const bool nothing = contains(verdict.log, "R0 !read_ok");
    if (verdict.error != 0 && !nothing) continue;
    ++checked;
    EXPECT_EQ(nothing, row->result == ResultKind::Void) << row->name << "\n" << verdict.log;
  }
  EXPECT_GT(checked, 60U);
}

}  // namespace
}  // namespace skep::spec
