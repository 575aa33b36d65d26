// A generated program: what BPF_PROG_LOAD and verify() both need of it, apart from descriptors.
//
// Maps are named, by the rows of verifier::testing::kMapShapes; functions by the rows of kPrototypes, from which one
// BTF is made that all programs share (verifier::testing::FunctionTypes). A program without functions bears no BTF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "isa/insn.h"
#include "spec/types.h"
#include "verifier/testing_prototypes.h"

namespace skep::judge {

enum class Class : std::uint8_t {
#define CLASS(Name, text) Name,
#include "judge/classes.def"
};
inline constexpr std::string_view kClassNames[] = {
#define CLASS(Name, text) text,
#include "judge/classes.def"
};
inline constexpr std::size_t kClasses = std::size(kClassNames);
inline std::map<std::string, Class> classes_by_name() {
  std::map<std::string, Class> classes;
  for (std::size_t i = 0; i < kClasses; ++i) classes.emplace(std::string(kClassNames[i]), static_cast<Class>(i));
  return classes;
}

struct MapName {
  std::size_t insn;  // of the ld_imm64 that names it
  std::string name;
};
struct FunctionStart {
  std::size_t insn;
  std::string name;  // of its prototype
};

struct Program {
  spec::ProgType type = spec::ProgType::SocketFilter;
  spec::AttachType attach = spec::AttachType::CgroupInetIngress;
  std::uint32_t flags = 0;  // of BPF_PROG_LOAD
  std::vector<isa::Insn> insns;
  std::vector<MapName> maps;             // by instruction
  std::vector<FunctionStart> functions;  // by instruction; empty, or main's first
};

// The functions generated programs have.
inline const std::vector<verifier::testing::Function>& prototypes() {
  using verifier::testing::Function;
  static constexpr auto kStatic = btf::Linkage::Static;
  static const std::vector<Function> rows = {
      {"main"},
      {"callback", {{"int"}, {"void *"}}, "int", kStatic},
      {"walker", {{"void *"}, {"void *"}, {"void *"}, {"void *"}}, "int", kStatic},
      {"local", {{"long"}, {"long"}}, "int", kStatic},
      {"local_context", {{"ctx"}, {"long"}}, "int", kStatic},
      {"local_memory", {{"long *"}, {"long"}}, "int", kStatic},
      {"global", {{"int"}, {"long"}}},
      {"global_memory", {{"pair *"}, {"int"}}},
      {"global_not_null", {{"int *", {"arg:nonnull"}}, {"long"}}},
      {"global_context", {{"ctx"}, {"int"}}},
      {"global_none", {}, "int"},
      {"global_xdp", {{"xdp *"}, {"int"}}},
      {"global_void", {{"int"}}, "none"},
  };
  return rows;
}

}  // namespace skep::judge
