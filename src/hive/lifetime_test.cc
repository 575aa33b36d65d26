// When objects come and go: ids, descriptors by id, last closes, what holds what, forks.
#include <sys/socket.h>
#include <sys/wait.h>

#include "hive/testing.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::MapType;
using spec::ProgType;

Ids maps_of(Bpf& bpf) { return ids(bpf, Command::MapGetNextId); }
Ids progs_of(Bpf& bpf) { return ids(bpf, Command::ProgGetNextId); }
Ids btfs_of(Bpf& bpf) { return ids(bpf, Command::BtfGetNextId); }

long by_id(Bpf& bpf, Command command, std::uint32_t id, std::uint32_t flags = 0) {
  spec::Attr attr{};
  attr.id.map_id = id;
  attr.id.open_flags = flags;
  return bpf.call(static_cast<int>(command), &attr, 12);
}
long simple_prog(Bpf& bpf) { return load_prog(bpf, ProgType::SocketFilter, return_value(0)); }
void close_fd(long fd) { ::close(static_cast<int>(fd)); }

TEST(Ids, Errors) {
  judge({
      {"next of the last possible", -EINVAL,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.id.start_id = 0x7fffffff;
         return b(Command::MapGetNextId, attr);
       }},
      {"next of the last", -ENOENT,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.id.start_id = 0x7ffffffe;
         return b(Command::ProgGetNextId, attr);
       }},
      {"no such map", -ENOENT, [](Bpf& b, Fds&) { return by_id(b, Command::MapGetFdById, 0x7ffffffe); }},
      {"map 0", -ENOENT, [](Bpf& b, Fds&) { return by_id(b, Command::MapGetFdById, 0); }},
      {"no such program", -ENOENT,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.id.prog_id = 0x7ffffffe;
         return b(Command::ProgGetFdById, attr);
       }},
      {"no such link", -ENOENT,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.id.link_id = 0x7ffffffe;
         return b(Command::LinkGetFdById, attr);
       }},
      {"unknown open flags", -EINVAL, [](Bpf& b, Fds&) { return by_id(b, Command::MapGetFdById, 1, 1); }},
      {"an answer at a bad address", -EFAULT,
       [](Bpf& b, Fds&) { return b.call(static_cast<int>(Command::MapGetNextId), reinterpret_cast<void*>(16), 8); }},
  });
}

TEST(Ids, CountUpAndAreReusedLate) {
  HiveBpf bpf;
  const long first = create_map(bpf, {});
  const long second = create_map(bpf, {});
  EXPECT_EQ(maps_of(bpf), (Ids{1, 2}));
  close_fd(second);
  EXPECT_EQ(maps_of(bpf), Ids{1});
  const long third = create_map(bpf, {});
  EXPECT_EQ(maps_of(bpf), (Ids{1, 3}));
  close_fd(first);
  close_fd(third);
  EXPECT_TRUE(maps_of(bpf).empty());
}

TEST(Ids, DescriptorsByIdKeepAlive) {
  HiveBpf bpf;
  const long map = create_map(bpf, {});
  update(bpf, map, 0U, std::uint64_t{5});
  const long again = by_id(bpf, Command::MapGetFdById, 1);
  close_fd(map);
  EXPECT_EQ(lookup<std::uint64_t>(bpf, again, 0U), 5U);
  const long readable = by_id(bpf, Command::MapGetFdById, 1, spec::kRdonly);
  EXPECT_EQ(update(bpf, readable, 0U, std::uint64_t{5}), -EPERM);
  close_fd(again);
  close_fd(readable);
  EXPECT_EQ(by_id(bpf, Command::MapGetFdById, 1), -ENOENT);

  const long prog = simple_prog(bpf);
  spec::Attr attr{};
  attr.id.prog_id = 1;
  const long second = bpf(Command::ProgGetFdById, attr);
  close_fd(prog);
  EXPECT_EQ(progs_of(bpf), Ids{1});
  close_fd(second);
  EXPECT_TRUE(progs_of(bpf).empty());
}

