// The element commands: errors against the kernel, values, keys without end.
#include <set>

#include "base/errno.h"
#include "hive/testing.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::MapType;

std::byte* const kNowhere = reinterpret_cast<std::byte*>(16);

long array(Bpf& bpf, Fds& fds) { return fds.keep(create_map(bpf, {})); }
long hash(Bpf& bpf, Fds& fds) { return fds.keep(create_map(bpf, {.type = MapType::Hash})); }
long ask(Bpf& bpf, Command command, long map, const void* key, void* value, std::uint64_t flags = 0) {
  spec::Attr attr = elem_attr(map, key, value, flags);
  return bpf(command, attr);
}

std::uint32_t key_0 = 0;
std::uint32_t key_9 = 9;
std::uint64_t scratch = 0;

std::vector<Case> lookups() {
  constexpr auto kCommand = Command::MapLookupElem;
  return {
      {"an element", 0, [](Bpf& b, Fds& f) { return ask(b, kCommand, array(b, f), &key_0, &scratch); }},
      {"no descriptor", -EBADF, [](Bpf& b, Fds&) { return ask(b, kCommand, kNoFd, &key_0, &scratch); }},
      {"descriptor -1", -EBADF, [](Bpf& b, Fds&) { return ask(b, kCommand, -1, &key_0, &scratch); }},
      {"a file", -EINVAL,
       [](Bpf& b, Fds& f) { return ask(b, kCommand, f.keep(::open("/proc/self/exe", O_RDONLY)), &key_0, &scratch); }},
      {"a program", -EINVAL,
       [](Bpf& b, Fds& f) {
         return ask(b, kCommand, f.keep(load_prog(b, spec::ProgType::SocketFilter, return_value(0))), &key_0, &scratch);
       }},
      {"key at a bad address", -EFAULT,
       [](Bpf& b, Fds& f) { return ask(b, kCommand, array(b, f), kNowhere, &scratch); }},
      {"value at a bad address", -EFAULT,
       [](Bpf& b, Fds& f) { return ask(b, kCommand, array(b, f), &key_0, kNowhere); }},
      {"absent, value at a bad address", -ENOENT,
       [](Bpf& b, Fds& f) { return ask(b, kCommand, hash(b, f), &key_0, kNowhere); }},
      {"beyond the end", -ENOENT, [](Bpf& b, Fds& f) { return ask(b, kCommand, array(b, f), &key_9, &scratch); }},
      {"unknown flag", -EINVAL, [](Bpf& b, Fds& f) { return ask(b, kCommand, array(b, f), &key_0, &scratch, 1); }},
      {"unknown flag of no descriptor", -EINVAL,
       [](Bpf& b, Fds&) { return ask(b, kCommand, kNoFd, &key_0, &scratch, 1); }},
      {"lock of a value without one", -EINVAL,
       [](Bpf& b, Fds& f) { return ask(b, kCommand, array(b, f), &key_0, &scratch, spec::kLock); }},
      {"ring buffer", -kNotSupported,
       [](Bpf& b, Fds& f) {
         const long ring = f.keep(create_map(b, {.type = MapType::Ringbuf, .key = 0, .value = 0, .entries = 4096}));
         return ask(b, kCommand, ring, nullptr, &scratch);
       }},
      {"queue with a key", -EINVAL,
       [](Bpf& b, Fds& f) {
         return ask(b, kCommand, f.keep(create_map(b, {.type = MapType::Queue, .key = 0})), &key_0, &scratch);
       }},
      {"empty queue", -ENOENT,
       [](Bpf& b, Fds& f) {
         return ask(b, kCommand, f.keep(create_map(b, {.type = MapType::Queue, .key = 0})), nullptr, &scratch);
       }},
  };
}

