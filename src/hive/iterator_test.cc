// What iterators' programs write: of the same objects the same on a hive, with each engine, and on the running kernel.
#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "hive/testing_programs.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::MapType;

int offset_of(const char* structure, const char* member) {
  const auto found = kernel_types()->find_member(kernel_type(structure, btf::Kind::Struct), member);
  return found ? static_cast<int>(found->bit_offset / 8) : 0;
}

isa::Insn load64(unsigned to, unsigned from, int offset) { return insn(0x79, to, from, offset, 0); }
isa::Insn load32(unsigned to, unsigned from, int offset) { return insn(0x61, to, from, offset, 0); }
isa::Insn store64(int offset, unsigned from) { return insn(0x7b, 10, from, offset, 0); }
isa::Insn add(unsigned to, int number) { return insn(0x07, to, 0, 0, number); }

constexpr int kMeta = 0, kSubject = 8, kKey = 16, kValue = 24;  // in the context
constexpr int kSeqPrintf = 126, kSeqWrite = 127;
constexpr int kFormat = -96;  // on the stack, in front of the arguments
constexpr unsigned kContext = 6, kObject = 7;

// r1 = the sequence.
Code sequence() { return {load64(1, kContext, kMeta), load64(1, 1, offset_of("bpf_iter_meta", "seq"))}; }

// Prints the `arguments` that lie at -8, -16, ... backwards, so that the first is at -8 * arguments.
Code print(std::string format, int arguments) {
  format.resize((format.size() + 8) / 8 * 8);
  Code code;
  for (std::size_t at = 0; at < format.size(); at += 8) {
    int words[2];
    std::memcpy(words, format.data() + at, sizeof words);
    code = code + ld_imm64(2, 0, words[0], words[1]) + Code{store64(kFormat + static_cast<int>(at), 2)};
  }
  return code + sequence() +
         Code{mov_reg(2, 10),         add(2, kFormat),        mov(3, static_cast<int>(format.size())),
              mov_reg(4, 10),         add(4, -8 * arguments), mov(5, 8 * arguments),
              call_helper(kSeqPrintf)};
}

// Does `then` with the object in r7, or `last` when there is none any more.
Code with_object(int offset, const Code& then, const Code& last = {}) {
  const Code done = return_value(0);
  const auto skip = static_cast<int>(then.size() + done.size());
  return Code{mov_reg(kContext, 1), load64(kObject, kContext, offset), insn(0x15, kObject, 0, skip, 0)} + then + done +
         last + done;
}

// "id, key, value, entries, name", and how many objects there were.
Code show_map() {
  const auto member = [](const char* name) { return load32(2, kObject, offset_of("bpf_map", name)); };
  const Code words = {member("map_type"),    store64(-40, 2),
                      member("key_size"),    store64(-32, 2),
                      member("value_size"),  store64(-24, 2),
                      member("max_entries"), store64(-16, 2),
                      mov_reg(2, kObject),   add(2, offset_of("bpf_map", "name")),
                      store64(-8, 2)};
  return words + print("%u %u %u %u %s\n", 5);
}

Code show_program() {
  const Code words = {load32(2, kObject, offset_of("bpf_prog", "type")),
                      store64(-24, 2),
                      load64(3, kObject, offset_of("bpf_prog", "aux")),
                      load32(2, 3, offset_of("bpf_prog_aux", "attach_btf_id")),
                      store64(-16, 2),
                      mov_reg(2, 3),
                      add(2, offset_of("bpf_prog_aux", "name")),
                      store64(-8, 2)};
  return words + print("%u %u %s\n", 3);
}

Code show_link() {
  const Code words = {load32(2, kObject, offset_of("bpf_link", "type")), store64(-16, 2),
                      load64(2, kObject, offset_of("bpf_link", "prog")), load64(2, 2, offset_of("bpf_prog", "aux")),
                      add(2, offset_of("bpf_prog_aux", "name")),         store64(-8, 2)};
  return words + print("%u %s\n", 2);
}

