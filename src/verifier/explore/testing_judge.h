// For tests: a program judged twice, here and by the running kernel.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "spec/uapi.h"
#include "verifier/explore/verify.h"
#include "verifier/testing_kernel.h"
#include "verifier/testing_maps.h"
#include "verifier/testing_sentences.h"

namespace skep::verifier::testing {

struct Subject {
  const char* title;
  spec::ProgType type;
  const char* program;
  spec::AttachType attach = spec::AttachType::CgroupInetIngress;
  std::uint32_t flags = 0;
  const char* license = "GPL";
  const char* structure = nullptr;  // whose function it is: member number `attach`
};

inline std::uint32_t attach_target(const Subject& subject) {
  const btf::Btf* types = subject.structure != nullptr ? kernel_types() : nullptr;
  return types != nullptr ? types->find(subject.structure, btf::Kind::Struct).value_or(0) : 0;
}

inline Verdict our_verdict(const Subject& subject, const Assembled& program) {
  return verify({.type = subject.type,
                 .attach = subject.attach,
                 .insns = program.insns,
                 .maps = program.maps,
                 .map_uses = program.uses,
                 .flags = subject.flags,
                 .log_level = spec::kLogStates,
                 .license = std::string_view(subject.license) == "GPL" ? spec::License::Gpl : spec::License::Other,
                 .kernel_btf = kernel_types(),
                 .target = {.btf_id = attach_target(subject), .btf = kernel_types()},
                 .possible_cpus = possible_cpus()},
                rules_of_running_kernel());
}

// Verdict, errno and the sentences must be the same.
inline void expect_same_judgement(const Subject& subject) {
  SCOPED_TRACE(subject.title);
  const Assembled program = assemble(subject.program);
  ASSERT_EQ(program.problem, "");
  const Said said = ask_kernel({.type = subject.type,
                                .attach = subject.attach,
                                .insns = program.insns,
                                .flags = subject.flags,
                                .license = subject.license,
                                .attach_btf_id = attach_target(subject)});
  const Verdict ours = our_verdict(subject, program);
  EXPECT_EQ(ours.result ? 0 : ours.result.error().code, said.error) << ours.log << "\n" << said.log;
  EXPECT_EQ(sentences(ours.log), sentences(said.log)) << ours.log << "\n" << said.log;
}

}  // namespace skep::verifier::testing