std::vector<Case> updates() {
  constexpr auto kCommand = Command::MapUpdateElem;
  return {
      {"an element", 0, [](Bpf& b, Fds& f) { return ask(b, kCommand, array(b, f), &key_0, &scratch); }},
      {"no descriptor", -EBADF, [](Bpf& b, Fds&) { return ask(b, kCommand, kNoFd, &key_0, &scratch); }},
      {"key at a bad address", -EFAULT,
       [](Bpf& b, Fds& f) { return ask(b, kCommand, array(b, f), kNowhere, &scratch); }},
      {"value at a bad address", -EFAULT,
       [](Bpf& b, Fds& f) { return ask(b, kCommand, array(b, f), &key_0, kNowhere); }},
      {"beyond the end", -E2BIG, [](Bpf& b, Fds& f) { return ask(b, kCommand, array(b, f), &key_9, &scratch); }},
      {"new only, in an array", -EEXIST,
       [](Bpf& b, Fds& f) { return ask(b, kCommand, array(b, f), &key_0, &scratch, 1); }},
      {"old only, absent", -ENOENT, [](Bpf& b, Fds& f) { return ask(b, kCommand, hash(b, f), &key_0, &scratch, 2); }},
      {"unknown flag", -EINVAL, [](Bpf& b, Fds& f) { return ask(b, kCommand, array(b, f), &key_0, &scratch, 3); }},
      {"lock of a value without one", -EINVAL,
       [](Bpf& b, Fds& f) { return ask(b, kCommand, hash(b, f), &key_0, &scratch, spec::kLock); }},
      {"a full hash", -E2BIG,
       [](Bpf& b, Fds& f) {
         const long map = hash(b, f);
         for (std::uint32_t key = 0; key < 4; ++key) update(b, map, key, std::uint64_t{key});
         return update(b, map, 4U, std::uint64_t{4});
       }},
      {"push", 0,
       [](Bpf& b, Fds& f) {
         return ask(b, kCommand, f.keep(create_map(b, {.type = MapType::Stack, .key = 0})), nullptr, &scratch);
       }},
  };
}

std::vector<Case> others() {
  return {
      {"delete", 0,
       [](Bpf& b, Fds& f) {
         const long map = hash(b, f);
         update(b, map, 0U, std::uint64_t{1});
         return erase(b, map, 0U);
       }},
      {"delete what is absent", -ENOENT, [](Bpf& b, Fds& f) { return erase(b, hash(b, f), 0U); }},
      {"delete from an array", -EINVAL, [](Bpf& b, Fds& f) { return erase(b, array(b, f), 0U); }},
      {"delete by a bad address", -EFAULT,
       [](Bpf& b, Fds& f) { return ask(b, Command::MapDeleteElem, hash(b, f), kNowhere, nullptr); }},
      {"delete with a value", -EINVAL,
       [](Bpf& b, Fds& f) {
         spec::Attr attr = elem_attr(hash(b, f), &key_0, &scratch);
         return b.call(static_cast<int>(Command::MapDeleteElem), &attr, sizeof attr);
       }},
      {"next of the last", -ENOENT,
       [](Bpf& b, Fds& f) {
         std::uint32_t last = 3;
         return ask(b, Command::MapGetNextKey, array(b, f), &last, &scratch);
       }},
      {"first of an empty hash", -ENOENT,
       [](Bpf& b, Fds& f) { return ask(b, Command::MapGetNextKey, hash(b, f), nullptr, &scratch); }},
      {"first key to a bad address", -EFAULT,
       [](Bpf& b, Fds& f) { return ask(b, Command::MapGetNextKey, array(b, f), nullptr, kNowhere); }},
      {"next of a bad address", -EFAULT,
       [](Bpf& b, Fds& f) { return ask(b, Command::MapGetNextKey, array(b, f), kNowhere, &scratch); }},
      {"take from a hash", 0,
       [](Bpf& b, Fds& f) {
         const long map = hash(b, f);
         update(b, map, 0U, std::uint64_t{1});
         return ask(b, Command::MapLookupAndDeleteElem, map, &key_0, &scratch);
       }},
      {"take what is absent", -ENOENT,
       [](Bpf& b, Fds& f) { return ask(b, Command::MapLookupAndDeleteElem, hash(b, f), &key_0, &scratch); }},
      {"take from an array", -kNotSupported,
       [](Bpf& b, Fds& f) { return ask(b, Command::MapLookupAndDeleteElem, array(b, f), &key_0, &scratch); }},
      {"take with an unknown flag", -EINVAL,
       [](Bpf& b, Fds& f) { return ask(b, Command::MapLookupAndDeleteElem, hash(b, f), &key_0, &scratch, 2); }},
      {"take from an empty queue", -ENOENT,
       [](Bpf& b, Fds& f) {
         const long queue = f.keep(create_map(b, {.type = MapType::Queue, .key = 0}));
         return ask(b, Command::MapLookupAndDeleteElem, queue, nullptr, &scratch);
       }},
  };
}

