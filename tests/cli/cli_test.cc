// What the tool says about inputs that are wrong, with which exit code; and that pages and completions are its own.
#include <sys/resource.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/sanitized.h"
#include "cli/exit_codes.h"
#include "loader/object.h"
#include "tool.h"

namespace skep::tool {
namespace {

using cli::Exit;

const std::string kFirewall = source("examples/firewall/firewall.bpf.c");
const std::string kTraffic = source("tests/captures/traffic.pcap");

void compile(const std::string& source, const std::string& object) {
  const std::string command =
      "clang-19 -target bpf -g -O2 -idirafter /usr/include/x86_64-linux-gnu -c " + source + " -o " + object;
  EXPECT_EQ(std::system(command.c_str()), 0);
}

// An object file to damage, compiled once.
const std::string& object() {
  static const std::string bytes = [] {
    const Folder folder;
    compile(kFirewall, folder / "o");
    return contents(folder / "o");
  }();
  return bytes;
}

constexpr const char* kHead = "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n";
constexpr const char* kTail = "\nchar LICENSE[] SEC(\"license\") = \"GPL\";\n";

// A program that says where `b` of a structure is that no kernel has.
std::string relocated_program(const Folder& folder) {
  return folder.write("thing.bpf.c", std::string(kHead) +
                                         "struct thing { int a, b; } __attribute__((preserve_access_index));\n"
                                         "SEC(\"xdp\") int where(struct xdp_md* ctx) {\n"
                                         "  return __builtin_preserve_field_info(((struct thing*)0)->b, 0);\n}\n" +
                                         kTail);
}

// The types of another place, where `b` is at byte 12.
std::string other_types(const Folder& folder) {
  compile(folder.write("other.c", "struct thing { int b_was_here[3], b, a; } it;\n"), folder / "other.o");
  const auto other = loader::Object::open(folder / "other.o", {});
  EXPECT_TRUE(other) << other.error().message;
  const Bytes types = other ? other->btf() : Bytes();
  return folder.write("other.btf", {reinterpret_cast<const char*>(types.data()), types.size()});
}

struct Wrong {
  std::string what;
  std::function<std::string(const Folder&)> arguments;
  Exit code;
  std::string says;
};

std::string on_traffic(const std::string& program) { return "run " + program + " --pcap " + kTraffic; }

const std::vector<Wrong>& wrong_inputs() {
  static const std::vector<Wrong> table = {
      {"no command", [](const Folder&) { return std::string(); }, Exit::Usage, "subcommand is required"},
      {"an unknown command", [](const Folder&) { return std::string("fly"); }, Exit::Usage,
       "no command \"fly\"; there are: run"},
      {"an unknown option", [](const Folder&) { return on_traffic(kFirewall) + " --fast"; }, Exit::Usage, "--fast"},
      {"no capture", [](const Folder&) { return "run " + kFirewall; }, Exit::Usage, "--pcap is required"},
      {"an unknown engine", [](const Folder&) { return on_traffic(kFirewall) + " --engine jet"; }, Exit::Usage, "jet"},
      {"an unknown level of hardening", [](const Folder&) { return on_traffic(kFirewall) + " --jit-harden 3"; },
       Exit::Usage, "--jit-harden"},
      {"a tool that nobody tells", [](const Folder&) { return on_traffic(kFirewall) + " --jit-tools gdb,vtune"; },
       Exit::Usage, "vtune"},
      {"machine code as a graph", [](const Folder&) { return "dump --jit --dot " + kFirewall; }, Exit::Usage, "--dot"},
      {"a limit of zero", [](const Folder&) { return on_traffic(kFirewall) + " --limit 0"; }, Exit::Usage, "--limit"},
      {"a map without a file", [](const Folder&) { return on_traffic(kFirewall) + " --map counters"; }, Exit::Usage,
       "expected NAME=FILE, found \"counters\""},
      {"no such program file", [](const Folder&) { return on_traffic("/nowhere/x.bpf.o"); }, Exit::Input,
       "/nowhere/x.bpf.o: No such file"},
      {"no such source", [](const Folder&) { return on_traffic("/nowhere/x.bpf.c"); }, Exit::Input,
       "/nowhere/x.bpf.c: No such file"},
      {"a folder for a program", [](const Folder&) { return on_traffic("/tmp"); }, Exit::Input,
       "/tmp: expected a file"},
      {"an empty object", [](const Folder& f) { return on_traffic(f.write("x.o", "")); }, Exit::Input,
       "not an ELF file: expected it to begin with 7f 45 4c 46, found nothing"},
      {"text for an object", [](const Folder& f) { return on_traffic(f.write("x.o", "hello, world")); }, Exit::Input,
       "not an ELF file"},
      {"another machine's object", [](const Folder&) { return on_traffic("/proc/self/exe"); }, Exit::Input,
       "an ELF file for x86-64, expected BPF"},
      {"C that does not compile",
       [](const Folder& f) { return on_traffic(f.write("x.bpf.c", "int f( { return 0; }")); }, Exit::Input,
       "does not compile"},
      {"no such program", [](const Folder&) { return on_traffic(kFirewall) + " --prog fireball"; }, Exit::Input,
       "no program \"fireball\"; this object has: firewall (xdp)"},
      {"several programs", [](const Folder&) { return on_traffic(source("examples/toptalkers/toptalkers.bpf.c")); },
       Exit::Input, "choose one with --prog"},
      {"a section of no known type",
       [](const Folder& f) {
         return on_traffic(
             f.write("x.bpf.c", "__attribute__((section(\"nonsense\"), used)) int f(void* c) { return 0; }\n"));
       },
       Exit::Input, "no program in a section of known type"},
      {"a program no packet can be fed to",
       [](const Folder& f) {
         return on_traffic(
             f.write("x.bpf.c", "__attribute__((section(\"kprobe/x\"), used)) int f(void* c) { return 0; }\n"));
       },
       Exit::Unavailable, "is of type kprobe; packets can be fed to xdp"},
      {"no such map", [](const Folder& f) { return on_traffic(kFirewall) + " --map flaws=" + f.write("m", "[]"); },
       Exit::Input, "no map \"flaws\"; this object has:"},
      {"a map file that is not there",
       [](const Folder&) { return on_traffic(kFirewall) + " --map blocked4=/nowhere/m"; }, Exit::Input,
       "/nowhere/m: No such file"},
      {"a map file that is no JSON",
       [](const Folder& f) { return on_traffic(kFirewall) + " --map blocked4=" + f.write("m", "[{"); }, Exit::Input,
       "not JSON"},
      {"a map file that does not fit",
       [](const Folder& f) {
         return on_traffic(kFirewall) +
                " --map blocked4=" + f.write("m", R"([{"key": {"address": "10.0.0"}, "value": {}}])");
       },
       Exit::Input,
       "entry 1: key.address: \"10.0.0\" is not a number, \"0x..\", \"be:..\" or an IPv4 address and the place has 4 "
       "bytes"},
      {"a variable that is not there",
       [](const Folder& f) { return on_traffic(kFirewall) + " --map .rodata=" + f.write("m", R"({"rait": 1})"); },
       Exit::Input, "no variable \"rait\"; there are:"},
      {"a type file that is not there", [](const Folder&) { return "dump " + kFirewall + " --btf /nowhere/btf"; },
       Exit::Input, "/nowhere/btf: No such file"},
      {"a type file that is no BTF",
       [](const Folder& f) { return on_traffic(kFirewall) + " --btf " + f.write("x.btf", "hello, world; no types"); },
       Exit::Input, "expected raw BTF, as /sys/kernel/btf/vmlinux is: "},
      {"an object for a type file",
       [](const Folder& f) { return on_traffic(kFirewall) + " --btf " + f.write("x.o", object()); }, Exit::Input,
       "magic 457f version 76, expected eb9f and 1"},
      {"a record without a type", [](const Folder&) { return on_traffic(kFirewall) + " --record events"; }, Exit::Usage,
       "expected NAME=TYPE, found \"events\""},
      {"a record of an unknown type", [](const Folder&) { return on_traffic(kFirewall) + " --record events=evnt"; },
       Exit::Input, "the object's BTF has no type \"evnt\""},
      {"records in a map without any",
       [](const Folder&) { return on_traffic(kFirewall) + " --record counters=counter"; }, Exit::Input,
       "--record: map counters is no ring buffer"},
      {"contents for a ring buffer",
       [](const Folder& f) { return on_traffic(kFirewall) + " --map events=" + f.write("m", "[]"); }, Exit::Input,
       "whose elements have no file form"},
      {"no such capture", [](const Folder&) { return "run " + kFirewall + " --pcap /nowhere/x.pcap"; }, Exit::Input,
       "/nowhere/x.pcap: No such file"},
      {"an empty capture", [](const Folder& f) { return "run " + kFirewall + " --pcap " + f.write("x.pcap", ""); },
       Exit::Input, "an empty file; expected a pcap or pcapng capture"},
      {"a capture cut off",
       [](const Folder& f) {
         return "run " + kFirewall + " --pcap " + f.write("x.pcap", contents(kTraffic).substr(0, 1000));
       },
       Exit::Input, ": cut off"},
      {"text for a capture",
       [](const Folder& f) {
         return "run " + kFirewall + " --pcap " + f.write("x.pcap", "hello, world; no capture at all");
       },
       Exit::Input, "not a capture that can be read"},
      {"an output that cannot be written",
       [](const Folder&) { return on_traffic(kFirewall) + " --out-pass /nowhere/x.pcap"; }, Exit::Input,
       "/nowhere/x.pcap: No such file"},
      {"a program that goes wrong",
       [](const Folder& f) {
         return on_traffic(f.write("x.bpf.c",
                                   "struct c { unsigned a, b; };\n__attribute__((section(\"xdp\"), used)) int f(struct "
                                   "c* c) {\n  char* p = (char*)(long)c->a;\n  return p[100000];\n}\n")) +
                " --unverified";
       },
       Exit::Stopped, "packet 1: "},
  };
  return table;
}

TEST(Tool, WrongInputsAreNamed) {
  for (const Wrong& wrong : wrong_inputs()) {
    SCOPED_TRACE(wrong.what);
    const Folder folder;
    const Result result = run(wrong.arguments(folder));
    EXPECT_EQ(result.code, static_cast<int>(wrong.code)) << result.err;
    EXPECT_NE(result.err.find(wrong.says), std::string::npos) << result.err;
    EXPECT_TRUE(result.err.starts_with("skep: ")) << result.err;
  }
}

// What was read before the damage counts.
TEST(Tool, ADamagedCaptureIsCountedUpToTheDamage) {
  const Folder folder;
  const Result result =
      run("run " + kFirewall + " --json --pcap " + folder.write("x.pcap", contents(kTraffic).substr(0, 1000)));
  EXPECT_EQ(result.code, static_cast<int>(Exit::Input));
  const auto json = nlohmann::json::parse(result.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << result.out;
  EXPECT_GT(json["packets"].get<int>(), 3);
}

TEST(Tool, EveryTruncationOfAnObjectIsRefused) {
  const Folder folder;
  const std::string& whole = object();
  constexpr std::size_t kStep = SKEP_SANITIZED ? 448 : 64;  // each is a process
  for (std::size_t size = 0; size < whole.size(); size += kStep) {
    const Result result = run("dump " + folder.write("cut.o", whole.substr(0, size)));
    ASSERT_EQ(result.code, static_cast<int>(Exit::Input)) << size << ": " << result.err;
    ASSERT_TRUE(result.err.starts_with("skep: ")) << size;
  }
}

TEST(Tool, DamagedTypesAreRefused) {
  const Folder folder;
  std::string damaged = object();
  const std::size_t btf = damaged.find(std::string("\x9f\xeb\x01\x00", 4));
  ASSERT_NE(btf, std::string::npos);
  damaged[btf + 24 + 7] = 0x1e;  // the first type's kind: 30
  const Result result = run(on_traffic(folder.write("x.o", damaged)));
  EXPECT_EQ(result.code, static_cast<int>(Exit::Input));
  EXPECT_NE(result.err.find("section .BTF: type 1 is of kind 30, which is unknown"), std::string::npos) << result.err;
}

// Packets of no bytes, of one, of 64 KiB.
TEST(Tool, PacketsOfEverySizeAreTaken) {
  const Folder folder;
  const auto number = [](std::uint32_t value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof value);
  };
  std::string capture = number(0xa1b2c3d4) + number(0x00040002) + number(0) + number(0) + number(262144) + number(1);
  const std::vector<std::uint32_t> sizes = {0, 1, 13, 14, 60, 1514, 3520, 3521, 9000, 65535};
  for (const std::uint32_t size : sizes)
    capture += number(1) + number(2) + number(size) + number(size) + std::string(size, 'x');
  const std::string file = folder.write("sizes.pcap", capture);
  for (const char* program : {"examples/firewall/firewall.bpf.c", "examples/toptalkers/thin_capture.bpf.c"}) {
    const Result result = run("run " + source(program) + " --json --pcap " + file);
    ASSERT_EQ(result.code, 0) << result.err;
    const auto json = nlohmann::json::parse(result.out, nullptr, false);
    EXPECT_EQ(json["packets"].get<std::size_t>(), sizes.size());
    EXPECT_EQ(json["not_run"].get<int>(), 3);  // those without an Ethernet header
  }
}

TEST(Tool, OutputsAreCapturesOfWhatBecameOfThePackets) {
  const Folder folder;
  const std::string arguments = on_traffic(kFirewall) +
                                " --json --map .rodata=" + source("examples/firewall/maps/replay.json") +
                                " --out-pass " + (folder / "pass") + " --out-drop " + (folder / "drop");
  const auto first = nlohmann::json::parse(run(arguments).out, nullptr, false);
  ASSERT_FALSE(first.is_discarded());
  for (const auto& row : first["verdicts"]) {
    const std::string file = folder / (row["verdict"] == "XDP_PASS" ? "pass" : "drop");
    const auto again = nlohmann::json::parse(run("run " + kFirewall + " --json --pcap " + file).out, nullptr, false);
    EXPECT_EQ(again["packets"], row["packets"]);
    EXPECT_EQ(again["bytes"], row["bytes"]);
  }
}

TEST(Tool, TypesToRelocateAgainstCanBeGiven) {
  const Folder folder;
  const std::string program = relocated_program(folder), types = " --btf " + other_types(folder);
  EXPECT_EQ(run("dump " + program).out.find("r0 = 12"), std::string::npos);  // no kernel has the structure
  const Result dump = run("dump " + program + types);
  EXPECT_NE(dump.out.find("r0 = 12"), std::string::npos) << dump.out << dump.err;
  const auto json = nlohmann::json::parse(run(on_traffic(program) + types + " --json --limit 2").out, nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  EXPECT_EQ(json["verdicts"][0]["packets"].get<int>(), 2) << json.dump();
}

TEST(Tool, RecordsArePrintedByTheirType) {
  const std::string arguments =
      on_traffic(kFirewall) + " --dump-maps --json --map .rodata=" + source("examples/firewall/maps/replay.json");
  const auto bytes = nlohmann::json::parse(run(arguments).out, nullptr, false);
  const auto typed = nlohmann::json::parse(run(arguments + " --record events=event").out, nullptr, false);
  const auto other = nlohmann::json::parse(run(arguments + " --record events=bucket").out, nullptr, false);
  ASSERT_FALSE(typed.is_discarded());
  ASSERT_EQ(typed["maps"]["events"].size(), bytes["maps"]["events"].size());
  EXPECT_TRUE(bytes["maps"]["events"][0].is_string());
  EXPECT_EQ(typed["maps"]["events"][0]["reason"].get<int>(), 5);
  EXPECT_TRUE(other["maps"]["events"][0].is_string());  // of another size
}

// In a mount namespace, as this machine may have no tracefs in its place.
TEST(Tool, WhatTheKernelPrintedIsShown) {
  const Folder folder;
  const std::string traced = "unshare -m sh -c 'mount -t tracefs none /sys/kernel/tracing && exec \"$@\"' sh ";
  if (std::system((traced + "true 2>/dev/null").c_str()) != 0) GTEST_SKIP() << "tracefs cannot be mounted";
  const std::string program = folder.write(
      "hello.bpf.c",
      std::string(kHead) +
          "SEC(\"xdp\") int hello(struct xdp_md* ctx) {\n"
          "  bpf_printk(\"first %d\\nsecond\", (int)(ctx->data_end - ctx->data));\n  return XDP_PASS;\n}\n" +
          kTail);
  const std::string arguments = on_traffic(program) + " --json --limit 2 --engine ";
  if (run(arguments + "kernel").code == static_cast<int>(Exit::Unavailable)) GTEST_SKIP() << "no kernel to load into";
  const auto here = nlohmann::json::parse(run(arguments + "interp").out, nullptr, false);
  ASSERT_EQ(here["printed"].size(), 2U);
  const Result kernel = run(arguments + "kernel", traced);
  const auto there = nlohmann::json::parse(kernel.out, nullptr, false);
  ASSERT_EQ(there["printed"].size(), 4U) << kernel.out << kernel.err;
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(here["printed"][i].get<std::string>(),
              there["printed"][2 * i].get<std::string>() + "\n" + there["printed"][2 * i + 1].get<std::string>());
  }
}

TEST(Tool, LimitAndRepeat) {
  const auto json =
      nlohmann::json::parse(run(on_traffic(kFirewall) + " --json --limit 10 --repeat 3").out, nullptr, false);
  EXPECT_EQ(json["packets"].get<int>(), 30);
}

// A capture is read in pieces: a million packets take no more memory than a few.
TEST(Tool, AMillionPacketsInBoundedMemory) {
#if SKEP_SANITIZED
  GTEST_SKIP() << "a sanitizer's own memory would be measured";
#endif
  const Folder folder;
  const std::string program = folder.write("x.o", object()), file = folder / "million.pcap";
  {
    const std::string traffic = contents(kTraffic);
    std::ofstream capture(file, std::ios::binary);
    capture << traffic.substr(0, 24);
    for (int i = 0; i < 1026; ++i) capture << traffic.substr(24);
  }
  std::fflush(nullptr);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::freopen((folder / "out").c_str(), "w", stdout);
    ::execl(SKEP_BIN_DIR "/skep", "skep", "run", program.c_str(), "--pcap", file.c_str(), "--engine", "interp",
            "--json", nullptr);
    ::_exit(127);
  }
  int status = 0;
  rusage usage{};
  ASSERT_EQ(::wait4(child, &status, 0, &usage), child);
  EXPECT_EQ(status, 0);
  const auto json = nlohmann::json::parse(contents(folder / "out"), nullptr, false);
  EXPECT_EQ(json["packets"].get<int>(), 1026 * 975);
  EXPECT_LT(usage.ru_maxrss, 200 * 1024);  // KiB
}

// Pages and completions in the tree are what the tool makes.
TEST(Tool, PagesAndCompletionsAreCurrent) {
  for (const auto& entry : std::filesystem::directory_iterator(source("docs/man"))) {
    if (entry.path().extension() != ".1") continue;
    std::string page = entry.path().stem().string();
    if (page.starts_with("skep-")) page = page.substr(5);
    EXPECT_EQ(run("meta man " + page).out, contents(entry.path())) << "run: skep meta man " << page;
  }
  for (const auto& [shell, file] : {std::pair{"bash", "skep.bash"}, {"zsh", "_skep"}, {"fish", "skep.fish"}}) {
    EXPECT_EQ(run(std::string("meta completion ") + shell).out, contents(source(std::string("completions/") + file)));
  }
}

TEST(Tool, DumpNamesHelpersMapsAndSource) {
  const Result result = run("dump " + kFirewall + " --prog firewall");
  ASSERT_EQ(result.code, 0) << result.err;
  for (const char* part : {"call bpf_map_lookup_elem#1", "map[blocked4]", "firewall.bpf.c:", "call pc+", "exit"}) {
    EXPECT_NE(result.out.find(part), std::string::npos) << part;
  }
  const auto json = nlohmann::json::parse(run("dump --json " + kFirewall).out, nullptr, false);
  EXPECT_FALSE(json.is_discarded());
  EXPECT_TRUE(run("dump --dot " + kFirewall).out.starts_with("digraph"));
}

TEST(Tool, FeatureListsTheTables) {
  const auto json = nlohmann::json::parse(run("feature --json").out, nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  EXPECT_EQ(json["program_types"].size(), 32U);
  EXPECT_EQ(json["map_types"].size(), 33U);
  EXPECT_EQ(json["helpers"].size(), 211U);
  const auto xdp = std::ranges::find_if(json["program_types"], [](const auto& type) { return type["name"] == "xdp"; });
  EXPECT_TRUE(std::ranges::find(xdp->at("helpers"), "bpf_xdp_adjust_head") != xdp->at("helpers").end());
  EXPECT_TRUE(std::ranges::find(xdp->at("helpers"), "bpf_skb_vlan_push") == xdp->at("helpers").end());
}

}  // namespace
}  // namespace skep::tool
