#include "cli/map_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "cli/map_dump.h"
#include "loader/compile.h"
#include "loader/object.h"

namespace skep::cli {
namespace {

// The types of these tests, as clang says them.
constexpr const char* kSource = R"(
typedef unsigned int u32; typedef unsigned short u16; typedef unsigned char u8; typedef unsigned long long u64;
enum color { RED, GREEN = 5 };
struct address { union { u32 word[4]; u8 byte[16]; }; };
struct key { u32 length; u32 address; };
struct value {
  u64 count; int level; u16 port; _Bool on; enum color color; char name[8]; u8 mac[6]; u32 low : 3; u32 high : 5;
  struct { u32 x, y; }; u32 list[3]; struct address from;
};
#define MAP(n, t, k, v) struct { int (*type)[t]; int (*max_entries)[8]; k *key; v *value; } n __attribute__((section(".maps"), used))
MAP(values, 1, u32, struct value);
MAP(nets, 1, struct key, u32);
const volatile u64 limit = 7;
const volatile struct { int a, b; } pair = {1, 2};
__attribute__((section("xdp"), used)) int prog(void *ctx) { return limit + pair.a; }
)";

class MapFileTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const std::string source =
        (std::filesystem::temp_directory_path() / ("map-file-" + std::to_string(::getpid()) + ".bpf.c")).string();
    std::ofstream(source) << kSource;
    const auto compiled = loader::compile(source, {});
    std::filesystem::remove(source);
    ASSERT_TRUE(compiled) << compiled.error().message;
    auto opened = loader::Object::open(*compiled, "test.o", {});
    ASSERT_TRUE(opened) << opened.error().message;
    object_ = new loader::Object(*std::move(opened));
    auto parsed = btf::Btf::parse(object_->btf());
    ASSERT_TRUE(parsed) << parsed.error().message;
    types_ = new btf::Btf(*std::move(parsed));
  }
  static void TearDownTestSuite() {
    delete types_;
    delete object_;
  }

  static MapShape shape(const std::string& name) { return shape_of(object_->maps()[*object_->find_map(name)]); }
  Result<std::vector<MapEntry>> entries(const std::string& text, const MapShape& shape, bool typed = true) {
    std::ofstream(path_) << text;
    auto read = read_entries(path_, shape, typed ? types_ : nullptr);
    std::filesystem::remove(path_);
    return read;
  }
  std::string error(const std::string& text, const MapShape& shape, bool typed = true) {
    const auto read = entries(text, shape, typed);
    return read ? "" : read.error().message.substr(path_.size() + 2);
  }

  static loader::Object* object_;
  static btf::Btf* types_;
  std::string path_ =
      (std::filesystem::temp_directory_path() / ("map-file-" + std::to_string(::getpid()) + ".json")).string();
};
loader::Object* MapFileTest::object_ = nullptr;
btf::Btf* MapFileTest::types_ = nullptr;

// Whatever is written is dumped in a form that reads back to the same bytes.
TEST_F(MapFileTest, ThereAndBack) {
  const auto first =
      entries(R"([{"key": 1, "value": {"count": "0xffffffffffffffff", "level": -3, "port": "be:443", "on": true,
      "color": "GREEN", "name": "eth0", "mac": "02:00:00:00:00:01", "low": 5, "high": 31, "x": 1, "y": 2, "list": [7, 8],
      "from": "2001:db8::1"}}, // a comment
    {"key": "0a 00 00 00", "value": {}}])",
              shape("values"));
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_EQ(first->size(), 2U);
  EXPECT_EQ(load<std::uint64_t>((*first)[0].value.data()), ~std::uint64_t{0});
  EXPECT_EQ(load<std::int32_t>((*first)[0].value.data() + 8), -3);
  EXPECT_EQ(load<std::uint16_t>((*first)[0].value.data() + 12), to_be(std::uint16_t{443}));
  const MapContents contents{.shape = shape("values"), .elements = Elements::Values, .entries = *first, .records = {}};
  const auto second = entries(dump_json(contents, types_).dump(), shape("values"));
  ASSERT_TRUE(second) << second.error().message;
  ASSERT_EQ(second->size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*second)[i].key, (*first)[i].key);
    EXPECT_EQ((*second)[i].value, (*first)[i].value) << dump_json(contents, types_).dump();
  }
}

TEST_F(MapFileTest, PrefixesAreKeys) {
  const auto read = entries(R"([{"key": "10.1.0.0/16", "value": 1}])", shape("nets"));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(load<std::uint32_t>((*read)[0].key.data()), 16U);
  EXPECT_EQ((*read)[0].key[4], std::byte{10});
}

