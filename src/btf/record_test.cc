#include "btf/record.h"

#include <gtest/gtest.h>

#include "base/fd.h"
#include "btf/testing_builder.h"
#include "btf/testing_kernel.h"

namespace skep::btf {
namespace {

using testing::Builder;

// 1 int, 2 lock, 3 timer, 4 kptr (an untrusted one, to an integer), 5 workqueue, 6 a lock of the wrong size, 7 pointer
// without a tag, 8 structure with a lock, 9 array of two of 3, 10 typedef of 2, 11 u64, 12 int as index, 13 tag of 4
Builder types() {
  Builder b;
  b.add_int("int", 4);
  b.add_struct("bpf_spin_lock", 4, {{"val", 1, 0}});
  b.add_struct("bpf_timer", 16, {{"a", 11, 0}, {"b", 11, 64}});
  b.add(Kind::Ptr, "", 13);
  b.add_struct("bpf_wq", 16, {{"a", 11, 0}, {"b", 11, 64}});
  b.add_struct("bpf_spin_lock", 8, {{"val", 11, 0}});
  b.add(Kind::Ptr, "", 2);
  b.add_struct("inner", 8, {{"x", 1, 0}, {"lock", 2, 32}});
  b.add_array(3, 12, 2);
  b.add(Kind::Typedef, "lock_t", 2);
  b.add_int("__u64", 8);
  b.add_int("index", 4);
  b.add(Kind::TypeTag, "kptr_untrusted", 14);
  b.add_struct("task_struct", 8, {{"x", 11, 0}});
  return b;
}

std::vector<SpecialField> fields_of(const Builder& builder, std::uint32_t id) {
  const Btf btf = *Btf::parse(builder.bytes());
  auto fields = special_fields(btf, id);
  EXPECT_TRUE(fields);
  return fields ? *fields : std::vector<SpecialField>{};
}

TEST(Record, FieldsInTheOrderOfTheirOffsets) {
  Builder b = types();
  const std::uint32_t id = b.add_struct("v", 40, {{"lock", 2, 0}, {"ptr", 4, 64}, {"timer", 3, 128}, {"in", 8, 256}});
  const auto fields = fields_of(b, id);
  ASSERT_EQ(fields.size(), 4U);
  EXPECT_EQ(fields[0].kind, Special::SpinLock);
  EXPECT_EQ(fields[1].kind, Special::KptrUntrusted);
  EXPECT_EQ(fields[1].offset, 8U);
  EXPECT_EQ(fields[1].target, 14U);
  EXPECT_EQ(fields[2].kind, Special::Timer);
  EXPECT_EQ(fields[2].bytes, 16U);
  EXPECT_EQ(fields[3].kind, Special::SpinLock);
  EXPECT_EQ(fields[3].offset, 36U);
}

TEST(Record, PlainValues) {
  const Builder b = types();
  EXPECT_TRUE(fields_of(b, 1).empty());
  EXPECT_TRUE(fields_of(b, 9).empty());
  EXPECT_TRUE(fields_of(b, 14).empty());
}

TEST(Record, VariablesOfASection) {
  Builder b = types();
  const std::uint32_t var = b.add(Kind::Var, "lock", 2, 0, false, {1});
  const std::uint32_t sec = b.add(Kind::Datasec, ".bss", 16, 1, false, {var, 8, 4});
  const auto fields = fields_of(b, sec);
  ASSERT_EQ(fields.size(), 1U);
  EXPECT_EQ(fields[0].offset, 8U);
}

TEST(Record, HostileNestingEnds) {
  Builder b;
  b.add_int("int", 4);
  b.add_struct("s", 0, {});
  for (unsigned i = 0; i < 30; ++i) b.add_struct("s", 0, {{"a", b.count(), 0}, {"b", b.count(), 0}});
  const Btf btf = *Btf::parse(b.bytes());
  EXPECT_EQ(special_fields(btf, btf.count()).error().code, E2BIG);
}

// ---- against the running kernel, which refuses a map that programs may only read if its values have special fields.

long create_map(const Builder& builder, std::uint32_t value_type, std::uint32_t value_size) {
  const std::vector<std::byte> bytes = builder.bytes();
  std::uint64_t load[19] = {reinterpret_cast<std::uint64_t>(bytes.data()), 0, bytes.size()};
  const Fd btf(static_cast<int>(testing::kernel_bpf(18, load, sizeof load)));
  if (!btf) return -1;
  constexpr std::uint32_t kArray = 2, kReadOnly = 1U << 7;
  std::uint32_t attr[38] = {kArray, 4, value_size, 1, kReadOnly};
  attr[12] = static_cast<std::uint32_t>(btf.get());
  attr[13] = 1;  // the key's type
  attr[14] = value_type;
  const long fd = testing::kernel_bpf(0, attr, sizeof attr);
  const Fd closed(fd < 0 ? -1 : static_cast<int>(fd));
  return fd < 0 ? fd : 0;
}

TEST(Record, TheKernelAgrees) {
  SKEP_NEEDS_KERNEL_BPF();
  unsigned special = 0, plain = 0, refused = 0;
  for (std::uint32_t first = 1; first <= 11; ++first) {
    for (std::uint32_t second = 1; second <= 11; ++second) {
      for (const std::uint32_t offset : {64U, 68U, 72U, 100U}) {  // bytes
        for (const std::uint32_t times : {0U, 1U, 2U, 12U}) {     // of the second, as an array
          Builder b = types();
          const std::uint32_t element = times == 1 ? second : b.add_array(second, 12, times);
          const std::uint32_t id = b.add_struct("v", 1024, {{"a", first, 0}, {"b", element, offset * 8}});
          const auto btf = Btf::parse(b.bytes());
          ASSERT_TRUE(btf) << btf.error().message;
          const auto fields = special_fields(*btf, id);
          const long expected = !fields || fields->empty() ? 0 : -EACCES;
          const long kernel = create_map(b, id, 1024);
          if (kernel == -1) continue;  // the kernel refuses such a BTF as a whole
          (!fields ? refused : fields->empty() ? plain : special) += 1;
          ASSERT_EQ(kernel, expected) << first << " " << second << " at " << offset << " times " << times;
        }
      }
    }
  }
  EXPECT_GT(special, 100U);
  EXPECT_GT(plain, 100U);
  EXPECT_GT(refused, 20U);
}

// ---- BPF_BTF_LOAD

std::vector<std::byte> with_members(std::initializer_list<Builder::Field> members, Kind kind = Kind::Struct) {
  Builder b;
  b.add_int("int", 4);
  b.add_struct("bpf_spin_lock", 4, {{"val", 1, 0}});               // 2
  b.add_struct("bpf_timer", 16, {{"a", 1, 0}});                    // 3
  b.add_struct("bpf_wq", 16, {{"a", 1, 0}});                       // 4
  b.add_struct("bpf_refcount", 4, {{"val", 1, 0}});                // 5
  b.add_struct("inner", 8, {{"x", 1, 0}, {"lock", 2, 32}});        // 6
  b.add_array(2, 1, 2);                                            // 7
  b.add_array(2, 1, 1);                                            // 8
  b.add_array(6, 1, 2);                                            // 9
  b.add(Kind::Typedef, "lock_t", 2);                               // 10
  b.add_struct("bpf_spin_lock", 8, {{"a", 1, 0}});                 // 11, of the wrong size
  b.add_struct("bpf_spin_lock", 4, {{"val", 1, 0}}, Kind::Union);  // 12
  b.add_array(5, 1, 2);                                            // 13
  b.add_struct("v", 4096, members, kind);
  return b.bytes();
}

constexpr std::uint32_t kMemberKinds = 13;

int locks_checked(const std::vector<std::byte>& bytes) {
  const auto btf = Btf::parse(bytes);
  EXPECT_TRUE(btf);
  if (!btf) return -1;
  const Result<> checked = check_locks(*btf);
  return checked ? 0 : -checked.error().code;
}

TEST(Record, OneLockInAStructure) {
  EXPECT_EQ(locks_checked(with_members({{"a", 2, 0}})), 0);
  EXPECT_EQ(locks_checked(with_members({{"a", 2, 0}, {"b", 2, 32}})), -E2BIG);
  EXPECT_EQ(locks_checked(with_members({{"a", 2, 0}, {"b", 2, 0}}, Kind::Union)), 0);
  EXPECT_EQ(locks_checked(with_members({{"a", 2, 0}, {"b", 6, 32}})), 0);
  EXPECT_EQ(locks_checked(with_members({{"a", 7, 0}, {"b", 2, 64}})), -EINVAL);
  EXPECT_EQ(locks_checked(with_members({{"a", 2, 16}})), -EFAULT);
}

TEST(Record, TheKernelLoadsTheSameLocks) {
  SKEP_NEEDS_KERNEL_BPF();
  const auto kernel = [](const std::vector<std::byte>& bytes) {
    std::uint64_t load[19] = {reinterpret_cast<std::uint64_t>(bytes.data()), 0, bytes.size()};
    const long fd = testing::kernel_bpf(18, load, sizeof load);
    const Fd closed(fd < 0 ? -1 : static_cast<int>(fd));
    return fd < 0 ? static_cast<int>(fd) : 0;
  };
  unsigned refused = 0;
  for (std::uint32_t first = 1; first <= kMemberKinds; ++first)
    for (std::uint32_t second = 1; second <= kMemberKinds; ++second)
      for (std::uint32_t third = 1; third <= kMemberKinds; ++third)
        for (const std::uint32_t offset : {0U, 16U}) {  // bits
          const auto bytes = with_members({{"a", first, offset}, {"b", second, 512}, {"c", third, 1024}});
          const int expected = kernel(bytes);
          refused += expected != 0;
          ASSERT_EQ(locks_checked(bytes), expected) << first << ' ' << second << ' ' << third << " at " << offset;
        }
  EXPECT_GT(refused, 500U);
}

}  // namespace
}  // namespace skep::btf
