// Programs with an arena: what they find and leave in its pages, and what users see there, as in the running kernel.
#include <sys/mman.h>

#include <fmt/format.h>

#include "hive/testing_programs.h"
#include "isa/asm.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::MapType;
using Words = std::array<std::uint64_t, 8>;

constexpr std::uint64_t kPage = 4096, kPages = 16;
// Where users have it: sanitizers have this part of the address space to spare.
constexpr std::uint64_t kUsers = 0x7e90'0400'0000;

class Names final : public isa::Symbols {
 public:
  std::optional<std::int32_t> kfunc(std::string_view name) const override {
    const std::uint32_t id = kernel_type(name, btf::Kind::Func);
    return id != 0 ? std::optional(static_cast<std::int32_t>(id)) : std::nullopt;
  }
};

// An arena that this process has mapped, and programs with it, whose context is some words.
class Arena {
 public:
  explicit Arena(Bpf& bpf, std::uint64_t at = kUsers, std::uint32_t flags = 0) : bpf_(bpf) {
    spec::Attr attr = map_attr({.type = MapType::Arena, .key = 0, .value = 0, .entries = kPages});
    attr.map_create.map_flags = spec::kMmapable | flags;
    attr.map_create.map_extra = at;
    map_ = fds_.keep(bpf(Command::MapCreate, attr));
  }
  ~Arena() {
    if (pages_ != nullptr) ::munmap(pages_, kPages * kPage);
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Where the kernel, or whoever wants it there, puts the pages.
  std::byte* map_pages(std::uint64_t at = kUsers) {
    void* const wanted = reinterpret_cast<void*>(at);
    const int fixed = at != 0 ? MAP_FIXED_NOREPLACE : 0;
    void* const got =
        ::mmap(wanted, kPages * kPage, PROT_READ | PROT_WRITE, MAP_SHARED | fixed, static_cast<int>(map_), 0);
    return pages_ = got == MAP_FAILED ? nullptr : static_cast<std::byte*>(got);
  }
  long load(const std::string& text, std::uint32_t flags = 0) {
    const auto code =
        isa::assemble(fmt::format(fmt::runtime(text), fmt::arg("arena", fmt::format("map[fd:{}]", map_))), Names());
    if (!code) return ADD_FAILURE() << code.error().message << "\n" << text, -EINVAL;
    return fds_.keep(load_prog(bpf_, {.type = ProgType::Syscall, .flags = spec::kSleepable | flags}, code->insns));
  }
  // What the program leaves in its context, which begins with where users have the arena.
  Words run(const std::string& text, std::uint64_t users = kUsers, std::uint32_t flags = 0) {
    Words words{users};
    const long prog = load(text, flags);
    EXPECT_GE(prog, 0) << Hive::last_error() << text;
    spec::Attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(prog);
    attr.test.ctx_in = address(words.data());
    attr.test.ctx_size_in = sizeof words;
    EXPECT_EQ(bpf_(Command::ProgTestRun, attr), 0) << Hive::last_error() << Hive::last_failure().text();
    return words;
  }

 private:
  Bpf& bpf_;
  Fds fds_;
  long map_;
  std::byte* pages_ = nullptr;
};

// `pages` at r2; their address is in r0.
std::string allocate(int pages) {
  return fmt::format("r1 = {{arena}}\nr3 = {}\nr4 = -1\nr5 = 0\ncall bpf_arena_alloc_pages\n", pages);
}
std::string release(int pages) { return fmt::format("r1 = {{arena}}\nr3 = {}\ncall bpf_arena_free_pages\n", pages); }
std::string note(int word) { return fmt::format("*(u64 *)(r6 +{}) = r0\n", word * 8); }
const std::string kBegin = "r6 = r1\n", kEnd = "r0 = 0\nexit";
// A page at r7, for loads and stores; users' address of it at r8.
const std::string kOnePage = kBegin + "r2 = 0\n" + allocate(1) + "r8 = r0\nr7 = addr_space_cast(r8, 0, 1)\n";

// The same words, and the same bytes of the first pages, wherever it runs.
void compare(const std::string& text, std::uint32_t flags = 0, std::uint32_t program_flags = 0) {
  if (!KernelBpf::here() || kernel_type("bpf_arena_alloc_pages", btf::Kind::Func) == 0)
    GTEST_SKIP() << "there is no kernel to compare with";
  const auto outcome = [&](Bpf& bpf) {
    Arena arena(bpf, kUsers, flags);
    std::pair<Words, std::vector<std::byte>> seen{arena.run(text, kUsers, program_flags), {}};
    if (const std::byte* pages = arena.map_pages(); pages != nullptr) seen.second.assign(pages, pages + 2 * kPage);
    return seen;
  };
  KernelBpf kernel;
  HiveBpf compiled(Options{.engine = Engine::Jit}), plain(Options{.engine = Engine::Interp}),
      checked(Options{.engine = Engine::Checked});
  const auto expected = outcome(kernel);
  EXPECT_EQ(outcome(compiled), expected) << text;
  EXPECT_EQ(outcome(plain), expected) << text;
  EXPECT_EQ(outcome(checked), expected) << text;
}

TEST(Arena, PagesAreGivenFromTheFirstOn) {
  compare(kBegin + "r2 = 0\n" + allocate(1) + note(0) + "r2 = 0\n" + allocate(2) + note(1) + "r2 = 0\n" + allocate(13) +
          note(2) + "r2 = 0\n" + allocate(1) + note(3) + kEnd);
}

TEST(Arena, PagesAreGivenWhereTheyAreWanted) {
  const std::string base = "r2 = *(u64 *)(r6 +0)\n";
  compare(kBegin + base + "r2 += 20480\n" + allocate(2) + note(1) + base + "r2 += 24576\n" + allocate(1) + note(2) +
          base + "r2 += 24577\n" + allocate(1) + note(3) + base + "r2 += 61440\n" + allocate(2) + note(4) + base +
          "r2 += 65536\n" + allocate(1) + note(5) + base + allocate(5) + note(6) + "r2 = 0\n" + allocate(17) + note(7) +
          kEnd);
}

TEST(Arena, FlagsAndNothingAreRefused) {
  compare(kBegin + "r1 = {arena}\nr2 = 0\nr3 = 1\nr4 = -1\nr5 = 1\ncall bpf_arena_alloc_pages\n" + note(0) +
          "r2 = 0\n" + allocate(0) + note(1) + kEnd);
}

TEST(Arena, PagesThatAreGivenBackAreFree) {
  compare(kOnePage + "*(u64 *)(r7 +8) = 7\nr2 = r8\n" + release(1) + "r2 = 0\n" + allocate(1) + note(2) +
          "r7 = addr_space_cast(r0, 0, 1)\nr0 = *(u64 *)(r7 +8)\n" + note(3) + kEnd);
}

TEST(Arena, PagesThatAreGivenBackAreEmpty) {
  compare(kOnePage + "*(u64 *)(r7 +8) = 7\nr2 = r8\n" + release(1) + "r0 = *(u64 *)(r7 +8)\n" + note(1) + kEnd);
}

TEST(Arena, LoadsAndStores) {
  std::string text = kOnePage + "r1 = 0x1122334455667788 ll\n";
  int at = 0;
  for (const char* bits : {"u8", "u16", "u32", "u64"}) {
    text += fmt::format("*({} *)(r7 +{}) = r1\n*({} *)(r7 +{}) = -{}\n", bits, at, bits, at + 64, at + 3);
    at += 8;
  }
  at = 0;
  for (const char* bits : {"u8", "u16", "u32", "u64"}) {
    text += fmt::format("r0 = *({} *)(r7 +{})\n", bits, at) + note(at / 8);
    text += fmt::format("r0 = *({} *)(r7 +{})\n", bits, at + 64) + note(at / 8 + 4);
    at += 8;
  }
  compare(text + kEnd);
}

// What is put into upper halves behind a load is no access itself.
TEST(Arena, UpperHalvesThatNobodyReliesOn) {
  compare(kOnePage + "*(u64 *)(r7 +0) = 77\nr1 = *(u32 *)(r7 +0)\nw1 += 1\n*(u32 *)(r6 +8) = r1\n" + kEnd, 0,
          spec::kTestRndHi32);
}

TEST(Arena, TheBaseIsTheDestinationToo) {
  compare(kOnePage + "*(u64 *)(r7 +0) = r7\nr0 = *(u64 *)(r7 +0)\n" + note(1) + "r7 = *(u32 *)(r7 +0)\nr0 = r7\n" +
          note(2) + kEnd);
}

TEST(Arena, Atomics) {
  std::string text = kOnePage + "*(u64 *)(r7 +0) = 5\n*(u64 *)(r7 +8) = 5\n";
  for (const auto& [bits, name, at] : {std::tuple{"u32", "atomic", 0}, std::tuple{"u64", "atomic64", 8}}) {
    text += fmt::format("r1 = 3\nlock *({} *)(r7 +{}) += r1\n", bits, at);
    text += fmt::format("lock *({} *)(r7 +{}) ^= r1\n", bits, at);
    text += fmt::format("lock *({} *)(r7 +{}) |= r1\nr0 = *({} *)(r7 +{})\n", bits, at, bits, at) + note(at / 2);
    text += fmt::format("r1 = 9\nr1 = {}_fetch_add(({} *)(r7 +{}), r1)\nr0 = r1\n", name, bits, at) + note(at / 2 + 1);
    text += fmt::format("r1 = -2\nr1 = {}_xchg(({} *)(r7 +{}), r1)\nr0 = r1\n", name, bits, at) + note(at / 2 + 2);
    text +=
        fmt::format("w0 = {}\nr1 = 77\nr0 = {}_cmpxchg(({} *)(r7 +{}), r0, r1)\n", at != 0 ? 5 : -2, name, bits, at) +
        note(at / 2 + 3);
  }
  compare(text + kEnd);
}

// Whatever is beyond reads as zero, and takes nothing.
TEST(Arena, BeyondItsEnd) {
  std::string text = kOnePage + "*(u64 *)(r7 +0) = 7\nr7 += 65536\nr1 = 5\n";
  for (const char* bits : {"u8", "u16", "u32", "u64"})
    text += fmt::format("*({0} *)(r7 +0) = r1\n*({0} *)(r7 +8) = 9\nr0 = *({0} *)(r7 +8)\n", bits) + note(1);
  text += "lock *(u64 *)(r7 +0) += r1\nr1 = atomic64_fetch_add((u64 *)(r7 +0), r1)\nr0 = r1\n" + note(2);
  text += "r0 = 3\nr0 = atomic64_cmpxchg((u64 *)(r7 +0), r0, r1)\n" + note(3);
  text += "r7 += -131072\nr0 = *(u32 *)(r7 +0)\n" + note(4) + "r7 += 65536\nr0 = *(u64 *)(r7 +0)\n" + note(5);
  compare(text + kEnd);
}

// Pointers have 32 bits, whatever is done to them.
TEST(Arena, Arithmetic) {
  compare(kOnePage +
          "*(u64 *)(r7 +16) = 7\nr9 = 0x5000000010 ll\nr9 += r7\nr7 += r9\nr7 -= r8\nr0 = *(u64 *)(r7 +0)\n" + note(1) +
          "r7 *= 3\nr7 <<= 40\nr7 >>= 3\nr7 |= 16\nr0 = *(u64 *)(r7 +0)\n" + note(2) + "r0 = r7\n" + note(3) + kEnd);
}

TEST(Arena, Casts) {
  const std::string text =
      kOnePage + "r0 = addr_space_cast(r7, 1, 0)\n" + note(1) + "r7 = 0\nr0 = addr_space_cast(r7, 1, 0)\n" + note(2) +
      "r7 = 0x1234567890 ll\nr0 = addr_space_cast(r7, 1, 0)\n" + note(3) + "r7 = addr_space_cast(r7, 0, 1)\nr0 = r7\n" +
      note(4) + "r0 = {arena}[0]+24\n" + note(5) + kEnd;
  compare(text);
  compare(text, spec::kNoUserConv);
}

TEST(Arena, WhatUsersTouchedIsTheirs) {
  if (kernel_types() == nullptr) GTEST_SKIP() << "the kernel's types cannot be read here";
  const auto seen = [](Bpf& bpf) {
    Arena arena(bpf);
    std::byte* const pages = arena.map_pages();
    if (pages == nullptr) return ADD_FAILURE() << "the arena cannot be mapped", Words{};
    pages[kPage * 1] = std::byte{0};
    const Words words = arena.run(kBegin + "r2 = 0\n" + allocate(1) + note(0) + "r2 = 0\n" + allocate(1) + note(1) +
                                  "r2 = 0\n" + allocate(3) + note(2) + kEnd);
    return words;
  };
  HiveBpf hive;
  const Words words = seen(hive);
  EXPECT_EQ(words[0], kUsers);
  EXPECT_EQ(words[1], kUsers + 2 * kPage);
  EXPECT_EQ(words[2], kUsers + 3 * kPage);
  if (!KernelBpf::here()) return;
  KernelBpf kernel;
  EXPECT_EQ(seen(kernel), words);
}

// Where nobody said where users have it, their mapping does.
TEST(Arena, TheFirstMappingSaysWhereUsersHaveIt) {
  if (kernel_types() == nullptr) GTEST_SKIP() << "the kernel's types cannot be read here";
  const auto check = [](Bpf& bpf) {
    Arena arena(bpf, 0);
    EXPECT_EQ(arena.load("r0 = {arena}\nr0 = 0\nexit"), -EINVAL);
    std::byte* const pages = arena.map_pages(0);
    ASSERT_NE(pages, nullptr);
    const auto at = reinterpret_cast<std::uint64_t>(pages);
    const Words words = arena.run(kOnePage + "*(u64 *)(r7 +8) = 7\nr0 = r8\n" + note(1) + kEnd, at);
    EXPECT_EQ(words[1], at);
    EXPECT_EQ(pages[8], std::byte{7});
  };
  HiveBpf hive;
  check(hive);
  if (!KernelBpf::here()) return;
  KernelBpf kernel;
  check(kernel);
}

// Wherever the border of 4 GiB is among its pages, which Linux does not let be.
TEST(Arena, MayLieAcrossABorder) {
  if (kernel_types() == nullptr) GTEST_SKIP() << "the kernel's types cannot be read here";
  const std::string text = kOnePage + "r0 = r8\n" + note(1) + "*(u64 *)(r7 +8) = 7\nr0 = *(u64 *)(r7 -4088)\n" +
                           note(2) + "r0 = *(u8 *)(r7 -4096)\n" + note(3) + "r0 = addr_space_cast(r7, 1, 0)\n" +
                           note(4) + "r7 -= 8192\nr0 = *(u8 *)(r7 +0)\n" + note(5) +
                           "r0 = addr_space_cast(r7, 1, 0)\n" + note(6) + kEnd;
  for (const Engine engine : {Engine::Jit, Engine::Interp, Engine::Checked}) {
    HiveBpf bpf(Options{.engine = engine});
    Arena arena(bpf, 0);
    const std::uint64_t at = kUsers + (std::uint64_t{1} << 32) - 2 * kPage;
    std::byte* const pages = arena.map_pages(at);
    ASSERT_NE(pages, nullptr);
    pages[0] = pages[kPage] = pages[2 * kPage] = std::byte{1};
    const Words words = arena.run(text, at);
    EXPECT_EQ(words, (Words{at, at + 3 * kPage, 0, 1, at + 3 * kPage, 1, at + kPage, 0}));
    EXPECT_EQ(pages[3 * kPage + 8], std::byte{7});
  }
}

TEST(Arena, Refusals) {
  if (kernel_types() == nullptr) GTEST_SKIP() << "the kernel's types cannot be read here";
  const auto loads = [](const std::string& text) { return [text](Bpf& b, Fds&) { return Arena(b).load(text); }; };
  judge({
      {"an arena", 0, loads("r0 = {arena}\nr0 = 0\nexit")},
      {"a cast without an arena", -EINVAL, loads("r0 = addr_space_cast(r1, 0, 1)\nr0 = 0\nexit")},
      {"spaces that there are not", -EINVAL, loads("r2 = {arena}\nr0 = addr_space_cast(r1, 2, 1)\nr0 = 0\nexit")},
      {"an atomic operation that is a loop", -EACCES,
       loads(kOnePage + "r1 = 8\nr1 = atomic_fetch_or((u32 *)(r7 +0), r1)\nr0 = 0\nexit")},
      {"an offset at the end", 0, loads("r0 = {arena}[0]+65536\nr0 = 0\nexit")},
      {"an offset beyond the end", -ERANGE, loads("r0 = {arena}[0]+65537\nr0 = 0\nexit")},
      {"a user's address that is followed", -EACCES,
       loads(kBegin + "r2 = 0\n" + allocate(1) + "r0 = *(u64 *)(r0 +0)\nexit")},
  });
}

}  // namespace
}  // namespace skep::hive::testing
