// Which release's analysis is followed, where releases differ in what they prove.
//
// Linux612 is the product's profile. Linux618 exists so that the running kernel can judge the same code: every place
// that reads a Rules value is a place where 6.18 proves more than 6.12 did. Tested by: verifier/domain/kernel_test.cc.
#pragma once

#include <cstdint>

namespace skep::verifier {

enum class Rules : std::uint8_t { Linux612, Linux618 };

}  // namespace skep::verifier
