// Whether parse() accepts, refuses and says what the running kernel does, over thousands of BTFs made by changing good
// ones.
#include <gtest/gtest.h>

#include "base/fd.h"
#include "btf/btf.h"
#include "btf/testing_builder.h"
#include "btf/testing_kernel.h"

namespace skep::btf {
namespace {

struct Answer {
  int error = 0;
  std::string log;
};

Answer kernel_load(const std::vector<std::byte>& bytes) {
  struct {
    std::uint64_t btf, log_buf;
    std::uint32_t size, log_size, log_level, true_size, flags;
    std::int32_t token;
  } attr{};
  std::string log(1U << 16, '\0');
  attr.btf = reinterpret_cast<std::uint64_t>(bytes.data());
  attr.size = static_cast<std::uint32_t>(bytes.size());
  attr.log_buf = reinterpret_cast<std::uint64_t>(log.data());
  attr.log_size = static_cast<std::uint32_t>(log.size());
  attr.log_level = 1;
  constexpr std::uint32_t kBtfLoad = 18;
  const long fd = testing::kernel_bpf(kBtfLoad, &attr, sizeof attr);
  const Fd closed(fd < 0 ? -1 : static_cast<int>(fd));
  log.resize(log.find('\0'));
  return {fd < 0 ? static_cast<int>(-fd) : 0, std::move(log)};
}

// The rules of the kernel that runs here, by whether it takes a tag that only newer ones take.
Rules rules_here() {
  testing::Builder b;
  b.add(Kind::TypeTag, "t", 0, 0, true);
  return {.attribute_tags = kernel_load(b.bytes()).error == 0};
}

Answer our_load(const std::vector<std::byte>& bytes) {
  static const Rules rules = rules_here();
  Answer answer;
  const auto btf = Btf::parse(bytes, &answer.log, rules);
  if (!btf) answer.error = btf.error().code;
  return answer;
}

std::string last_lines(std::string_view log) {
  while (log.ends_with('\n')) log.remove_suffix(1);
  const std::size_t at = log.rfind('\n', log.rfind('\n') - 1);
  return std::string(log.substr(at == std::string_view::npos ? 0 : at + 1));
}

// Whether both say the same; the log is compared by its last two lines, where the reason is.
::testing::AssertionResult same(const std::vector<std::byte>& bytes) {
  const Answer kernel = kernel_load(bytes);
  const Answer ours = our_load(bytes);
  if (kernel.error == ours.error && last_lines(kernel.log) == last_lines(ours.log))
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "kernel: " << kernel.error << "\n"
                                       << last_lines(kernel.log) << "\nours: " << ours.error << "\n"
                                       << last_lines(ours.log);
}

TEST(KernelBtf, EveryKindInOneGoesThroughWithTheSameLog) {
  SKEP_NEEDS_KERNEL_BPF();
  const std::vector<std::byte> bytes = testing::every_kind().bytes();
  const Answer ours = our_load(bytes);
  EXPECT_EQ(ours.error, 0);
  EXPECT_EQ(kernel_load(bytes).error, 0);
  EXPECT_EQ(ours.log, kernel_load(bytes).log);
}

TEST(KernelBtf, EveryWordChanged) {
  SKEP_NEEDS_KERNEL_BPF();
  const std::vector<std::byte> good = testing::every_kind().bytes();
  unsigned refused = 0, tried = 0;
  for (std::size_t at = 0; at + 4 <= good.size(); at += 4) {
    const auto old = load<std::uint32_t>(good.data() + at);
    std::vector<std::uint32_t> values{0, 1, 2, 3, old + 1, old - 1, old * 2, 0xffff, 0x100000, 0x7fffffff, 0xffffffff};
    for (std::uint32_t bit = 0; bit < 32; ++bit) values.push_back(old ^ 1U << bit);
    for (std::uint32_t id = 4; id < 30; ++id) values.push_back(id);
    for (const std::uint32_t value : values) {
      std::vector<std::byte> bytes = good;
      store(bytes.data() + at, value);
      ++tried;
      refused += our_load(bytes).error != 0;
      ASSERT_TRUE(same(bytes)) << "word at " << at << " from " << old << " to " << value;
    }
  }
  EXPECT_GT(refused, 1000U);
  EXPECT_GT(tried - refused, 100U);
}

TEST(KernelBtf, EveryLength) {
  SKEP_NEEDS_KERNEL_BPF();
  const std::vector<std::byte> good = testing::every_kind().bytes();
  for (std::size_t length = 1; length < good.size(); ++length)
    ASSERT_TRUE(same({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length)})) << length;
}

TEST(KernelBtf, EveryByteOfAName) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const Kind kind : {Kind::Typedef, Kind::Datasec, Kind::TypeTag, Kind::Int}) {
    for (int c = 1; c < 256; ++c) {
      for (const bool first : {true, false}) {
        testing::Builder b;
        b.add_int("int", 4);
        const std::string text =
            first ? std::string(1, static_cast<char>(c)) + "x" : std::string("x") + static_cast<char>(c);
        if (kind == Kind::Int)
          b.add_int(text, 4);
        else
          b.add(kind, text, 1);
        ASSERT_TRUE(same(b.bytes())) << "byte " << c << " in a " << name(kind);
      }
    }
    for (const std::size_t length : {510U, 511U, 512U, 513U}) {
      testing::Builder b;
      b.add_int("int", 4);
      if (kind == Kind::Int)
        b.add_int(std::string(length, 'x'), 4);
      else
        b.add(kind, std::string(length, 'x'), 1);
      ASSERT_EQ(our_load(b.bytes()).error, kernel_load(b.bytes()).error) << length << " bytes in a " << name(kind);
    }
  }
}

