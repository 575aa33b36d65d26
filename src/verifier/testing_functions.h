// For tests: programs of several functions with BTF, judged here and by the running kernel.
//
// The labels of the text are its functions; the first is the main program.
#pragma once

#include <vector>

#include "verifier/explore/testing_judge.h"
#include "verifier/testing_prototypes.h"

namespace skep::verifier::testing {

struct FunctionCase {
  const char* title;
  const char* program;
  std::vector<Function> functions;
  spec::ProgType type = spec::ProgType::SchedCls;
};

inline std::vector<btf::FuncInfo> function_infos(const FunctionCase& subject, const Assembled& program,
                                                 const FunctionTypes& types) {
  std::vector<btf::FuncInfo> infos{{0, types.id_of(subject.functions.front().name)}};
  for (const isa::Label& label : program.labels)
    for (const Function& function : subject.functions)
      if (label.name == function.name && label.insn != 0)
        infos.push_back({static_cast<std::uint32_t>(label.insn), types.id_of(function.name)});
  return infos;
}

inline Fd load_btf(const std::vector<std::byte>& bytes) {
  spec::Attr attr{};
  attr.btf_load.btf = reinterpret_cast<std::uint64_t>(bytes.data());
  attr.btf_load.btf_size = static_cast<std::uint32_t>(bytes.size());
  return Fd(static_cast<int>(command(spec::Command::BtfLoad, attr)));
}

// A case as both verifiers take it.
struct Prepared {
  explicit Prepared(const FunctionCase& subject)
      : program(assemble(subject.program)), types(subject.functions), infos(function_infos(subject, program, types)) {
    if (auto made = btf::Btf::parse(types.bytes())) parsed = *std::move(made);
  }
  bool is_sound() const { return program.problem.empty() && parsed.has_value(); }
  btf::Records records() const {
    return {std::as_bytes(std::span(infos)), sizeof(btf::FuncInfo), static_cast<std::uint32_t>(infos.size())};
  }

  Assembled program;
  FunctionTypes types;
  std::vector<btf::FuncInfo> infos;
  std::optional<btf::Btf> parsed;
};

inline Verdict our_verdict(const FunctionCase& subject, const Prepared& made) {
  return verify({.type = subject.type,
                 .insns = made.program.insns,
                 .maps = made.program.maps,
                 .map_uses = made.program.uses,
                 .log_level = spec::kLogStates,
                 .kernel_btf = kernel_types(),
                 .btf = &*made.parsed,
                 .func_info = made.records()},
                rules_of_running_kernel());
}

inline void expect_same_judgement(const FunctionCase& subject) {
  SCOPED_TRACE(subject.title);
  const Prepared made(subject);
  ASSERT_TRUE(made.is_sound()) << made.program.problem;
  const Fd btf_fd = load_btf(made.types.bytes());
  ASSERT_TRUE(btf_fd);
  const Said said = ask_kernel(
      {.type = subject.type, .insns = made.program.insns, .btf_fd = btf_fd.get(), .func_info = made.records()});
  const Verdict ours = our_verdict(subject, made);
  EXPECT_EQ(ours.result ? 0 : ours.result.error().code, said.error) << ours.log << "\n" << said.log;
  EXPECT_EQ(sentences(ours.log), sentences(said.log)) << ours.log << "\n" << said.log;
}

}  // namespace skep::verifier::testing