struct Outcome {
  long error = 0;  // of the first step that failed
  std::string text;
};
Outcome iterate(Bpf& b, const std::string& over, const Code& code, long map = 0, const char* name = "") {
  Fds f;
  const std::string function = "bpf_iter_" + over;
  spec::Attr attr = prog_attr(ProgType::Tracing, code);
  attr.prog_load.expected_attach_type = static_cast<std::uint32_t>(AttachType::TraceIter);
  attr.prog_load.attach_btf_id = kernel_target(function);
  std::strncpy(attr.prog_load.prog_name, name, sizeof attr.prog_load.prog_name - 1);
  const long prog = f.keep(b(Command::ProgLoad, attr));
  if (prog < 0) return {prog, {}};
  const long link = f.keep(link_iterator(b, prog, map));
  if (link < 0) return {link, {}};
  const long iterator = f.keep(create_iter(b, link));
  if (iterator < 0) return {iterator, {}};
  return {0, read_all(iterator)};
}

// The lines with this in them: the kernel has objects of others, too.
std::string lines_with(const std::string& text, const std::string& what) {
  std::string found;
  for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
    if (const std::string line = text.substr(at, end + 1 - at); line.find(what) != std::string::npos) found += line;
  return found;
}

// On a hive with each engine, and on the kernel: what `look` says must be equal, and is said.
std::string everywhere(const std::function<std::string(Bpf&)>& look) {
  std::vector<std::string> all;
  for (const Engine engine : {Engine::Checked, Engine::Interp, Engine::Jit}) {
    HiveBpf hive({.engine = engine});
    all.push_back(look(hive));
  }
  KernelBpf kernel;
  if (KernelBpf::here()) all.push_back(look(kernel));
  for (const std::string& one : all) EXPECT_EQ(one, all.front());
  return all.front();
}

std::string own_name() { return "it" + std::to_string(::getpid()); }

class Iterators : public ::testing::Test {
 protected:
  void SetUp() override {
    if (kernel_types() == nullptr) GTEST_SKIP() << "the kernel's types cannot be read here";
  }
};

TEST_F(Iterators, Maps) {
  const std::string name = own_name();
  const std::string text = everywhere([&](Bpf& b) {
    Fds f;
    f.keep(create_map(b, {.name = name.c_str()}));
    f.keep(create_map(b, {.type = MapType::Hash, .key = 12, .value = 20, .entries = 7, .name = name.c_str()}));
    const Outcome all = iterate(b, "bpf_map", with_object(kSubject, show_map()));
    EXPECT_EQ(all.error, 0) << Hive::last_error();
    return lines_with(all.text, name);
  });
  EXPECT_EQ(text, "2 4 8 4 " + name + "\n1 12 20 7 " + name + "\n");
}

TEST_F(Iterators, Programs) {
  const std::string name = own_name();
  const std::string text = everywhere([&](Bpf& b) {
    const Outcome all = iterate(b, "bpf_prog", with_object(kSubject, show_program()), 0, name.c_str());
    EXPECT_EQ(all.error, 0) << Hive::last_error();
    return lines_with(all.text, name);
  });
  EXPECT_EQ(text, "26 " + std::to_string(kernel_target("bpf_iter_bpf_prog")) + " " + name + "\n");
}

TEST_F(Iterators, Links) {
  const std::string name = own_name();
  const std::string text = everywhere([&](Bpf& b) {
    const Outcome all = iterate(b, "bpf_link", with_object(kSubject, show_link()), 0, name.c_str());
    EXPECT_EQ(all.error, 0) << Hive::last_error();
    return lines_with(all.text, name);
  });
  EXPECT_EQ(text, "4 " + name + "\n");
}

// "t name module" of a symbol.
Code show_symbol() {
  const Code words = {insn(0x71, 2, kObject, offset_of("kallsym_iter", "type"), 0),
                      store64(-24, 2),
                      mov_reg(2, kObject),
                      add(2, offset_of("kallsym_iter", "name")),
                      store64(-16, 2),
                      mov_reg(2, kObject),
                      add(2, offset_of("kallsym_iter", "module_name")),
                      store64(-8, 2)};
  return words + print("%c %s %s\n", 3);
}

