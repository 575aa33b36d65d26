// Whole maps: dumps with conditions, files in and out, records.
#include "abi/route.h"
#include "loader/compile.h"
#include "loader/object.h"
#include "map_command.h"

namespace skep::tool {
namespace {

class MapFiles : public MapCommand {
 protected:
  void make_flows() {
    create("lanes", {"--type", "hash", "--key", "struct { u32 address; u16 port; u16 zero; }", "--value",
                     "struct { u64 count; char name[8]; u8 mac[6]; u16 flags; union { u32 word; u8 bytes[4]; } u; }",
                     "--entries", "64"});
    out({"update", "lanes", R"({"address": "10.0.0.1", "port": "be:80"})",
         R"({"count": 100, "name": "a,\"b\"", "mac": "02:00:00:00:00:01", "u": {"word": 7}})"});
    out({"update", "lanes", R"({"address": "10.0.0.2", "port": 5})", R"({"count": 200, "name": "123"})"});
  }
  std::string dump(const std::string& name) { return json({"dump", name, "--per-cpu"}).dump(); }
};
SKEP_EVERYWHERE(MapFiles);

TEST_P(MapFiles, GoOutAndComeBack) {
  make_flows();
  const std::string before = dump("lanes");
  for (const std::string& file : {folder_ / "flows.json", folder_ / "flows.csv"}) {
    EXPECT_EQ(out({"export", "lanes", file}), "");
    out({"delete", "lanes", R"({"address": "10.0.0.1", "port": "be:80"})"});
    out({"delete", "lanes", R"({"address": "10.0.0.2", "port": 5})"});
    EXPECT_EQ(out({"dump", "lanes"}), "  empty\n");
    EXPECT_EQ(out({"import", "lanes", file}), "2 entries written\n");
    EXPECT_EQ(dump("lanes"), before) << contents(file);
    EXPECT_EQ(json({"update", "lanes", "@" + file})["written"], 2);
    fails({"import", "lanes", file, "--noexist"}, Exit::Refused, "entry 1: map lanes (hash), key");
  }
  const std::string csv = out({"export", "lanes", "--format", "csv"});
  EXPECT_TRUE(csv.starts_with("key.address,key.port,key.zero,value.count,value.name,")) << csv;
  EXPECT_NE(csv.find("\"a,\"\"b\"\"\""), std::string::npos) << csv;
}

TEST_P(MapFiles, OfEachCpuGoOutAndComeBack) {
  create("totals", {"--type", "percpu_hash", "--key", "u32", "--value", "u64", "--entries", "4"});
  const std::string file =
      folder_.write("in.json", R"([{"key": 1, "values": [{"cpu": 0, "value": 5}]}, {"key": 2, "value": 6}])");
  out({"import", "totals", file});
  const std::string before = dump("totals");
  for (const std::string& name : {folder_ / "out.json", folder_ / "out.csv"}) {
    out({"export", "totals", name});
    for (const char* key : {"1", "2"}) out({"delete", "totals", key});
    out({"import", "totals", name});
    EXPECT_EQ(dump("totals"), before) << contents(name);
  }
}

TEST_P(MapFiles, MistakesAreNamed) {
  create("small", {"--type", "hash", "--key", "u32", "--value", "u32", "--entries", "2"});
  const auto wrong = [&](const std::string& name, const std::string& text, const std::string& says,
                         Exit code = Exit::Input) {
    fails({"import", "small", folder_.write(name, text)}, code, says);
  };
  fails({"import", "small", "/nowhere/x"}, Exit::Input, "/nowhere/x: No such file");
  fails({"import", "small", "/tmp"}, Exit::Input, "/tmp: is a folder");
  wrong("a.json", "[", "not JSON");
  wrong("b.json", R"([{"key": 1, "value": "x"}])", "entry 1: value: \"x\" is not a number");
  wrong("c.json", R"([{"key":1,"value":1},{"key":2,"value":1},{"key":3,"value":1}])",
        "entry 3: map small (hash), key 3: the map is full: it holds 2 entries", Exit::Refused);
  wrong("d.csv", "key,values\n1,2\n", "line 1: column \"values\"; expected key, value and their members");
  wrong("e.csv", "key,value\n1\n", "line 2: 1 cells, expected 2");
  wrong("f.csv", "key,value\n1,\"2\n", "line 2: a quote is not closed");
  wrong("g.csv", "key,value\n1,-2\n", "line 2: value: -2 where an unsigned integer of 32 bits is expected");
  fails({"export", "small", "/nowhere/x"}, Exit::Input, "/nowhere/x: cannot be written");
  fails({"update", "small", "@" + folder_.write("h.txt", "nonsense")}, Exit::Input, "not JSON");
}

TEST_P(MapFiles, ConditionsChooseElements) {
  make_flows();
  const auto count = [&](const std::string& where) { return json({"dump", "lanes", "--where", where}).size(); };
  EXPECT_EQ(count("value.count>100"), 1U);
  EXPECT_EQ(count("value.count>=100"), 2U);
  EXPECT_EQ(count("value.count!=100"), 1U);
  EXPECT_EQ(count("key.address=10.0.0.2"), 1U);
  EXPECT_EQ(count("value.mac=02:00:00:00:00:01"), 1U);
  EXPECT_EQ(count("value.mac[0]=2"), 1U);
  EXPECT_EQ(count("value.name~12"), 1U);
  EXPECT_EQ(count("value.nothing=1"), 0U);
  EXPECT_EQ(json({"dump", "lanes", "--limit", "1"}).size(), 1U);
  EXPECT_EQ(json({"dump", "lanes", "--where", "value.count>1", "--where", "value.count<150"}).size(), 1U);
  fails({"dump", "lanes", "--where", "count"}, Exit::Usage, "such as value.count>100");
}

// More elements than one batch takes, in a map whose buckets may be full.
TEST_P(MapFiles, LargeMapsAreReadWhole) {
  create("large", {"--type", "hash", "--key", "4", "--value", "8", "--entries", "200000"});
  std::string csv = "key,value\n";
  for (int i = 0; i < 150000; ++i) csv += std::to_string(i) + "," + std::to_string(2 * i) + "\n";
  EXPECT_EQ(out({"import", "large", folder_.write("large.csv", csv)}), "150000 entries written\n");
  EXPECT_EQ(json({"show", "large"})["entries"], 150000);
  out({"export", "large", folder_ / "out.csv"});
  const std::string all = contents(folder_ / "out.csv");
  EXPECT_EQ(std::ranges::count(all, '\n'), 150001);
  EXPECT_EQ(out({"lookup", "large", "149999"}), "de 93 04 00 00 00 00 00\n");
}

// ---- records, which a program writes

constexpr const char* kProgram = R"(
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct event { unsigned number; char name[4]; };
struct event unused;
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } records SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __uint(key_size, 4); __uint(value_size, 4); } perf SEC(".maps");
SEC("xdp") int say(struct xdp_md* ctx) {
  struct event event = {ctx->data_end - ctx->data, "eth"};
  bpf_ringbuf_output(&records, &event, sizeof event, 0);
  bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, &event, sizeof event);
  return XDP_PASS;
}
char LICENSE[] SEC("license") = "GPL";
)";

