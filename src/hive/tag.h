// The tag of a program: the first 8 bytes of the SHA-1 of its instructions, with the descriptors of maps left out, so
// that the same program has the same tag wherever it is loaded. Linux 6.12. Tested by: hive/prog_load_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "isa/insn.h"

namespace skep::hive {

std::array<std::uint8_t, 20> sha1(Bytes data);
std::array<std::uint8_t, 8> tag_of(std::span<const isa::Insn> insns);
// Of each function, which begin at `starts`.
std::vector<std::array<std::uint8_t, 8>> tags_of(std::span<const isa::Insn> insns,
                                                 std::span<const std::uint32_t> starts);

}  // namespace skep::hive
