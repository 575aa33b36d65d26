#include "isa/disasm.h"

#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <cstdio>
#include <cstring>
#include <map>
#include <sstream>

#include "isa/asm.h"

namespace skep::isa {
namespace {

// The names of a small XDP program, as its BTF gives them to bpftool.
class ExampleNames : public Names {
 public:
  std::string helper(std::int32_t id) const override {
    return id == 1 ? "bpf_map_lookup_elem" : id == 5 ? "bpf_ktime_get_ns" : "";
  }
  std::string kfunc(std::int32_t, std::int16_t) const override { return "bpf_dynptr_size"; }
  std::string subprog(std::size_t index) const override { return index == 14 ? "bpf_prog_a48ff8d29426ada5_sub" : ""; }
  std::string prototype(std::size_t index) const override {
    return index == 0 ? "int prog(struct xdp_md * ctx)" : index == 14 ? "int sub(struct xdp_md * ctx, int k)" : "";
  }
  std::string source(std::size_t index) const override { return index == 0 ? "u32 k = ctx->ingress_ifindex;" : ""; }
};

constexpr std::string_view kDump =
    R"(int prog(struct xdp_md * ctx):
; u32 k = ctx->ingress_ifindex;
   0: (61) r1 = *(u32 *)(r6 +12)
   1: (63) *(u32 *)(r10 -4) = r1
   2: (7a) *(u64 *)(r10 -16) = 0
   3: (bf) r2 = r10
   4: (07) r2 += -4
   5: (18) r1 = map[id:28]
   7: (85) call bpf_map_lookup_elem#1
   8: (15) if r0 == 0x0 goto pc+1
   9: (db) lock *(u64 *)(r0 +0) += r1
  10: (18) r2 = subprog[+3]
  12: (85) call pc+1#bpf_prog_a48ff8d29426ada5_sub
  13: (95) exit
int sub(struct xdp_md * ctx, int k):
  14: (18) r1 = map[id:30][0]+8
  16: (0c) w0 += w1
  17: (55) if r0 != 0xffffffff goto pc-2
  18: (18) r3 = 0x5566778811223344
  20: (95) exit
)";

TEST(Disasm, PrintsWhatBpftoolPrints) {
  const auto program = assemble(kDump);
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_EQ(disassemble(program->insns, ExampleNames(), {.stage = Stage::Translated}), kDump);
}

TEST(Disasm, BytesBelowEachInstruction) {
  const std::vector<Insn> program{{0x63, 10, 1, -4, 0}, {0x18, 3, 1, 0, 26}, {}};
  EXPECT_EQ(disassemble(program, no_names(), {.stage = Stage::Translated, .bytes = Show::Yes}),
            "   0: (63) *(u32 *)(r10 -4) = r1\n"
            "       63 1a fc ff 00 00 00 00\n"
            "   1: (18) r3 = map[id:26]\n"
            "       18 13 00 00 1a 00 00 00 00 00 00 00 00 00 00 00\n");
}

// After verification a subprogram's number is in imm and its distance in off.
TEST(Disasm, StagesDifferInMapsAndLocalCalls) {
  const std::vector<Insn> program{{0x85, 0, 1, 17, 1}, {0x18, 3, 1, 0, 26}, {}};
  EXPECT_EQ(to_text(program, 0), "call pc+1");
  EXPECT_EQ(to_text(program, 0, no_names(), {.stage = Stage::Translated}), "call pc+17");
  EXPECT_EQ(to_text(program, 1), "r3 = map[fd:26]");
  EXPECT_EQ(to_text(program, 1, no_names(), {.stage = Stage::Translated}), "r3 = map[id:26]");
}

TEST(Disasm, KfuncsTellWhichOnlyInSource) {
  const std::vector<Insn> program{{0x85, 0, 2, 3, 99}};
  EXPECT_EQ(to_text(program, 0, ExampleNames()), "call bpf_dynptr_size#99");
  EXPECT_EQ(to_text(program, 0, ExampleNames(), {.text = Text::Source}), "call kfunc bpf_dynptr_size#99 fd:3");
}

TEST(Disasm, IllegalInstructionsPrintAsInLinux) {
  const auto kernel = [](Insn insn) { return to_text(std::span(&insn, 1), 0); };
  EXPECT_EQ(kernel({0xb7, 1, 0, 9, 5}), "r1 = 5");          // reserved off
  EXPECT_EQ(kernel({0x85, 0, 7, 0, 5}), "call unknown#5");  // unknown kind of call
  EXPECT_EQ(kernel({0xdb, 1, 2, 0, 0x33}), "BUG_db");       // unknown atomic
  EXPECT_EQ(kernel({0xff, 1, 2, 0, 0}), "BUG_ff");
  EXPECT_EQ(kernel({0x18, 1, 0, 0, 5}), "r1 = 0x5");  // no second slot
  const Insn odd{0xb7, 1, 0, 9, 5};
  EXPECT_EQ(to_text(std::span(&odd, 1), 0, no_names(), {.text = Text::Source}), ".insn 0xb7, 1, 0, 9, 5");
}

// ---- The running kernel's verifier prints every instruction of a program before it judges it ----

constexpr char kLicense[] = "GPL";

struct Loaded {
  int fd;
  std::string log;
};

Loaded load(const std::vector<Insn>& program) {
  std::string log(1 << 20, '\0');
  bpf_attr attr;
  std::memset(&attr, 0, sizeof attr);
  attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attr.insn_cnt = static_cast<std::uint32_t>(program.size());
  attr.insns = std::bit_cast<std::uint64_t>(program.data());
  attr.license = std::bit_cast<std::uint64_t>(&kLicense);
  attr.log_level = 2;
  attr.log_size = static_cast<std::uint32_t>(log.size());
  attr.log_buf = std::bit_cast<std::uint64_t>(log.data());
  const long fd = syscall(__NR_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
  log.resize(log.find('\0'));
  return {static_cast<int>(fd), log};
}

// The lines below "Live regs before insn:", which list the whole program: "  3: .12...6789 (b7) r0 = 1".
std::map<std::size_t, std::string> listed(const std::string& log) {
  std::map<std::size_t, std::string> lines;
  std::istringstream stream(log.substr(std::min(log.find("Live regs before insn:"), log.size())));
  std::string line;
  std::getline(stream, line);
  while (std::getline(stream, line) && line.starts_with(" ") && line.contains('('))
    lines[std::stoul(line)] = line.substr(line.find('('));
  return lines;
}

// What a plain program may hold as far as the listing; the rest needs maps, BTF, arenas, or is no Linux instruction.
bool listable(Op op) {
  if (is_ld_imm64(op)) return op == Op::LdImm64;
  return op != Op::CallKfunc && op != Op::CallReg && op != Op::CallLocal && op != Op::CastAddrSpace && op != Op::Exit;
}

std::vector<Insn> every_instruction() {
  std::vector<Insn> program;
  for (std::size_t i = 1; i < kOps; ++i) {
    const Op op = static_cast<Op>(i);
    if (!listable(op)) continue;
    Insn insn = encode(op);
    const bool jumps = is_jump(op);
    const Select select = info(op).select;
    insn.dst = static_cast<unsigned>(i) % 10 & 0xf;
    if (select != Select::Src) insn.src = static_cast<unsigned>(i + 3) % 10 & 0xf;
    if (select != Select::Off && !jumps) insn.off = static_cast<std::int16_t>(i * 977 % 3000) - 1500 < 0 ? -8 : 16;
    if (select != Select::Imm && op != Op::GotoLong) insn.imm = i % 2 ? -7 : 100;
    const unsigned stray = stray_fields(op, insn);
    if (stray & kDst) insn.dst = 0;
    if (stray & kSrc) insn.src = 0;
    if (stray & kOff) insn.off = 0;
    if (stray & kImm) insn.imm = 0;
    if (op == Op::CallHelper) insn.imm = BPF_FUNC_ktime_get_ns;
    program.push_back(insn);
    if (is_ld_imm64(op)) program.push_back({0, 0, 0, 0, 0x1234});
  }
  program.push_back(encode(Op::Exit));
  return program;
}

class ClockName : public Names {
 public:
  std::string helper(std::int32_t id) const override { return id == BPF_FUNC_ktime_get_ns ? "bpf_ktime_get_ns" : ""; }
};

TEST(Disasm, AgreesWithTheRunningVerifierOnEveryInstruction) {
  const std::vector<Insn> program = every_instruction();
  const auto [fd, log] = load(program);
  EXPECT_LT(fd, 0);  // it is listed, then refused for reading registers that hold nothing
  const auto lines = listed(log);
  if (lines.empty()) GTEST_SKIP() << "no bpf(2) here, or a kernel that does not list programs in its log";
  EXPECT_GE(lines.size(), kOps - 14);
  for (const auto& [index, line] : lines) {
    std::string ours;
    print(ours, program, index, ClockName(), {.index = Show::No});
    EXPECT_EQ(ours, line + '\n') << index;
  }
}

// ---- bpftool, on what the kernel made of a program ----

int array_map() {
  bpf_attr attr;
  std::memset(&attr, 0, sizeof attr);
  attr.map_type = BPF_MAP_TYPE_ARRAY;
  attr.key_size = 4;
  attr.value_size = 64;
  attr.max_entries = 1;
  return static_cast<int>(syscall(__NR_bpf, BPF_MAP_CREATE, &attr, sizeof attr));
}

// Fills `info` and the translated instructions of the program.
std::vector<Insn> translated(int fd, bpf_prog_info& info) {
  std::vector<Insn> insns(4096);
  std::memset(&info, 0, sizeof info);
  info.xlated_prog_len = static_cast<std::uint32_t>(insns.size() * sizeof(Insn));
  info.xlated_prog_insns = std::bit_cast<std::uint64_t>(insns.data());
  bpf_attr attr;
  std::memset(&attr, 0, sizeof attr);
  attr.info.bpf_fd = static_cast<std::uint32_t>(fd);
  attr.info.info_len = sizeof info;
  attr.info.info = std::bit_cast<std::uint64_t>(&info);
  if (syscall(__NR_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof attr) != 0) return {};
  insns.resize(info.xlated_prog_len / sizeof(Insn));
  return insns;
}

std::string output_of(const std::string& command) {
  std::string out;
  FILE* const pipe = popen(command.c_str(), "r");
  if (!pipe) return out;
  char buffer[4096];
  std::size_t n = 0;
  while ((n = fread(buffer, 1, sizeof buffer, pipe)) > 0) out.append(buffer, n);
  pclose(pipe);
  return out;
}

// The kernel's symbols name helpers and subprograms; here only the rest is compared: "call x#5" becomes "call #5",
// "call pc+3#x" becomes "call pc+3".
std::string without_names(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line); out += line + '\n') {
    const std::size_t call = line.find("call "), hash = line.find('#');
    if (call == std::string::npos || hash == std::string::npos) continue;
    if (line.substr(call + 5, 2) == "pc")
      line.resize(hash);
    else
      line.erase(call + 5, hash - call - 5);
  }
  return out;
}

