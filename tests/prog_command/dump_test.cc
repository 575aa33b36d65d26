// Instructions and types: what is printed, and that bpftool prints the same of the kernel's.
#include <algorithm>
#include <regex>

#include "prog_command.h"

namespace skep::tool {
namespace {

class Dump : public ProgCommand {
 protected:
  // What bpftool prints; nothing where it is not installed, or these are not the kernel's objects.
  std::string bpftool(const std::string& words) {
    if (hive_) return "";
    const std::string to = folder_ / "bpftool";
    if (std::system(("bpftool " + words + " >" + to + " 2>/dev/null").c_str()) != 0) return "";
    return contents(to);
  }
  std::string id(const std::string& name, const char* field = "id") {
    return std::to_string(json({"prog", "show", name})[field].get<int>());
  }
};
SKEP_EVERYWHERE(Dump);

TEST_P(Dump, Instructions) {
  load("count_all");
  const std::string name = pin("count_all");
  const std::string text = out({"prog", "dump", "xlated", "pinned", name});
  says(text, "int count_all(struct xdp_md *ctx):\n");
  says(text, "@ pair.bpf.c:");
  says(text, "r1 = map[id:");
  says(text, "int twice(int x):\n");
  says(text, "#bpf_prog_");
  says(text, hive_ ? "call bpf_get_prandom_u32#7\n" : "call bpf_user_rnd_u32#");
  EXPECT_EQ(text.find("call unknown"), std::string::npos) << text;
  const auto shown = json({"prog", "show", name});
  out({"prog", "dump", "xlated", name, "file", folder_ / "bytes"});
  const std::string bytes = contents(folder_ / "bytes");
  EXPECT_EQ(bytes.size(), shown["bytes_xlated"].get<std::size_t>());
  const std::string opcodes = out({"prog", "dump", "xlated", name, "opcodes"});
  says(opcodes, "b4 01 00 00 01 00 00 00\n");
  says(out({"prog", "dump", "xlated", name, "linum"}), "pair.bpf.c line_num:");
  says(out({"prog", "dump", "xlated", name, "visual"}), "digraph");
  const auto list = json({"prog", "dump", "xlated", name});
  EXPECT_EQ(list[0]["function"], "int count_all(struct xdp_md *ctx)");
  EXPECT_EQ(list[0]["text"], "w1 = 1");
}

TEST_P(Dump, MachineCode) {
  load("count_all");
  const std::string name = pin("count_all");
  if (!json({"prog", "show", name})["jited"].get<bool>()) {
    fails({"prog", "dump", "jited", name}, Exit::Unavailable, "is not compiled");
    return;
  }
  const std::string text = out({"prog", "dump", "jited", name});
  says(text, "int count_all(struct xdp_md *ctx):\nbpf_prog_");
  says(text, "_twice:\n");
  const bool calls_by_name = std::regex_search(text, std::regex("call bpf_prog_[0-9a-f]{16}_twice\\n"));
  EXPECT_EQ(calls_by_name, GetParam() == Where::Kernel) << text;  // a hive inlines it
  says(text, "push rbp\n");
  if (!hive_) says(text, "call bpf_user_rnd_u32\n");
  says(out({"prog", "dump", "jited", name, "opcodes"}), "\n       55\n");
  says(text, "; ");
  const auto functions = json({"prog", "dump", "jited", name});
  ASSERT_EQ(functions.size(), 2U);
  std::size_t bytes = 0;
  for (const auto& function : functions) {
    EXPECT_GT(function["address"], 0U);
    for (const auto& insn : function["instructions"]) bytes += (insn["bytes"].get<std::string>().size() + 1) / 3;
  }
  EXPECT_EQ(bytes, json({"prog", "show", name})["bytes_jited"]);
  out({"prog", "dump", "jited", name, "file", folder_ / "code"});
  EXPECT_EQ(contents(folder_ / "code").size(), bytes);
  fails({"prog", "dump", "jited", name, "visual"}, Exit::Usage, "only of xlated");
}

// The same text but for where a pointer's asterisk stands.
TEST_P(Dump, InstructionsAreAsBpftoolPrintsThem) {
  load("count_all");
  const std::string theirs = bpftool("prog dump xlated id " + id(pin("count_all")) + " linum");
  if (theirs.empty()) GTEST_SKIP() << "nothing to compare with";
  const std::regex pointer("xdp_md \\* ctx"), place(" @ pair.bpf.c:[0-9]+");
  EXPECT_EQ(out({"prog", "dump", "xlated", pin("count_all"), "linum"}),
            std::regex_replace(theirs, pointer, "xdp_md *ctx"));
  const std::string with_bytes = bpftool("prog dump xlated id " + id(pin("count_all")) + " opcodes");
  EXPECT_EQ(std::regex_replace(out({"prog", "dump", "xlated", pin("count_all"), "opcodes"}), place, ""),
            std::regex_replace(with_bytes, pointer, "xdp_md *ctx"));
}

TEST_P(Dump, ProgramsAreAsBpftoolSaysThem) {
  load("count_all");
  const std::string theirs = bpftool("-j prog show id " + id(pin("count_all")));
  if (theirs.empty()) GTEST_SKIP() << "nothing to compare with";
  auto ours = json({"prog", "show", pin("count_all")});
  ours.erase("verified_insns");
  ours.erase("loaded_at");  // both reckon it from two clocks
  auto expected = nlohmann::json::parse(theirs);
  for (const char* key : {"loaded_at", "pids", "pinned"}) expected.erase(key);
  EXPECT_EQ(ours, expected);
}

TEST_P(Dump, Types) {
  load("count_all");
  const std::string name = pin("count_all"), btf = id(name, "btf_id");
  const std::string raw = out({"btf", "dump", "prog", name});
  EXPECT_EQ(raw, out({"btf", "dump", "id", btf}));
  says(raw, " STRUCT 'counter' size=16 vlen=2\n\t'packets' type_id=");
  says(raw, "] FUNC 'twice' type_id=");
  const std::string c = out({"btf", "dump", "prog", name, "format", "c"});
  says(c, "struct counter {\n\t__u64 packets;\n\t__u32 last;\n};\n");
  const auto types = json({"btf", "dump", btf})["types"];
  EXPECT_EQ(types[0]["id"], 1);
  EXPECT_EQ(types.size(), static_cast<std::size_t>(std::ranges::count(raw, '[')));
  const auto about = json({"btf", "show", btf});
  EXPECT_EQ(about["prog_ids"].size(), 1U) << about;
  EXPECT_EQ(about["map_ids"].size(), 2U) << about;
  says(out({"btf", "list"}), btf);
  const std::string map = std::to_string(about["map_ids"][0].get<int>());
  says(out({"btf", "dump", "map", map, "value"}), "STRUCT 'counter'");
  EXPECT_EQ(out({"btf", "dump", "map", map, "value"}).find("'__u32'"), std::string::npos);
  EXPECT_EQ(out({"btf", "dump", "map", "id", map, "all"}), raw);
  says(out({"btf", "dump", "file", object_}), "'counter'");
  fails({"btf", "dump", "id", btf, "format", "rust"}, Exit::Usage, "format");
  fails({"btf", "dump", "file", folder_ / "none"}, Exit::Input, "No such file");
  fails({"btf", "dump", "id", "4000000000"}, Exit::Absent, "no BTF has the id 4000000000");
  out({"map", "create", "plain", "--type", "hash", "--key", "4", "--value", "4", "--entries", "1", "--pin",
       pin("plain")});
  fails({"btf", "dump", "map", pin("plain")}, Exit::Absent, "map plain has no BTF");
}

TEST_P(Dump, TypesAreAsBpftoolPrintsThem) {
  load("count_all");
  const std::string btf = id(pin("count_all"), "btf_id");
  const std::string raw = bpftool("btf dump id " + btf);
  if (raw.empty()) GTEST_SKIP() << "nothing to compare with";
  EXPECT_EQ(out({"btf", "dump", btf}), raw);
  EXPECT_EQ(out({"btf", "dump", btf, "format", "c"}), bpftool("btf dump id " + btf + " format c"));
  EXPECT_EQ(json({"btf", "dump", btf}), nlohmann::json::parse(bpftool("-j btf dump id " + btf)));
  EXPECT_TRUE(out({"btf", "dump", "vmlinux"}) == bpftool("btf dump file /sys/kernel/btf/vmlinux"));
}

}  // namespace
}  // namespace skep::tool
