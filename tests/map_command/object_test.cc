// Maps as objects: how they are made, named, listed and shown.
#include <algorithm>

#include "loader/compile.h"
#include "map_command.h"

namespace skep::tool {
namespace {

class MapObject : public MapCommand {
 protected:
  void write(int map, std::uint32_t key, std::uint32_t value) {
    spec::Attr attr{};
    attr.elem.map_fd = static_cast<std::uint32_t>(map);
    attr.elem.key = reinterpret_cast<std::uintptr_t>(&key);
    attr.elem.value = reinterpret_cast<std::uintptr_t>(&value);
    EXPECT_EQ(bpf(static_cast<int>(spec::Command::MapUpdateElem), attr), 0);
  }
};
SKEP_EVERYWHERE(MapObject);

TEST_P(MapObject, AreNamedInManyWays) {
  create("named", {"--type", "array", "--key", "4", "--value", "4", "--entries", "3"});
  const auto id = std::to_string(json({"show", "named"})["id"].get<int>());
  using Words = std::vector<std::string>;
  for (const Words& name :
       {Words{"named"}, {"name", "named"}, {id}, {"id", id}, {"/pins/named"}, {"pinned", "/pins/named"}}) {
    Words words = {"lookup"};
    words.insert(words.end(), name.begin(), name.end());
    words.emplace_back("2");
    EXPECT_EQ(out(words), "00 00 00 00\n");
  }
  fails({"show", "id", "many"}, Exit::Usage, "id many: expected a number");
  fails({"show", "id", "4000000000"}, Exit::Absent, "no map has the id 4000000000");
  fails({"show", "/pins/other"}, Exit::Absent, "/pins/other: nothing is pinned there");
  fails({"show", "nobody"}, Exit::Absent, "no map \"nobody\"; there are:");
}

TEST_P(MapObject, OfOneNameAreListed) {
  for (const char* path : {"/a", "/b"})
    out({"create", "twin", "--type", "array", "--key", "4", "--value", "4", "--entries", "1", "--pin", path});
  const Result result = map({"lookup", "twin", "0"});
  EXPECT_EQ(result.code, static_cast<int>(Exit::Usage));
  EXPECT_NE(result.err.find("2 maps are called \"twin\"; choose one by its id:\n  id "), std::string::npos)
      << result.err;
  EXPECT_EQ(out({"lookup", "/a", "0"}), "00 00 00 00\n");
}

TEST_P(MapObject, LongNamesAreCut) {
  create("a_name_that_is_too_long", {"--type", "array", "--key", "4", "--value", "4", "--entries", "1"});
  EXPECT_EQ(json({"show", "a_name_that_is_too_long"})["name"], "a_name_that_is_");
}

struct Made {
  std::string type, key, value, entries, flags;
};

// Each type that a map can be made of without other objects.
TEST_P(MapObject, OfEachType) {
  const Made all[] = {{"hash", "8", "8", "4", "no_prealloc"},
                      {"array", "4", "8", "4", "mmapable"},
                      {"prog_array", "4", "4", "4", ""},
                      {"perf_event_array", "4", "4", "4", ""},
                      {"percpu_hash", "4", "8", "4", ""},
                      {"percpu_array", "4", "8", "4", ""},
                      {"lru_hash", "4", "8", "8", ""},
                      {"lru_percpu_hash", "4", "8", "8", "no_common_lru"},
                      {"lpm_trie", "8", "8", "4", "no_prealloc"},
                      {"devmap", "4", "4", "4", ""},
                      {"devmap_hash", "4", "4", "4", ""},
                      {"cpumap", "4", "4", "1", ""},
                      {"queue", "", "4", "4", ""},
                      {"stack", "", "4", "4", ""},
                      {"ringbuf", "", "", "4096", ""},
                      {"bloom_filter", "", "8", "4", ""}};
  std::size_t number = 0;
  for (const Made& made : all) {
    const std::string name = "map" + std::to_string(++number);
    std::vector<std::string> options = {"--type", made.type, "--entries", made.entries};
    const auto add = [&](const char* option, const std::string& value) {
      if (!value.empty()) options.insert(options.end(), {option, value});
    };
    add("--key", made.key);
    add("--value", made.value);
    add("--flags", made.flags);
    create(name, options);
    const auto shown = json({"show", name});
    EXPECT_EQ(shown["type"], made.type);
    EXPECT_EQ(shown["frozen"], false) << made.type;
    EXPECT_NE(shown["flags"].get<std::string>().find(made.flags), std::string::npos);
    EXPECT_NE(out({"show", name}).find(made.type), std::string::npos);
  }
  const auto list = json({"list"});
  EXPECT_GE(list.size(), std::size(all));
  EXPECT_NE(out({"list"}).find("lru_percpu_hash"), std::string::npos);
}

TEST_P(MapObject, MistakesAreNamed) {
  const auto wrong = [&](std::vector<std::string> options, const std::string& says, Exit code = Exit::Refused) {
    std::vector<std::string> words = {"create", "wrong", "--pin", "/wrong"};
    words.insert(words.end(), options.begin(), options.end());
    fails(words, code, says);
  };
  wrong({"--type", "hush", "--entries", "1"}, "--type hush: there are hash, array", Exit::Usage);
  wrong({"--type", "hash", "--flags", "fast", "--entries", "1"}, "--flags fast: there are no_prealloc", Exit::Usage);
  wrong({"--type", "hash", "--key", "4", "--value", "4"}, "--entries is missing");
  wrong({"--type", "array", "--key", "8", "--value", "4", "--entries", "1"}, "keys of arrays have 4 bytes, not 8");
  wrong({"--type", "queue", "--key", "4", "--value", "4", "--entries", "1"}, "have no keys: leave out --key");
  wrong({"--type", "ringbuf", "--entries", "4095"}, "a power of two and whole pages");
  wrong({"--type", "lpm_trie", "--key", "8", "--value", "4", "--entries", "1"}, "needs --flags no_prealloc");
  wrong({"--type", "hash", "--key", "struct {", "--value", "u8", "--entries", "1"}, "do not compile", Exit::Input);
  wrong({"--type", "hash", "--key", "struct none", "--value", "u8", "--entries", "1"}, "has no size", Exit::Input);
  fails({"create", "wrong", "--type", "array"}, Exit::Usage, "--pin");
  create("there", {"--type", "array", "--key", "4", "--value", "4", "--entries", "1"});
  fails({"pin", "there", "/pins/there"}, Exit::Refused, "there is something already");
  EXPECT_EQ(out({"pin", "there", "/elsewhere"}), "");
  EXPECT_EQ(out({"lookup", "/elsewhere", "0"}), "00 00 00 00\n");
}

// Types by their names in an object file, for a new map and for one that has none.
TEST_P(MapObject, TypesComeFromObjects) {
  const std::string source = folder_.write(
      "types.bpf.c", "struct flow { unsigned address; unsigned short port, zero; } flow;\nunsigned long long count;\n");
  const auto object = loader::compile(source, {});
  ASSERT_TRUE(object) << object.error().message;
  const std::string file =
      folder_.write("types.bpf.o", {reinterpret_cast<const char*>(object->data()), object->size()});
  create("typed", {"--type", "hash", "--key", "struct flow", "--value", "8", "--entries", "4", "--btf", file});
  EXPECT_EQ(json({"show", "typed"})["key_bytes"], 8);
  create("plain", {"--type", "hash", "--key", "8", "--value", "8", "--entries", "4"});
  const std::vector<std::string> types = {"--btf", file, "--key-type", "flow"};
  const auto with_types = [&](std::vector<std::string> words) {
    words.insert(words.end(), types.begin(), types.end());
    return out(words);
  };
  with_types({"update", "plain", R"({"address": "10.0.0.1", "port": "be:80"})", "9"});
  EXPECT_EQ(out({"lookup", "plain", "0a 00 00 01 00 50 00 00"}), "09 00 00 00 00 00 00 00\n");
  EXPECT_NE(with_types({"dump", "plain"}).find("\"port\": 20480"), std::string::npos);
  fails({"dump", "plain", "--btf", file, "--key-type", "flows"}, Exit::Input, "the BTF has no type \"flows\"");
  fails({"dump", "plain", "--key-type", "flow"}, Exit::Input, "the map has no BTF, name it with --btf");
  fails({"dump", "plain", "--btf", file, "--value-type", "u8"}, Exit::Input, "--value-type");
  fails({"dump", "plain", "--btf", "/proc/self/exe"}, Exit::Input, "expected BPF");
}

TEST_P(MapObject, TypesAreShownAsC) {
  create("shown", {"--type", "hash", "--key", "u8[6]", "--value", "struct { u64 packets; }", "--entries", "4"});
  const std::string text = out({"show", "shown"});
  EXPECT_NE(text.find("u64 packets;"), std::string::npos) << text;
  out({"update", "shown", "02:00:00:00:00:01", R"({"packets": 2})"});
  EXPECT_EQ(out({"lookup", "shown", "02:00:00:00:00:01"}), "{\"packets\":2}\n");
  const auto shown = json({"show", "shown"});
  EXPECT_EQ(shown["entries"], 1);
  EXPECT_EQ(shown["max_entries"], 4);
  EXPECT_GT(shown["memory_bytes"].get<std::uint64_t>(), 0U);
}

TEST_P(MapObject, TopShowsWhatChanges) {
  create("busy", {"--type", "hash", "--key", "4", "--value", "4", "--entries", "8"});
  out({"update", "busy", "1", "1"});
  const std::string once = out({"top", "--once"});
  EXPECT_NE(once.find("busy"), std::string::npos);
  EXPECT_NE(once.find("12.5 %"), std::string::npos) << once;
  EXPECT_NE(once.find("hits: not known"), std::string::npos);
  // When it looks for the second time, one element has changed and two have come.
  int looks = 0;
  before_ = [&](int command, const spec::Attr& attr) {
    const bool look = command == static_cast<int>(spec::Command::MapLookupBatch) && attr.batch.in_batch == 0;
    if (!look || ++looks != 2) return;
    for (std::uint32_t key = 1; key <= 3; ++key) write(static_cast<int>(attr.batch.map_fd), key, 7);
  };
  const std::string lines = out({"top", "busy", "--json", "--count", "2", "--interval", "0.01"});
  const auto second = nlohmann::json::parse(lines.substr(lines.find('\n') + 1), nullptr, false);
  ASSERT_EQ(second.size(), 1U) << lines;
  EXPECT_EQ(second[0]["entries"], 3);
  EXPECT_EQ(second[0]["new"], 2);
  EXPECT_EQ(second[0]["changed"], 1);
  EXPECT_EQ(second[0]["gone"], 0);
  EXPECT_GE(second[0]["seconds"].get<double>(), 0.01);
}

// ---- the tool from outside

// A hive of `skep exec` has none of the kernel's maps.
TEST(MapTool, SpeaksToTheHiveOfExec) {
  if (!std::filesystem::exists(SKEP_BIN_DIR "/../lib/libskep-preload.so")) GTEST_SKIP() << "no preload library here";
  const std::string tool = SKEP_BIN_DIR "/skep";
  const Result none = run("exec -- " + tool + " map list");
  EXPECT_EQ(none.code, 0) << none.err;
  EXPECT_EQ(none.out, "no maps\n");
  const std::string script = tool +
                             " map create held --type hash --key u32 --value u64 --entries 4 --hold & "
                             "for i in $(seq 100); do " +
                             tool + " map update held 1 2 2>/dev/null && break; sleep 0.1; done; " + tool +
                             " map lookup held 1; kill $!";
  const Result held = run("exec -- sh -c '" + script + "'");
  EXPECT_EQ(held.code, 0) << held.err;
  EXPECT_NE(held.out.find("2\n"), std::string::npos) << held.out << held.err;
}

TEST(MapTool, HivesHaveNames) {
  const Result none = run("map list --hive nobody_is_called_this");
  EXPECT_EQ(none.code, static_cast<int>(cli::Exit::Unavailable)) << none.err;
  EXPECT_NE(none.err.find("skep hive start nobody_is_called_this"), std::string::npos) << none.err;
  const std::string name = "map_test_" + std::to_string(::getpid());
  const Result started = run("hive start " + name);
  ASSERT_EQ(started.code, 0) << started.err;
  EXPECT_EQ(run("map list --hive " + name).out, "no maps\n");
  EXPECT_NE(run("map list --hive x --kernel").err.find("excludes"), std::string::npos);
  EXPECT_EQ(run("hive stop " + name).code, 0);
}

TEST(MapTool, UnknownCommandsAreNamed) {
  const Result result = run("map fly");
  EXPECT_EQ(result.code, static_cast<int>(cli::Exit::Usage));
  EXPECT_NE(result.err.find("no command \"map fly\"; there are: list show"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("Try: skep map --help"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace skep::tool
