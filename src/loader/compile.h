// C to a BPF object file with clang-19 (or the compiler named by SKEP_CLANG).
//
// `clang -g -O2 -target bpf -mcpu=v3`, with the include paths found here: the source's own folder, libbpf's headers and
// the machine's uapi headers, which a BPF target does not look for by itself. When the source includes vmlinux.h and
// there is none to be found, one is made from the running kernel's BTF and kept in the cache directory
// ($XDG_CACHE_HOME/skep or ~/.cache/skep). Cost: that of clang, 30-100 ms; vmlinux.h once, half a second.
// Tested by: loader/compile_test.cc.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace skep::loader {

struct CompileOptions {
  std::string cpu = "v3";              // -mcpu
  std::vector<std::string> arguments;  // further ones for clang: -D, -I
  bool colour = false;                 // clang's messages
};

// The object file's bytes. Errors: ENOENT (no such source, no compiler), EINVAL (clang's messages).
Result<std::vector<std::byte>> compile(const std::string& source, const CompileOptions& options);

}  // namespace skep::loader