TEST(Disasm, AgreesWithBpftoolOnALoadedProgram) {
  const int map = geteuid() == 0 ? array_map() : -1;
  if (map < 0) GTEST_SKIP() << "no right to bpf(2) here";
  auto program = assemble(R"(
      r0 = 0
      r6 = r1
      w2 = -5
      r1 = 0x1122334455667788
      r3 = map[counters][0]+8
      *(u64 *)(r10 -8) = 7
      *(u32 *)(r10 -12) = r2
      r2 = *(u64 *)(r10 -8)
      r2 s>>= 3
      r2 = be64 r2
      lock *(u64 *)(r10 -8) += r2
      r1 = atomic_fetch_or((u32 *)(r10 -8), r1)
      r0 = atomic64_cmpxchg((u64 *)(r10 -8), r0, r2)
      if w2 s< 0xffffffff goto past
      if r2 & r1 goto past
past: r0 = *(u16 *)skb[12]
      r1 = map[counters]
      r2 = r10
      r2 += -12
      call #1
      call other
      exit
other: r0 = 3
      exit
)");
  ASSERT_TRUE(program) << program.error().message;
  for (Insn& insn : program->insns)
    if (decode(insn) == Op::LdMapFd || decode(insn) == Op::LdMapValue) insn.imm = map;
  const auto [fd, log] = load(program->insns);
  ASSERT_GE(fd, 0) << log;
  bpf_prog_info info;
  const auto insns = translated(fd, info);
  const std::string theirs =
      output_of("bpftool prog dump xlated id " + std::to_string(info.id) + " opcodes 2>/dev/null");
  close(fd);
  close(map);
  if (theirs.empty()) GTEST_SKIP() << "no bpftool here";
  const std::string ours = disassemble(insns, no_names(), {.stage = Stage::Translated, .bytes = Show::Yes});
  EXPECT_EQ(without_names(ours), without_names(theirs));
}

}  // namespace
}  // namespace skep::isa
