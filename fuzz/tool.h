// What the tools of these folders share: exit codes, arguments, and the line that says how far they are.
#pragma once

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <string>

namespace skep::fuzz {

inline constexpr int kFound = 1, kUsage = 2, kSkipped = 77;

// Reads the arguments; the exit code when that is all there is to do: help was asked for, or they are wrong.
inline std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
}

// In place of the line shown before, where somebody watches; empty: none any more.
inline void show_progress(const std::string& line) {
  static const bool is_watched = isatty(STDERR_FILENO) != 0;
  if (is_watched) std::fprintf(stderr, "\r\033[K%s", line.c_str());
}

}  // namespace skep::fuzz
