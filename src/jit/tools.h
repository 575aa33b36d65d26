// Telling tools of compiled code: what perf, gdb and the process's unwinder need to see functions, lines and frames in
// it. Internal to jit/.
//
// Each tool is a file of its own: perf_map.cc, jitdump.cc, gdb.cc, unwinder.cc. All are given a Portrait. Symbols are
// called bpf_prog_NAME, after the functions, as Linux calls them in its own table without the tag. A tool that cannot
// be told (no file) is passed over: the program runs all the same. Threads: any; each tool has a lock. A forked child
// tells its files anew, under its own number; gdb's list and the unwinder's go with the memory. Tested by:
// jit/tools_test.cc, tests/jit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/image.h"
#include "jit/x64/compile.h"

namespace skep::jit {

// A program as tools are told of it.
struct Portrait {
  struct Line {
    std::uint32_t offset = 0;  // in `code`
    std::uint32_t line = 0;
    std::string_view file;
  };
  struct Function {
    std::string symbol;
    std::uint32_t offset = 0, bytes = 0;
    std::vector<Line> lines;  // sorted by offset
  };
  std::span<const std::byte> code;
  std::vector<Function> functions;  // in order; what they share belongs to none
  x64::Layout layout;

  std::uint64_t address(std::uint32_t offset = 0) const noexcept {
    return reinterpret_cast<std::uintptr_t>(code.data()) + offset;
  }
};
// Of code that stands at `at`; `code` has its layout.
Portrait portrait_of(const exec::Image& image, std::span<const std::byte> at, const x64::Code& code);

// What a tool keeps of a program until it is told that the program goes.
class Told {
 public:
  virtual ~Told() = default;
};
using Keepsake = std::unique_ptr<Told>;

void tell_perf_map(const Portrait& portrait);
void tell_jitdump(const Portrait& portrait);
Keepsake tell_gdb(const Portrait& portrait);
Keepsake tell_unwinder(const Portrait& portrait);

}  // namespace skep::jit
