// Links, which a hive has of iterators: made, changed, found by id, told of, pinned, and gone with who has them; on a
// hive and on the running kernel.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "hive/testing_programs.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::MapType;

long iterator(Bpf& b, Fds& f, const char* over = "bpf_map", int result = 0) {
  return f.keep(load_iterator(b, over, return_value(result)));
}
long linked(Bpf& b, Fds& f, const char* over = "bpf_map") { return f.keep(link_iterator(b, iterator(b, f, over))); }

TEST(Link, WhatAnIteratorIsAsked) {
  static std::uint32_t words[1024] = {};
  const auto link = [](std::uint64_t info, std::uint32_t bytes) {
    return [=](Bpf& b, Fds& f) {
      spec::Attr attr = link_attr({.prog = iterator(b, f)});
      attr.link_create.iter = {.iter_info = info, .iter_info_len = bytes, .pad = 0};
      return f.keep(b(Command::LinkCreate, attr));
    };
  };
  static std::uint32_t tail[8] = {0, 0, 0, 0, 1, 0, 0, 0};
  judge({
      {"nothing", 0, link(0, 0)},
      {"something empty", 0, link(address(words), 16)},
      {"a part", 0, link(address(words), 4)},
      {"more zeros", 0, link(address(words), 64)},
      {"a page", 0, link(address(words), 4096)},
      {"more than a page", -E2BIG, link(address(words), 4097)},
      {"more than zeros", -E2BIG, link(address(tail), 32)},
      {"bytes of nothing", -EINVAL, link(0, 8)},
      {"no bytes", -EINVAL, link(address(words), 0)},
      {"a bad address", -EFAULT, link(8, 16)},
      {"a target", -EINVAL, [](Bpf& b, Fds& f) { return create_link(b, {.prog = iterator(b, f), .target = 1}); }},
      {"flags", -EINVAL, [](Bpf& b, Fds& f) { return create_link(b, {.prog = iterator(b, f), .flags = 1}); }},
  });
}

TEST(Link, WhoseElements) {
  const auto over = [](MapShape shape) {
    return [shape](Bpf& b, Fds& f) {
      const long map = f.keep(create_map(b, shape));
      return f.keep(link_iterator(b, iterator(b, f, "bpf_map_elem"), map));
    };
  };
  judge({
      {"of an array", 0, over({})},
      {"of a hash", 0, over({.type = MapType::Hash})},
      {"of an LRU hash", 0, over({.type = MapType::LruHash})},
      {"of a per-CPU array", 0, over({.type = MapType::PercpuArray})},
      {"of a per-CPU hash", 0, over({.type = MapType::PercpuHash})},
      {"of a trie", -EINVAL, over({.type = MapType::LpmTrie, .key = 8, .flags = spec::kNoPrealloc})},
      {"of a queue", -EINVAL, over({.type = MapType::Queue, .key = 0})},
      {"of nothing", -EBADF, [](Bpf& b, Fds& f) { return link_iterator(b, iterator(b, f, "bpf_map_elem")); }},
      {"of no descriptor", -EBADF,
       [](Bpf& b, Fds& f) { return link_iterator(b, iterator(b, f, "bpf_map_elem"), kNoFd); }},
      {"of a program", -EINVAL,
       [](Bpf& b, Fds& f) {
         const long prog = iterator(b, f, "bpf_map_elem");
         return link_iterator(b, prog, prog);
       }},
      {"of more than there is", -EACCES,
       [](Bpf& b, Fds& f) {
         const Code code =
             Code{insn(0x79, 1, 1, 24, 0), insn(0x15, 1, 0, 1, 0), insn(0x79, 2, 1, 8, 0)} + return_value(0);
         return link_iterator(b, f.keep(load_iterator(b, "bpf_map_elem", code)), f.keep(create_map(b, {})));
       }},
      {"of what there is", 0,
       [](Bpf& b, Fds& f) {
         const Code code =
             Code{insn(0x79, 1, 1, 24, 0), insn(0x15, 1, 0, 1, 0), insn(0x79, 2, 1, 0, 0)} + return_value(0);
         return f.keep(link_iterator(b, f.keep(load_iterator(b, "bpf_map_elem", code)), f.keep(create_map(b, {}))));
       }},
  });
}