TEST(Lifetime, DuplicatesAndPassedDescriptorsCount) {
  HiveBpf bpf;
  for (const bool is_map : {true, false}) {
    const auto alive = [&] { return is_map ? maps_of(bpf).size() : progs_of(bpf).size(); };
    const long fd = is_map ? create_map(bpf, {}) : simple_prog(bpf);
    const int copy = ::dup(static_cast<int>(fd));
    close_fd(fd);
    EXPECT_EQ(alive(), 1U);

    int channel[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM, 0, channel), 0);
    ASSERT_TRUE(send_descriptor(channel[0], copy));
    ::close(copy);
    EXPECT_EQ(alive(), 1U) << "on its way";
    const int passed = receive_descriptor(channel[1]);
    EXPECT_TRUE(Hive::owns(passed));
    EXPECT_EQ(alive(), 1U);
    ::close(passed);
    EXPECT_EQ(alive(), 0U);
    ::close(channel[0]);
    ::close(channel[1]);
  }
}

TEST(Lifetime, MappingsCount) {
  HiveBpf bpf;
  const long map = create_map(bpf, {.flags = spec::kMmapable});
  void* at = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, static_cast<int>(map), 0);
  close_fd(map);
  EXPECT_EQ(maps_of(bpf), Ids{1});
  ::munmap(at, 4096);
  EXPECT_TRUE(maps_of(bpf).empty());
}

TEST(Lifetime, ProgramsHoldTheirMapsAndTypes) {
  HiveBpf bpf;
  BtfBuilder types;
  const std::uint32_t word = types.integer("int", 4);
  types.add("", 13, 0, word);
  types.add("main", 12, 1, 2);
  const long btf = load_btf(bpf, types.bytes());
  const long map = create_map(bpf, {});
  const long bound = create_map(bpf, {});
  const Code code = ld_imm64(1, 1, static_cast<int>(map)) + return_value(0);
  const spec::FuncInfo func = {0, 3};
  spec::Attr attr = prog_attr(ProgType::SocketFilter, code);
  attr.prog_load.prog_btf_fd = static_cast<std::uint32_t>(btf);
  attr.prog_load.func_info = address(&func);
  attr.prog_load.func_info_cnt = 1;
  attr.prog_load.func_info_rec_size = sizeof func;
  const long prog = bpf(Command::ProgLoad, attr);
  ASSERT_GE(prog, 0) << Hive::last_error();
  spec::Attr bind{};
  bind.prog_bind_map.prog_fd = static_cast<std::uint32_t>(prog);
  bind.prog_bind_map.map_fd = static_cast<std::uint32_t>(bound);
  ASSERT_EQ(bpf(Command::ProgBindMap, bind), 0);
  ASSERT_EQ(bpf(Command::ProgBindMap, bind), 0) << "again is no error";
  close_fd(btf);
  close_fd(map);
  close_fd(bound);
  EXPECT_EQ(maps_of(bpf), (Ids{1, 2}));
  EXPECT_EQ(btfs_of(bpf), Ids{1});
  close_fd(prog);
  EXPECT_TRUE(maps_of(bpf).empty());
  EXPECT_TRUE(btfs_of(bpf).empty());
  EXPECT_TRUE(progs_of(bpf).empty());
}

TEST(Lifetime, MapsOfMapsHoldWhatIsInTheirSlots) {
  HiveBpf bpf;
  const long inner = create_map(bpf, {});
  const long other = create_map(bpf, {});
  const long outer = create_map(bpf, {.type = MapType::HashOfMaps, .value = 4, .inner = static_cast<int>(inner)});
  ASSERT_EQ(update(bpf, outer, 7U, static_cast<int>(inner)), 0);
  ASSERT_EQ(update(bpf, outer, 8U, static_cast<int>(inner)), 0);
  close_fd(inner);
  EXPECT_EQ(maps_of(bpf), (Ids{1, 2, 3}));
  ASSERT_EQ(update(bpf, outer, 7U, static_cast<int>(other)), 0);
  EXPECT_EQ(maps_of(bpf), (Ids{1, 2, 3})) << "still in slot 8";
  ASSERT_EQ(erase(bpf, outer, 8U), 0);
  EXPECT_EQ(maps_of(bpf), (Ids{2, 3}));
  close_fd(other);
  EXPECT_EQ(maps_of(bpf), (Ids{2, 3}));
  close_fd(outer);
  EXPECT_TRUE(maps_of(bpf).empty());
}

