#include "loader/object.h"

#include <bpf/bpf.h>

#include <array>

#include "loader/btf_text.h"
#include "loader/testing_source.h"

namespace skep::loader {
namespace {

Object opened() {
  Result<Object> object = Object::open(test_object(), "dir/test.bpf.o", {});
  EXPECT_TRUE(object) << object.error().message;
  return *std::move(object);
}

TEST(Object, ListsWhatIsThere) {
  const Object object = opened();
  ASSERT_EQ(object.programs().size(), 3U);
  EXPECT_EQ(object.programs()[0].name, "first");
  EXPECT_EQ(object.programs()[0].type, std::uint32_t{BPF_PROG_TYPE_XDP});
  EXPECT_EQ(object.programs()[2].type, 0U);
  ASSERT_TRUE(object.find_map("flows"));
  const Map& flows = object.maps()[*object.find_map("flows")];
  EXPECT_EQ(flows.value_size, 8U);
  EXPECT_NE(flows.value_type, 0U);
  ASSERT_TRUE(object.find_map(".rodata"));
  EXPECT_EQ(object.maps()[*object.find_map(".rodata")].name, "test.rodata");
  EXPECT_GT(object.btf().size(), 24U);
}

TEST(Object, ErrorsSayWhatIsThere) {
  const Object object = opened();
  EXPECT_EQ(object.find_program("fourth").error().message,
            "dir/test.bpf.o: no program \"fourth\"; this object has: first (xdp), second (socket), third "
            "(nonsense/of/mine)");
  EXPECT_NE(object.find_program("").error().message.find("several programs: choose one with --prog"),
            std::string::npos);
  EXPECT_NE(object.find_program("third").error().message.find("names no program type"), std::string::npos);
  EXPECT_NE(object.find_map("flaws").error().message.find("this object has: flows"), std::string::npos);
}

TEST(Object, InitialValuesAreTheSources) {
  Object object = opened();
  const MutableBytes value = object.initial_value(*object.find_map(".rodata"));
  ASSERT_GE(value.size(), 8U);
  EXPECT_EQ(load<std::uint64_t>(value.data()), 7U);
  EXPECT_TRUE(object.initial_value(*object.find_map("flows")).empty());
}

TEST(Object, TheBtfToRelocateAgainstIsChecked) {
  const Object first = opened();
  const std::string types(reinterpret_cast<const char*>(first.btf().data()), first.btf().size());
  const TemporaryFile good("good.btf", types), cut("cut.btf", types.substr(0, types.size() - 1)),
      none("none.btf", "no");
  EXPECT_TRUE(Object::open(test_object(), "a.o", {.target_btf = good.path()}));
  for (const auto& [path, code] :
       {std::pair{cut.path(), ENOEXEC}, {none.path(), ENOEXEC}, {std::string("/nowhere/btf"), ENOENT}}) {
    const Result<Object> object = Object::open(test_object(), "a.o", {.target_btf = path});
    ASSERT_FALSE(object) << path;
    EXPECT_EQ(object.error().code, code);
    EXPECT_TRUE(object.error().message.starts_with(path)) << object.error().message;
  }
}

TEST(Object, TypesComeFromSectionsOrTheCaller) {
  EXPECT_EQ(type_of_section("xdp")->type, std::uint32_t{BPF_PROG_TYPE_XDP});
  EXPECT_EQ(type_of_section("cgroup/connect4")->attach_type, std::uint32_t{BPF_CGROUP_INET4_CONNECT});
  EXPECT_FALSE(type_of_section("nonsense/of/mine"));
  Object object = opened();
  object.set_type(2, *type_of_section("tc"));
  EXPECT_EQ(object.programs()[2].type, std::uint32_t{BPF_PROG_TYPE_SCHED_CLS});
  EXPECT_EQ(*object.find_program("third"), 2U);
}

TEST(Object, TypesAreDeclaredAsC) {
  const Object object = opened();
  const Result<std::string> all = c_declarations(object.btf());
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_NE(all->find("typedef unsigned int __u32;"), std::string::npos) << *all;
  const std::uint32_t value = object.maps()[*object.find_map("flows")].value_type;
  const Result<std::string> one = c_declarations(object.btf(), std::array{value});
  ASSERT_TRUE(one) << one.error().message;
  EXPECT_LT(one->size(), all->size());
  EXPECT_FALSE(c_declarations(object.btf().first(object.btf().size() - 1)));
  EXPECT_FALSE(c_declarations(object.btf(), std::array{std::uint32_t{100'000}}));
}

TEST(Object, KnowsWhatItsProgramsCall) {
  const Object object = opened();
  EXPECT_FALSE(object.calls(0, BPF_FUNC_trace_printk));
  EXPECT_FALSE(object.calls(1, BPF_FUNC_map_lookup_elem));
}

TEST(Object, EveryTruncationIsRefused) {
  const Bytes whole = test_object();
  for (std::size_t size = 0; size < whole.size(); size += 64) {
    Result<Object> object = Object::open(whole.first(size), "cut.o", {});
    ASSERT_FALSE(object) << size;
    EXPECT_EQ(object.error().code, ENOEXEC);
  }
}

TEST(Object, LoadsIntoTheKernel) {
  if (::geteuid() != 0) GTEST_SKIP() << "loading into the kernel takes root";
  Object object = opened();
  store(object.initial_value(*object.find_map(".rodata")).data(), std::uint64_t{100});
  Result<> loaded = object.load();
  if (!loaded && loaded.error().code == EPERM) GTEST_SKIP() << loaded.error().message;
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_GE(object.program_fd(0), 0);
  EXPECT_TRUE(object.calls(0, BPF_FUNC_map_lookup_elem));  // its subprogram does
  EXPECT_LT(object.program_fd(2), 0);
  const std::uint32_t key = 0;
  std::vector<std::byte> value(object.maps()[*object.find_map(".rodata")].value_size);
  ASSERT_EQ(bpf_map_lookup_elem(object.map_fd(*object.find_map(".rodata")), &key, value.data()), 0);
  EXPECT_EQ(load<std::uint64_t>(value.data()), 100U);
}

}  // namespace
}  // namespace skep::loader
