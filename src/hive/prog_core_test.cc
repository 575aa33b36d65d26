// core_relos: what programs hold of the kernel's types after they were relocated, on a hive and by the running kernel.
#include <string>
#include <vector>

#include "btf/core.h"
#include "hive/testing_programs.h"

namespace skep::hive::testing {
namespace {

using btf::CoreKind;
using spec::Command;

// Types of a program that only knows a few members, and some that are not there.
struct Types {
  explicit Types(const char* map_name = "bpf_map___mine") {
    const std::uint32_t number = builder.integer("int", 4), wide = builder.integer("unsigned long", 8, 0);
    const std::uint32_t half = builder.integer("short", 2), letter = builder.integer("char", 1);
    const std::uint32_t name = builder.add("", 3, 0, 0, {letter, number, 16});
    const std::uint32_t proto = builder.add("", 13, 0, number);
    function = builder.add("main", 12, 1, proto);
    map = builder.add(map_name, 4, 4, 32,
                      {builder.string("max_entries"), number, 0, builder.string("id"), number, 32,
                       builder.string("name"), name, 64, builder.string("no_such_member"), number, 192});
    const std::uint32_t at = builder.add("", 2, 0, map);
    task = builder.add(
        "task_struct", 4, 3, 24,
        {builder.string("pid"), number, 0, builder.string("flags"), wide, 64, builder.string("comm"), at, 128});
    none = builder.add("no_such_structure", 4, 1, 4, {builder.string("x"), number, 0});
    program = builder.add("bpf_prog", 4, 1, 8, {builder.string("len"), half, 0});
    kinds = builder.add("bpf_map_type", 6, 2, 4,
                        {builder.string("BPF_MAP_TYPE_LPM_TRIE"), 77, builder.string("NO_SUCH_TYPE"), 78});
    size = builder.add("size_t", 8, 0, wide);
  }
  BtfBuilder builder;
  std::uint32_t function = 0, map = 0, task = 0, none = 0, program = 0, kinds = 0, size = 0;
};

struct Asked {
  const char* what;
  std::uint32_t Types::* type;
  const char* path;
  CoreKind kind;
};

// Loads a program that returns what is asked, and runs it; or why that cannot be.
long ask(Bpf& b, const Asked& asked, Code code, std::uint32_t insn_off = 0, std::uint32_t record_bytes = 16) {
  Fds f;
  Types types;
  const std::uint32_t path = types.builder.string(asked.path);
  const long btf = f.keep(load_btf(b, types.builder.bytes()));
  EXPECT_GE(btf, 0) << Hive::last_error();
  const std::uint32_t relocation[8] = {insn_off, types.*asked.type, path, static_cast<std::uint32_t>(asked.kind)};
  const spec::FuncInfo function{0, types.function};
  spec::Attr attr = prog_attr(ProgType::Xdp, code);
  attr.prog_load.prog_btf_fd = static_cast<std::uint32_t>(btf);
  attr.prog_load.func_info = address(&function);
  attr.prog_load.func_info_cnt = 1;
  attr.prog_load.func_info_rec_size = sizeof function;
  attr.prog_load.core_relos = address(relocation);
  attr.prog_load.core_relo_cnt = 1;
  attr.prog_load.core_relo_rec_size = record_bytes;
  const long prog = f.keep(b(Command::ProgLoad, attr));
  if (prog < 0) return prog;
  static const char packet[64] = {};
  attr = {};
  attr.test.prog_fd = static_cast<std::uint32_t>(prog);
  attr.test.data_in = address(packet);
  attr.test.data_size_in = sizeof packet;
  const long ran = b(Command::ProgTestRun, attr);
  return ran < 0 ? ran : static_cast<long>(attr.test.retval);
}

// What compilers put there: the value for the program's own types. The kernel compares.
int held_before(const Asked& asked) {
  Types types("bpf_map");  // which then is its own counterpart
  const std::uint32_t path = types.builder.string(asked.path);
  const auto own = btf::Btf::parse(types.builder.bytes());
  const auto value = btf::relocate(*own, *own, {0, types.*asked.type, path, asked.kind});
  return value ? static_cast<int>(value->value) : 0;
}

TEST(ProgCore, WhatIsHeld) {
  if (!KernelBpf::here() || kernel_types() == nullptr) GTEST_SKIP() << "there is no kernel to compare with";
  HiveBpf hive;
  KernelBpf kernel;
  const std::vector<Asked> all = {
      {"where an element is", &Types::map, "1:0", CoreKind::FieldOffset},
      {"where an element of an array is", &Types::map, "0:2:3", CoreKind::FieldOffset},
      {"beyond an array", &Types::map, "0:2:16", CoreKind::FieldOffset},
      {"a member of another type", &Types::task, "0:2", CoreKind::FieldOffset},
      {"that member, asked for", &Types::task, "0:2", CoreKind::FieldExists},
      {"of a typedef", &Types::size, "0", CoreKind::TypeExists},
      {"the size of a typedef", &Types::size, "0", CoreKind::TypeSize},
      {"an enumerator", &Types::kinds, "0", CoreKind::EnumeratorValue},
      {"whether it is there", &Types::kinds, "0", CoreKind::EnumeratorExists},
      {"one that is not", &Types::kinds, "1", CoreKind::EnumeratorValue},
      {"whether that is there", &Types::kinds, "1", CoreKind::EnumeratorExists},
      {"no enumerator", &Types::kinds, "2", CoreKind::EnumeratorValue},
  };
  std::vector<Asked> asked = all;
  for (const CoreKind kind : {CoreKind::FieldOffset, CoreKind::FieldSize, CoreKind::FieldExists, CoreKind::FieldSigned,
                              CoreKind::FieldLeftShift, CoreKind::FieldRightShift})
    for (const char* path : {"0:0", "0:1", "0:3"}) {
      asked.push_back({"a map's", &Types::map, path, kind});
      asked.push_back({"a task's", &Types::task, path, kind});
      asked.push_back({"of no structure", &Types::none, "0:0", kind});
    }
  for (const CoreKind kind : {CoreKind::TypeId, CoreKind::TypeExists, CoreKind::TypeSize}) {
    asked.push_back({"a map", &Types::map, "0", kind});
    asked.push_back({"no structure", &Types::none, "0", kind});
  }
  for (const Asked& one : asked) {
    const Code code = return_value(held_before(one));
    EXPECT_EQ(ask(hive, one, code), ask(kernel, one, code))
        << one.what << " " << one.path << ", kind " << static_cast<int>(one.kind) << ": " << Hive::last_error();
  }
}

TEST(ProgCore, Errors) {
  const Asked good{"a map's", &Types::map, "0:0", CoreKind::FieldOffset};
  const auto with = [](Asked asked, std::uint32_t insn_off = 0, std::uint32_t bytes = 16) {
    return [=](Bpf& b, Fds&) { return std::min(ask(b, asked, return_value(0), insn_off, bytes), 0L); };
  };
  judge({
      {"a member", 0, with(good)},
      {"an instruction that is none", -EINVAL, with(good, 16)},
      {"between instructions", -EINVAL, with(good, 4)},
      {"an instruction that holds nothing", -EINVAL, with(good, 8)},
      {"short records", -EINVAL, with(good, 0, 12)},
      {"odd records", -EINVAL, with(good, 0, 18)},
      {"longer records", 0, with(good, 0, 20)},
      {"an unknown kind", -EINVAL, with({"", &Types::map, "0:0", CoreKind{13}}), false},
      {"no path", -EINVAL, with({"", &Types::map, "x", CoreKind::FieldOffset})},
      {"a member that is none", -EINVAL, with({"", &Types::map, "0:9", CoreKind::FieldOffset})},
  });
}

}  // namespace
}  // namespace skep::hive::testing
