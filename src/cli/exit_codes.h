// The exit codes of `skep`. One table, exit_codes.def.
#pragma once

#include <array>
#include <expected>
#include <string>
#include <string_view>

namespace skep::cli {

enum class Exit : int {
#define EXIT_CODE(Name, value, meaning) Name = value,
#include "cli/exit_codes.def"
#undef EXIT_CODE
};

struct ExitCode {
  Exit code;
  std::string_view meaning;
};
inline constexpr std::array kExitCodes = {
#define EXIT_CODE(Name, value, meaning) ExitCode{Exit::Name, meaning},
#include "cli/exit_codes.def"
#undef EXIT_CODE
};

// What ends a command early: an exit code and what to tell the user.
struct Failure {
  Exit code;
  std::string message;
};
template <class T = void>
using Expected = std::expected<T, Failure>;

inline std::unexpected<Failure> give_up(Exit code, std::string message) {
  return std::unexpected(Failure{code, std::move(message)});
}

}  // namespace skep::cli
