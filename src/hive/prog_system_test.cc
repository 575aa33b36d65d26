// Programs of type syscall: what they ask of bpf(2), and of the kernel's types and symbols, for who runs them.
#include <unistd.h>

#include <string>

#include "hive/testing_programs.h"

namespace skep::hive::testing {
namespace {

using spec::Command;

constexpr int kSysBpf = 166, kFindType = 167, kSysClose = 168, kFindSymbol = 179, kCopyFromUser = 148;

isa::Insn from_context(unsigned to, int offset) { return insn(0x61, to, 1, offset, 0); }
isa::Insn store_word(int offset, int number) { return insn(0x62, 10, 0, offset, number); }

// Runs a program with 16 bytes of context: what it returns, or why it could not be.
long run(Bpf& b, Fds& f, const Code& code, const std::array<std::uint64_t, 2>& context = {}) {
  const ProgShape shape{.type = ProgType::Syscall, .flags = spec::kSleepable};
  const long prog = f.keep(load_prog(b, shape, code));
  if (prog < 0) return prog;
  std::array<std::uint64_t, 2> copy = context;
  spec::Attr attr{};
  attr.test.prog_fd = static_cast<std::uint32_t>(prog);
  attr.test.ctx_in = address(copy.data());
  attr.test.ctx_size_in = sizeof copy;
  const long result = b(Command::ProgTestRun, attr);
  return result < 0 ? result : static_cast<std::int32_t>(attr.test.retval);
}

// bpf(command) with words on the stack.
Code calls_bpf(Command command, const std::vector<int>& words) {
  const int bytes = static_cast<int>(words.size() * 4 + 7) / 8 * 8;
  Code code = {store_word(-4, 0)};
  for (std::size_t i = 0; i < words.size(); ++i) code.push_back(store_word(-bytes + static_cast<int>(i) * 4, words[i]));
  return code + Code{mov(1, static_cast<int>(command)),
                     mov_reg(2, 10),
                     insn(0x07, 2, 0, 0, -bytes),
                     mov(3, bytes),
                     call_helper(kSysBpf),
                     exit_insn()};
}
const std::vector<int> kArray = {2, 4, 8, 3, 0, 0};  // a map's type, sizes and entries

TEST(ProgSystem, MakesMapsForWhoRunsIt) {
  judge({{"a map", 0, [](Bpf& b, Fds& f) {
            const long map = f.keep(run(b, f, calls_bpf(Command::MapCreate, kArray)));
            if (map < 0) return map;
            EXPECT_EQ(update(b, map, 2U, std::uint64_t{7}), 0);
            EXPECT_EQ(lookup<std::uint64_t>(b, map, 2U), 7U);
            return 0L;
          }}});
}

TEST(ProgSystem, ClosesWhatItWasGiven) {
  const Code code = {from_context(1, 0), call_helper(kSysClose), exit_insn()};
  judge({
      {"a map", 0,
       [&](Bpf& b, Fds& f) {
         const long map = create_map(b, {});
         const long result = run(b, f, code, {static_cast<std::uint64_t>(map), 0});
         EXPECT_EQ(::close(static_cast<int>(map)), -1) << "it is closed";
         return result;
       }},
      {"nothing", -EBADF, [&](Bpf& b, Fds& f) { return run(b, f, code, {kNoFd, 0}); }},
  });
}

TEST(ProgSystem, OnlyWhatLoadersNeed) {
  const auto with = [](Command command) {
    return [command](Bpf& b, Fds& f) { return run(b, f, calls_bpf(command, {kNoFd, 0, 0, 0, 0, 0})); };
  };
  judge({
      {"a look-up", -EINVAL, with(Command::MapLookupElem)},
      {"a test run", -EINVAL, with(Command::ProgTestRun)},
      {"ids", -EINVAL, with(Command::MapGetNextId)},
      {"pins", -EINVAL, with(Command::ObjPin)},
      {"a map by id", -ENOENT,
       [](Bpf& b, Fds& f) { return run(b, f, calls_bpf(Command::MapGetFdById, {0x7ffffffe, 0, 0, 0})); }},
      {"freezing nothing", -EBADF, with(Command::MapFreeze)},
      {"a link of nothing", -EBADF, with(Command::LinkCreate)},
      {"a program of nothing", -E2BIG,
       [](Bpf& b, Fds& f) { return run(b, f, calls_bpf(Command::ProgLoad, {1, 0, 0, 0, 0, 0})); }},
  });
}

// helper(name, size, third, flags), the name on the stack.
Code calls_with_name(int helper, std::string name, int third, int flags) {
  const int size = static_cast<int>(name.size() + 1);
  name.resize((name.size() + 8) / 8 * 8);
  Code code;
  const int bytes = static_cast<int>(name.size());
  for (int at = 0; at < bytes; at += 4) {
    int word;
    std::memcpy(&word, name.data() + at, sizeof word);
    code.push_back(store_word(-bytes - 8 + at, word));
  }
  return code + Code{mov_reg(1, 10), insn(0x07, 1, 0, 0, -bytes - 8),
                     mov(2, size),   mov(3, third),
                     mov(4, flags),  call_helper(helper),
                     exit_insn()};
}

TEST(ProgSystem, FindsTypesOfTheKernel) {
  if (kernel_types() == nullptr) GTEST_SKIP() << "the kernel's types cannot be read here";
  constexpr int kStruct = 4;
  const auto find = [](const char* name, int kind, int flags = 0) {
    return [=](Bpf& b, Fds& f) { return run(b, f, calls_with_name(kFindType, name, kind, flags)); };
  };
  judge({
      {"no such type", -ENOENT, find("no_such_type", kStruct)},
      {"of another kind", -ENOENT, find("task_struct", 8)},
      {"flags", -EINVAL, find("task_struct", kStruct, 1)},
      {"no name", -EINVAL, find("", kStruct)},
      {"a type", 0,
       [&](Bpf& b, Fds& f) {
         const long id = find("task_struct", kStruct)(b, f);
         EXPECT_EQ(id, kernel_type("task_struct", btf::Kind::Struct));
         return std::min(id, 0L);
       }},
  });
}

TEST(ProgSystem, FindsNoSymbolThatIsNotThere) {
  const auto find = [](const char* name, int flags) {
    return [=](Bpf& b, Fds& f) {
      Code code = calls_with_name(kFindSymbol, name, flags, 0);
      code.insert(code.end() - 2, {mov_reg(4, 10), insn(0x07, 4, 0, 0, -8)});
      return run(b, f, code);
    };
  };
  judge({
      {"none", -ENOENT, find("no_such_symbol", 0)},
      {"flags", -EINVAL, find("no_such_symbol", 1)},
      {"no name", -EINVAL, find("", 0)},
  });
}

TEST(ProgSystem, ReadsTheMemoryOfWhoRunsIt) {
  static const std::uint32_t number = 4711;
  const Code code = {insn(0x79, 3, 1, 0, 0),     mov_reg(1, 10),         insn(0x07, 1, 0, 0, -8),  mov(2, 4),
                     call_helper(kCopyFromUser), insn(0x55, 0, 0, 1, 0), insn(0x61, 0, 10, -8, 0), exit_insn()};
  judge({
      {"what is there", 0,
       [&](Bpf& b, Fds& f) {
         const long seen = run(b, f, code, {address(&number), 0});
         EXPECT_EQ(seen, 4711);
         return std::min(seen, 0L);
       }},
      {"what is not", -EFAULT, [&](Bpf& b, Fds& f) { return run(b, f, code, {16, 0}); }},
  });
}

}  // namespace
}  // namespace skep::hive::testing