TEST(Link, UpdatesAndDetaching) {
  judge({
      {"by another program", 0,
       [](Bpf& b, Fds& f) { return update_link(b, linked(b, f), iterator(b, f, "bpf_map", 1)); }},
      {"by one for something else", -EINVAL,
       [](Bpf& b, Fds& f) { return update_link(b, linked(b, f), iterator(b, f, "bpf_prog")); }},
      {"by one of another type", -EINVAL,
       [](Bpf& b, Fds& f) {
         return update_link(b, linked(b, f), f.keep(load_prog(b, ProgType::Xdp, return_value(0))));
       }},
      {"by no program", -EBADF, [](Bpf& b, Fds& f) { return update_link(b, linked(b, f), kNoFd); }},
      {"by a map", -EINVAL, [](Bpf& b, Fds& f) { return update_link(b, linked(b, f), f.keep(create_map(b, {}))); }},
      {"unknown flags", -EINVAL, [](Bpf& b, Fds& f) { return update_link(b, linked(b, f), iterator(b, f), 1); }},
      {"no link", -EBADF, [](Bpf& b, Fds& f) { return update_link(b, kNoFd, iterator(b, f)); }},
      {"a program for a link", -EINVAL, [](Bpf& b, Fds& f) { return update_link(b, iterator(b, f), iterator(b, f)); }},
      {"of the program that is there", 0,
       [](Bpf& b, Fds& f) {
         const long old = iterator(b, f);
         return update_link(b, f.keep(link_iterator(b, old)), iterator(b, f), spec::kReplace, old);
       }},
      {"of one that is not", -EPERM,
       [](Bpf& b, Fds& f) { return update_link(b, linked(b, f), iterator(b, f), spec::kReplace, iterator(b, f)); }},
      {"of one that is none", -EBADF,
       [](Bpf& b, Fds& f) { return update_link(b, linked(b, f), iterator(b, f), spec::kReplace, kNoFd); }},
      {"of one, without saying so", -EINVAL,
       [](Bpf& b, Fds& f) { return update_link(b, linked(b, f), iterator(b, f), 0, iterator(b, f)); }},
      {"detached", -EOPNOTSUPP, [](Bpf& b, Fds& f) { return detach_link(b, linked(b, f)); }},
      {"no link detached", -EBADF, [](Bpf& b, Fds&) { return detach_link(b, kNoFd); }},
      {"a program detached", -EINVAL, [](Bpf& b, Fds& f) { return detach_link(b, iterator(b, f)); }},
  });
}

// ---- What is told of it

struct Told {
  long result;
  spec::LinkInfo info;
  char name[16];
};
Told told(Bpf& b, long link, std::uint32_t room, bool name_given = true) {
  Told it{};
  it.info.iter.target_name = name_given ? address(it.name) : 0;
  it.info.iter.target_name_len = room;
  it.result = get_info(b, link, it.info);
  return it;
}

void check_info(Bpf& b) {
  Fds f;
  const long map = f.keep(create_map(b, {}));
  const long prog = iterator(b, f, "bpf_map_elem");
  const long link = f.keep(link_iterator(b, prog, map));
  const Told all = told(b, link, 16);
  spec::ProgInfo program{};
  spec::MapInfo elements{};
  ASSERT_EQ(get_info(b, prog, program), 0);
  ASSERT_EQ(get_info(b, map, elements), 0);
  ASSERT_EQ(all.result, 0);
  EXPECT_EQ(all.info.type, static_cast<std::uint32_t>(spec::LinkType::Iter));
  EXPECT_EQ(all.info.prog_id, program.id);
  EXPECT_EQ(all.info.iter.map_id, elements.id);
  EXPECT_EQ(all.info.iter.target_name_len, 13U);
  EXPECT_STREQ(all.name, "bpf_map_elem");
  const Told part = told(b, link, 5);
  EXPECT_EQ(part.result, -ENOSPC);
  EXPECT_STREQ(part.name, "bpf_");
  EXPECT_EQ(part.info.id, 0U) << "nothing else is told";
  EXPECT_EQ(told(b, link, 0, false).info.iter.target_name_len, 13U);
  EXPECT_EQ(told(b, link, 0).result, -EINVAL);
  EXPECT_EQ(told(b, link, 5, false).result, -EINVAL);
  spec::Attr by_id{};
  by_id.id.link_id = all.info.id;
  const long again = f.keep(b(Command::LinkGetFdById, by_id));
  ASSERT_GE(again, 0);
  EXPECT_EQ(told(b, again, 16).info.id, all.info.id);
  bool listed = false;
  for (std::uint32_t id = 0; (id = next_id(b, Command::LinkGetNextId, id)) != 0;) listed |= id == all.info.id;
  EXPECT_TRUE(listed);
  spec::Attr none{};
  none.id.link_id = 0x7fffffff;
  EXPECT_EQ(b(Command::LinkGetFdById, none), -ENOENT);
}
TEST(Link, WhatIsTold) {
  HiveBpf hive;
  check_info(hive);
  KernelBpf kernel;
  if (KernelBpf::here()) check_info(kernel);
}

