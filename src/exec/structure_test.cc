// Structure: what is refused, in which words; which subprograms are found.
#include "exec/structure.h"

#include "exec/testing.h"
#include "isa/op.h"

namespace skep::exec {
namespace {

using testing::refusal;
using testing::source;

std::string checked(std::string_view text, Legal legal = Legal::Linux) {
  return refusal(check_structure(source(text), legal));
}

TEST(Structure, Refusals) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"r0 = 0\nexit", "accepted"},
      {"", "the program has no instructions"},
      {"r0 = 0", "instruction 0 (Mov64Imm): last insn is not an exit or jmp"},
      {"if r1 == 0 goto pc+1\nexit", "instruction 0 (JEq64Imm): jump out of range from insn 0 to 2"},
      {"goto pc-2\nexit", "instruction 0 (Goto): jump out of range from insn 0 to -1"},
      {"gotol pc-2\nexit", "instruction 0 (GotoLong): jump out of range from insn 0 to -1"},
      {"goto pc+1\nr1 = 0x1122334455667788\nexit", "instruction 0 (Goto): jump into the middle of ldimm64 insn 1"},
      {"call pc+9\nexit", "instruction 0 (CallLocal): no instruction starts at its target 10"},
      {"call pc-3\nexit", "instruction 0 (CallLocal): no instruction starts at its target -2"},
      {"call pc+1\nr1 = 0x1122334455667788\nexit", "instruction 0 (CallLocal): no instruction starts at its target 2"},
      {"call pc+1\nexit\nr0 = 0\ngoto pc-3", "instruction 3 (Goto): jump out of range from insn 3 to 1"},
      {"call pc+0\nr0 = 0\nexit", "instruction 0 (CallLocal): last insn is not an exit or jmp"},
      {"callx r1\nexit", "instruction 0 (CallReg): not in this dialect of the instruction set"},
      {"r1 = addr_space_cast(r2, 0, 1)\nexit", "instruction 0 (CastAddrSpace): there is no arena for addr_space_cast"},
      {".insn 0xff, 0, 0, 0, 0\nexit", "instruction 0 (code ff): unknown opcode"},
      {"r10 = 1\nexit", "instruction 0 (Mov64Imm): the frame pointer is read only"},
      {"r12 = 1\nexit", "instruction 0 (Mov64Imm): dst is no register"},
      {"r0 = 0\nexit\n.insn 0x18, 1, 0, 0, 0", "instruction 2 (LdImm64): 64-bit immediate without its second slot"},
      {"r1 = btf[id:5]\nexit", "instruction 0 (LdBtfId): there are no kernel variables"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(checked(text), expected) << text;
}

TEST(Structure, AnyDialectTakesBoth) {
  EXPECT_EQ(checked("callx r1\nmay_goto pc+0\nexit", Legal::Any), "accepted");
  EXPECT_EQ(checked("r1 = 5\nr12 = 3\nexit", Legal::Any), "instruction 1 (Mov64Imm): dst is no register");
}

TEST(Structure, SubprogramsByCallsAddressesAndNames) {
  Source made = source("call pc+3\nr2 = subprog[+4]\nexit\nr0 = 1\nexit\nr0 = 2\nexit\nr0 = 3\nexit");
  made.subprograms = {{0, "main"}, {4, "called"}, {8, "unused"}};
  const auto found = check_structure(made, Legal::Linux);
  ASSERT_TRUE(found) << found.error().message;
  std::string text;
  for (const Subprogram& subprogram : *found) text += std::to_string(subprogram.start) + subprogram.name + " ";
  EXPECT_EQ(text, "0main 4called 6 8unused ");
}

TEST(Structure, NamedSubprogramsMustStartAtInstructions) {
  Source made = source("r1 = 0x1122334455667788\nexit");
  for (const std::uint32_t start : {1U, 3U, 4'000'000'000U}) {
    made.subprograms = {{start, "odd"}};
    EXPECT_EQ(refusal(check_structure(made, Legal::Linux)),
              "subprogram \"odd\" starts at " + std::to_string(start) + ", where no instruction starts");
  }
}

TEST(Structure, TooLong) {
  Source made;
  made.insns.assign(isa::kMaxInsns + 1, isa::encode(isa::Op::Exit));
  EXPECT_EQ(refusal(check_structure(made, Legal::Linux)),
            "the program has 1000001 instructions, at most 1000000 can run");
}

TEST(Structure, TooManySubprograms) {
  Source made;
  for (int i = 0; i < 300; ++i) {
    isa::Insn call = isa::encode(isa::Op::CallLocal);
    call.imm = 300;
    made.insns.push_back(call);
  }
  made.insns.insert(made.insns.end(), 400, isa::encode(isa::Op::Exit));
  EXPECT_EQ(refusal(check_structure(made, Legal::Linux)), "the program has 301 subprograms, at most 256 can run");
}

}  // namespace
}  // namespace skep::exec
