// Maps whose values are other objects: what may go in, what comes out, and what becomes of it when the object goes.
#include <sys/socket.h>

#include "base/errno.h"
#include "hive/testing.h"

namespace skep::hive::testing {
namespace {

using spec::AttachType;
using spec::Command;
using spec::MapType;
using spec::ProgType;

long prog(Bpf& bpf, Fds& fds, ProgType type = ProgType::SocketFilter) {
  return fds.keep(load_prog(bpf, type, return_value(0)));
}
long xdp_for(Bpf& bpf, Fds& fds, AttachType attach) {
  const Code code = return_value(2);
  spec::Attr attr = prog_attr(ProgType::Xdp, code);
  attr.prog_load.expected_attach_type = static_cast<std::uint32_t>(attach);
  return fds.keep(bpf(Command::ProgLoad, attr));
}
long array(Bpf& bpf, Fds& fds, std::uint32_t entries = 4) { return fds.keep(create_map(bpf, {.entries = entries})); }
long fd_map(Bpf& bpf, Fds& fds, MapType type, long inner = 0) {
  return fds.keep(create_map(bpf, {.type = type, .value = 4, .inner = static_cast<int>(inner)}));
}
int as_fd(long fd) { return static_cast<int>(fd); }

TEST(ProgArray, TakesProgramsOfOneKind) {
  const auto with = [](Bpf& b, Fds& f, long fd, std::uint32_t key = 0, std::uint64_t flags = 0) {
    return update(b, fd_map(b, f, MapType::ProgArray), key, as_fd(fd), flags);
  };
  judge({
      {"a program", 0, [&](Bpf& b, Fds& f) { return with(b, f, prog(b, f)); }},
      {"no descriptor", -EBADF, [&](Bpf& b, Fds& f) { return with(b, f, kNoFd); }},
      {"a map", -EINVAL, [&](Bpf& b, Fds& f) { return with(b, f, array(b, f)); }},
      {"beyond the end, no descriptor", -E2BIG, [&](Bpf& b, Fds& f) { return with(b, f, kNoFd, 4); }},
      {"flags, no descriptor", -EINVAL, [&](Bpf& b, Fds& f) { return with(b, f, kNoFd, 0, 1); }},
      {"two of one type", 0,
       [&](Bpf& b, Fds& f) {
         const long map = fd_map(b, f, MapType::ProgArray);
         return update(b, map, 0U, as_fd(prog(b, f))) + update(b, map, 1U, as_fd(prog(b, f)));
       }},
      {"two types", -EINVAL,
       [&](Bpf& b, Fds& f) {
         const long map = fd_map(b, f, MapType::ProgArray);
         EXPECT_EQ(update(b, map, 0U, as_fd(prog(b, f))), 0);
         return update(b, map, 1U, as_fd(prog(b, f, ProgType::SchedCls)));
       }},
      {"delete", 0,
       [&](Bpf& b, Fds& f) {
         const long map = fd_map(b, f, MapType::ProgArray);
         return update(b, map, 0U, as_fd(prog(b, f))) + erase(b, map, 0U);
       }},
      {"delete what is absent", -ENOENT,
       [&](Bpf& b, Fds& f) { return erase(b, fd_map(b, f, MapType::ProgArray), 0U); }},
      {"delete beyond the end", -E2BIG, [&](Bpf& b, Fds& f) { return erase(b, fd_map(b, f, MapType::ProgArray), 9U); }},
  });
}

TEST(ProgArray, ShowsIdsAndFollowsTailCalls) {
  HiveBpf bpf;
  Fds fds;
  const long map = fd_map(bpf, fds, MapType::ProgArray);
  const long callee = fds.keep(load_prog(bpf, ProgType::Xdp, return_value(77)));
  const Code code = ld_imm64(2, 1, as_fd(map)) + Code{mov(3, 1), call_helper(12), mov(0, 1), exit_insn()};
  const long caller = fds.keep(load_prog(bpf, ProgType::Xdp, code));
  ASSERT_GE(caller, 0) << Hive::last_error();
  ASSERT_EQ(update(bpf, map, 1U, as_fd(callee)), 0);
  spec::ProgInfo info{};
  ASSERT_EQ(get_info(bpf, callee, info), 0);
  EXPECT_EQ(lookup<std::uint32_t>(bpf, map, 1U), info.id);
  EXPECT_FALSE(lookup<std::uint32_t>(bpf, map, 0U).has_value());

  const auto run = [&] {
    std::array<std::byte, 64> packet{};
    spec::Attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(caller);
    attr.test.data_in = address(packet.data());
    attr.test.data_size_in = packet.size();
    EXPECT_EQ(bpf(Command::ProgTestRun, attr), 0) << Hive::last_failure().text();
    return attr.test.retval;
  };
  EXPECT_EQ(run(), 77U);
  ASSERT_EQ(erase(bpf, map, 1U), 0);
  EXPECT_EQ(run(), 1U);
}

TEST(MapOfMaps, TakesMapsLikeItsTemplate) {
  const auto with = [](Bpf& b, Fds& f, MapType type, long inner) {
    return update(b, fd_map(b, f, type, array(b, f)), 0U, as_fd(inner));
  };
  for (const MapType type : {MapType::ArrayOfMaps, MapType::HashOfMaps}) {
    judge({
        {"a map", 0, [&](Bpf& b, Fds& f) { return with(b, f, type, array(b, f)); }},
        {"no descriptor", -EBADF, [&](Bpf& b, Fds& f) { return with(b, f, type, kNoFd); }},
        {"a program", -EINVAL, [&](Bpf& b, Fds& f) { return with(b, f, type, prog(b, f)); }},
        {"another size", -EINVAL, [&](Bpf& b, Fds& f) { return with(b, f, type, array(b, f, 5)); }},
        {"another type", -EINVAL,
         [&](Bpf& b, Fds& f) { return with(b, f, type, f.keep(create_map(b, {.type = MapType::Hash}))); }},
        {"another value", -EINVAL,
         [&](Bpf& b, Fds& f) { return with(b, f, type, f.keep(create_map(b, {.value = 16}))); }},
        {"other flags", -EINVAL,
         [&](Bpf& b, Fds& f) { return with(b, f, type, f.keep(create_map(b, {.flags = spec::kMmapable}))); }},
        {"delete what is absent", -ENOENT,
         [&](Bpf& b, Fds& f) { return erase(b, fd_map(b, f, type, array(b, f)), 0U); }},
    });
  }
  judge({
      {"hashes of other sizes", 0,
       [](Bpf& b, Fds& f) {
         const long inner = f.keep(create_map(b, {.type = MapType::Hash, .entries = 4}));
         const long other = f.keep(create_map(b, {.type = MapType::Hash, .entries = 9}));
         return update(b, fd_map(b, f, MapType::ArrayOfMaps, inner), 0U, as_fd(other));
       }},
      {"arrays of any size, when asked for", 0,
       [](Bpf& b, Fds& f) {
         const long inner = f.keep(create_map(b, {.entries = 4, .flags = spec::kInnerMap}));
         const long other = f.keep(create_map(b, {.entries = 9, .flags = spec::kInnerMap}));
         return update(b, fd_map(b, f, MapType::ArrayOfMaps, inner), 0U, as_fd(other));
       }},
      {"only if absent", -EEXIST,
       [](Bpf& b, Fds& f) {
         const long map = fd_map(b, f, MapType::HashOfMaps, array(b, f));
         EXPECT_EQ(update(b, map, 0U, as_fd(array(b, f))), 0);
         return update(b, map, 0U, as_fd(array(b, f)), spec::kNoExist);
       }},
  });
}

TEST(MapOfMaps, ProgramsReachTheInnerMap) {
  HiveBpf bpf;
  Fds fds;
  const long inner = array(bpf, fds);
  const long outer = fd_map(bpf, fds, MapType::ArrayOfMaps, array(bpf, fds));
  ASSERT_EQ(update(bpf, outer, 2U, as_fd(inner)), 0);
  ASSERT_EQ(update(bpf, inner, 2U, std::uint64_t{99}), 0);
  // r0 = outer[2][2], or 1 or 2 where something is absent
  const Code code = Code{insn(0x62, 10, 0, -4, 2), mov_reg(2, 10), insn(0x07, 2, 0, 0, -4)} +
                    ld_imm64(1, 1, as_fd(outer)) +
                    Code{call_helper(1),
                         insn(0x55, 0, 0, 2, 0),
                         mov(0, 1),
                         exit_insn(),
                         mov_reg(1, 0),
                         mov_reg(2, 10),
                         insn(0x07, 2, 0, 0, -4),
                         call_helper(1),
                         insn(0x55, 0, 0, 2, 0),
                         mov(0, 2),
                         exit_insn(),
                         insn(0x79, 0, 0, 0, 0),
                         exit_insn()};
  const long reader = fds.keep(load_prog(bpf, ProgType::Xdp, code));
  ASSERT_GE(reader, 0) << Hive::last_error();
  std::array<std::byte, 64> packet{};
  spec::Attr attr{};
  attr.test.prog_fd = static_cast<std::uint32_t>(reader);
  attr.test.data_in = address(packet.data());
  attr.test.data_size_in = packet.size();
  ASSERT_EQ(bpf(Command::ProgTestRun, attr), 0) << Hive::last_failure().text();
  EXPECT_EQ(attr.test.retval, 99U);
}

struct DeviceValue {
  std::uint32_t number;
  int prog;
};

TEST(DeviceMaps, TakeInterfacesAndPrograms) {
  const auto put = [](Bpf& b, Fds& f, MapType type, DeviceValue value, std::uint32_t key = 0, std::uint64_t flags = 0) {
    return update(b, f.keep(create_map(b, {.type = type, .value = 8, .entries = 2})), key, value, flags);
  };
  for (const MapType type : {MapType::Devmap, MapType::DevmapHash}) {
    judge({
        {"loopback", 0, [&](Bpf& b, Fds& f) { return put(b, f, type, {1, 0}); }},
        {"no such interface", -EINVAL, [&](Bpf& b, Fds& f) { return put(b, f, type, {123456, 0}); }},
        {"with a program", 0,
         [&](Bpf& b, Fds& f) { return put(b, f, type, {1, as_fd(xdp_for(b, f, AttachType::XdpDevmap))}); }},
        {"with one for CPUs", -EINVAL,
         [&](Bpf& b, Fds& f) { return put(b, f, type, {1, as_fd(xdp_for(b, f, AttachType::XdpCpumap))}); }},
        {"with one of another type", -EINVAL, [&](Bpf& b, Fds& f) { return put(b, f, type, {1, as_fd(prog(b, f))}); }},
        {"with no descriptor", -EINVAL, [&](Bpf& b, Fds& f) { return put(b, f, type, {1, kNoFd}); }},
        {"a program without an interface", -EINVAL,
         [&](Bpf& b, Fds& f) { return put(b, f, type, {0, as_fd(xdp_for(b, f, AttachType::XdpDevmap))}); }},
        {"flags", -EINVAL, [&](Bpf& b, Fds& f) { return put(b, f, type, {1, 0}, 0, 4); }},
    });
  }
  judge({
      {"beyond the end", -E2BIG, [&](Bpf& b, Fds& f) { return put(b, f, MapType::Devmap, {1, 0}, 7); }},
      {"new only", -EEXIST, [&](Bpf& b, Fds& f) { return put(b, f, MapType::Devmap, {1, 0}, 0, 1); }},
      {"a CPU", 0, [&](Bpf& b, Fds& f) { return put(b, f, MapType::Cpumap, {64, 0}); }},
      {"a CPU with a program", 0,
       [&](Bpf& b, Fds& f) { return put(b, f, MapType::Cpumap, {64, as_fd(xdp_for(b, f, AttachType::XdpCpumap))}); }},
      {"a CPU with one for devices", -ENOMEM,
       [&](Bpf& b, Fds& f) { return put(b, f, MapType::Cpumap, {64, as_fd(xdp_for(b, f, AttachType::XdpDevmap))}); }},
      {"a long queue", -EOVERFLOW, [&](Bpf& b, Fds& f) { return put(b, f, MapType::Cpumap, {20000, 0}); }},
  });
}

TEST(DeviceMaps, ShowTheProgramsId) {
  HiveBpf bpf;
  Fds fds;
  const long map = fds.keep(create_map(bpf, {.type = MapType::Devmap}));
  const long program = xdp_for(bpf, fds, AttachType::XdpDevmap);
  ASSERT_EQ(update(bpf, map, 0U, DeviceValue{1, as_fd(program)}), 0) << Hive::last_error();
  spec::ProgInfo info{};
  ASSERT_EQ(get_info(bpf, program, info), 0);
  const auto value = lookup<DeviceValue>(bpf, map, 0U);
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(value->number, 1U);
  EXPECT_EQ(static_cast<std::uint32_t>(value->prog), info.id);
}

// Sockets and cgroups: what is none, or not one of the right kind.
TEST(MapsOfSockets, RefuseWhatIsNone) {
  const auto with = [](Bpf& b, Fds& f, MapType type, long fd, std::uint32_t key = 0, std::uint64_t flags = 0) {
    return update(b, fd_map(b, f, type), key, as_fd(fd), flags);
  };
  judge({
      {"sockmap, no descriptor", -EBADF, [&](Bpf& b, Fds& f) { return with(b, f, MapType::Sockmap, kNoFd); }},
      {"sockmap, a map", -ENOTSOCK, [&](Bpf& b, Fds& f) { return with(b, f, MapType::Sockmap, array(b, f)); }},
      {"sockhash, flags", -EINVAL, [&](Bpf& b, Fds& f) { return with(b, f, MapType::Sockhash, kNoFd, 0, 4); }},
      {"xskmap, beyond the end", -E2BIG, [&](Bpf& b, Fds& f) { return with(b, f, MapType::Xskmap, kNoFd, 4); }},
      {"socket array, a map", -ENOTSOCK,
       [&](Bpf& b, Fds& f) { return with(b, f, MapType::ReuseportSockarray, array(b, f)); }},
      {"cgroup array, no descriptor", -EBADF, [&](Bpf& b, Fds& f) { return with(b, f, MapType::CgroupArray, kNoFd); }},
      {"cgroup array, a map", -EBADF, [&](Bpf& b, Fds& f) { return with(b, f, MapType::CgroupArray, array(b, f)); }},
      {"cgroup array, flags", -EINVAL, [&](Bpf& b, Fds& f) { return with(b, f, MapType::CgroupArray, kNoFd, 0, 1); }},
      {"cgroup array, delete", -ENOENT,
       [&](Bpf& b, Fds& f) { return erase(b, fd_map(b, f, MapType::CgroupArray), 0U); }},
      {"sockmap, a socket that is not connected", -EOPNOTSUPP,
       [&](Bpf& b, Fds& f) { return with(b, f, MapType::Sockmap, f.keep(::socket(AF_UNIX, SOCK_STREAM, 0))); }},
      {"cgroup array, another folder", -EBADF,
       [&](Bpf& b, Fds& f) { return with(b, f, MapType::CgroupArray, f.keep(::open("/", O_RDONLY | O_DIRECTORY))); }},
  });
}

TEST(PerfEventArray, AnyLiveDescriptorListens) {
  HiveBpf bpf;
  Fds fds;
  const long map = fd_map(bpf, fds, MapType::PerfEventArray);
  EXPECT_EQ(update(bpf, map, 0U, kNoFd), -EBADF);
  EXPECT_EQ(update(bpf, map, 9U, 0), -E2BIG);
  EXPECT_EQ(update(bpf, map, 0U, as_fd(fds.keep(::open("/dev/null", O_WRONLY)))), 0);
  std::uint32_t key = 0;
  std::uint32_t value = 0;
  spec::Attr attr = elem_attr(map, &key, &value);
  EXPECT_EQ(bpf(Command::MapLookupElem, attr), -kNotSupported);
  EXPECT_EQ(erase(bpf, map, 0U), 0);
  EXPECT_EQ(erase(bpf, map, 0U), -ENOENT);
}

TEST(PerfEventArray, RecordsReachTheHostWhereSomebodyListens) {
  if (kHosted) GTEST_SKIP() << "the surroundings are the host's own";
  HiveBpf bpf;
  Fds fds;
  std::vector<std::size_t> records;
  bpf.hive->system().set_perf_sink([&](maps::Map&, std::uint64_t, Bytes record) {
    records.push_back(record.size());
    return 0;
  });
  const long map = fd_map(bpf, fds, MapType::PerfEventArray);
  // return perf_event_output(ctx, map, 0, fp - 8, 8)
  const Code code = Code{insn(0x7a, 10, 0, -8, 5)} + ld_imm64(2, 1, as_fd(map)) +
                    Code{mov(3, 0), mov_reg(4, 10), insn(0x07, 4, 0, 0, -8), mov(5, 8), call_helper(25), exit_insn()};
  const long program = fds.keep(load_prog(bpf, ProgType::Xdp, code));
  ASSERT_GE(program, 0) << Hive::last_error();
  const auto run = [&] {
    std::array<std::byte, 64> packet{};
    spec::Attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(program);
    attr.test.data_in = address(packet.data());
    attr.test.data_size_in = packet.size();
    EXPECT_EQ(bpf(Command::ProgTestRun, attr), 0) << Hive::last_failure().text();
    return static_cast<std::int32_t>(attr.test.retval);
  };
  EXPECT_EQ(run(), -ENOENT);
  ASSERT_EQ(update(bpf, map, 0U, as_fd(fds.keep(::open("/dev/null", O_WRONLY)))), 0);
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(records.size(), 1U);
}

}  // namespace
}  // namespace skep::hive::testing
