#include "loader/elf_check.h"

#include <elf.h>

#include <algorithm>
#include <array>

#include "loader/testing_source.h"

namespace skep::loader {
namespace {

std::string why(Bytes file) {
  Result<> checked = check_elf(file);
  return checked ? "" : checked.error().message;
}

TEST(ElfCheck, TakesWhatClangMakes) { EXPECT_EQ(why(test_object()), ""); }

TEST(ElfCheck, SaysWhatItFound) {
  EXPECT_EQ(why({}), "not an ELF file: expected it to begin with 7f 45 4c 46, found nothing");
  const std::string_view text = "#include <linux/bpf.h>";
  EXPECT_EQ(why(std::as_bytes(std::span(text))),
            "not an ELF file: expected it to begin with 7f 45 4c 46, found 23 69 6e 63");
  std::vector<std::byte> other = test_object();
  store(other.data() + offsetof(Elf64_Ehdr, e_machine), std::uint16_t{EM_X86_64});
  EXPECT_EQ(why(other), "an ELF file for x86-64, expected BPF; compile with clang -target bpf -c");
}

TEST(ElfCheck, EveryTruncationIsNoticed) {
  const Bytes whole = test_object();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    ASSERT_NE(why(whole.first(size)), "") << "cut to " << size << " of " << whole.size();
  }
}

// Whatever one damaged byte of the tables says, the check ends with an answer (the sanitizers watch).
TEST(ElfCheck, AnyDamagedByteIsSurvived) {
  std::vector<std::byte> damaged = test_object();
  std::size_t refused = 0;
  for (std::size_t at = 0; at < damaged.size(); ++at) {
    const std::byte before = damaged[at];
    for (const std::byte value : {std::byte{0xff}, std::byte{0x80}, ~before}) {
      damaged[at] = value;
      refused += !check_elf(damaged);
    }
    damaged[at] = before;
  }
  EXPECT_GT(refused, 500U);
}

// A damaged type is noticed: kind 0 in the first type's information.
TEST(ElfCheck, BtfIsLookedAt) {
  std::vector<std::byte> damaged = test_object();
  const std::array<std::byte, 4> magic = {std::byte{0x9f}, std::byte{0xeb}, std::byte{1}, std::byte{0}};
  const auto at = std::ranges::search(damaged, magic).begin() - damaged.begin();
  store(damaged.data() + at + 24 + 4, std::uint32_t{0});
  EXPECT_EQ(why(damaged), "section .BTF: type 1 is of kind 0, which is unknown");
}

}  // namespace
}  // namespace skep::loader
