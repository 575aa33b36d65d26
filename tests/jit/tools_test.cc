// What people see of compiled programs: `skep dump --jit`, gdb's backtraces, perf's reports, bpftool's dumps. gdb, perf
// and bpftool are the system's; where one of them is not there, or may not do its work, its test is skipped.
#include <fmt/format.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tool.h"

namespace skep::tool {
namespace {

const std::string kTraffic = source("tests/captures/traffic.pcap");
const std::string kSkep = SKEP_BIN_DIR "/skep";

bool is_there(const std::string& program) {
  return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
}

// A command line of the shell.
Result shell(const std::string& command) {
  const Folder folder;
  const int status =
      std::system(("(" + command + ") >" + (folder / "out") + " 2>" + (folder / "err") + " </dev/null").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), contents(folder / "out"),
          contents(folder / "err")};
}

bool compiles() {
  return run("run " SKEP_SEEN " --prog told --engine jit --limit 1 --json --pcap " + kTraffic)
             .out.find("interpreted, not compiled") == std::string::npos;
}

class Seen : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!compiles()) GTEST_SKIP() << "nothing is compiled here";
  }
};

// ---- skep dump --jit

TEST_F(Seen, DumpShowsSourceInstructionsAndMachineCodeSideBySide) {
  const Result dump = run("dump --jit --prog told " SKEP_SEEN);
  ASSERT_EQ(dump.code, 0) << dump.err;
  EXPECT_NE(dump.out.find("bytes of machine code"), std::string::npos);
  EXPECT_NE(dump.out.find("\ntold:\n"), std::string::npos) << dump.out;
  EXPECT_NE(dump.out.find("\nsay:\n"), std::string::npos) << dump.out;
  EXPECT_NE(dump.out.find("; return length ? XDP_PASS : XDP_DROP; @ seen.bpf.c:"), std::string::npos) << dump.out;
  EXPECT_NE(dump.out.find("(prologue)"), std::string::npos);
  EXPECT_NE(dump.out.find("endbr64"), std::string::npos);
  EXPECT_NE(dump.out.find("call bpf_trace_printk#6"), std::string::npos);
  EXPECT_NE(dump.out.find("exit"), std::string::npos);
}

