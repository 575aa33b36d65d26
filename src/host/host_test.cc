// A host in a process of its own: what its clients share, and what becomes of those who die, fork, flood or talk
// nonsense. That bpf(2) means the same over a connection is seen by src/hive's tests, which run this way too.
#include "host/host.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "base/sanitized.h"
#include "hive/testing.h"
#include "host/testing.h"

namespace skep::host {
namespace {

using hive::testing::Bpf;
using hive::testing::create_map;
using hive::testing::erase;
using hive::testing::load_prog;
using hive::testing::lookup;
using hive::testing::next_id;
using hive::testing::return_value;
using hive::testing::update;
using spec::Command;
using spec::MapType;
using testing::HostProcess;
using wire::Channel;
using wire::Client;
using wire::Kind;

class ClientBpf final : public Bpf {
 public:
  explicit ClientBpf(const std::string& path) : client(path) {}
  explicit ClientBpf(const HostProcess& host) : client(host.seat().path()) {}
  long call(int cmd, const void* attr, std::uint32_t size) override {
    return client.call(cmd, const_cast<void*>(attr), size);
  }
  Client client;
};

std::size_t open_descriptors(pid_t process = ::getpid()) {
  const std::filesystem::directory_iterator all("/proc/" + std::to_string(process) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

// The same numbers in every run.
class Below {
 public:
  explicit Below(unsigned seed) : random_(seed) {}
  unsigned operator()(unsigned limit) { return static_cast<unsigned>(random_() % limit); }

 private:
  std::minstd_rand random_;
};

// Until `holds`, at most some seconds.
bool eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 1000; ++i, ::usleep(10'000))
    if (holds()) return true;
  return false;
}

// The exit code of a child that does `work`.
int in_a_child(const std::function<bool()>& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work() ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void close_fd(long fd) { ::close(static_cast<int>(fd)); }

TEST(Host, TwoProcessesShareAHive) {
  HostProcess host;
  ClientBpf here(host);
  const long map = create_map(here, {.type = MapType::Hash, .name = "shared"});
  ASSERT_GE(map, 0);
  ASSERT_EQ(update(here, map, 1U, std::uint64_t{7}), 0);
  EXPECT_EQ(in_a_child([&] {
              ClientBpf there(host);
              const std::uint32_t id = next_id(there, Command::MapGetNextId, 0);
              spec::Attr attr{};
              attr.id.map_id = id;
              const long same = there(Command::MapGetFdById, attr);
              return lookup<std::uint64_t>(there, same, 1U) == 7 && update(there, same, 2U, std::uint64_t{8}) == 0;
            }),
            0);
  EXPECT_EQ(lookup<std::uint64_t>(here, map, 2U), 8U);
  close_fd(map);
  EXPECT_EQ(next_id(here, Command::MapGetNextId, 0), 0U);
}

TEST(Host, AForkedChildConnectsAnew) {
  HostProcess host;
  ClientBpf bpf(host);
  const long map = create_map(bpf, {});
  ASSERT_GE(map, 0);
  for (int round = 0; round < 20; ++round) {
    const std::uint64_t mine = 100 + static_cast<std::uint64_t>(round);
    EXPECT_EQ(in_a_child([&] {
                // the connection of the child before may go a little later than it
                const auto two = [&] { return bpf.client.status()->clients == 2; };
                return update(bpf, map, 0U, mine) == 0 && eventually(two);
              }),
              0);
    EXPECT_EQ(lookup<std::uint64_t>(bpf, map, 0U), mine);
  }
  // A child that libc knows nothing of.
  const long child = ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (child == 0) ::_exit(update(bpf, map, 1U, std::uint64_t{5}) == 0 ? 0 : 1);
  int status = 0;
  ::waitpid(static_cast<pid_t>(child), &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(lookup<std::uint64_t>(bpf, map, 1U), 5U);
  close_fd(map);
}

TEST(Host, ConnectionsAreNotTakenForWhatHasTheirNumberNow) {
  HostProcess host;
  ClientBpf bpf(host);
  long map = create_map(bpf, {});
  ASSERT_GE(map, 0);
  // A program that closes everything, as daemons do, and opens files of its own under the same numbers.
  EXPECT_EQ(in_a_child([&] {
              if (create_map(bpf, {}) < 0) return false;
              ::syscall(SYS_close_range, 3, ~0U, 0);
              int file = 0;
              while ((file = ::open("/dev/null", O_RDWR)) >= 0 && file < 1010) {
              }
              rlimit limit{.rlim_cur = 4096, .rlim_max = 4096};
              ::setrlimit(RLIMIT_NOFILE, &limit);
              const bool works = create_map(bpf, {}) >= 0;
              char byte = 0;
              return works && ::write(file >= 0 ? file : 600, &byte, 1) == 1;
            }),
            0);
  close_fd(map);
}

TEST(Host, ThreadsCallAtOnce) {
  HostProcess host;
  ClientBpf bpf(host);
  const long map = create_map(bpf, {.type = MapType::Hash, .entries = 1024});
  std::vector<std::thread> threads;
  std::atomic<unsigned> wrong{0};
  for (unsigned t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (unsigned i = 0; i < 200; ++i) {
        const unsigned key = t * 1000 + i % 100;
        if (update(bpf, map, key, std::uint64_t{i}) != 0 || lookup<std::uint64_t>(bpf, map, key) != i) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_LE(bpf.client.status()->clients, 8U);
  close_fd(map);
}

TEST(Host, ProgramsSeeTheProcessThatRunsThem) {
  HostProcess host({.engine = hive::Engine::Checked});
  ClientBpf bpf(host);
  using hive::testing::call_helper;
  using hive::testing::exit_insn;
  using hive::testing::insn;
  // r0 = bpf_get_current_pid_tgid() >> 32
  const hive::testing::Code code = {call_helper(14), insn(0x77, 0, 0, 0, 32), exit_insn()};
  const long program = load_prog(bpf, spec::ProgType::RawTracepoint, code);
  ASSERT_GE(program, 0);
  spec::Attr attr{};
  attr.test.prog_fd = static_cast<std::uint32_t>(program);
  ASSERT_EQ(bpf(Command::ProgTestRun, attr), 0);
  EXPECT_EQ(attr.test.retval, static_cast<std::uint32_t>(::getpid()));
  close_fd(program);
}

TEST(Host, LargeCopiesGoInPieces) {
  HostProcess host;
  ClientBpf bpf(host);
  constexpr std::size_t kBytes = 1'000'003;
  const long map = create_map(bpf, {.value = kBytes, .entries = 1});
  ASSERT_GE(map, 0);
  std::vector<std::uint8_t> in(kBytes), out(kBytes);
  for (std::size_t i = 0; i < kBytes; ++i) in[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  std::uint32_t key = 0;
  spec::Attr attr = hive::testing::elem_attr(map, &key, in.data());
  ASSERT_EQ(bpf(Command::MapUpdateElem, attr), 0);
  attr = hive::testing::elem_attr(map, &key, out.data());
  ASSERT_EQ(bpf(Command::MapLookupElem, attr), 0);
  EXPECT_EQ(in, out);
  // The last page is missing.
  const std::size_t whole = (kBytes + 4095) / 4096 * 4096;
  void* memory = ::mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ::munmap(static_cast<char*>(memory) + whole - 4096, 4096);
  attr = hive::testing::elem_attr(map, &key, memory);
  EXPECT_EQ(bpf(Command::MapLookupElem, attr), -EFAULT);
  EXPECT_EQ(bpf(Command::MapUpdateElem, attr), -EFAULT);
  ::munmap(memory, whole - 4096);
  close_fd(map);
}

// ---- elements in the client's own process

TEST(LocalMaps, ElementCommandsAskNobody) {
  HostProcess host;
  ClientBpf bpf(host);
  const long hash = create_map(bpf, {.type = MapType::Hash});
  const long array = create_map(bpf, {});
  const long per_cpu = create_map(bpf, {.type = MapType::PercpuArray});
  std::array<std::uint64_t, 8192> values{};  // as many CPUs as there can be
  const auto look = [&](long map) {
    std::uint32_t key = 1;
    spec::Attr attr = hive::testing::elem_attr(map, &key, values.data());
    return bpf(Command::MapLookupElem, attr);
  };
  ASSERT_EQ(update(bpf, hash, 1U, std::uint64_t{7}), 0);
  ASSERT_EQ(look(hash), 0);
  ASSERT_EQ(look(array), 0);
  ASSERT_EQ(look(per_cpu), 0);
  ::kill(host.process(), SIGSTOP);  // whoever asks it now waits
  EXPECT_EQ(lookup<std::uint64_t>(bpf, hash, 1U), 7U);
  EXPECT_EQ(lookup<std::uint64_t>(bpf, hash, 2U), std::nullopt);
  EXPECT_EQ(update(bpf, array, 1U, std::uint64_t{9}), 0);
  EXPECT_EQ(look(per_cpu), 0);
  EXPECT_EQ(update(bpf, hash, 2U, std::uint64_t{8}), 0);
  EXPECT_EQ(erase(bpf, hash, 1U), 0);
  EXPECT_EQ(lookup<std::uint64_t>(bpf, hash, 1U), std::nullopt);
  ::kill(host.process(), SIGCONT);
  EXPECT_EQ(in_a_child([&] {
              ClientBpf other(host);
              return lookup<std::uint64_t>(other, array, 1U) == 9;
            }),
            0);
  host.kill();
  EXPECT_EQ(lookup<std::uint64_t>(bpf, array, 1U), 9U) << "a map outlives its host";
  for (const long map : {hash, array, per_cpu}) close_fd(map);
}

// Whoever is killed while it changes a map leaves it whole to the others.
TEST(LocalMaps, KilledClientsTearNothing) {
  constexpr std::uint32_t kEntries = 512;
  HostProcess host;
  ClientBpf bpf(host);
  const long map = create_map(bpf, {.type = MapType::Hash, .entries = kEntries});
  for (unsigned round = 0; round < 40; ++round) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ClientBpf other(host);
      for (std::uint32_t i = round;; ++i) {
        update(other, map, i % kEntries, std::uint64_t{i % kEntries} << 32 | i % kEntries);
        erase(other, map, (i + kEntries / 2) % kEntries);
      }
    }
    ::usleep(500 + round * 131);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    for (std::uint32_t key = 0; key < kEntries; ++key) {
      const auto value = lookup<std::uint64_t>(bpf, map, key);
      ASSERT_EQ(value.value_or(std::uint64_t{key} << 32 | key), std::uint64_t{key} << 32 | key);
    }
  }
  for (std::uint32_t key = 0; key < kEntries; ++key) ASSERT_EQ(update(bpf, map, key, std::uint64_t{key}), 0) << key;
  EXPECT_EQ(update(bpf, map, kEntries, std::uint64_t{0}), -E2BIG);
  close_fd(map);
}

TEST(LocalMaps, AMappingKeepsNoMapAlive) {
  HostProcess host;
  ClientBpf bpf(host);
  const long map = create_map(bpf, {.value = 1 << 20, .entries = 16});
  std::vector<std::byte> value(1 << 20, std::byte{1});
  for (std::uint32_t key = 0; key < 16; ++key) {
    spec::Attr attr = hive::testing::elem_attr(map, &key, value.data());
    ASSERT_EQ(bpf(Command::MapUpdateElem, attr), 0);
  }
  const auto shared_bytes = [] {
    std::ifstream file("/proc/self/status");
    std::uint64_t kib = 0;
    for (std::string word; file >> word;)
      if (word == "RssShmem:") file >> kib;
    return kib << 10;
  };
  EXPECT_GE(shared_bytes(), 16U << 20);
  close_fd(map);
  EXPECT_EQ(next_id(bpf, Command::MapGetNextId, 0), 0U);
  EXPECT_TRUE(eventually([&] {
    close_fd(create_map(bpf, {}));  // what is retired is freed in passing
    return shared_bytes() < (4U << 20);
  }));
}

TEST(LocalMaps, MoreMapsThanAreKept) {
  HostProcess host;
  ClientBpf bpf(host);
  std::vector<long> maps;
  for (std::uint64_t i = 0; i < 600; ++i) {
    maps.push_back(create_map(bpf, {}));
    ASSERT_GE(maps.back(), 0);
    ASSERT_EQ(update(bpf, maps.back(), 0U, i), 0);
  }
  for (std::uint64_t i = 0; i < maps.size(); ++i) EXPECT_EQ(lookup<std::uint64_t>(bpf, maps[i], 0U), i);
  for (const long map : maps) close_fd(map);
}

TEST(LocalMaps, DescriptorsSayWhatTheyAllow) {
  HostProcess host;
  ClientBpf bpf(host);
  const long map = create_map(bpf, {});
  ASSERT_EQ(update(bpf, map, 0U, std::uint64_t{1}), 0);
  const std::uint32_t id = next_id(bpf, Command::MapGetNextId, 0);
  const auto by_id = [&](std::uint32_t flags) {
    spec::Attr attr{};
    attr.id.map_id = id;
    attr.id.open_flags = flags;
    return bpf.call(static_cast<int>(Command::MapGetFdById), &attr, 12);
  };
  const long reads = by_id(spec::kRdonly), writes = by_id(spec::kWronly);
  EXPECT_EQ(update(bpf, reads, 0U, std::uint64_t{2}), -EPERM);
  EXPECT_EQ(lookup<std::uint64_t>(bpf, reads, 0U), 1U);
  EXPECT_EQ(update(bpf, writes, 0U, std::uint64_t{3}), 0);
  EXPECT_EQ(lookup<std::uint64_t>(bpf, writes, 0U), std::nullopt);
  spec::Attr freeze{};
  freeze.elem.map_fd = static_cast<std::uint32_t>(map);
  ASSERT_EQ(bpf(Command::MapFreeze, freeze), 0);
  EXPECT_EQ(update(bpf, map, 0U, std::uint64_t{4}), -EPERM);
  for (const long fd : {map, reads, writes}) close_fd(fd);
}

// ---- deaths

TEST(Host, AHostThatIsKilledIsAnErrno) {
  auto host = std::make_unique<HostProcess>();
  ClientBpf bpf(*host);
  const long map = create_map(bpf, {});
  ASSERT_GE(map, 0);
  host->kill();
  EXPECT_EQ(create_map(bpf, {}), -ENOTCONN);
  EXPECT_EQ(update(bpf, map, 0U, std::uint64_t{1}), -ENOTCONN);
  EXPECT_FALSE(bpf.client.status());
  close_fd(map);
}

// Hosts that are killed while clients wait for them: each call ends, with its result or one of two errno numbers.
TEST(Host, NobodyWaitsForAHostThatWasKilled) {
  Below below(1);
  for (int round = 0; round < 60; ++round) {
    HostProcess host;
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    std::atomic<unsigned> answered{0};
    for (int t = 0; t < 2; ++t)
      threads.emplace_back([&] {
        ClientBpf bpf(host);
        for (;;) {
          const long map = create_map(bpf, {.type = MapType::Hash, .entries = 1});
          if (map >= 0) close_fd(map);
          if (map >= 0) ++answered;
          if (map >= 0) continue;
          if (map != -ENOTCONN && map != -ECONNRESET) wrong = static_cast<int>(map);
          return;
        }
      });
    const unsigned calls = below(40);
    while (answered < calls) ::usleep(50);
    ::usleep(below(500));
    host.kill();
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
}

// Clients that are killed wherever they happen to be: the host goes on for another one, and keeps nothing of theirs.
TEST(Host, KilledClientsLeaveNothing) {
  constexpr int kKills = SKEP_SANITIZED ? 200 : 1000;
  HostProcess host;
  ClientBpf bpf(host);
  const long map = create_map(bpf, {.type = MapType::Hash, .entries = 64});
  ASSERT_EQ(update(bpf, map, 1U, std::uint64_t{1}), 0);
  const long array = create_map(bpf, {});
  const std::size_t before = open_descriptors(host.process());
  Below below(2);
  for (int i = 0; i < kKills; ++i) {
    const pid_t victim = ::fork();
    if (victim == 0) {
      for (unsigned n = 0;; ++n) {
        const long own = create_map(bpf, {.type = MapType::Hash, .value = 40'000, .entries = 2});
        update(bpf, own, n, std::array<std::byte, 40'000>{});
        const long program = load_prog(bpf, spec::ProgType::SocketFilter, return_value(1));
        update(bpf, map, n % 32 + 2, std::uint64_t{n});
        update(bpf, array, n % 4, std::uint64_t{n});
        close_fd(own);
        close_fd(program);
      }
    }
    ::usleep(below(1500));
    ::kill(victim, SIGKILL);
    ::waitpid(victim, nullptr, 0);
    ASSERT_EQ(lookup<std::uint64_t>(bpf, map, 1U), 1U);
  }
  EXPECT_TRUE(eventually([&] {
    const auto now = bpf.client.status();
    return now && now->clients == 1 && now->maps == 2 && now->programs == 0;
  }));
  EXPECT_TRUE(eventually([&] { return open_descriptors(host.process()) <= before + 1; }))
      << before << " descriptors before, " << open_descriptors(host.process()) << " after";
  close_fd(map);
  close_fd(array);
}

// Numbers of descriptors are the client's: what becomes of a call that fails late closes nothing of the host's.
TEST(Host, ALogWithoutRoomClosesNothingOfTheHosts) {
  HostProcess host;
  ClientBpf bpf(host);
  hive::testing::BtfBuilder types;
  types.integer("int", 4);
  const std::vector<std::byte> data = types.bytes();
  ASSERT_TRUE(bpf.client.status());
  const std::size_t before = open_descriptors(host.process());
  char log[8];
  spec::Attr attr{};
  attr.btf_load.btf = reinterpret_cast<std::uintptr_t>(data.data());
  attr.btf_load.btf_size = static_cast<std::uint32_t>(data.size());
  attr.btf_load.btf_log_level = 1;
  attr.btf_load.btf_log_buf = reinterpret_cast<std::uintptr_t>(log);
  attr.btf_load.btf_log_size = sizeof log;
  for (int i = 0; i < 20; ++i) {
    spec::Attr asked = attr;
    EXPECT_EQ(bpf(Command::BtfLoad, asked), -ENOSPC);
  }
  EXPECT_EQ(open_descriptors(host.process()), before);
  EXPECT_EQ(next_id(bpf, Command::BtfGetNextId, 0), 0U);
  EXPECT_TRUE(Client(host.seat().path()).status());
}

// Objects that are closed keep their descriptors until somebody looks, which who needs one does.
TEST(Host, WithoutDescriptorsItLooksForWhatIsClosed) {
  if (SKEP_SANITIZED) GTEST_SKIP() << "sanitizers look at memory with descriptors of their own";
  HostProcess host;
  ClientBpf bpf(host);
  ASSERT_TRUE(bpf.client.status());
  const rlimit few{100, 108};
  ASSERT_EQ(::prlimit(host.process(), RLIMIT_NOFILE, &few, nullptr), 0);
  const auto fill_and_close = [&bpf] {
    std::vector<long> maps;
    long last = 0;
    while ((last = create_map(bpf, {})) >= 0) maps.push_back(last);
    EXPECT_EQ(last, -EMFILE);
    EXPECT_GT(maps.size(), 50U);
    for (const long map : maps) close_fd(map);
  };
  fill_and_close();
  const long map = create_map(bpf, {});
  EXPECT_GE(map, 0);
  close_fd(map);
  fill_and_close();
  EXPECT_GE(load_prog(bpf, spec::ProgType::SocketFilter, return_value(1)), 0);
  fill_and_close();
  EXPECT_TRUE(Client(host.seat().path()).status()) << "nobody can connect";
}

TEST(Host, WhatAKilledClientWasRunningEnds) {
  HostProcess host;
  ClientBpf bpf(host);
  const pid_t victim = ::fork();
  if (victim == 0) {
    std::array<std::byte, 64> packet{};
    spec::Attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(load_prog(bpf, spec::ProgType::Xdp, return_value(2)));
    attr.test.data_in = hive::testing::address(packet.data());
    attr.test.data_size_in = packet.size();
    attr.test.repeat = UINT32_MAX;
    bpf(spec::Command::ProgTestRun, attr);
    ::_exit(1);
  }
  EXPECT_TRUE(eventually([&] { return bpf.client.status()->programs == 1; }));
  ::usleep(20'000);
  ::kill(victim, SIGKILL);
  int status = 0;
  ::waitpid(victim, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the run ended before";
  EXPECT_TRUE(eventually([&] {
    const auto now = bpf.client.status();
    return now && now->clients == 1 && now->programs == 0;
  }));
}

TEST(Host, AProcessHasNoMoreConnectionsThanItsShare) {
  HostProcess host;
  std::vector<std::unique_ptr<Channel>> open;
  int refused = 0;
  for (unsigned i = 0; i < kMostOfProcess + 8; ++i) {
    auto socket = wire::connect_to(host.seat().path());
    ASSERT_TRUE(socket) << socket.error().message;
    open.push_back(std::make_unique<Channel>(*std::move(socket), wire::Side::Client));
    wire::Message hello;
    ASSERT_EQ(open.back()->receive(hello), 0);
    if (hello.value == -EUSERS) ++refused;
  }
  EXPECT_EQ(refused, 8);
  ClientBpf full(host);
  EXPECT_EQ(create_map(full, {}), -EUSERS);
  EXPECT_EQ(in_a_child([&] {
              const long map = create_map(full, {});
              return map >= 0;
            }),
            0);
  open.clear();
  EXPECT_TRUE(eventually([&] {
    const long map = create_map(full, {});
    close_fd(map);
    return map >= 0;
  }));
}

// ---- what no client says

Fd connected(const HostProcess& host) {
  Fd socket = std::move(*wire::connect_to(host.seat().path()));
  std::array<std::byte, 256> hello;
  EXPECT_GT(::recv(socket.get(), hello.data(), hello.size(), 0), 0);
  return socket;
}
// Whether the host ends the connection.
bool is_hung_up(const Fd& socket) {
  std::array<std::byte, 256> byte;
  ssize_t got = 0;
  while ((got = ::recv(socket.get(), byte.data(), byte.size(), 0)) > 0) {
  }
  return got <= 0;
}

TEST(Host, NonsenseEndsTheConnectionAndNoOther) {
  HostProcess host;
  ClientBpf bystander(host);
  const long map = create_map(bystander, {});
  const auto head = [](Kind kind, std::uint32_t bytes) { return wire::Head{kind, bytes, 0, 0}; };
  const std::vector<wire::Head> nonsense = {head(Kind{999}, 0),    head(Kind::Hello, 0),     head(Kind::Done, 0),
                                            head(Kind::Memory, 0), head(Kind::Answer, 0),    head(Kind::Given, 0),
                                            head(Kind::Call, 0),   head(Kind::Call, 1),      head(Kind::Status, 1),
                                            head(Kind::Read, 0),   head(Kind::Call, 1 << 17)};
  for (const wire::Head& message : nonsense) {
    const Fd socket = connected(host);
    ::send(socket.get(), &message, sizeof message, MSG_NOSIGNAL);
    EXPECT_TRUE(is_hung_up(socket)) << static_cast<unsigned>(message.kind);
  }
  const Fd socket = connected(host);
  ::send(socket.get(), "x", 1, MSG_NOSIGNAL);
  EXPECT_TRUE(is_hung_up(socket));
  EXPECT_EQ(update(bystander, map, 0U, std::uint64_t{1}), 0);
  close_fd(map);
}

// A client that asks and then answers no question keeps nobody but itself waiting; a wrong answer is a bad address.
TEST(Host, WrongAnswersAndNone) {
  HostProcess host;
  ClientBpf bystander(host);
  const long map = create_map(bystander, {});
  const auto ask = [](Channel& channel) {
    const wire::Asked asked{.command = 0, .attr_bytes = 72, .rights = 15, .descriptor = -1, .who = {}};
    wire::Message message;
    EXPECT_EQ(channel.receive(message), 0);
    EXPECT_EQ(channel.send(Kind::Call, {.address = 4096, .payload = bytes_of(asked)}), 0);
    EXPECT_EQ(channel.receive(message), 0);
    EXPECT_EQ(message.kind, Kind::Read);
  };
  Channel silent(std::move(*wire::connect_to(host.seat().path())), wire::Side::Client);
  ask(silent);
  for (const Kind answer : {Kind::Answer, Kind::Given, Kind::Memory, Kind::Call}) {
    Channel wrong(std::move(*wire::connect_to(host.seat().path())), wire::Side::Client);
    ask(wrong);
    const std::uint64_t word = 0;
    const bool bytes = answer == Kind::Memory;  // too few
    ASSERT_EQ(wrong.send(answer, {.payload = bytes ? bytes_of(word) : Bytes()}), 0);
    wire::Message message;
    EXPECT_EQ(wrong.receive(message), -ECONNRESET);
  }
  EXPECT_EQ(update(bystander, map, 0U, std::uint64_t{1}), 0);
  close_fd(map);
}

// ---- names

TEST(Place, NamesAreNames) {
  for (const char* good : {"a", "a-b_c.d", "0"}) EXPECT_TRUE(wire::check_name(good)) << good;
  for (const char* bad : {"", ".", "..", ".hidden", "a/b", "a b", "\n"}) EXPECT_FALSE(wire::check_name(bad)) << bad;
  EXPECT_FALSE(wire::check_name(std::string(65, 'a')));
}

TEST(Place, ASeatIsTakenOnce) {
  const testing::TestSeat seat;
  const auto again = wire::Seat::take(seat.name());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, EADDRINUSE);
}

TEST(Place, AFolderThatOthersMayEnterIsRefused) {
  const auto folder = *wire::hives_folder();
  ASSERT_EQ(::chmod(folder.c_str(), 0755), 0);
  const auto path = wire::socket_path("x");
  ASSERT_EQ(::chmod(folder.c_str(), 0700), 0);
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().code, EPERM);
}

TEST(Place, StopEndsTheHost) {
  HostProcess host;
  ClientBpf bpf(host);
  ASSERT_TRUE(bpf.client.stop());
  EXPECT_EQ(host.wait(), 0);
}

}  // namespace
}  // namespace skep::host