TEST_F(MapFileTest, ErrorsNameThePlace) {
  struct Case {
    std::string text, says;
  };
  const Case cases[] = {
      {"{}", "expected an array of {\"key\": .., \"value\": ..} for map values, found object"},
      {R"([{"key": 1}])", "entry 1: expected \"key\" and one of \"value\" and \"values\""},
      {R"([{"key": 1, "value": {}, "extra": 1}])", "entry 1: \"extra\" is not known; there are key, value, values"},
      {R"([{"key": -1, "value": {}}])", "entry 1: key: -1 where an unsigned integer of 32 bits is expected"},
      {R"([{"key": 1, "value": {}}, {"key": 1, "value": {"level": 2147483648}}])",
       "entry 2: value.level: 2147483648 where a signed integer of 32 bits is expected"},
      {R"([{"key": 1, "value": {"lost": 1}}])", "entry 1: value: no member \"lost\"; there are: count, level"},
      {R"([{"key": 1, "value": {"high": 32}}])", "entry 1: value.high: 32 where a number of 5 bits is expected"},
      {R"([{"key": 1, "value": {"color": "BLUE"}}])",
       "entry 1: value.color: \"BLUE\" where one of RED, GREEN is expected"},
      {R"([{"key": 1, "value": {"name": "much too long"}}])",
       "entry 1: value.name: \"much too long\" where text of at most 8 bytes is expected"},
      {R"([{"key": 1, "value": {"list": [1, 2, 3, 4]}}])", "where an array of at most 3 elements is expected"},
      {R"([{"key": 1, "value": {"list": [1, "x"]}}])", "entry 1: value.list[1]: \"x\" is not a number"},
      {R"([{"key": 1, "values": []}])", "entry 1: \"values\" is for per-CPU maps, which values is not"},
  };
  for (const Case& c : cases)
    EXPECT_NE(error(c.text, shape("values")).find(c.says), std::string::npos) << error(c.text, shape("values"));
}

TEST_F(MapFileTest, WithoutTypesOnlyBytesAreKnown) {
  const MapShape plain{.name = "raw", .key_size = 4, .value_size = 3};
  const auto read = entries(R"([{"key": 258, "value": ["0x01", 2, 255]}, {"key": "0a 0b 0c 0d", "value": "01 02 03"}])",
                            plain, false);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ((*read)[0].key[1], std::byte{1});
  EXPECT_EQ((*read)[0].value[2], std::byte{255});
  EXPECT_NE(error(R"([{"key": 1, "value": "text"}])", plain, false).find("there is no BTF type"), std::string::npos);
  EXPECT_NE(error(R"([{"key": 1, "value": [1, 2, 256]}])", plain, false).find("value[2]: 256 where a byte"),
            std::string::npos);
}

TEST_F(MapFileTest, EachCpuHasItsValue) {
  const MapShape percpu{.name = "percpu", .key_size = 4, .value_size = 4, .cpus = 2};
  const auto read =
      entries(R"([{"key": 1, "value": 5}, {"key": 2, "values": [{"cpu": 1, "value": 6}]}])", percpu, false);
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ((*read)[0].value.size(), 16U);
  EXPECT_EQ((*read)[0].value[8], std::byte{5});
  EXPECT_EQ((*read)[1].value[0], std::byte{0});
  EXPECT_EQ((*read)[1].value[8], std::byte{6});
  EXPECT_NE(error(R"([{"key": 1, "values": [{"cpu": 2, "value": 6}]}])", percpu, false).find("values: CPU 2 of 2"),
            std::string::npos);
}

TEST_F(MapFileTest, VariablesAreSet) {
  std::vector<std::byte> contents(object_->initial_value(*object_->find_map(".rodata")).size());
  std::ofstream(path_) << R"({"limit": 100, "pair": {"b": -1}})";
  const Result<> done = read_variables(path_, ".rodata", types_, contents);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(load<std::uint64_t>(contents.data()), 100U);
  EXPECT_EQ(load<std::int32_t>(contents.data() + 12), -1);
  std::ofstream(path_) << R"({"limits": 1})";
  EXPECT_NE(read_variables(path_, ".rodata", types_, contents)
                .error()
                .message.find("no variable \"limits\"; there are: limit, pair"),
            std::string::npos);
  std::filesystem::remove(path_);
}

}  // namespace
}  // namespace skep::cli