TEST_F(Iterators, SymbolsOfCompiledPrograms) {
  const std::string name = own_name();
  const auto look = [&](Bpf& b) {
    Fds f;
    const Code code = return_value(2);
    spec::Attr attr = prog_attr(ProgType::Xdp, code);
    std::strncpy(attr.prog_load.prog_name, name.c_str(), sizeof attr.prog_load.prog_name - 1);
    EXPECT_GE(f.keep(b(Command::ProgLoad, attr)), 0) << Hive::last_error();
    const Outcome all = iterate(b, "ksym", with_object(kSubject, show_symbol()));
    EXPECT_EQ(all.error, 0) << Hive::last_error();
    // Without the tag, which newer kernels compute in another way.
    return lines_with(all.text, name).erase(std::strlen("t bpf_prog_"), 16);
  };
  HiveBpf hive({.engine = Engine::Jit});
  EXPECT_EQ(look(hive), "t bpf_prog__" + name + " bpf\n");
  KernelBpf kernel;
  if (KernelBpf::here()) {
    EXPECT_EQ(look(kernel), "t bpf_prog__" + name + " bpf\n");
  }
}

// r1 = the sequence, and `bytes` of what lies at an offset of the context are written.
Code write_from(int offset, int bytes) {
  return sequence() + Code{load64(2, kContext, offset), insn(0x15, 2, 0, 2, 0), mov(3, bytes), call_helper(kSeqWrite)};
}
// Writes the key and the value, and adds to the value.
Code show_element(int value_bytes) {
  return with_object(kKey, write_from(kKey, 4) + write_from(kValue, value_bytes) +
                               Code{load64(2, kContext, kValue), insn(0x15, 2, 0, 3, 0), load64(3, 2, 0), add(3, 100),
                                    insn(0x7b, 2, 3, 0, 0)});
}

TEST_F(Iterators, ElementsCanBeChanged) {
  const auto text = [](MapType type) {
    return everywhere([&](Bpf& b) {
      Fds f;
      const long map = f.keep(create_map(b, {.type = type, .entries = 3}));
      for (std::uint32_t key = 0; key < 3; ++key) update(b, map, key, std::uint64_t{key + 7});
      const Outcome all = iterate(b, "bpf_map_elem", show_element(8), map);
      EXPECT_EQ(all.error, 0) << Hive::last_error();
      for (std::uint32_t key = 0; key < 3; ++key)
        EXPECT_EQ(lookup<std::uint64_t>(b, map, key), std::uint64_t{key + 107});
      if (type == MapType::Array) return all.text;
      return std::to_string(all.text.size());  // their order is each table's own
    });
  };
  EXPECT_EQ(text(MapType::Array).size(), 36U);
  EXPECT_EQ(text(MapType::Hash), "36");
  EXPECT_EQ(text(MapType::LruHash), "36");
}

TEST_F(Iterators, ValuesOfEveryCpu) {
  if (!KernelBpf::here()) GTEST_SKIP() << "CPUs are counted by the kernel";
  everywhere([&](Bpf& b) {
    Fds f;
    const long map = f.keep(create_map(b, {.type = MapType::PercpuArray, .entries = 2}));
    const Outcome all = iterate(b, "bpf_map_elem", show_element(8), map);
    EXPECT_EQ(all.error, 0) << Hive::last_error();
    return all.text;
  });
}

// The number of the object, and once more behind the last.
TEST_F(Iterators, ObjectsAreCounted) {
  const Code number = {load64(1, kContext, kMeta), load64(2, 1, offset_of("bpf_iter_meta", "seq_num")), store64(-8, 2)};
  const std::string text = everywhere([&](Bpf& b) {
    Fds f;
    const long map = f.keep(create_map(b, {.entries = 2}));
    const Code code = with_object(kKey, number + print("at %llu\n", 1), number + print("end %llu\n", 1));
    const Outcome all = iterate(b, "bpf_map_elem", code, map);
    EXPECT_EQ(all.error, 0) << Hive::last_error();
    return all.text;
  });
  EXPECT_EQ(text, "at 0\nat 1\nend 1\n");
}

