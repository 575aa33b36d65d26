// What a function of the program takes and gives, as its BTF and its tags ("arg:nonnull") say.
//
// Global functions are verified against it, alone, and their calls are checked against it. Of static functions it is
// only asked whether it can be relied on. It is read once; what is wrong with it is said in Linux's words, in the log.
// Tested by: verifier/explore/global_test.cc.
#pragma once

#include <array>
#include <cstdint>

namespace skep::verifier {

inline constexpr unsigned kMaxArguments = 5;

struct Argument {
  enum class Kind : std::uint8_t {
    Scalar,
    Context,
    Memory,  // of memory_size bytes, read and written
    Dynptr,
    Object,  // of the kernel, of type btf_type, trusted
    Arena,
  };
  Kind kind = Kind::Scalar;
  bool may_be_null = false;
  std::uint32_t memory_size = 0;
  std::uint32_t btf_type = 0;  // in the kernel's BTF
};

struct Prototype {
  std::array<Argument, kMaxArguments> arguments;
  unsigned count = 0;
};

}  // namespace skep::verifier