// ---- How long it lives. Only a hive's links are all ours.

TEST(Link, GoesWithItsLastDescriptor) {
  HiveBpf b;
  Fds f;
  const long map = create_map(b, {});
  const long prog = load_iterator(b, "bpf_map_elem", return_value(0));
  const long link = link_iterator(b, prog, map);
  const int copy = ::dup(static_cast<int>(link));
  for (const long fd : {map, prog, link}) ::close(static_cast<int>(fd));
  EXPECT_EQ(ids(b, Command::LinkGetNextId), Ids{1});
  EXPECT_EQ(ids(b, Command::ProgGetNextId), Ids{1}) << "the link has it";
  EXPECT_EQ(ids(b, Command::MapGetNextId), Ids{1});
  ::close(copy);
  EXPECT_EQ(ids(b, Command::LinkGetNextId), Ids{});
  EXPECT_EQ(ids(b, Command::ProgGetNextId), Ids{});
  EXPECT_EQ(ids(b, Command::MapGetNextId), Ids{});
}

TEST(Link, LetsGoOfAProgramThatWasReplaced) {
  HiveBpf b;
  Fds f;
  const long first = load_iterator(b, "bpf_map", return_value(0));
  const long link = f.keep(link_iterator(b, first));
  const long second = load_iterator(b, "bpf_map", return_value(0));
  ASSERT_EQ(update_link(b, link, second), 0);
  ASSERT_EQ(update_link(b, link, second), 0) << "the same again";
  ::close(static_cast<int>(first));
  ::close(static_cast<int>(second));
  EXPECT_EQ(ids(b, Command::ProgGetNextId), Ids{2});
}

TEST(Link, LivesInAMessage) {
  HiveBpf b;
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  const long prog = load_iterator(b, "bpf_map", return_value(0));
  const int link = static_cast<int>(link_iterator(b, prog));
  ::close(static_cast<int>(prog));
  ASSERT_TRUE(send_descriptor(pair[0], link));
  ::close(link);
  EXPECT_EQ(ids(b, Command::LinkGetNextId), Ids{1}) << "on its way";
  ::close(pair[0]);
  ::close(pair[1]);
  EXPECT_EQ(ids(b, Command::LinkGetNextId), Ids{});
}

TEST(Link, DiesWithAKilledProcess) {
  HiveBpf b;
  const long prog = load_iterator(b, "bpf_map", return_value(0));
  const long link = link_iterator(b, prog);
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  ::close(static_cast<int>(prog));
  ::close(static_cast<int>(link));
  EXPECT_EQ(ids(b, Command::LinkGetNextId), Ids{1}) << "the child has it";
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(ids(b, Command::LinkGetNextId), Ids{});
  EXPECT_EQ(ids(b, Command::ProgGetNextId), Ids{});
}

TEST(Link, LivesWhileItIsPinned) {
  HiveBpf b;
  Fds f;
  const std::string name = "/sys/fs/bpf/link", file = b.bpffs() + "/link";
  spec::Attr attr{};
  attr.obj.pathname = address(name.c_str());
  {
    Fds mine;
    attr.obj.bpf_fd = static_cast<std::uint32_t>(linked(b, mine));
    ASSERT_EQ(b(Command::ObjPin, attr), 0) << Hive::last_error();
  }
  EXPECT_EQ(ids(b, Command::LinkGetNextId), Ids{1});
  attr.obj.bpf_fd = 0;
  const long got = f.keep(b(Command::ObjGet, attr));
  EXPECT_EQ(told(b, got, 16).info.id, 1U);
  ASSERT_EQ(::unlink(file.c_str()), 0);
  EXPECT_EQ(ids(b, Command::LinkGetNextId), Ids{1}) << "there is a descriptor";
}

}  // namespace
}  // namespace skep::hive::testing
