// Links of iterators, which both a hive and the kernel have; and the tool from outside on a hive with a name.
#include <algorithm>

#include "prog_command.h"

namespace skep::tool {
namespace {

constexpr const char* kIterator = R"(#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
SEC("iter/bpf_map") int each_map(struct bpf_iter__bpf_map* ctx) { return 0; }
char LICENSE[] SEC("license") = "GPL";
)";

class Link : public ProgCommand {
 protected:
  // A link of an iterator over all maps.
  Fd attach() {
    object_ = compile("iterator.bpf.c", kIterator);
    load("each_map");
    spec::Attr attr{};
    attr.obj.pathname = reinterpret_cast<std::uintptr_t>(path_.assign(pin("each_map")).c_str());
    const Fd program(static_cast<int>(bpf(spec::Command::ObjGet, attr)));
    attr = {};
    attr.link_create.prog_fd = static_cast<std::uint32_t>(program.get());
    attr.link_create.attach_type = 28;  // BPF_TRACE_ITER
    return Fd(static_cast<int>(bpf(spec::Command::LinkCreate, attr)));
  }

 private:
  std::string path_;
};
SKEP_EVERYWHERE(Link);

TEST_P(Link, AreListedPinnedAndEnd) {
  Fd link = attach();
  ASSERT_TRUE(link);
  const auto program = json({"prog", "show", pin("each_map")})["id"];
  const auto list = json({"link", "list"});
  const auto found = std::ranges::find_if(list, [&](const auto& one) { return one["prog_id"] == program; });
  ASSERT_NE(found, list.end()) << list;
  EXPECT_EQ((*found)["type"], "iter");
  EXPECT_EQ((*found)["target_name"], "bpf_map");
  const auto id = std::to_string((*found)["id"].get<int>());
  EXPECT_EQ(json({"link", "show", "id", id}), *found);
  says(out({"link", "list"}), "target_name bpf_map");
  says(out({"link", "list"}), "each_map");
  fails({"link", "detach", id}, Exit::Refused, "is of type iter, which cannot be detached");
  out({"link", "pin", id, pin("link")});
  link.reset();
  EXPECT_EQ(json({"link", "show", pin("link")}), *found);
  const auto pins = json({"pin", "ls", pin("")});
  ASSERT_EQ(pins.size(), 2U);
  EXPECT_EQ(pins[1]["kind"], "link");
  out({"pin", "rm", pin("link")});
  fails({"link", "show", id}, Exit::Absent, "no link has the id " + id);
}

TEST(ProgTool, SpeaksToHivesWithNames) {
  const Folder folder;
  const std::string source = folder.write("pair.bpf.c", kSource),
                    packet = folder.write("packet", std::string(64, '\0'));
  const std::string hive = " --hive prog_test_" + std::to_string(::getpid()), at = "/sys/fs/bpf/a/drop_all";
  const std::string name = hive.substr(hive.rfind(' '));
  ASSERT_EQ(run("hive start" + name).code, 0);
  EXPECT_EQ(run("prog list" + hive).out, "no programs\n");
  EXPECT_EQ(run("pin ls" + hive).out, "no pins\n");
  EXPECT_EQ(run("link list" + hive).out, "no links\n");
  EXPECT_EQ(run("btf list" + hive).out, "no BTF\n");
  const Result loaded = run("prog loadall " + source + " /sys/fs/bpf/a" + hive);
  EXPECT_EQ(loaded.code, 0) << loaded.err;
  EXPECT_NE(loaded.out.find("drop_all (xdp), " + at), std::string::npos) << loaded.out;
  EXPECT_NE(run("pin ls" + hive).out.find(at), std::string::npos);
  EXPECT_NE(run("prog run name drop_all data_in " + packet + hive).out.find("Return value: 1 (XDP_DROP)"),
            std::string::npos);
  EXPECT_EQ(run("pin rm --recursive /sys/fs/bpf/a" + hive).code, 0);
  EXPECT_EQ(run("prog list" + hive).out, "no programs\n");
  EXPECT_EQ(run("hive stop" + name).code, 0);
}

}  // namespace
}  // namespace skep::tool
