// Map handles of the C API against bpf(2) on the same map.
#include <sys/wait.h>

#include <array>
#include <thread>

#include "hive/testing.h"
#include "skep/skep.h"

namespace skep::hive::testing {
namespace {

class CApiMap : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(hive_, nullptr); }
  void TearDown() override { skep_hive_free(hive_); }

  int bpf(spec::Command command, spec::Attr attr) {
    const long result = skep_bpf(hive_, static_cast<int>(command), &attr, sizeof attr);
    return result < 0 ? -errno : static_cast<int>(result);
  }
  Fd make(spec::MapType type, std::uint32_t key, std::uint32_t value, std::uint32_t entries, std::uint32_t flags = 0) {
    spec::Attr attr{};
    attr.map_create.map_type = static_cast<std::uint32_t>(type);
    attr.map_create.key_size = key;
    attr.map_create.value_size = value;
    attr.map_create.max_entries = entries;
    attr.map_create.map_flags = flags;
    std::strcpy(attr.map_create.map_name, "handled");
    const int fd = bpf(spec::Command::MapCreate, attr);
    EXPECT_GE(fd, 0) << skep_last_error();
    return Fd(fd);
  }

  skep_hive* hive_ = skep_hive_new(SKEP_ENGINE_INTERP);
};

TEST_F(CApiMap, SeesWhatBpfSees) {
  const Fd fd = make(spec::MapType::Hash, 4, 8, 2);
  skep_map* map = skep_map_open(hive_, fd.get());
  ASSERT_NE(map, nullptr) << skep_last_error();
  std::uint32_t key = 5;
  std::uint64_t value = 77, read = 0;
  EXPECT_EQ(skep_map_update(map, &key, &value, 0), 0);
  spec::Attr attr{};
  attr.elem.map_fd = static_cast<std::uint32_t>(fd.get());
  attr.elem.key = reinterpret_cast<std::uintptr_t>(&key);
  attr.elem.value = reinterpret_cast<std::uintptr_t>(&read);
  EXPECT_EQ(bpf(spec::Command::MapLookupElem, attr), 0);
  EXPECT_EQ(read, 77U);
  attr.elem.value = reinterpret_cast<std::uintptr_t>(&value), value = 78;
  EXPECT_EQ(bpf(spec::Command::MapUpdateElem, attr), 0);
  EXPECT_EQ(skep_map_lookup(map, &key, &read), 0);
  EXPECT_EQ(read, 78U);
  std::uint32_t next = 0;
  EXPECT_EQ(skep_map_next_key(map, nullptr, &next), 0);
  EXPECT_EQ(next, 5U);
  EXPECT_EQ(skep_map_take(map, &key, &read), 0);
  EXPECT_EQ(skep_map_lookup(map, &key, &read), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(skep_map_delete(map, &key), -1);
  EXPECT_EQ(errno, ENOENT);
  skep_map_close(map);
}

TEST_F(CApiMap, DescribesTheMap) {
  const Fd fd = make(spec::MapType::PercpuArray, 4, 12, 3);
  skep_map* map = skep_map_open(hive_, fd.get());
  ASSERT_NE(map, nullptr);
  skep_map_info info{};
  skep_map_describe(map, &info, sizeof info);
  EXPECT_EQ(info.type, static_cast<std::uint32_t>(spec::MapType::PercpuArray));
  EXPECT_EQ(info.key_size, 4U);
  EXPECT_EQ(info.value_size, 12U);
  EXPECT_EQ(info.value_bytes, 16 * info.cpus);
  EXPECT_STREQ(info.name, "handled");
  struct {
    skep_map_info info;
    std::uint64_t more;
  } longer;
  std::memset(&longer, 0xff, sizeof longer);
  skep_map_describe(map, &longer.info, sizeof longer);
  EXPECT_EQ(longer.more, 0U) << "what this version does not know is zero";
  std::uint32_t type = 0;
  skep_map_describe(map, reinterpret_cast<skep_map_info*>(&type), sizeof type);
  EXPECT_EQ(type, info.type);
  skep_map_close(map);
}

TEST_F(CApiMap, MindsTheDescriptorAndFreezing) {
  const Fd fd = make(spec::MapType::Array, 4, 4, 1);
  skep_map* map = skep_map_open(hive_, fd.get());
  ASSERT_NE(map, nullptr);
  std::uint32_t key = 0, value = 1;
  EXPECT_EQ(skep_map_update(map, &key, &value, 0), 0);
  EXPECT_NE(skep_map_value(map, &key), nullptr);
  EXPECT_EQ(skep_map_update(map, &key, &value, spec::kLock), -1);
  EXPECT_EQ(errno, EINVAL) << "there is no lock in the value";
  spec::Attr attr{};
  attr.elem.map_fd = static_cast<std::uint32_t>(fd.get());
  ASSERT_EQ(bpf(spec::Command::MapFreeze, attr), 0);
  EXPECT_EQ(skep_map_update(map, &key, &value, 0), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(skep_map_value(map, &key), nullptr);
  EXPECT_EQ(skep_map_lookup(map, &key, &value), 0);
  skep_map_close(map);

  const Fd read_only = make(spec::MapType::Hash, 4, 4, 1, spec::kRdonly);
  map = skep_map_open(hive_, read_only.get());
  ASSERT_NE(map, nullptr);
  EXPECT_EQ(skep_map_update(map, &key, &value, 0), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(skep_map_delete(map, &key), -1);
  EXPECT_EQ(errno, EPERM);
  skep_map_close(map);

  const Fd write_only = make(spec::MapType::Hash, 4, 4, 1, spec::kWronly);
  map = skep_map_open(hive_, write_only.get());
  ASSERT_NE(map, nullptr);
  EXPECT_EQ(skep_map_update(map, &key, &value, 0), 0);
  EXPECT_EQ(skep_map_lookup(map, &key, &value), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(skep_map_value(map, &key), nullptr);
  skep_map_close(map);
}

TEST_F(CApiMap, RefusesWhatHasNoPlainValues) {
  const Fd progs = make(spec::MapType::ProgArray, 4, 4, 1);
  EXPECT_EQ(skep_map_open(hive_, progs.get()), nullptr);
  EXPECT_EQ(errno, EOPNOTSUPP);
  EXPECT_NE(std::string(skep_last_error()).find("prog_array"), std::string::npos);
  const Fd ring = make(spec::MapType::Ringbuf, 0, 0, 4096);
  EXPECT_EQ(skep_map_open(hive_, ring.get()), nullptr);
  EXPECT_EQ(errno, EOPNOTSUPP);
  EXPECT_EQ(skep_map_open(hive_, -1), nullptr);
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(skep_map_open(hive_, STDIN_FILENO), nullptr);
  skep_hive* other = skep_hive_new(SKEP_ENGINE_INTERP);
  const Fd hash = make(spec::MapType::Hash, 4, 4, 1);
  EXPECT_EQ(skep_map_open(other, hash.get()), nullptr);
  EXPECT_EQ(errno, EINVAL) << "it is another hive's";
  skep_hive_free(other);
}

TEST_F(CApiMap, KeylessMaps) {
  const Fd bloom = make(spec::MapType::BloomFilter, 0, 4, 100);
  skep_map* map = skep_map_open(hive_, bloom.get());
  ASSERT_NE(map, nullptr);
  std::uint32_t value = 3;
  EXPECT_EQ(skep_map_lookup(map, nullptr, &value), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(skep_map_update(map, nullptr, &value, 0), 0);
  EXPECT_EQ(skep_map_lookup(map, nullptr, &value), 0);
  skep_map_close(map);
}

// A handle outlives the descriptor and the hive, and works on both sides of a fork.
TEST_F(CApiMap, KeepsItsMap) {
  Fd fd = make(spec::MapType::Hash, 4, 8, 16);
  skep_map* map = skep_map_open(hive_, fd.get());
  ASSERT_NE(map, nullptr);
  fd.reset();
  skep_hive_free(std::exchange(hive_, nullptr));
  std::uint32_t key = 1;
  std::uint64_t value = 2;
  EXPECT_EQ(skep_map_update(map, &key, &value, 0), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    value = 3;
    ::_exit(skep_map_update(map, &key, &value, spec::kExist) == 0 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(skep_map_lookup(map, &key, &value), 0);
  EXPECT_EQ(value, 3U);
  skep_map_close(map);
}

TEST_F(CApiMap, ThreadsShareAHandle) {
  const Fd fd = make(spec::MapType::Hash, 4, 8, 64);
  skep_map* map = skep_map_open(hive_, fd.get());
  ASSERT_NE(map, nullptr);
  const auto work = [map](std::uint32_t first) {
    for (std::uint32_t round = 0; round < 2000; ++round) {
      std::uint32_t key = first + round % 16;
      std::uint64_t value = std::uint64_t{key} << 32 | round, read = 0;
      ASSERT_EQ(skep_map_update(map, &key, &value, 0), 0);
      ASSERT_EQ(skep_map_lookup(map, &key, &read), 0);
      ASSERT_EQ(read, value);
    }
  };
  std::thread one(work, 0U), two(work, 16U);
  one.join(), two.join();
  skep_map_close(map);
}

}  // namespace
}  // namespace skep::hive::testing
