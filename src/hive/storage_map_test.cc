// Elements that belong to tasks, sockets, inodes and cgroups: against the kernel, and when their owners go.
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>

#include "base/errno.h"
#include "hive/testing.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::MapType;

// A storage map whose values are 8 bytes.
long storage(Bpf& bpf, Fds& fds, MapType type) {
  BtfBuilder types;
  const std::uint32_t number = types.integer("int", 4);
  const std::uint32_t value = types.integer("long", 8);
  spec::Attr attr = map_attr({.type = type, .entries = 0, .flags = spec::kNoPrealloc});
  attr.map_create.btf_fd = static_cast<std::uint32_t>(fds.keep(load_btf(bpf, types.bytes())));
  attr.map_create.btf_key_type_id = number;
  attr.map_create.btf_value_type_id = value;
  return fds.keep(bpf(Command::MapCreate, attr));
}

long pidfd(Fds& fds, int pid) { return fds.keep(::syscall(SYS_pidfd_open, pid, 0)); }

struct Child {
  Child() : pid(::fork()) {
    while (pid == 0) ::pause();
  }
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  void end() {
    if (pid <= 0) return;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    pid = 0;
  }
  int pid;
};

TEST(StorageMap, ValuesBelongToTasksAndNotToDescriptors) {
  judge({{"two descriptors of one task", 77,
          [](Bpf& b, Fds& f) -> long {
            const long map = storage(b, f, MapType::TaskStorage);
            EXPECT_EQ(update(b, map, static_cast<int>(pidfd(f, ::getpid())), std::uint64_t{77}), 0);
            return static_cast<long>(lookup<std::uint64_t>(b, map, static_cast<int>(pidfd(f, ::getpid()))).value_or(0));
          }},
         {"another task has nothing", 0,
          [](Bpf& b, Fds& f) -> long {
            const Child child;
            const long map = storage(b, f, MapType::TaskStorage);
            EXPECT_EQ(update(b, map, static_cast<int>(pidfd(f, ::getpid())), std::uint64_t{77}), 0);
            return lookup<std::uint64_t>(b, map, static_cast<int>(pidfd(f, child.pid))) ? 1 : 0;
          }},
         {"a task that has gone", -ENOENT,
          [](Bpf& b, Fds& f) -> long {
            Child child;
            const long map = storage(b, f, MapType::TaskStorage);
            const int fd = static_cast<int>(pidfd(f, child.pid));
            EXPECT_EQ(update(b, map, fd, std::uint64_t{77}), 0);
            child.end();
            return update(b, map, fd, std::uint64_t{78});
          }},
         {"no task's descriptor", -EBADF,
          [](Bpf& b, Fds& f) {
            return update(b, storage(b, f, MapType::TaskStorage), static_cast<int>(f.keep(::eventfd(0, 0))),
                          std::uint64_t{1});
          }},
         {"keys are not walked", -kNotSupported, [](Bpf& b, Fds& f) -> long {
            const long map = storage(b, f, MapType::TaskStorage);
            int next = 0;
            spec::Attr attr = elem_attr(map, nullptr, &next);
            return b(Command::MapGetNextKey, attr);
          }}});
}

TEST(StorageMap, ValuesBelongToSockets) {
  judge({{"a duplicate", 5,
          [](Bpf& b, Fds& f) -> long {
            const long map = storage(b, f, MapType::SkStorage);
            const int socket = static_cast<int>(f.keep(::socket(AF_INET, SOCK_STREAM, 0)));
            EXPECT_EQ(update(b, map, socket, std::uint64_t{5}), 0);
            return static_cast<long>(
                lookup<std::uint64_t>(b, map, static_cast<int>(f.keep(::dup(socket)))).value_or(0));
          }},
         {"a number that is used again", 0,
          [](Bpf& b, Fds& f) -> long {
            const long map = storage(b, f, MapType::SkStorage);
            const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
            EXPECT_EQ(update(b, map, socket, std::uint64_t{5}), 0);
            const int other = static_cast<int>(f.keep(::socket(AF_INET, SOCK_STREAM, 0)));
            EXPECT_EQ(::dup2(other, socket), socket);
            f.keep(socket);
            return lookup<std::uint64_t>(b, map, socket) ? 1 : 0;
          }},
         {"no socket", -ENOTSOCK, [](Bpf& b, Fds& f) {
            return update(b, storage(b, f, MapType::SkStorage), static_cast<int>(f.keep(::eventfd(0, 0))),
                          std::uint64_t{1});
          }}});
}

TEST(StorageMap, ValuesBelongToInodes) {
  judge({{"a file opened twice", 9, [](Bpf& b, Fds& f) -> long {
            const long map = storage(b, f, MapType::InodeStorage);
            if (map == -EINVAL) return 9;  // a kernel without CONFIG_BPF_LSM
            EXPECT_EQ(update(b, map, static_cast<int>(f.keep(::open("/proc/self/exe", O_RDONLY))), std::uint64_t{9}),
                      0);
            const int again = static_cast<int>(f.keep(::open("/proc/self/exe", O_RDONLY)));
            return static_cast<long>(lookup<std::uint64_t>(b, map, again).value_or(0));
          }}});
}

// The kernel knows no limit but memory; ours makes room by forgetting tasks that have ended.
TEST(StorageMap, GivesBackTheRoomOfTasksThatHaveEnded) {
  HiveBpf hive;
  Fds fds;
  const long map = storage(hive, fds, MapType::TaskStorage);
  for (int i = 0; i < 3; ++i) {
    Child child;
    EXPECT_EQ(update(hive, map, static_cast<int>(pidfd(fds, child.pid)), std::uint64_t{1}), 0);
  }
  const auto handle = hive.hive->map(static_cast<int>(map));
  ASSERT_TRUE(handle);
  const auto count = [&] {
    return (*handle)->for_each([](void*, auto*, auto*) noexcept { return std::uint64_t{0}; }, nullptr, 0);
  };
  EXPECT_EQ(count(), 3);
  std::uint64_t owner[2] = {INT32_MAX, 1};  // fills up with owners that never were
  long error = 0;
  for (; error == 0; ++owner[1]) {
    const std::uint64_t value = 0;
    error = (*handle)->update_all(reinterpret_cast<const std::byte*>(owner), reinterpret_cast<const std::byte*>(&value),
                                  spec::kAny);
  }
  EXPECT_EQ(error, -E2BIG);
  EXPECT_EQ(update(hive, map, static_cast<int>(pidfd(fds, ::getpid())), std::uint64_t{7}), 0);
  EXPECT_EQ(count(), 1);
}

}  // namespace
}  // namespace skep::hive::testing