// Pointers between the kernel's objects that lead nowhere, and those that lead nowhere from there.
TEST_F(Iterators, WhatIsNotThereReadsAsZero) {
  const std::string name = own_name();
  const Code walk = {load64(2, kObject, offset_of("bpf_map", "inner_map_meta")),
                     load64(2, 2, offset_of("bpf_map", "inner_map_meta")),
                     load32(2, 2, offset_of("bpf_map", "id")),
                     store64(-16, 2),
                     mov_reg(2, kObject),
                     add(2, offset_of("bpf_map", "name")),
                     store64(-8, 2)};
  const std::string text = everywhere([&](Bpf& b) {
    Fds f;
    f.keep(create_map(b, {.name = name.c_str()}));
    const Outcome all = iterate(b, "bpf_map", with_object(kSubject, walk + print("%u %s\n", 2)));
    EXPECT_EQ(all.error, 0) << Hive::last_error();
    return lines_with(all.text, name);
  });
  EXPECT_EQ(text, "0 " + name + "\n");
}

// What the kernel says when somebody reads, a hive says at once.
TEST_F(Iterators, ProgramsThatWriteTooMuchOrNeverGoOn) {
  HiveBpf b;
  Fds f;
  const long map = f.keep(create_map(b, {.value = 40'000, .entries = 1}));
  EXPECT_EQ(iterate(b, "bpf_map_elem", with_object(kKey, write_from(kValue, 40'000)), map).error, -E2BIG);
  EXPECT_EQ(iterate(b, "bpf_map_elem", with_object(kKey, write_from(kValue, 32'768)), map).error, -E2BIG);
  EXPECT_EQ(iterate(b, "bpf_map_elem", with_object(kKey, write_from(kValue, 32'767)), map).text.size(), 32'767U);
  EXPECT_EQ(iterate(b, "bpf_map", return_value(1)).error, -EAGAIN);
}

TEST_F(Iterators, OverWhatAHiveHasNot) {
  HiveBpf b;
  for (const char* over : {"task", "tcp"}) EXPECT_EQ(iterate(b, over, return_value(0)).error, -EOPNOTSUPP) << over;
}

TEST_F(Iterators, TheProgramThatIsThereRuns) {
  HiveBpf b;
  Fds f;
  const long map = f.keep(create_map(b, {.entries = 1}));
  const auto program = [&](const char* text) {
    return f.keep(
        load_iterator(b, "bpf_map_elem", with_object(kKey, Code{mov(2, 0), store64(-8, 2)} + print(text, 1))));
  };
  const long link = f.keep(link_iterator(b, program("one %d\n"), map));
  EXPECT_EQ(read_all(f.keep(create_iter(b, link))), "one 0\n");
  ASSERT_EQ(update_link(b, link, program("two %d\n")), 0);
  EXPECT_EQ(read_all(f.keep(create_iter(b, link))), "two 0\n");
}

TEST_F(Iterators, WhatIsRead) {
  judge({
      {"flags", -EINVAL,
       [](Bpf& b, Fds& f) {
         return create_iter(b, f.keep(link_iterator(b, f.keep(load_iterator(b, "bpf_map", return_value(0))))), 1);
       }},
      {"no link", -EBADF, [](Bpf& b, Fds&) { return create_iter(b, kNoFd); }},
      {"a program", -EINVAL,
       [](Bpf& b, Fds& f) { return create_iter(b, f.keep(load_iterator(b, "bpf_map", return_value(0)))); }},
      {"written to", -EBADF,
       [](Bpf& b, Fds& f) {
         const long link = f.keep(link_iterator(b, f.keep(load_iterator(b, "bpf_map", return_value(0)))));
         const long file = f.keep(create_iter(b, link));
         return ::write(static_cast<int>(file), "x", 1) < 0 ? -static_cast<long>(errno) : 0L;
       }},
  });
}

}  // namespace
}  // namespace skep::hive::testing
