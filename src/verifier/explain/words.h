// What is known of a value, in words for people: "a number from 0 to 255", "packet data, 14 bytes of it proven",
// "a value of map counts (8 bytes) or NULL". Tested by: verifier/explain/explain_test.cc, tests/verify.
#pragma once

#include <string>

#include "verifier/step/walk.h"

namespace skep::verifier {

std::string describe(const Register& value, const Walk& walk);
std::string describe(const Scalar64& number);

}  // namespace skep::verifier