// Bit offset, width and size of members, for every kind a member may have.
TEST(KernelBtf, MembersInTheirStructure) {
  SKEP_NEEDS_KERNEL_BPF();
  for (std::uint32_t type = 1; type <= 11; ++type) {
    for (const std::uint32_t bits : {0U, 1U, 7U, 32U, 33U, 64U, 65U, 255U}) {
      for (const bool flag : {false, true}) {
        for (const std::uint32_t offset : {0U, 1U, 8U, 31U, 32U, 64U, 65U, 96U, 128U}) {
          testing::Builder b;
          b.add_int("int", 4, kSigned);
          b.add_int("odd", 4, 0, 5, 3);
          b.add_int("u128", 16);
          b.add(Kind::Ptr, "", 1);
          b.add_array(1, 1, 2);
          b.add_enum("e", {{"A", 1}});
          b.add_enum("e64", {{"B", 1}}, false, Kind::Enum64);
          b.add(Kind::Float, "long double", 12);
          b.add(Kind::Float, "half", 2);
          b.add(Kind::Typedef, "t", 1);
          b.add(Kind::Func, "f", 13);
          b.add(Kind::Struct, "s", 16, 1, flag, {b.string("m"), type, bits << 24 | offset});
          b.add(Kind::FuncProto, "", 0);
          ASSERT_TRUE(same(b.bytes())) << "type " << type << " bits " << bits << " offset " << offset << " " << flag;
        }
      }
    }
  }
}

// How types may refer to each other: every reference from every kind to every kind, loops included.
TEST(KernelBtf, References) {
  SKEP_NEEDS_KERNEL_BPF();
  for (std::uint32_t from = 1; from <= 12; ++from) {
    for (std::uint32_t to = 0; to <= 26; ++to) {
      testing::Builder b = testing::every_kind();
      switch (from) {
        case 1: b.add(Kind::Ptr, "", to); break;
        case 2: b.add(Kind::Const, "", to); break;
        case 3: b.add(Kind::Typedef, "t", to); break;
        case 4: b.add_array(to, 1, 3); break;
        case 5: b.add_array(1, to, 3); break;
        case 6: b.add_struct("s", 64, {{"m", to, 0}}); break;
        case 7: b.add(Kind::Func, "f", to); break;
        case 8: b.add(Kind::FuncProto, "", to); break;
        case 9: b.add(Kind::FuncProto, "", 0, 1, false, {b.string("p"), to}); break;
        case 10: b.add(Kind::Var, "v", to, 0, false, {0}); break;
        case 11: b.add(Kind::Datasec, "d", 64, 1, false, {to, 0, 40}); break;
        case 12: b.add(Kind::DeclTag, "d", to, 0, false, {0}); break;
      }
      ASSERT_TRUE(same(b.bytes())) << "kind " << from << " to " << to;
    }
  }
}

TEST(KernelBtf, LoopsAndDepth) {
  SKEP_NEEDS_KERNEL_BPF();
  const auto chain = [](Kind kind, std::uint32_t length, bool closed) {  // id i refers to i + 1
    testing::Builder b;
    for (std::uint32_t i = 1; i <= length; ++i) {
      const std::uint32_t next = closed && i == length ? 1 : i + 1;
      if (kind == Kind::Array)
        b.add_array(next, length + 1, 1);
      else if (kind == Kind::Struct)
        b.add_struct("s", 8, {{"m", next, 0}});
      else
        b.add(kind, kind == Kind::Typedef ? "t" : "", next);
    }
    b.add_int("int", 4);
    return b.bytes();
  };
  for (const Kind kind : {Kind::Typedef, Kind::Const, Kind::Ptr, Kind::Array, Kind::Struct}) {
    for (const std::uint32_t length : {1U, 2U, 3U, 31U, 32U, 33U, 100U}) {
      ASSERT_TRUE(same(chain(kind, length, false))) << name(kind) << " " << length;
      ASSERT_TRUE(same(chain(kind, length, true))) << name(kind) << " closed " << length;
    }
  }
  // The order of tags and other modifiers.
  for (unsigned pattern = 0; pattern < 32; ++pattern) {
    testing::Builder b;
    b.add_int("int", 4);
    for (unsigned i = 0; i < 5; ++i)
      b.add(pattern >> i & 1 ? Kind::TypeTag : Kind::Const, pattern >> i & 1 ? "t" : "", i + 1);
    ASSERT_TRUE(same(b.bytes())) << pattern;
  }
}

}  // namespace
}  // namespace skep::btf
