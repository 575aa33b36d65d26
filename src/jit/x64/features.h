// What code may be made of: what the processor can do beyond the first x86-64, asked once.
#pragma once

namespace skep::jit::x64 {

struct Features {
  bool bmi1 = false;          // andn
  bool bmi2 = false;          // shifts by any register, rorx, mulx
  bool movbe = false;         // loads and stores that swap bytes
  bool direct_calls = false;  // of what is within reach; else, as of everything far away, through a register
};

inline Features features() noexcept {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return {.bmi1 = __builtin_cpu_supports("bmi") != 0,
          .bmi2 = __builtin_cpu_supports("bmi2") != 0,
          .movbe = __builtin_cpu_supports("movbe") != 0,
          .direct_calls = true};
#else
  return {};
#endif
}

}  // namespace skep::jit::x64
