// One element at a time: what is written, what is read, and what goes wrong.
#include "map_command.h"

namespace skep::tool {
namespace {

class MapElement : public MapCommand {};
SKEP_EVERYWHERE(MapElement);

constexpr const char* kValue = "struct { u64 count; char name[8]; enum { RED, GREEN = 5 } color; u32 low : 3; }";

TEST_P(MapElement, ValuesAreWrittenAndReadByTheirTypes) {
  create("typed", {"--type", "hash", "--key", "u32", "--value", kValue, "--entries", "2"});
  EXPECT_EQ(out({"update", "typed", "5", R"({"count": 3, "name": "eth0", "color": "GREEN", "low": 7})"}), "");
  EXPECT_EQ(out({"lookup", "typed", "5"}), R"({"count":3,"name":"eth0","color":"GREEN","low":7})"
                                           "\n");
  const auto entry = json({"lookup", "typed", "0x5"});
  EXPECT_EQ(entry["key"], 5);
  EXPECT_EQ(entry["value"]["color"], "GREEN");
  EXPECT_EQ(out({"getnext", "typed"}), "5\n");
  fails({"getnext", "typed", "5"}, Exit::Absent, "there is no further key");
  EXPECT_EQ(out({"delete", "typed", "5"}), "");
  fails({"delete", "typed", "5"}, Exit::Absent, "map typed (hash), key 5: there is no element with this key");
  fails({"lookup", "typed", "5"}, Exit::Absent, "there is no element with this key");
}

TEST_P(MapElement, UpdatesAskWhetherTheKeyIsThere) {
  create("flags", {"--type", "hash", "--key", "4", "--value", "8", "--entries", "2"});
  fails({"update", "flags", "1", "1", "--exist"}, Exit::Absent, "--exist asks for");
  out({"update", "flags", "1", "1", "--noexist"});
  fails({"update", "flags", "1", "2", "--noexist"}, Exit::Refused, "--noexist forbids");
  out({"update", "flags", "1", "3", "--exist"});
  out({"update", "flags", "1", "4", "--any"});
  EXPECT_EQ(out({"lookup", "flags", "1"}), "04 00 00 00 00 00 00 00\n");
  fails({"update", "flags", "1", "2", "--noexist", "--exist"}, Exit::Usage, "excludes");
  fails({"update", "flags", "1", "5", "--lock"}, Exit::Refused, "bpf_spin_lock");
  out({"update", "flags", "2", "2"});
  fails({"update", "flags", "3", "3"}, Exit::Refused,
        "map flags (hash), key 03 00 00 00: the map is full: it holds 2 entries");
}

TEST_P(MapElement, LocksInValuesAreTaken) {
  create("locked", {"--type", "hash", "--key", "u32", "--value", "struct { struct bpf_spin_lock lock; u32 n; }",
                    "--entries", "2"});
  out({"update", "locked", "1", R"({"n": 4})"});
  out({"update", "locked", "1", R"({"n": 5})", "--lock"});
  EXPECT_NE(out({"lookup", "locked", "1", "--lock"}).find("\"n\":5"), std::string::npos);
}

TEST_P(MapElement, MistakesAreNamed) {
  create("typed", {"--type", "hash", "--key", "u32", "--value", kValue, "--entries", "2"});
  create("plain", {"--type", "array", "--key", "4", "--value", "3", "--entries", "4"});
  fails({"update", "typed", "x", "{}"}, Exit::Input, "key: \"x\" is not a number");
  fails({"update", "typed", "-1", "{}"}, Exit::Input, "key: -1 where an unsigned integer of 32 bits is expected");
  fails({"update", "typed", "1", R"({"lost": 1})"}, Exit::Input,
        "value: no member \"lost\"; there are: count, name, color, low");
  fails({"update", "typed", "1", R"({"low": 8})"}, Exit::Input, "value.low: 8 where a number of 3 bits is expected");
  fails({"update", "typed", "1", R"({"name": "much too long"})"}, Exit::Input, "text of at most 8 bytes");
  fails({"update", "typed", "1"}, Exit::Usage, "expected MAP KEY VALUE");
  fails({"update", "typed", "1", "{}", "more"}, Exit::Usage, "\"more\" is one word too many");
  fails({"lookup", "typed"}, Exit::Usage, "KEY is missing");
  fails({"update", "plain", "4", "00 00 00"}, Exit::Refused, "out of range: the map has elements 0 to 3");
  fails({"lookup", "plain", "4"}, Exit::Absent, "out of range: the map has elements 0 to 3");
  fails({"update", "plain", "0", "00 00"}, Exit::Input, "value: \"00 00\" where 3 bytes as");
  fails({"delete", "plain", "0"}, Exit::Refused, "elements of an array cannot be deleted");
  fails({"push", "plain", "0"}, Exit::Usage, "has keys; use update");
  fails({"pop", "plain"}, Exit::Refused, "");
}

TEST_P(MapElement, PrefixesAreKeysWithAndWithoutTypes) {
  const std::string key = "struct { u32 prefixlen; u8 addr[4]; }";
  create("typed", {"--type", "lpm_trie", "--key", key, "--value", "u32", "--entries", "8", "--flags", "no_prealloc"});
  out({"update", "typed", R"({"prefixlen": 24, "addr": "10.1.2.0"})", "1"});
  EXPECT_EQ(out({"lookup", "typed", "10.1.2.77/32"}), "1\n");
  fails({"lookup", "typed", "10.1.3.77/32"}, Exit::Absent, "there is no element with this key");
  fails({"update", "typed", R"({"prefixlen": 33, "addr": "10.1.2.0"})", "1"}, Exit::Refused,
        "a prefix of 33 bits, expected 0 to 32");
  create("plain", {"--type", "lpm_trie", "--key", "8", "--value", "4", "--entries", "8", "--flags", "no_prealloc"});
  out({"update", "plain", "10.1.2.0/24", "1"});
  EXPECT_EQ(out({"lookup", "plain", "10.1.2.9/32"}), "01 00 00 00\n");
}

TEST_P(MapElement, ValuesOfEachCpu) {
  create("totals", {"--type", "percpu_array", "--key", "u32", "--value", "u64", "--entries", "2"});
  out({"update", "totals", "1", "3"});
  const auto each = json({"lookup", "totals", "1", "--per-cpu"});
  ASSERT_GE(each["values"].size(), 1U);
  EXPECT_EQ(each["values"][0], nlohmann::json({{"cpu", 0}, {"value", 3}}));
  const std::size_t cpus = each["values"].size();
  EXPECT_EQ(out({"lookup", "totals", "1"}), std::to_string(3 * cpus) + "\n");
  EXPECT_EQ(json({"lookup", "totals", "1"})["value"], 3 * cpus);
  EXPECT_EQ(out({"dump", "totals"}), "  1: " + std::to_string(3 * cpus) + "\n  1 of zeros\n");
  EXPECT_NE(out({"dump", "totals", "--per-cpu"}).find("  1 (CPU 0): 3\n"), std::string::npos);
}

TEST_P(MapElement, QueuesStacksAndFilters) {
  create("queue", {"--type", "queue", "--value", "u32", "--entries", "2"});
  create("stack", {"--type", "stack", "--value", "4", "--entries", "2"});
  fails({"pop", "queue"}, Exit::Absent, "map queue (queue): the map is empty");
  for (const char* name : {"queue", "stack"}) {
    out({"push", name, "1"});
    out({"push", name, "2"});
  }
  fails({"push", "queue", "3"}, Exit::Refused, "the map is full: it holds 2 values");
  out({"push", "queue", "3", "--exist"});
  EXPECT_NE(out({"peek", "queue"}).find('2'), std::string::npos);
  EXPECT_NE(out({"pop", "queue"}).find('2'), std::string::npos);
  EXPECT_EQ(out({"pop", "stack"}), "02 00 00 00\n");
  fails({"update", "queue", "1", "1"}, Exit::Usage, "has no keys; use push, pop and peek");
  fails({"dump", "queue"}, Exit::Unavailable, "can only be taken, with pop");
  create("told", {"--type", "bloom_filter", "--value", "4", "--entries", "64", "--extra", "3"});
  fails({"peek", "told", "7"}, Exit::Absent, "the value was never pushed");
  out({"push", "told", "7"});
  EXPECT_EQ(out({"peek", "told", "7"}), "the value may have been pushed\n");
  EXPECT_EQ(json({"peek", "told", "7"})["possible"], true);
  fails({"peek", "told"}, Exit::Usage, "expected MAP VALUE");
  fails({"peek", "queue", "7"}, Exit::Usage, "only bloom filters are asked for a value");
}

TEST_P(MapElement, ValuesThatAreMaps) {
  create("cubby", {"--type", "array", "--key", "4", "--value", "4", "--entries", "1"});
  create("shelf", {"--type", "hash_of_maps", "--key", "u32", "--value", "4", "--entries", "4", "--inner", "cubby"});
  const auto id = json({"show", "cubby"})["id"].get<int>();
  out({"update", "shelf", "7", "id", std::to_string(id)});
  out({"update", "shelf", "8", "cubby"});
  EXPECT_EQ(out({"lookup", "shelf", "8"}), "map " + std::to_string(id) + "\n");
  EXPECT_EQ(json({"dump", "shelf"}).size(), 2U);
  fails({"update", "shelf", "9", "nothing"}, Exit::Absent, "no map \"nothing\"");
  create("other", {"--type", "hash", "--key", "4", "--value", "4", "--entries", "1"});
  fails({"update", "shelf", "9", "other"}, Exit::Refused, "the object is none that this map takes");
  fails({"create", "none", "--type", "array_of_maps", "--key", "4", "--value", "4", "--entries", "1", "--pin", "/p"},
        Exit::Refused, "needs --inner MAP");
  fails({"import", "shelf", "x"}, Exit::Usage, "have no file form");
}

TEST_P(MapElement, FrozenMapsSayTheyAre) {
  create("cold", {"--type", "array", "--key", "4", "--value", "4", "--entries", "1"});
  EXPECT_EQ(json({"show", "cold"})["frozen"], false);
  EXPECT_EQ(out({"freeze", "cold"}), "");
  fails({"update", "cold", "0", "1"}, Exit::Refused, "the map is frozen");
  fails({"freeze", "cold"}, Exit::Refused, "it is frozen already");
  EXPECT_EQ(json({"show", "cold"})["frozen"], true);
  EXPECT_NE(out({"list"}).find("frozen"), std::string::npos);
}

}  // namespace
}  // namespace skep::tool