TEST_F(Seen, DumpAsJsonCoversEveryByteOnce) {
  const auto json = nlohmann::json::parse(run("dump --jit --json " SKEP_SEEN).out, nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  ASSERT_EQ(json.size(), 3U);
  for (const auto& program : json) {
    std::size_t at = 0, insns = 0;
    for (const auto& function : program["functions"])
      for (const auto& piece : function["pieces"]) {
        for (const auto& machine : piece["machine"]) {
          EXPECT_EQ(machine["offset"].get<std::size_t>(), at);
          at += machine["bytes"].get<std::string>().size() / 2;
        }
        insns += piece["instructions"].size();
      }
    EXPECT_EQ(at, program["bytes"].get<std::size_t>());
    EXPECT_GT(insns, 10U);
  }
}

TEST_F(Seen, DumpShowsJumpTablesAsSuch) {
  const auto json = nlohmann::json::parse(run("dump --jit --json --prog chosen " SKEP_SEEN).out, nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  std::set<std::string> begin_code;  // where instructions of the machine begin
  std::vector<std::string> entries;
  for (const auto& piece : json[0]["functions"][0]["pieces"]) {
    const bool is_table = piece.value("title", "") == "jump table";
    for (const auto& machine : piece["machine"])
      if (is_table)
        entries.push_back(machine["text"]);
      else
        begin_code.insert(fmt::format(".table +{:#x}", machine["offset"].get<unsigned>()));
  }
  EXPECT_EQ(entries.size(), 64U);
  for (const std::string& entry : entries) EXPECT_TRUE(begin_code.contains(entry)) << entry;
  EXPECT_EQ(run("dump --jit --jit-retpolines --prog chosen " SKEP_SEEN).out.find(".table"), std::string::npos);
}

TEST_F(Seen, DumpShowsWhatHardeningDoes) {
  const Result open = run("dump --jit --prog busy " SKEP_SEEN);
  const Result hidden = run("dump --jit --jit-harden 2 --prog busy " SKEP_SEEN);
  EXPECT_NE(open.out.find("0x19660d"), std::string::npos) << open.out;  // 1664525
  EXPECT_EQ(hidden.code, 0) << hidden.err;
  EXPECT_EQ(hidden.out.substr(hidden.out.find("busy:")).find(", 0x19660d\n"), std::string::npos) << hidden.out;
}

// ---- gdb

TEST_F(Seen, GdbNamesCompiledFrames) {
  if (!is_there("gdb")) GTEST_SKIP() << "there is no gdb";
  const Result gdb = shell(
      "timeout 120 gdb -nx -batch -iex 'set debuginfod enabled off' -ex 'set startup-with-shell off' "
      "-ex 'break skep::runtime::SystemHost::trace' -ex run -ex bt -ex 'info symbol $pc' --args " +
      kSkep + " run " SKEP_SEEN " --prog told --engine jit --jit-tools gdb --limit 1 --pcap " + kTraffic);
  if (gdb.out.find("Breakpoint 1, ") == std::string::npos) GTEST_SKIP() << "gdb cannot run programs here: " << gdb.err;
  EXPECT_NE(gdb.out.find(" in bpf_prog_say () at "), std::string::npos) << gdb.out << gdb.err;
  EXPECT_NE(gdb.out.find(" in bpf_prog_told () at "), std::string::npos) << gdb.out << gdb.err;
  EXPECT_NE(gdb.out.find("seen.bpf.c:"), std::string::npos) << gdb.out;
  EXPECT_NE(gdb.out.find("main ("), std::string::npos) << "the way back goes on to main:\n" << gdb.out;
}

// ---- perf

class Perf : public Seen {
 protected:
  void SetUp() override {
    Seen::SetUp();
    if (IsSkipped()) return;
    if (!is_there("perf")) GTEST_SKIP() << "there is no perf";
    if (shell("perf record -e cpu-clock -o " + (folder_ / "try") + " true").code != 0)
      GTEST_SKIP() << "perf events are not permitted here";
  }
  // Records a run that is busy in compiled code; JITDUMPDIR is the folder.
  Result record(const std::string& perf, const std::string& skep) {
    return shell("cd " + (folder_ / "") + " && JITDUMPDIR=" + (folder_ / "") + " timeout 120 perf record " + perf +
                 " -e cpu-clock -o data " + kSkep + " run " SKEP_SEEN " --prog busy --engine jit --repeat 300 --pcap " +
                 kTraffic + " " + skep);
  }
  Folder folder_;
};

TEST_F(Perf, ReportNamesFunctionsByTheMap) {
  const Result recorded = record("", "--jit-tools perf-map");
  ASSERT_EQ(recorded.code, 0) << recorded.err;
  const Result report = shell("perf report --stdio -i " + (folder_ / "data"));
  EXPECT_NE(report.out.find("bpf_prog_churn"), std::string::npos) << report.out << report.err;
  // perf names the process there
  const std::string mark = "[JIT] tid ";
  const std::size_t at = report.out.find(mark);
  ASSERT_NE(at, std::string::npos) << report.out;
  std::filesystem::remove("/tmp/perf-" + std::to_string(std::stoi(report.out.substr(at + mark.size()))) + ".map");
}

TEST_F(Perf, InjectTakesCodeAndLinesFromTheJitdump) {
  const Result recorded = record("-k mono", "--jit-tools jitdump");
  ASSERT_EQ(recorded.code, 0) << recorded.err;
  const Result injected = shell("cd " + (folder_ / "") + " && perf inject --jit -i data -o injected");
  ASSERT_EQ(injected.code, 0) << injected.err;
  const Result report = shell("cd " + (folder_ / "") + " && perf report --stdio -i injected");
  EXPECT_NE(report.out.find("bpf_prog_churn"), std::string::npos) << report.out << report.err;
  // the object files that perf made of it: symbols, lines, unwind tables
  const Result sections = shell("cd " + (folder_ / "") +
                                " && for f in jitted-*.so; do readelf -SW $f; readelf --debug-dump=frames $f; done");
  EXPECT_NE(sections.out.find(".debug_line"), std::string::npos) << sections.out << sections.err;
  EXPECT_NE(sections.out.find(".eh_frame_hdr"), std::string::npos) << sections.out;
  EXPECT_NE(sections.out.find("DW_CFA_def_cfa_register"), std::string::npos) << sections.out;
}

// A hive with a process of its own, which compiles for the programs of `skep exec`.
TEST_F(Seen, SkepExecTellsToolsToo) {
  if (!is_there("bpftool")) GTEST_SKIP() << "there is no bpftool to run";
  const std::string name = "tools-" + std::to_string(::getpid());
  const Result started =
      run("hive start --json --engine jit --jit-harden 2 --jit-retpolines --jit-tools perf-map " + name);
  const auto hive = nlohmann::json::parse(started.out, nullptr, false);
  ASSERT_TRUE(hive.is_object()) << started.err;
  const Result ran = shell("SKEP_TEST_OBJECT=" SKEP_SEEN " LD_PRELOAD=" SKEP_LOAD_FIRST " " + kSkep + " exec --hive " +
                           name + " -- bpftool version");
  EXPECT_EQ(run("hive stop " + name).code, 0);
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::string map = "/tmp/perf-" + std::to_string(hive["pid"].get<int>()) + ".map";
  EXPECT_NE(contents(map).find(" bpf_prog_churn\n"), std::string::npos) << map;
  std::filesystem::remove(map);
}

// ---- bpftool

TEST_F(Seen, BpftoolDumpsCompiledPrograms) {
  if (!is_there("bpftool")) GTEST_SKIP() << "there is no bpftool";
  const Folder folder;
  const std::string exec =
      "SKEP_TEST_OBJECT=" SKEP_SEEN " LD_PRELOAD=" SKEP_LOAD_FIRST " " + kSkep + " exec --engine jit -- bpftool ";
  const auto shown = nlohmann::json::parse(shell(exec + "-j prog show").out, nullptr, false);
  ASSERT_TRUE(shown.is_array() && shown.size() == 3);
  for (const auto& program : shown) {
    EXPECT_TRUE(program["jited"].get<bool>());
    EXPECT_GT(program["bytes_jited"].get<std::size_t>(), 50U);
    const std::string file = folder / "code";
    const std::string id = std::to_string(program["id"].get<int>());
    const Result dump = shell(exec + "prog dump jited id " + id + " file " + file);
    if (dump.err.find("No libbfd support") != std::string::npos) continue;  // Debian's, which dumps no machine code
    ASSERT_EQ(dump.code, 0) << dump.out << dump.err;
    const std::string code = contents(file);
    EXPECT_EQ(code.size(), program["bytes_jited"].get<std::size_t>());
    EXPECT_TRUE(code.starts_with("\xf3\x0f\x1e\xfa")) << "it begins with endbr64";
    const Result text = shell(exec + "prog dump jited id " + id);
    EXPECT_NE(text.out.find(program["name"].get<std::string>()), std::string::npos) << text.out;
  }
}

}  // namespace
}  // namespace skep::tool
