// For tests: a program judged twice, here and by the running kernel.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <string_view>

#include "spec/uapi.h"
#include "verifier/explore/verify.h"
#include "verifier/testing_kernel.h"
#include "verifier/testing_maps.h"

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

// The lines that say what is wrong: neither instructions, nor states, nor statistics.
inline std::string sentences(const std::string& log) {
  std::string kept;
  std::size_t start = 0;
  while (start < log.size()) {
    const std::size_t end = std::min(log.find('\n', start), log.size());
    std::string_view line(log.data() + start, end - start);
    start = end + 1;
    // 6.18 forgets the end of a line before these.
    if (const std::size_t count = line.find("processed "); count != 0) line = line.substr(0, count);
    constexpr std::string_view kOthers[] = {"mark_precise:",
                                            "processed ",
                                            "verification time",
                                            "stack depth",
                                            "func#",
                                            "from ",
                                            "Live regs",
                                            "frame",
                                            ";",
                                            "(",
                                            "SCC "};
    const bool other = std::ranges::any_of(kOthers, [&](std::string_view head) { return line.starts_with(head); });
    const std::size_t digits = std::min(line.find_first_not_of("0123456789"), line.size());
    const bool numbered = digits != 0 && line.substr(digits).starts_with(':');
    if (!other && !numbered && !line.starts_with(' ') && !line.empty()) kept.append(line) += '\n';
  }
  return kept;
}

inline std::uint32_t possible_cpus() {
  std::ifstream file("/sys/devices/system/cpu/possible");
  std::string text;
  file >> text;  // "0-7"
  const std::size_t last = text.find_last_of(",-");
  return static_cast<std::uint32_t>(std::stoul(last == std::string::npos ? text : text.substr(last + 1))) + 1;
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
