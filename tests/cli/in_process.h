// `skep` in the test's own process, with the bpf(2) that the test gives it.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "cli/command.h"
#include "tool.h"

namespace skep::tool {

enum class Where : std::uint8_t { Hive, Kernel };

// `skep WORDS`, each word as it is.
inline Result run_here(cli::Program& program, const std::vector<std::string>& words) {
  std::vector<const char*> argv{"skep"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  Result result;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  result.code = cli::run_tool(program, static_cast<int>(argv.size()), argv.data());
  std::fflush(nullptr);
  result.out = testing::internal::GetCapturedStdout();
  result.err = testing::internal::GetCapturedStderr();
  return result;
}

#define SKEP_EVERYWHERE(Suite)                                                     \
  INSTANTIATE_TEST_SUITE_P(On, Suite, testing::Values(Where::Hive, Where::Kernel), \
                           [](const auto& at) { return at.param == Where::Hive ? "Hive" : "Kernel"; })

}  // namespace skep::tool