class MapRecords : public MapFiles {
 protected:
  void SetUp() override {
    MapFiles::SetUp();
    if (IsSkipped()) return;
    const auto bytes = loader::compile(folder_.write("say.bpf.c", kProgram), {});
    ASSERT_TRUE(bytes) << bytes.error().message;
    file_ = folder_.write("say.bpf.o", {reinterpret_cast<const char*>(bytes->data()), bytes->size()});
    auto object = loader::Object::open(*bytes, "say.bpf.o", {});
    ASSERT_TRUE(object) << object.error().message;
    object_ = std::make_unique<loader::Object>(*std::move(object));
    const abi::Target target = hive_ ? abi::use(*hive_) : abi::use_kernel();
    const auto loaded = object_->load();
    ASSERT_TRUE(loaded) << loaded.error().message;
  }
  void TearDown() override { object_.reset(); }

  void run_program(std::uint32_t bytes) {
    const std::vector<std::byte> packet(bytes);
    spec::Attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(object_->program_fd(0));
    attr.test.data_in = reinterpret_cast<std::uintptr_t>(packet.data());
    attr.test.data_size_in = bytes;
    EXPECT_EQ(bpf(static_cast<int>(spec::Command::ProgTestRun), attr), 0);
  }

  std::string file_;
  std::unique_ptr<loader::Object> object_;
};
SKEP_EVERYWHERE(MapRecords);

TEST_P(MapRecords, OfRingBuffersArePrinted) {
  run_program(60), run_program(64);
  const std::vector<std::string> typed = {"event-pipe", "records", "--type", "event", "--btf", file_};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), typed.begin(), typed.end());
    return out(more);
  };
  const std::string both = "{\"number\":60,\"name\":\"eth\"}\n{\"number\":64,\"name\":\"eth\"}\n";
  EXPECT_EQ(with({"--keep"}), both);
  EXPECT_EQ(json({"show", "records"})["bytes_waiting"], 32);
  EXPECT_EQ(with({"--count", "1"}), both.substr(0, both.find('\n') + 1));
  EXPECT_EQ(with({"--once"}), both.substr(both.find('\n') + 1));
  EXPECT_EQ(with({"--once"}), "");
  run_program(61);
  EXPECT_EQ(out({"event-pipe", "records", "--once"}), "3d 00 00 00 65 74 68 00\n");
  run_program(61);
  const auto line = json({"event-pipe", "records", "--once", "--type", "event", "--btf", file_});
  EXPECT_EQ(line["bytes"], 8);
  EXPECT_EQ(line["record"]["number"], 61);
  fails({"event-pipe", "records", "--type", "events", "--btf", file_}, Exit::Input, "the BTF has no type \"events\"");
  EXPECT_EQ(out({"dump", "records"}), "  empty\n");
}

TEST_P(MapRecords, OfPerfEventArraysArePrinted) {
  if (GetParam() == Where::Hive) GTEST_SKIP() << "nobody receives a hive's perf events";
  // The map is filled when the command begins: a child runs the program until the command has seen its records.
  std::fflush(nullptr);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    for (int i = 0; i < 2000; ++i) run_program(60), ::usleep(5000);
    ::_exit(0);
  }
  const std::string lines = out({"event-pipe", "perf", "--type", "event", "--btf", file_, "--count", "2"});
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_NE(lines.find(": {\"number\":60,\"name\":\"eth\"}\n"), std::string::npos) << lines;
  EXPECT_TRUE(lines.starts_with("CPU ")) << lines;
}

TEST_P(MapRecords, AreOfRecordMapsOnly) {
  create("other", {"--type", "array", "--key", "4", "--value", "4", "--entries", "1"});
  fails({"event-pipe", "other"}, Exit::Usage, "expected a ringbuf or a perf_event_array");
}

}  // namespace
}  // namespace skep::tool
