// A benchmark program in each form it can run in: native code, compiled by the JIT, and one executable for each policy
// of the interpreter. All take the same memory and must agree on the result and on the bytes they leave.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "exec/executable.h"

namespace skep::bench {

using NativeCode = std::uint64_t (*)(void* memory, std::uint64_t length);
using Prepare = void (*)(void* memory, std::uint64_t length);

struct Program {
  const char* name;
  NativeCode native;
  Prepare prepare;
};

// The rows of programs.def.
std::vector<Program> programs();

enum class Form : std::uint8_t { Native, Compiled, Plain, Checked };
inline constexpr Form kForms[] = {Form::Native, Form::Compiled, Form::Plain, Form::Checked};

class Runner {
 public:
  static Result<Runner> load(const Program& program);

  void prepare(MutableBytes memory) const { program_.prepare(memory.data(), memory.size()); }
  // Nanoseconds that compiling takes: the median of 101 times.
  double compile_time() const;
  std::size_t insns() const noexcept { return image_->insns.size(); }
  // r0. EFAULT with the engine's words when it stopped the program.
  Result<std::uint64_t> run(Form form, MutableBytes memory) const;

 private:
  explicit Runner(const Program& program) : program_(program) {}

  Program program_;
  std::shared_ptr<const exec::Image> image_;
  std::unique_ptr<exec::Executable> compiled_;
  std::unique_ptr<exec::Executable> plain_;
  std::unique_ptr<exec::Executable> checked_;
};

}  // namespace skep::bench