// A prog array holds the program that uses it; without a user of the array the circle opens.
TEST(Lifetime, ProgArraysLetGoWhenNobodyHasThem) {
  HiveBpf bpf;
  const long array = create_map(bpf, {.type = MapType::ProgArray, .value = 4});
  const Code code = ld_imm64(2, 1, static_cast<int>(array)) + return_value(0);
  const long prog = load_prog(bpf, ProgType::SocketFilter, code);
  ASSERT_EQ(update(bpf, array, 0U, static_cast<int>(prog)), 0) << Hive::last_error();
  close_fd(prog);
  EXPECT_EQ(progs_of(bpf), Ids{1}) << "held by the array";
  close_fd(array);
  EXPECT_TRUE(progs_of(bpf).empty());
  EXPECT_TRUE(maps_of(bpf).empty());
}

TEST(Lifetime, WhatHooksHoldStays) {
  auto bpf = std::make_unique<HiveBpf>();
  const long map = create_map(*bpf, {});
  const long prog = load_prog(*bpf, ProgType::SocketFilter, ld_imm64(1, 1, static_cast<int>(map)) + return_value(0));
  auto program = bpf->hive->program(static_cast<int>(prog));
  ASSERT_TRUE(program.has_value());
  close_fd(map);
  close_fd(prog);
  EXPECT_EQ(progs_of(*bpf), Ids{1});
  EXPECT_EQ(maps_of(*bpf), Ids{1});
  bpf.reset();  // even the hive may go first
  EXPECT_EQ(program->code->image().insns.size(), 4U);
  program->code.reset();
}

TEST(Lifetime, GarbageStaysWithinAFactorOfWhatLives) {
  HiveBpf bpf;
  for (int i = 0; i < 200; ++i) close_fd(create_map(bpf, {}));
  int open = 0;
  for (int fd = 0; fd < 1024; ++fd) open += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
  EXPECT_LT(open, 64);
}

TEST(Lifetime, AfterAForkTheSidesShareOldMapsOnly) {
  if (kHosted) GTEST_SKIP() << "with a host they share everything";
  HiveBpf bpf;
  const long shared = create_map(bpf, {});
  const long prog = simple_prog(bpf);
  ASSERT_EQ(update(bpf, shared, 0U, std::uint64_t{1}), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    spec::ProgInfo info{};
    bool good = lookup<std::uint64_t>(bpf, shared, 0U) == 1U && update(bpf, shared, 1U, std::uint64_t{2}) == 0;
    good = good && get_info(bpf, prog, info) == 0 && create_map(bpf, {}) >= 0 && simple_prog(bpf) >= 0;
    good = good && maps_of(bpf) == Ids{1, 2};
    ::_exit(good ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(lookup<std::uint64_t>(bpf, shared, 1U), 2U) << "bytes are shared";
  EXPECT_EQ(maps_of(bpf), Ids{1}) << "objects are not";
  const long ours = create_map(bpf, {});
  EXPECT_EQ(maps_of(bpf), (Ids{1, 2}));
  close_fd(shared);
  close_fd(ours);
  close_fd(prog);
}

// A map of another hive is not taken for ours of the same id.
TEST(Lifetime, AStrangersMapIsNotOurs) {
  HiveBpf bpf;
  HiveBpf other;
  const long ours = create_map(bpf, {});
  const long theirs = create_map(other, {});
  EXPECT_EQ(update(bpf, theirs, 0U, std::uint64_t{1}), -EINVAL);
  EXPECT_EQ(update(bpf, ours, 0U, std::uint64_t{1}), 0);
  const long their_prog = simple_prog(other);
  const long our_prog = simple_prog(bpf);
  spec::ProgInfo info{};
  EXPECT_EQ(get_info(bpf, their_prog, info), -EINVAL);
  EXPECT_EQ(get_info(bpf, our_prog, info), 0);
  for (const long fd : {ours, theirs, their_prog, our_prog}) close_fd(fd);
}

}  // namespace
}  // namespace skep::hive::testing
