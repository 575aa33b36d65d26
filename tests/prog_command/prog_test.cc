// Programs: loaded, named, listed, pinned, run, watched.
#include "prog_command.h"

namespace skep::tool {
namespace {

class Prog : public ProgCommand {
 protected:
  std::string packet(std::size_t bytes) { return folder_.write("packet", std::string(bytes, '\1')); }
  // A program runs between the first look at its counters and the last.
  void run_before_second_look(std::uint32_t times) {
    before_ = [this, times, counts = false, looks = 0](int command, const spec::Attr& attr) mutable {
      counts |= command == static_cast<int>(spec::Command::EnableStats);
      if (!counts || command != static_cast<int>(spec::Command::ObjGetInfoByFd) || ++looks != 2) return;
      const std::string data(64, '\1');
      spec::Attr run{};
      run.test.prog_fd = attr.info.bpf_fd;
      run.test.data_in = reinterpret_cast<std::uintptr_t>(data.data());
      run.test.data_size_in = 64;
      run.test.repeat = times;
      EXPECT_EQ(bpf(spec::Command::ProgTestRun, run), 0);
    };
  }
};
SKEP_EVERYWHERE(Prog);

TEST_P(Prog, AreNamedInManyWays) {
  load("count_all");
  const auto shown = json({"prog", "show", "count_all"});
  const auto id = std::to_string(shown["id"].get<int>()), tag = shown["tag"].get<std::string>();
  for (const Words& name :
       {Words{"name", "count_all"}, {id}, {"id", id}, {"tag", tag}, {pin("count_all")}, {"pinned", pin("count_all")}})
    EXPECT_EQ(json(Words{"prog", "show"} + name), shown);
  fails({"prog", "show", "id", "many"}, Exit::Usage, "id many: expected a number");
  fails({"prog", "show", "4000000000"}, Exit::Absent, "no program has the id 4000000000; `skep prog list` shows all");
  fails({"prog", "show", "tag", "00"}, Exit::Absent, "no program has the tag 00");
  fails({"prog", "show", "nobody"}, Exit::Absent, "no program \"nobody\"; there are:");
  fails({"prog", "show", pin("other")}, Exit::Absent, "nothing is pinned there");
  fails({"map", "show", pin("count_all")}, Exit::Usage, "a program is pinned there, expected a map");
}

TEST_P(Prog, AreShown) {
  load("count_all");
  const auto shown = json({"prog", "show", "count_all"});
  EXPECT_EQ(shown["type"], "xdp");
  EXPECT_EQ(shown["name"], "count_all");
  EXPECT_EQ(shown["gpl_compatible"], true);
  EXPECT_EQ(shown["map_ids"].size(), 2U);
  EXPECT_GT(shown["btf_id"], 0);
  EXPECT_GT(shown["bytes_xlated"], 0);
  EXPECT_GT(shown["loaded_at"], 1'700'000'000);
  const std::string text = out({"prog", "show", "count_all"});
  says(text, "count_all (xdp, id " + std::to_string(shown["id"].get<int>()) + ")");
  says(text, "GPL compatible");
  says(text, " counted, ");
  const auto list = json({"prog", "list"});
  EXPECT_NE(std::ranges::find(list, shown), list.end());
  says(out({"prog", "list"}), "count_all");
}

TEST_P(Prog, OfOneNameAreListed) {
  for (const char* path : {"a", "b"}) out({"prog", "load", object_, pin(path), "--prog", "drop_all"});
  fails({"prog", "show", "drop_all"}, Exit::Usage, "2 programs are called \"drop_all\"; choose one by its id:\n  id ");
  const auto tag = json({"prog", "show", pin("a")})["tag"].get<std::string>();
  fails({"prog", "show", "tag", tag}, Exit::Usage, "2 programs have the tag " + tag);
}

// What fails on its way leaves nothing behind.
TEST_P(Prog, LoadingIsAllOrNothing) {
  const std::size_t before = json({"prog", "list"}).size();
  std::filesystem::create_directory(file("all"));
  load("drop_all");
  out({"pin", "rm", pin("drop_all")});
  out({"prog", "load", object_, pin("all/drop_all"), "--prog", "drop_all"});
  fails({"prog", "loadall", object_, pin("all"), "--pinmaps", pin("maps")}, Exit::Refused,
        "there is something already");
  EXPECT_FALSE(std::filesystem::exists(file("all/count_all")));
  fails({"prog", "load", object_, pin("none/x"), "--prog", "drop_all"}, Exit::Refused, "there is no such folder");
  EXPECT_EQ(json({"prog", "list"}).size(), before + 1);
  fails({"prog", "load", object_, pin("x")}, Exit::Input, "several programs: choose one with --prog");
  fails({"prog", "load", object_}, Exit::Usage, "PATH is required");
  fails({"prog", "load", object_, "type", "xdp"}, Exit::Usage, "\"xdp\" is one word too many");
  fails({"prog", "load", folder_ / "none.o", pin("x")}, Exit::Input, "No such file");
  fails({"prog", "load", object_, pin("x"), "--prog", "drop_all", "--type", "magic"}, Exit::Usage,
        "--type magic: expected a program type such as xdp");
  fails({"prog", "load", object_, pin("x"), "--prog", "drop_all", "--map", "counted"}, Exit::Usage,
        "--map counted: expected NAME=MAP");
}

TEST_P(Prog, AreLoadedTogetherWithTheirMaps) {
  const auto loaded =
      json({"prog", "loadall", object_, pin("all"), "pinmaps", pin("maps")});  // a word, as bpftool has it
  ASSERT_EQ(loaded.size(), 2U);
  EXPECT_EQ(loaded[0]["name"], "count_all");
  EXPECT_EQ(loaded[0]["pinned"], pin("all/count_all"));
  EXPECT_EQ(json({"map", "show", pin("maps/counted")})["value_bytes"], 16);
  const auto pins = json({"pin", "ls", pin("")});
  ASSERT_EQ(pins.size(), 4U) << pins;
  EXPECT_EQ(pins[0],
            (nlohmann::json{
                {"path", pin("all/count_all")}, {"kind", "prog"}, {"id", loaded[0]["id"]}, {"name", "count_all"}}));
  EXPECT_EQ(pins[2]["path"], pin("maps/counted"));
  EXPECT_EQ(pins[2]["kind"], "map");
  says(out({"pin", "ls", pin("maps")}), pin("maps/counted"));
  fails({"pin", "rm", pin("all")}, Exit::Usage, "is a folder; --recursive removes all that is in it");
  out({"pin", "rm", pin("maps/counted"), pin("all"), "recursive"});
  EXPECT_EQ(json({"pin", "ls", pin("")}).size(), 1U);
  fails({"prog", "show", pin("all/count_all")}, Exit::Absent, "nothing is pinned there");
  fails({"pin", "rm", pin("maps/counted")}, Exit::Absent, "nothing is pinned there");
}

TEST_P(Prog, ShareMapsThatExist) {
  out({"prog", "loadall", object_, pin("first"), "--pinmaps", pin("maps")});
  out({"prog", "load", object_, pin("second"), "--prog", "count_all", "--map", "counted=" + pin("maps/counted")});
  const auto counted = json({"map", "show", pin("maps/counted")})["id"];
  for (const auto& name : {pin("first/count_all"), pin("second")}) {
    const auto ids = json({"prog", "show", name})["map_ids"];
    EXPECT_NE(std::ranges::find(ids, counted), ids.end()) << ids;
  }
  out({"map", "create", "other", "--type", "hash", "--key", "4", "--value", "4", "--entries", "1", "--pin",
       pin("other")});
  fails({"prog", "load", object_, pin("third"), "--prog", "count_all", "--map", "counted=" + pin("other")},
        Exit::Refused, "map counted cannot be replaced");
}

// A map that its object shares by a path is made once.
TEST_P(Prog, MapsThatAskForItArePinned) {
  std::string text = kSource;
  text.insert(text.find("} counted"), "  __uint(pinning, LIBBPF_PIN_BY_NAME);\n");
  const std::string old = "counted", name = "shared" + std::to_string(::getpid());
  for (std::size_t at = 0; (at = text.find(old, at)) != std::string::npos; at += name.size())
    text.replace(at, old.size(), name);
  object_ = compile("shared.bpf.c", text);
  const std::string path = "/sys/fs/bpf/" + name;
  load("count_all");
  out({"prog", "load", object_, pin("second"), "--prog", "count_all"});
  const auto map = json({"map", "show", path})["id"];
  for (const auto& program : {pin("count_all"), pin("second")}) {
    const auto ids = json({"prog", "show", program})["map_ids"];
    EXPECT_NE(std::ranges::find(ids, map), ids.end()) << ids;
  }
  out({"pin", "rm", path});
}

TEST_P(Prog, AreOfTheTypeAskedFor) {
  out({"prog", "load", object_, pin("x"), "--prog", "drop_all", "type", "tc"});
  EXPECT_EQ(json({"prog", "show", pin("x")})["type"], "sched_cls");
}

TEST_P(Prog, ArePinnedAgain) {
  load("drop_all");
  out({"prog", "pin", "pinned", pin("drop_all"), pin("again")});
  EXPECT_EQ(json({"prog", "show", pin("again")}), json({"prog", "show", pin("drop_all")}));
  fails({"prog", "pin", "drop_all", pin("again")}, Exit::Refused, "there is something already");
  fails({"prog", "pin", "drop_all"}, Exit::Usage, "PATH is required");
  fails({"prog", "pin", "name", "drop_all"}, Exit::Usage, "PATH is missing");
}

TEST_P(Prog, Run) {
  load("count_all");
  out({"prog", "load", object_, pin("drop"), "--prog", "drop_all"});
  const auto ran =
      json({"prog", "run", pin("count_all"), "data_in", packet(64), "repeat", "3", "data_out", folder_ / "out"});
  EXPECT_EQ(ran["retval"], 2);
  EXPECT_EQ(ran["verdict"], "XDP_PASS");
  EXPECT_EQ(contents(folder_ / "out"), std::string(64, '\1'));
  const auto maps = json({"prog", "show", pin("count_all")})["map_ids"];
  says(out({"map", "lookup", std::to_string(maps[0].get<int>()), "1"}), "\"packets\":3");
  const std::string text = out({"prog", "run", pin("drop"), "--data-in", packet(20), "--data-out", "-"});
  says(text, "Return value: 1 (XDP_DROP), duration: ");
  says(text, "data_out, 20 bytes:\n0000000 01 01 01 01");
  fails({"prog", "run", pin("drop")}, Exit::Refused, "wants a packet of 14 bytes or more: --data-in FILE");
  fails({"prog", "run", pin("drop"), "--data-in", folder_ / "none"}, Exit::Input, "No such file");
  fails({"prog", "run", pin("drop"), "--data-in", packet(64), "--data-size-out", "10"}, Exit::Refused,
        "64 bytes; say --data-size-out 64");
  fails({"prog", "run", pin("drop"), "data_in"}, Exit::Usage, "data_in: FILE is missing");
  fails({"prog", "run", pin("drop"), "--repeat", "none"}, Exit::Usage, "repeat");
}

TEST_P(Prog, RunsAreCountedAndTimed) {
  load("count_all");
  const std::string name = pin("count_all"), file = packet(64);
  run_before_second_look(7);
  const auto profile = json({"prog", "profile", name, "duration", "0.01"});
  EXPECT_EQ(profile["run_cnt"], 7);
  EXPECT_GT(profile["run_time_ns"], 0);
  before_ = nullptr;
  says(out({"prog", "profile", name, "--duration", "0.01"}), "count_all ran 0 times in 0.0 s");
  says(out({"prog", "show", name}), "ran      7 times");
}

// What the processor counts is found by samples; the machine's own clock is always there.
TEST_P(Prog, SamplesOfItsCodeAreCounted) {
  load("count_all");
  const std::string name = pin("count_all");
  run_before_second_look(10'000'000);
  const auto profile = json({"prog", "profile", name, "duration", "0.01", "cpu_clock", "instructions"});
  EXPECT_EQ(profile["run_cnt"], 10'000'000);
  const auto missing = profile["missing"].dump();
  if (hive_) {
    EXPECT_NE(missing.find("cpu_clock is not counted: the processor's events are counted for the kernel's"),
              std::string::npos)
        << missing;
    return;
  }
  if (!json({"prog", "show", name})["jited"].get<bool>()) GTEST_SKIP() << "programs are not compiled here";
  if (missing.find("CAP_PERFMON") != std::string::npos) GTEST_SKIP() << missing;
  EXPECT_GT(profile["cpu_clock"], 0) << profile;
  if (missing.find("instructions") == std::string::npos)
    EXPECT_GT(profile["instructions"], 10'000'000) << profile;
  else
    EXPECT_NE(missing.find("does not offer it"), std::string::npos) << missing;
}

TEST_P(Prog, HelpSaysWhatIsWanted) {
  says(out({"prog", "dump", "--help"}), "Usage: skep prog dump [OPTIONS] FORM PROG\n");
  says(out({"prog", "list", "--help"}), "Usage: skep prog list [OPTIONS] [PROG]\n");
}

TEST_P(Prog, MistakesAreNamed) {
  load("drop_all");
  fails({"prog", "fly"}, Exit::Usage, "no command \"prog fly\"; there are: list show");
  fails({"prog", "dump", "xlated"}, Exit::Usage, "PROG");
  fails({"prog", "dump", "source", "drop_all"}, Exit::Usage, "\"source\": expected xlated or jited");
  fails({"prog", "dump", "xlated", "drop_all", "loud"}, Exit::Usage,
        "\"loud\" is one word too many; options are: --hive --kernel --json --file --opcodes");
  fails({"prog", "show", "drop_all", "twice"}, Exit::Usage, "\"twice\" is one word too many");
  fails({"link", "show", "drop_all"}, Exit::Usage, "\"drop_all\": expected a link: /PATH, pinned PATH, N or id N");
  fails({"link", "show", pin("drop_all")}, Exit::Usage, "a program is pinned there, expected a link");
  fails({"btf", "show", pin("drop_all")}, Exit::Usage, "expected a BTF: NAME, name NAME, N or id N");
}

}  // namespace
}  // namespace skep::tool