TEST(MapElem, LookUp) { judge(lookups()); }
TEST(MapElem, Update) { judge(updates()); }
TEST(MapElem, DeleteNextTake) { judge(others()); }

TEST(MapElem, KeysAreWalkedOnce) {
  HiveBpf bpf;
  Fds fds;
  const long map = fds.keep(create_map(bpf, {.type = MapType::Hash, .entries = 100}));
  for (std::uint32_t key = 0; key < 100; ++key) ASSERT_EQ(update(bpf, map, key, std::uint64_t{key} * 3), 0);
  std::set<std::uint32_t> seen;
  std::uint32_t key = 0;
  std::uint32_t next = 0;
  for (long result = ask(bpf, Command::MapGetNextKey, map, nullptr, &next); result == 0;
       result = ask(bpf, Command::MapGetNextKey, map, &key, &next)) {
    EXPECT_TRUE(seen.insert(next).second);
    EXPECT_EQ(lookup<std::uint64_t>(bpf, map, next), next * 3U);
    key = next;
  }
  EXPECT_EQ(seen.size(), 100U);
}

TEST(MapElem, PerCpuValuesMoveAllAtOnce) {
  HiveBpf bpf;
  Fds fds;
  const long map = fds.keep(create_map(bpf, {.type = MapType::PercpuArray, .value = 4}));
  const unsigned cpus = bpf.hive->domain().cpus();
  std::vector<std::uint64_t> values(cpus);
  for (unsigned cpu = 0; cpu < cpus; ++cpu) values[cpu] = 100 + cpu;
  std::uint32_t key = 1;
  ASSERT_EQ(ask(bpf, Command::MapUpdateElem, map, &key, values.data()), 0);
  std::vector<std::uint64_t> back(cpus);
  ASSERT_EQ(ask(bpf, Command::MapLookupElem, map, &key, back.data()), 0);
  EXPECT_EQ(back, values);
}

TEST(MapElem, LargeValuesOnTheHeap) {
  HiveBpf bpf;
  Fds fds;
  const long map = fds.keep(create_map(bpf, {.value = 100'000, .entries = 1}));
  std::vector<std::uint8_t> value(100'000, 7);
  std::uint32_t key = 0;
  ASSERT_EQ(ask(bpf, Command::MapUpdateElem, map, &key, value.data()), 0);
  std::vector<std::uint8_t> back(100'000);
  ASSERT_EQ(ask(bpf, Command::MapLookupElem, map, &key, back.data()), 0);
  EXPECT_EQ(back, value);
}

TEST(MapElem, APositionThatMovedIsFoundByTheFile) {
  HiveBpf bpf;
  Fds fds;
  const long map = array(bpf, fds);
  ASSERT_EQ(::lseek(static_cast<int>(map), 0, SEEK_SET), 0);
  EXPECT_EQ(update(bpf, map, 0U, std::uint64_t{5}), 0);
  const long readable = fds.keep(create_map(bpf, {.flags = spec::kRdonly}));
  ::lseek(static_cast<int>(readable), 0, SEEK_SET);
  EXPECT_EQ(update(bpf, readable, 0U, std::uint64_t{5}), -EPERM);
}

TEST(MapElem, DuplicatesAreTheSameMap) {
  HiveBpf bpf;
  Fds fds;
  const long map = array(bpf, fds);
  const long copy = fds.keep(::dup(static_cast<int>(map)));
  ASSERT_EQ(update(bpf, map, 0U, std::uint64_t{6}), 0);
  EXPECT_EQ(lookup<std::uint64_t>(bpf, copy, 0U), 6U);
}

}  // namespace
}  // namespace skep::hive::testing
