// A benchmark program in each form it can run in. All forms start from the same packet, and must agree on the numbers
// the program returns and on the packet it leaves.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runner.h"

namespace skep::bench {

enum class Form : std::uint8_t {
  Native,   // clang -O2 without vectorizers
  Vector,   // clang -O2
  Jit,      // compiled by skep, verified
  Interp,   // skep's interpreter
  Checked,  // and with its checked policy: in --check only
  Kernel,   // the running kernel, by PROG_TEST_RUN
};
inline constexpr std::size_t kForms = 6;
std::string_view name(Form form) noexcept;

struct XdpMd {  // what native programs take: struct xdp_md of programs/native_side.h
  std::uint64_t data, data_end;
};

struct Program {
  using Native = int (*)(XdpMd* ctx);
  using Prepare = void (*)(std::uint8_t* packet);
  struct NativeForm {
    Native bench, setup;  // setup may be null
  };
  std::string_view kind, name;
  NativeForm native, vector;
  Prepare prepare;
};

// The rows of programs.def, by kind.
std::vector<Program> programs();

// The program in one form, its setup done. ENOTSUP: this machine does not have this form (no kernel to ask).
Result<std::unique_ptr<Runner>> load(const Program& program, Form form);
Result<CompileCost> compile_cost(const Program& program);

}  // namespace skep::bench
