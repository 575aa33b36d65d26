// BPF_PROG_TEST_RUN: errors and results against the kernel, byte for byte.
#include <numeric>

#include "base/errno.h"
#include "hive/testing.h"

namespace skep::hive::testing {
namespace {

using spec::AttachType;
using spec::AttrTest;
using spec::Command;
using spec::MapType;
using spec::ProgType;

std::byte packet[8192];
std::byte out[70'000];
spec::XdpMd xdp_in;
spec::SkBuffMd skb_in;
std::byte zeros[4096];
std::byte dirty[512];

using Change = std::function<void(AttrTest&)>;

spec::Attr test_attr(long prog, const Change& change) {
  spec::Attr attr{};
  attr.test.prog_fd = static_cast<std::uint32_t>(prog);
  attr.test.data_in = address(packet);
  attr.test.data_size_in = 64;
  change(attr.test);
  return attr;
}

long run(Bpf& bpf, Fds& fds, ProgType type, const Code& code, const Change& change) {
  spec::Attr attr = test_attr(fds.keep(load_prog(bpf, type, code)), change);
  return bpf(Command::ProgTestRun, attr);
}

Case with(ProgType type, const char* name, long expected, const Change& change, bool kernel = true) {
  return {name, expected, [=](Bpf& b, Fds& f) { return run(b, f, type, return_value(2), change); }, kernel};
}

std::vector<Case> of_both(ProgType type) {
  return {
      with(type, "a packet", 0, [](auto&) {}),
      with(type, "13 bytes", -EINVAL, [](auto& a) { a.data_size_in = 13; }),
      with(type, "14 bytes", 0, [](auto& a) { a.data_size_in = 14; }),
      with(type, "a bad address", -EFAULT, [](auto& a) { a.data_in = 16; }),
      with(type, "out to a bad address", -EFAULT, [](auto& a) { a.data_out = 16, a.data_size_out = 64; }),
      with(type, "out", 0, [](auto& a) { a.data_out = address(out), a.data_size_out = 64; }),
      with(type, "out, no size: all of it", 0, [](auto& a) { a.data_out = address(out); }),
      with(type, "out into 10 bytes", -ENOSPC, [](auto& a) { a.data_out = address(out), a.data_size_out = 10; }),
      with(type, "context size without a context", -EINVAL, [](auto& a) { a.ctx_size_in = 24; }),
      with(type, "context without a size", -EINVAL, [](auto& a) { a.ctx_in = address(zeros); }),
      with(type, "out context size alone", -EINVAL, [](auto& a) { a.ctx_size_out = 24; }),
      with(type, "context at a bad address", -EFAULT, [](auto& a) { a.ctx_in = 16, a.ctx_size_in = 8; }),
      with(type, "context out into 4 bytes", -ENOSPC,
           [=](auto& a) {
             xdp_in = {.data = 0,
                       .data_end = 64,
                       .data_meta = 0,
                       .ingress_ifindex = 0,
                       .rx_queue_index = 0,
                       .egress_ifindex = 0};
             skb_in = {};
             a.ctx_in = type == ProgType::Xdp ? address(&xdp_in) : address(&skb_in);
             a.ctx_size_in = 24;
             a.ctx_out = address(out), a.ctx_size_out = 4;
           }),
      with(type, "flags", -EINVAL, [](auto& a) { a.flags = 1; }),
      with(type, "batch size", -EINVAL, [](auto& a) { a.batch_size = 4; }),
      with(type, "repeat", 0, [](auto& a) { a.repeat = 100; }),
      with(type, "no program", -EBADF, [](auto& a) { a.prog_fd = kNoFd; }),
      with(type, "no program, half a context", -EINVAL, [](auto& a) { a.prog_fd = kNoFd, a.ctx_size_in = 4; }),
  };
}

// ---- Kernel functions

isa::Insn call_kfunc(std::string_view name) {
  return insn(0x85, 0, 2, 0, static_cast<int>(kernel_type(name, btf::Kind::Func)));
}
Code at_stack(int offset) { return {mov_reg(1, 10), insn(0x07, 1, 0, 0, offset)}; }

// Adds up what an iterator at r10 - 16 gives, after `made` made it.
Code sum_of(const Code& made, const std::string& iterator) {
  const Code next = at_stack(-16) + Code{call_kfunc(iterator + "_next"), insn(0x15, 0, 0, 3, 0), insn(0x61, 0, 0, 0, 0),
                                         insn(0x0f, 6, 0, 0, 0), insn(0x05, 0, 0, -7, 0)};
  return Code{mov(6, 0)} + made + next + at_stack(-16) +
         Code{call_kfunc(iterator + "_destroy"), mov_reg(0, 6), exit_insn()};
}
Code numbers() {
  return sum_of(at_stack(-16) + Code{mov(2, -3), mov(3, 10), call_kfunc("bpf_iter_num_new")}, "bpf_iter_num");
}
Code bits(int words) {
  return sum_of(Code{insn(0x7a, 10, 0, -32, 5), insn(0x7a, 10, 0, -24, 9)} + at_stack(-16) +
                    Code{mov_reg(2, 10), insn(0x07, 2, 0, 0, -32), mov(3, words), call_kfunc("bpf_iter_bits_new")},
                "bpf_iter_bits");
}

TEST(ProgTestRun, KernelFunctionsAreCalled) {
  if (!KernelBpf::here()) GTEST_SKIP() << "no bpf(2) here";
  KernelBpf kernel;
  HiveBpf plain(Options{.engine = Engine::Interp}), checked(Options{.engine = Engine::Checked});
  for (const Code& code : {numbers(), bits(1), bits(2)}) {
    std::vector<std::uint32_t> results;
    for (Bpf* bpf : std::initializer_list<Bpf*>{&kernel, &plain, &checked}) {
      Fds fds;
      spec::Attr attr = test_attr(fds.keep(load_prog(*bpf, ProgType::SocketFilter, code)), [](AttrTest&) {});
      EXPECT_EQ((*bpf)(Command::ProgTestRun, attr), 0);
      results.push_back(attr.test.retval);
    }
    EXPECT_NE(results[0], 0U);
    EXPECT_EQ(results, std::vector(3, results[0]));
  }
}

TEST(ProgTestRun, XdpErrors) {
  judge(of_both(ProgType::Xdp));
  xdp_in = {.data = 0, .data_end = 64, .data_meta = 0, .ingress_ifindex = 0, .rx_queue_index = 0, .egress_ifindex = 0};
  const auto context = [](spec::XdpMd md) {
    return [=](auto& a) { xdp_in = md, a.ctx_in = address(&xdp_in), a.ctx_size_in = sizeof xdp_in; };
  };
  constexpr auto kXdp = ProgType::Xdp;
  judge({
      with(kXdp, "a context", 0, context({0, 64, 0, 0, 0, 0})),
      with(kXdp, "metadata", 0, context({8, 64, 0, 0, 0, 0})),
      with(kXdp, "odd metadata", -EINVAL, context({6, 64, 0, 0, 0, 0})),
      with(kXdp, "another end (later kernels take it for the linear part)", -EINVAL, context({0, 63, 0, 0, 0, 0}),
           false),
      with(kXdp, "data_meta", -EINVAL, context({0, 64, 4, 0, 0, 0})),
      with(kXdp, "no such interface", -ENODEV, context({0, 64, 0, 123456, 0, 0})),
      with(kXdp, "egress", -EINVAL, context({0, 64, 0, 0, 0, 1})),
      with(
          kXdp, "a longer context of zeros", -EINVAL, [](auto& a) { a.ctx_in = address(zeros), a.ctx_size_in = 512; },
          false),
      with(kXdp, "live frames, too many", -E2BIG,
           [](auto& a) { a.flags = spec::kTestXdpLiveFrames, a.batch_size = 257; }),
      with(kXdp, "more than a page", 0, [](auto& a) { a.data_size_in = 6000; }),
      with(kXdp, "more than fragments hold", -ENOMEM,
           [](auto& a) { a.data_in = address(out), a.data_size_in = 69632 + 4096; }),
      {"for a devmap", -EINVAL,
       [](Bpf& b, Fds& f) {
         const Code code = return_value(2);
         spec::Attr attr = prog_attr(ProgType::Xdp, code);
         attr.prog_load.expected_attach_type = static_cast<std::uint32_t>(AttachType::XdpDevmap);
         spec::Attr test = test_attr(f.keep(b(Command::ProgLoad, attr)), [](auto&) {});
         return b(Command::ProgTestRun, test);
       }},
  });
}

// A test run gives a packet a socket, with the addresses of its header.
TEST(ProgTestRun, TheSocketOfAPacket) {
  const auto reads = [](std::uint32_t protocol, std::int16_t offset, std::uint32_t value) {
    return [=](Bpf& b, Fds& f) {
      std::iota(reinterpret_cast<std::uint8_t*>(packet), reinterpret_cast<std::uint8_t*>(packet) + 64, std::uint8_t{0});
      packet[12] = static_cast<std::byte>(protocol >> 8), packet[13] = static_cast<std::byte>(protocol);
      const Code code =
          Code{insn(0xb7, 0, 0, 0, 0), insn(0x61, 2, 1, offset, 0),
               insn(0x56, 2, 0, 1, static_cast<std::int32_t>(value)), insn(0xb7, 0, 0, 0, 1), insn(0x95, 0, 0, 0, 0)};
      spec::Attr attr = test_attr(f.keep(load_prog(b, ProgType::CgroupSkb, code)), [](auto&) {});
      const long result = b(Command::ProgTestRun, attr);
      return result != 0 ? result : static_cast<long>(attr.test.retval);
    };
  };
  judge({
      {"IPv4", 1, reads(0x0800, 88, 2)},
      {"IPv4, remote", 1, reads(0x0800, 92, 0x21201f1e)},
      {"IPv4, local", 1, reads(0x0800, 96, 0x1d1c1b1a)},
      {"IPv4, no IPv6", 1, reads(0x0800, 100, 0)},
      {"IPv6", 1, reads(0x86dd, 88, 10)},
      {"IPv6, remote, last word", 1, reads(0x86dd, 112, 0x35343332)},
      {"IPv6, local, first word", 1, reads(0x86dd, 116, 0x19181716)},
      {"IPv6, remote port", 1, reads(0x86dd, 132, 0)},
      {"IPv6, local port", 1, reads(0x86dd, 136, 0)},
      {"ARP", 1, reads(0x0806, 88, 0)},
      {"ARP, remote", 1, reads(0x0806, 92, 0)},
  });
}

// Each test run starts with a storage of zeros, and keeps it for its repetitions.
TEST(ProgTestRun, TheStorageOfACgroup) {
  const auto counts = [](MapType type, std::uint32_t repeat, std::int32_t expected) {
    return [=](Bpf& b, Fds& f) {
      const long map = f.keep(create_map(b, {.type = type, .key = 8, .value = 4, .entries = 0}));
      const Code count = ld_imm64(1, 1, static_cast<int>(map)) + Code{mov(2, 0),
                                                                      insn(0x85, 0, 0, 0, 81),
                                                                      insn(0x61, 1, 0, 0, 0),
                                                                      insn(0x07, 1, 0, 0, 1),
                                                                      insn(0x63, 0, 1, 0, 0),
                                                                      mov(0, 0),
                                                                      insn(0x55, 1, 0, 1, expected),
                                                                      mov(0, 1),
                                                                      insn(0x95, 0, 0, 0, 0)};
      const long prog = f.keep(load_prog(b, ProgType::CgroupSkb, count));
      for (int run = 0; run < 2; ++run) {
        spec::Attr attr = test_attr(prog, [=](auto& a) { a.repeat = repeat; });
        if (const long result = b(Command::ProgTestRun, attr); result != 0) return result;
        if (attr.test.retval != 1) return 1000L + run;
      }
      return 0L;
    };
  };
  judge({
      {"one", 0, counts(MapType::CgroupStorage, 1, 1)},
      {"repeated", 0, counts(MapType::CgroupStorage, 5, 5)},
      {"per CPU", 0, counts(MapType::PercpuCgroupStorage, 1, 1)},
  });
}

// What runs is what is attached to the kernel's functions for tests; nothing is. The kernel's own answer is that of its
// functions, but not every kernel can attach to them.
TEST(ProgTestRun, ProgramsOnFunctions) {
  const std::uint32_t function = kernel_type("bpf_fentry_test1", btf::Kind::Func);
  if (function == 0) GTEST_SKIP() << "no types of the kernel";
  HiveBpf bpf({.verification = Verification::Skipped});  // which would refuse the third and the fourth
  Fds fds;
  const auto answer = [&](AttachType attach, std::uint32_t cpu = 0) -> long {
    const Code code = return_value(0);
    spec::Attr load = prog_attr(ProgType::Tracing, code);
    load.prog_load.expected_attach_type = static_cast<std::uint32_t>(attach);
    load.prog_load.attach_btf_id = function;
    spec::Attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(fds.keep(bpf(Command::ProgLoad, load)));
    attr.test.retval = 77;
    attr.test.cpu = cpu;
    const long result = bpf(Command::ProgTestRun, attr);
    return result != 0 ? result : static_cast<long>(attr.test.retval);
  };
  EXPECT_EQ(answer(AttachType::TraceFentry), 0);
  EXPECT_EQ(answer(AttachType::TraceFexit), 0);
  EXPECT_EQ(answer(AttachType::ModifyReturn), 2 << 16 | 33);
  EXPECT_EQ(answer(AttachType::TraceRawTp), -EFAULT);
  EXPECT_EQ(answer(AttachType::TraceFentry, 1), -EINVAL);
}

TEST(ProgTestRun, SkbErrors) {
  for (const ProgType type : {ProgType::SchedCls, ProgType::SocketFilter}) {
    judge(of_both(type));
    const auto context = [](auto change) {
      return [=](auto& a) { skb_in = {}, change(skb_in), a.ctx_in = address(&skb_in), a.ctx_size_in = sizeof skb_in; };
    };
    judge({
        with(type, "mark", 0, context([](auto& c) { c.mark = 5; })),
        with(type, "length", -EINVAL, context([](auto& c) { c.len = 64; })),
        with(type, "hash", -EINVAL, context([](auto& c) { c.hash = 5; })),
        with(type, "wire length too short", -EINVAL, context([](auto& c) { c.wire_len = 1; })),
        with(type, "many segments", -EINVAL, context([](auto& c) { c.gso_segs = 70'000; })),
        with(type, "a CPU", -EINVAL, [](auto& a) { a.cpu = 1; }),
        with(type, "more than a page", -EINVAL, [](auto& a) { a.data_size_in = 4096; }),
        with(type, "a longer context, not zeros", -E2BIG,
             [](auto& a) { dirty[300] = std::byte{1}, a.ctx_in = address(dirty), a.ctx_size_in = 512; }),
    });
  }
}

TEST(ProgTestRun, OtherTypes) {
  const auto plain = [](auto& a) { a.data_in = 0, a.data_size_in = 0; };
  judge({
      with(ProgType::Kprobe, "kprobe", -kNotSupported, plain),
      with(ProgType::RawTracepoint, "raw tracepoint", 0, plain),
      with(ProgType::RawTracepoint, "raw tracepoint with a packet", -EINVAL, [](auto&) {}),
      with(ProgType::RawTracepoint, "raw tracepoint, repeated", -EINVAL, [&](auto& a) { plain(a), a.repeat = 2; }),
      with(ProgType::RawTracepoint, "raw tracepoint, 13 arguments", -EINVAL,
           [&](auto& a) { plain(a), a.ctx_in = address(zeros), a.ctx_size_in = 104; }),
      with(ProgType::RawTracepoint, "raw tracepoint, a CPU without the flag", -EINVAL,
           [&](auto& a) { plain(a), a.cpu = 1; }),
      with(ProgType::RawTracepoint, "raw tracepoint, CPU 0", 0,
           [&](auto& a) { plain(a), a.flags = spec::kTestRunOnCpu; }),
      with(ProgType::RawTracepoint, "raw tracepoint, CPU 9999", -ENXIO,
           [&](auto& a) { plain(a), a.flags = spec::kTestRunOnCpu, a.cpu = 9999; }),
  });
}

// Everything a run gives back.
struct Result {
  long code = 0;
  std::uint32_t retval = 0;
  std::uint32_t size = 0;
  std::vector<std::byte> data = std::vector<std::byte>(256);
  std::vector<std::byte> context = std::vector<std::byte>(192);
  std::uint32_t context_size = 0;
  friend bool operator==(const Result&, const Result&) = default;
};

Result result_of(Bpf& bpf, ProgType type, const Code& code, const Change& change) {
  Fds fds;
  Result result;
  const long prog = fds.keep(load_prog(bpf, type, code));
  EXPECT_GE(prog, 0) << Hive::last_error();
  spec::Attr attr = test_attr(prog, [&](auto& a) {
    a.data_out = address(result.data.data());
    a.data_size_out = 256;
    a.ctx_out = address(result.context.data());
    a.ctx_size_out = 192;
    if (type == ProgType::Xdp) a.ctx_in = address(&xdp_in), a.ctx_size_in = sizeof xdp_in;
    change(a);
  });
  result.code = bpf(Command::ProgTestRun, attr);
  result.retval = attr.test.retval;
  result.size = attr.test.data_size_out;
  result.context_size = attr.test.ctx_size_out;
  return result;
}

TEST(ProgTestRun, ResultsAreTheKernels) {
  std::iota(reinterpret_cast<std::uint8_t*>(packet), reinterpret_cast<std::uint8_t*>(packet) + 64, std::uint8_t{1});
  // xdp: head down by 8; return the first word of the packet as it was
  const Code shift = {mov_reg(6, 1),
                      mov(2, 8),
                      call_helper(44),
                      insn(0x61, 2, 6, 0, 0),
                      insn(0x61, 3, 6, 4, 0),
                      mov_reg(4, 2),
                      insn(0x07, 4, 0, 0, 4),
                      insn(0x2d, 4, 3, 2, 0),
                      insn(0x61, 0, 2, 0, 0),
                      exit_insn(),
                      mov(0, 0),
                      exit_insn()};
  const Code length = {insn(0x61, 0, 1, 0, 0), exit_insn()};                         // skb->len
  const Code mark = {mov(2, 0x55), insn(0x63, 1, 2, 8, 0), mov(0, 3), exit_insn()};  // skb->mark = 0x55
  const Change cut = [](auto& a) { a.data_size_out = 16; };
  const Change marked = [](auto& a) {
    skb_in = {}, skb_in.mark = 7, skb_in.cb[2] = 9;
    a.ctx_in = address(&skb_in), a.ctx_size_in = sizeof skb_in;
  };
  const Change none = [](auto&) {};
  struct {
    const char* name;
    ProgType type;
    Code code;
    Change change;
  } const runs[] = {
      {"pass", ProgType::Xdp, return_value(2), none},
      {"shift", ProgType::Xdp, shift, none},
      {"shift thrice", ProgType::Xdp, shift, [](auto& a) { a.repeat = 3; }},
      {"too little room", ProgType::Xdp, shift, cut},
      {"length at tc", ProgType::SchedCls, length, none},
      {"length at a socket", ProgType::SocketFilter, length, none},
      {"mark", ProgType::SchedCls, mark, marked},
      {"negative", ProgType::SchedCls, return_value(-1), none},
  };
  xdp_in = {.data = 0, .data_end = 64, .data_meta = 0, .ingress_ifindex = 0, .rx_queue_index = 0, .egress_ifindex = 0};
  HiveBpf hive;
  KernelBpf kernel;
  for (const auto& test : runs) {
    const Result got = result_of(hive, test.type, test.code, test.change);
    EXPECT_TRUE(got.code == 0 || got.code == -ENOSPC) << test.name << " " << got.code << Hive::last_failure().text();
    if (!KernelBpf::here()) continue;
    const Result want = result_of(kernel, test.type, test.code, test.change);
    EXPECT_EQ(got.code, want.code) << test.name;
    EXPECT_EQ(got.retval, want.retval) << test.name;
    EXPECT_EQ(got.size, want.size) << test.name;
    EXPECT_EQ(got, want) << test.name;
  }
}

TEST(ProgTestRun, RepetitionsContinueOrReset) {
  const Code grow = {mov(2, -4),
                     mov_reg(6, 1),
                     call_helper(44),
                     insn(0x61, 0, 6, 4, 0),
                     insn(0x61, 1, 6, 0, 0),
                     insn(0x1f, 0, 1, 0, 0),
                     exit_insn()};  // one word more in front; return the length
  for (const auto& [repeat, length] : {std::pair(Repeat::Continue, 64U + 12), std::pair(Repeat::Reset, 64U + 4)}) {
    HiveBpf bpf({.repeat = repeat});
    Fds fds;
    spec::Attr attr = test_attr(fds.keep(load_prog(bpf, ProgType::Xdp, grow)), [](auto& a) { a.repeat = 3; });
    ASSERT_EQ(bpf(Command::ProgTestRun, attr), 0) << Hive::last_error() << Hive::last_failure().text();
    EXPECT_EQ(attr.test.retval, length);
  }
}

TEST(ProgTestRun, AStoppedProgramSaysWhy) {
  if (kHosted) GTEST_SKIP() << "the reason stays in the thread of the host";
  HiveBpf bpf({.verification = Verification::Skipped, .budget = 1000});
  Fds fds;
  // reads 8 bytes below the packet's end without a look
  const Code wild = {insn(0x61, 2, 1, 4, 0), insn(0x79, 0, 2, 0, 0), exit_insn()};
  spec::Attr attr = test_attr(fds.keep(load_prog(bpf, ProgType::Xdp, wild)), [](auto&) {});
  EXPECT_EQ(bpf(Command::ProgTestRun, attr), -EACCES);
  EXPECT_EQ(Hive::last_failure().kind, exec::Failure::Kind::OutOfBounds);
  EXPECT_FALSE(Hive::last_failure().text().empty());
  const Code endless = {insn(0x05, 0, 0, -1, 0), exit_insn()};
  attr = test_attr(fds.keep(load_prog(bpf, ProgType::Xdp, endless)), [](auto&) {});
  EXPECT_EQ(bpf(Command::ProgTestRun, attr), -ETIMEDOUT);
  attr = test_attr(fds.keep(load_prog(bpf, ProgType::Xdp, return_value(1))), [](auto&) {});
  EXPECT_EQ(bpf(Command::ProgTestRun, attr), 0);
  EXPECT_EQ(Hive::last_failure().kind, exec::Failure::Kind::None);
}

TEST(ProgTestRun, StatisticsWhileSomebodyAsks) {
  HiveBpf bpf;
  const long prog = load_prog(bpf, ProgType::Xdp, return_value(2));
  spec::Attr attr = test_attr(prog, [](auto& a) { a.repeat = 5; });
  const auto runs = [&] {
    spec::ProgInfo info{};
    EXPECT_EQ(get_info(bpf, prog, info), 0);
    return info.run_cnt;
  };
  ASSERT_EQ(bpf(Command::ProgTestRun, attr), 0);
  EXPECT_EQ(runs(), 0U);
  spec::Attr ask{};
  const long statistics = bpf(Command::EnableStats, ask);
  ASSERT_GE(statistics, 0);
  ASSERT_EQ(bpf(Command::ProgTestRun, attr), 0);
  EXPECT_EQ(runs(), 5U);
  ::close(static_cast<int>(statistics));
  ASSERT_EQ(bpf(Command::ProgTestRun, attr), 0);
  EXPECT_EQ(runs(), 5U);
  ::close(static_cast<int>(prog));
}

}  // namespace
}  // namespace skep::hive::testing
