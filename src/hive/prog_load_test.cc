// BPF_PROG_LOAD: every check before the verifier, in the kernel's order; logs; what programs hold.
#include "base/errno.h"
#include "hive/tag.h"
#include "hive/testing.h"

namespace skep::hive::testing {
namespace {

using spec::AttachType;
using spec::AttrProgLoad;
using spec::Command;
using spec::MapType;
using spec::ProgType;

using Change = std::function<void(AttrProgLoad&)>;
long load(Bpf& bpf, Fds& fds, const Code& code, const Change& change = {}, ProgType type = ProgType::SocketFilter) {
  spec::Attr attr = prog_attr(type, code);
  if (change) change(attr.prog_load);
  return fds.keep(bpf(Command::ProgLoad, attr));
}
const Code kReturn0 = return_value(0);

Case with(const char* name, long expected, Change change, ProgType type = ProgType::SocketFilter) {
  return {name, expected, [=](Bpf& b, Fds& f) { return load(b, f, kReturn0, change, type); }};
}

TEST(ProgLoad, Attributes) {
  const auto nowhere = std::uint64_t{16};
  judge({
      with("a program", 0, {}),
      with("unknown flags", -EINVAL, [](auto& a) { a.prog_flags = 1U << 30; }),
      with("no instructions", -E2BIG, [](auto& a) { a.insn_cnt = 0; }),
      with("too many instructions", -E2BIG, [](auto& a) { a.insn_cnt = 1'000'001; }),
      with("too many of an unknown type", -E2BIG, [](auto& a) { a.insn_cnt = 1'000'001, a.prog_type = 900; }),
      with("instructions at a bad address", -EFAULT, [=](auto& a) { a.insns = nowhere; }),
      with("license at a bad address", -EFAULT, [=](auto& a) { a.license = nowhere; }),
      with("no license", -EFAULT, [](auto& a) { a.license = 0; }),
      with("unknown type", -EINVAL, [](auto& a) { a.prog_type = 900; }),
      with("type 0", -EINVAL, [](auto& a) { a.prog_type = 0; }),
      with("unknown type, license at a bad address", -EFAULT, [=](auto& a) { a.prog_type = 900, a.license = nowhere; }),
      with("a name", 0, [](auto& a) { std::memcpy(a.prog_name, "good_name.1", 11); }),
      with("a name with a dash", -EINVAL, [](auto& a) { std::memcpy(a.prog_name, "bad-name", 8); }),
      with("a name without end", -EINVAL, [](auto& a) { std::memset(a.prog_name, 'x', 16); }),
      with("a token flag without a token", -EBADF,
           [](auto& a) { a.prog_flags = spec::kProgTokenFd, a.prog_token_fd = kNoFd; }),
      with("attach_btf_id of a type without", -EINVAL, [](auto& a) { a.attach_btf_id = 5; }),
      with(
          "attach_prog_fd that is none", -EINVAL, [](auto& a) { a.attach_prog_fd = kNoFd; }, ProgType::Tracing),
      with("attach_prog_fd of a type without", -EINVAL, [](auto& a) { a.attach_prog_fd = kNoFd; }),
      with(
          "a device that is not there", -EINVAL, [](auto& a) { a.prog_ifindex = 123456; }, ProgType::Xdp),
      with(
          "a device that takes no programs", -EOPNOTSUPP, [](auto& a) { a.prog_ifindex = 1; }, ProgType::Xdp),
      with("a device for socket filters", -EINVAL, [](auto& a) { a.prog_ifindex = 1; }),
      with(
          "bound to no device", 0, [](auto& a) { a.prog_flags = spec::kXdpDevBoundOnly; }, ProgType::Xdp),
      with(
          "any kernel version", 0, [](auto& a) { a.kern_version = 77; }, ProgType::Kprobe),
  });
}

// The checks of attach targets before the verifier's, which know types from 1 on and no names.
TEST(ProgLoad, AttachTargets) {
  const auto to = [](ProgType type, const Change& change) {
    return [=](Bpf& b, Fds& f) { return load(b, f, kReturn0, change, type); };
  };
  judge({
      {"kernel type beyond all", -EINVAL, to(ProgType::Tracing, [](auto& a) { a.attach_btf_id = 0x100000; })},
      {"kernel type for a filter", -EINVAL, to(ProgType::SocketFilter, [](auto& a) { a.attach_btf_id = 1; })},
      {"a program for a filter", -EINVAL,
       [](Bpf& b, Fds& f) {
         const long target = load(b, f, kReturn0);
         return load(b, f, kReturn0, [=](auto& a) { a.attach_prog_fd = static_cast<std::uint32_t>(target); });
       }},
      {"a BTF that is no kernel's", -kNotSupported,
       [](Bpf& b, Fds& f) {
         BtfBuilder btf;
         btf.integer("int", 4);
         const long types = f.keep(load_btf(b, btf.bytes()));
         return load(
             b, f, kReturn0,
             [=](auto& a) { a.attach_btf_obj_fd = static_cast<std::uint32_t>(types), a.attach_btf_id = 1; },
             ProgType::Tracing);
       }},
  });
}

TEST(ProgLoad, WithoutTheKernelsTypesThereIsNothingToAttachTo) {
  HiveBpf bpf(Options{.kernel_btf = "/nonexistent"});
  Fds fds;
  EXPECT_EQ(load(bpf, fds, kReturn0, [](auto& a) { a.attach_btf_id = 1; }, ProgType::Tracing), -EINVAL);
}

TEST(ProgLoad, AttachTypes) {
  const auto attach = [](ProgType type, AttachType attach_type) {
    return [=](Bpf& b, Fds& f) {
      return load(
          b, f, return_value(1), [=](auto& a) { a.expected_attach_type = static_cast<std::uint32_t>(attach_type); },
          type);
    };
  };
  judge({
      {"sock, create", 0, attach(ProgType::CgroupSock, AttachType::CgroupInetSockCreate)},
      {"sock, 0 means create", 0, attach(ProgType::CgroupSock, AttachType{0})},
      {"sock, another", -EINVAL, attach(ProgType::CgroupSock, AttachType::CgroupInet4Bind)},
      {"sock_addr, connect", 0, attach(ProgType::CgroupSockAddr, AttachType::CgroupInet4Connect)},
      {"sock_addr, unix", 0, attach(ProgType::CgroupSockAddr, AttachType::CgroupUnixConnect)},
      {"sock_addr, another", -EINVAL, attach(ProgType::CgroupSockAddr, AttachType::CgroupInetSockCreate)},
      {"skb, egress", 0, attach(ProgType::CgroupSkb, AttachType::CgroupInetEgress)},
      {"skb, another", -EINVAL, attach(ProgType::CgroupSkb, AttachType::CgroupInetSockCreate)},
      {"sockopt, set", 0, attach(ProgType::CgroupSockopt, AttachType::CgroupSetsockopt)},
      {"sockopt, another", -EINVAL, attach(ProgType::CgroupSockopt, AttachType{0})},
      {"sk_lookup", 0, attach(ProgType::SkLookup, AttachType::SkLookup)},
      {"sk_lookup, another", -EINVAL, attach(ProgType::SkLookup, AttachType{0})},
      {"reuseport, 0 means select", 0, attach(ProgType::SkReuseport, AttachType{0})},
      {"reuseport, another", -EINVAL, attach(ProgType::SkReuseport, AttachType::SkLookup)},
      {"syscall, another", -EINVAL, attach(ProgType::Syscall, AttachType::SkLookup)},
      {"socket filter, any", 0, attach(ProgType::SocketFilter, AttachType::SkLookup)},
      {"socket filter, unknown", 0, attach(ProgType::SocketFilter, AttachType{9999})},
  });
}

// A load of a map with the given pseudo source: r1 = map[fd], second immediate `next`.
Code of_map(unsigned src, int fd, int next = 0) { return ld_imm64(1, src, fd, next) + kReturn0; }

TEST(ProgLoad, MapsOfInstructions) {
  const auto array = [](Bpf& b, Fds& f, std::uint32_t entries = 1) {
    return static_cast<int>(f.keep(create_map(b, {.entries = entries})));
  };
  judge({
      {"a map", 0, [&](Bpf& b, Fds& f) { return load(b, f, of_map(1, array(b, f))); }},
      {"no descriptor", -EBADF, [&](Bpf& b, Fds& f) { return load(b, f, of_map(1, kNoFd)); }},
      {"a file", -EINVAL,
       [&](Bpf& b, Fds& f) { return load(b, f, of_map(1, static_cast<int>(f.keep(::open("/dev/null", O_RDONLY))))); }},
      {"a map with an offset", -EINVAL, [&](Bpf& b, Fds& f) { return load(b, f, of_map(1, array(b, f), 4)); }},
      {"a value", 0, [&](Bpf& b, Fds& f) { return load(b, f, of_map(2, array(b, f), 4)); }},
      {"a value of several", -kNotSupported, [&](Bpf& b, Fds& f) { return load(b, f, of_map(2, array(b, f, 2))); }},
      {"a value of a hash", -EINVAL,
       [&](Bpf& b, Fds& f) {
         return load(b, f, of_map(2, static_cast<int>(f.keep(create_map(b, {.type = MapType::Hash})))));
       }},
      {"beyond the value", -EINVAL, [&](Bpf& b, Fds& f) { return load(b, f, of_map(2, array(b, f), 8)); }},
      {"far beyond", -EINVAL, [&](Bpf& b, Fds& f) { return load(b, f, of_map(2, array(b, f), 1 << 29)); }},
      {"unknown source", -EINVAL, [&](Bpf& b, Fds& f) { return load(b, f, of_map(9, array(b, f))); }},
      {"half an instruction", -EINVAL, [&](Bpf& b, Fds& f) { return load(b, f, Code{ld_imm64(1, 0, 0)[0]}); }},
      {"an index without an array", -EPROTO, [&](Bpf& b, Fds& f) { return load(b, f, of_map(5, 0)); }},
      {"an index", 0,
       [&](Bpf& b, Fds& f) {
         const int fd_array[] = {-1, array(b, f)};
         return load(b, f, of_map(5, 1), [&](auto& a) { a.fd_array = address(fd_array); });
       }},
      {"an index of a value", 0,
       [&](Bpf& b, Fds& f) {
         const int fd_array[] = {-1, array(b, f)};
         return load(b, f, of_map(6, 1, 4), [&](auto& a) { a.fd_array = address(fd_array); });
       }},
      {"an array at a bad address", -EFAULT,
       [&](Bpf& b, Fds& f) { return load(b, f, of_map(5, 1), [](auto& a) { a.fd_array = 16; }); }},
      {"64 maps", 0,
       [&](Bpf& b, Fds& f) {
         Code code;
         for (int i = 0; i < 64; ++i) code = code + ld_imm64(1, 1, array(b, f));
         return load(b, f, code + kReturn0);
       }},
      {"65 maps", -E2BIG,
       [&](Bpf& b, Fds& f) {
         Code code;
         for (int i = 0; i < 65; ++i) code = code + ld_imm64(1, 1, array(b, f));
         return load(b, f, code + kReturn0);
       }},
      {"a load with reserved fields", -EINVAL,
       [&](Bpf& b, Fds& f) { return load(b, f, Code{insn(0x61, 0, 1, 0, 5)} + kReturn0); }},
      {"an unknown opcode", -EINVAL,
       [&](Bpf& b, Fds& f) { return load(b, f, Code{insn(0xff, 0, 0, 0, 0)} + kReturn0); }},
      {"no exit", -EINVAL, [&](Bpf& b, Fds& f) { return load(b, f, Code{mov(0, 0)}); }},
      {"a jump out of the program", -EINVAL,
       [&](Bpf& b, Fds& f) { return load(b, f, Code{insn(0x05, 0, 0, 77, 0)} + kReturn0); }},
  });
}

TEST(ProgLoad, LogAttributes) {
  char buffer[4096];
  const Code broken = {mov(0, 0)};
  const auto logged = [&](const Code& code, std::uint32_t level, void* at, std::uint32_t size) {
    return [=](Bpf& b, Fds& f) {
      return load(b, f, code, [=](auto& a) { a.log_level = level, a.log_buf = address(at), a.log_size = size; });
    };
  };
  judge({
      {"a log", 0, logged(kReturn0, 1, buffer, sizeof buffer)},
      {"a level without a buffer", 0, logged(kReturn0, 1, static_cast<char*>(nullptr), 0)},
      {"a buffer without a level", -EINVAL, logged(kReturn0, 0, buffer, sizeof buffer)},
      {"a buffer without a size", -EINVAL, logged(kReturn0, 1, buffer, 0)},
      {"a size without a buffer", -EINVAL, logged(kReturn0, 1, static_cast<char*>(nullptr), 100)},
      {"an unknown level", -EINVAL, logged(kReturn0, 16, buffer, sizeof buffer)},
      {"a huge size", -EINVAL, logged(kReturn0, 1, buffer, 0xffffffff)},
      {"too small for an error", -ENOSPC, logged(broken, 1, buffer, 4)},
      {"at a bad address", -EFAULT, logged(broken, 1, reinterpret_cast<char*>(16), 100)},
  });
}

TEST(ProgLoad, TheLogSaysWhatIsWrong) {
  HiveBpf bpf;
  char log[256] = {};
  const Code code = Code{insn(0x05, 0, 0, 77, 0)} + kReturn0;
  spec::Attr attr = prog_attr(ProgType::SocketFilter, code);
  attr.prog_load.log_level = 1;
  attr.prog_load.log_buf = address(log);
  attr.prog_load.log_size = sizeof log;
  ASSERT_EQ(bpf(Command::ProgLoad, attr), -EINVAL);
  EXPECT_NE(std::string(log).find("jump out of range from insn 0 to 78"), std::string::npos) << log;
  EXPECT_EQ(attr.prog_load.log_true_size, std::strlen(log) + 1);
  const std::string whole = log;
  attr.prog_load.log_size = 8;  // its end
  ASSERT_EQ(bpf(Command::ProgLoad, attr), -ENOSPC);
  EXPECT_EQ(std::string(log), whole.substr(whole.size() - 7));
  attr.prog_load.log_level = 1 | spec::kLogFixed;  // its beginning
  ASSERT_EQ(bpf(Command::ProgLoad, attr), -ENOSPC);
  EXPECT_EQ(std::string(log), whole.substr(0, 7));
  EXPECT_EQ(attr.prog_load.log_true_size, whole.size() + 1);
}

// BTF with a function (3) of prototype (2) and the strings "main", "file.c", "a line".
struct Debug {
  Debug(Bpf& bpf, Fds& fds) {
    const std::uint32_t word = btf.integer("int", 4);
    btf.add("", 13, 0, word);
    btf.add("main", 12, 1, 2);
    btf.add("static_one", 12, 0, 2);
    file = btf.string("file.c");
    line = btf.string("a line");
    fd = fds.keep(load_btf(bpf, btf.bytes()));
  }
  void apply(AttrProgLoad& attr) {
    attr.prog_btf_fd = static_cast<std::uint32_t>(fd);
    attr.func_info = address(funcs.data());
    attr.func_info_cnt = static_cast<std::uint32_t>(funcs.size());
    attr.func_info_rec_size = sizeof(spec::FuncInfo);
    attr.line_info = address(lines.data());
    attr.line_info_cnt = static_cast<std::uint32_t>(lines.size());
    attr.line_info_rec_size = sizeof(spec::LineInfo);
  }
  BtfBuilder btf;
  std::uint32_t file = 0, line = 0;
  long fd = -1;
  std::vector<spec::FuncInfo> funcs = {{0, 3}};
  std::vector<spec::LineInfo> lines;
};

Case debugged(const char* name, long expected, std::function<void(Debug&, AttrProgLoad&)> change,
              Code code = kReturn0) {
  return {name, expected, [=](Bpf& b, Fds& f) {
            Debug debug(b, f);
            debug.lines = {{0, debug.file, debug.line, 1 << 10}};
            spec::Attr attr = prog_attr(ProgType::SocketFilter, code);
            debug.apply(attr.prog_load);
            change(debug, attr.prog_load);
            const auto before = attr.prog_load.func_info_cnt;
            if (before == 1 && debug.funcs.size() != 1) debug.apply(attr.prog_load);
            return f.keep(b(Command::ProgLoad, attr));
          }};
}

TEST(ProgLoad, FunctionsAndLines) {
  // call +1; exit; r0 = 0; exit
  const Code two = Code{insn(0x85, 0, 1, 0, 1), exit_insn()} + kReturn0;
  judge({
      debugged("both", 0, [](Debug&, auto&) {}),
      debugged("no BTF", -EBADF, [](Debug&, auto& a) { a.prog_btf_fd = kNoFd; }),
      debugged("no BTF, no records", 0,
               [](Debug&, auto& a) { a.prog_btf_fd = kNoFd, a.func_info_cnt = 0, a.line_info_cnt = 0; }),
      debugged("records too small", -EINVAL, [](Debug&, auto& a) { a.func_info_rec_size = 4; }),
      debugged("records too large", -EINVAL, [](Debug&, auto& a) { a.func_info_rec_size = 256; }),
      debugged("records of odd size", -EINVAL, [](Debug&, auto& a) { a.func_info_rec_size = 10; }),
      debugged("function not at 0", -EINVAL, [](Debug& d, auto&) { d.funcs[0].insn_off = 1; }),
      debugged("function of a type that is none", -EINVAL, [](Debug& d, auto&) { d.funcs[0].type_id = 1; }),
      debugged("function of a type that is not there", -EINVAL, [](Debug& d, auto&) { d.funcs[0].type_id = 99; }),
      debugged("functions at a bad address", -EFAULT, [](Debug&, auto& a) { a.func_info = 16; }),
      debugged("one function too many", -EINVAL, [](Debug& d, auto&) { d.funcs.push_back({1, 4}); }),
      debugged("lines at a bad address", -EFAULT, [](Debug&, auto& a) { a.line_info = 16; }),
      debugged("line records too small", -EINVAL, [](Debug&, auto& a) { a.line_info_rec_size = 12; }),
      debugged("a line beyond the end", -EINVAL, [](Debug& d, auto&) { d.lines[0].insn_off = 9; }),
      debugged("a line of a string that is not there", -EINVAL, [](Debug& d, auto&) { d.lines[0].line_off = 9999; }),
      debugged("a file that is not there", -EINVAL, [](Debug& d, auto&) { d.lines[0].file_name_off = 9999; }),
      debugged("first line not at 0", -EINVAL, [](Debug& d, auto&) { d.lines[0].insn_off = 1; }),
      debugged("too many lines", -EINVAL, [](Debug&, auto& a) { a.line_info_cnt = 0x40000000; }),
      {"two functions", 0,
       [&](Bpf& b, Fds& f) {
         Debug debug(b, f);
         debug.funcs = {{0, 3}, {2, 4}};
         return load(b, f, two, [&](auto& a) { debug.apply(a); });
       }},
      {"two functions, one record", -EINVAL,
       [&](Bpf& b, Fds& f) {
         Debug debug(b, f);
         return load(b, f, two, [&](auto& a) { debug.apply(a); });
       }},
      {"second function in another place", -EINVAL,
       [&](Bpf& b, Fds& f) {
         Debug debug(b, f);
         debug.funcs = {{0, 3}, {3, 4}};
         return load(b, f, two, [&](auto& a) { debug.apply(a); });
       }},
      {"second function without a line", -EINVAL,
       [&](Bpf& b, Fds& f) {
         Debug debug(b, f);
         debug.funcs = {{0, 3}, {2, 4}};
         debug.lines = {{0, debug.file, debug.line, 1 << 10}, {3, debug.file, debug.line, 2 << 10}};
         return load(b, f, two, [&](auto& a) { debug.apply(a); });
       }},
  });
}

TEST(ProgLoad, LongerRecordsMustEndInZeros) {
  const auto longer = [](std::uint32_t last) {
    return [=](Bpf& b, Fds& f) {
      Debug debug(b, f);
      const std::uint32_t record[] = {0, 3, last};
      spec::Attr attr = prog_attr(ProgType::SocketFilter, kReturn0);
      debug.apply(attr.prog_load);
      attr.prog_load.func_info = address(record);
      attr.prog_load.func_info_rec_size = sizeof record;
      const long result = f.keep(b(Command::ProgLoad, attr));
      EXPECT_EQ(attr.prog_load.func_info_rec_size, last != 0 ? 8U : 12U) << "what is known is written back";
      return result;
    };
  };
  judge({{"zeros", 0, longer(0)}, {"not zeros", -E2BIG, longer(1)}});
}

TEST(ProgLoad, TagsAreSha1OfTheInstructions) {
  const auto hex = [](auto bytes) {
    std::string text;
    char two[3];
    for (const auto byte : bytes) text += (std::snprintf(two, sizeof two, "%02x", byte), two);
    return text;
  };
  const std::string_view abc = "abc";
  EXPECT_EQ(hex(sha1(std::as_bytes(std::span(abc)))), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hex(sha1({})), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  const std::string long_text(1000, 'a');
  EXPECT_EQ(hex(sha1(std::as_bytes(std::span(long_text)))), "291e9a6c66994949b57ba5e650361e98fc36b1ba");
  // "r0 = 0; exit" on every kernel up to 6.17.
  EXPECT_EQ(hex(tag_of(kReturn0)), "a04f5eef06a7f555");
  EXPECT_EQ(tag_of(of_map(1, 5)), tag_of(of_map(1, 6))) << "descriptors are left out";
  EXPECT_NE(tag_of(of_map(0, 5)), tag_of(of_map(0, 6)));
}

}  // namespace
}  // namespace skep::hive::testing
