// Errors as values on the control plane: an errno and a sentence that names the object, what it was
// and what was expected. The data plane returns pointers or negative errno numbers instead and
// never allocates. Nothing throws. Tested by: base/result_test.cc.
#pragma once

#include <cerrno>
#include <expected>
#include <string>
#include <utility>

namespace skep {

struct Error {
  int code = EINVAL;    // an errno value, positive
  std::string message;  // one sentence, no trailing newline
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(int code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

}  // namespace skep

#define SKEP_CONCAT_(a, b) a##b
#define SKEP_CONCAT(a, b) SKEP_CONCAT_(a, b)

// TRY(auto x, expression): declares x from the value of a Result, or returns its error.
#define TRY(declaration, ...) SKEP_TRY_(SKEP_CONCAT(try_result_, __COUNTER__), declaration, __VA_ARGS__)
#define SKEP_TRY_(result, declaration, ...)                       \
  auto result = (__VA_ARGS__);                                    \
  if (!result) return std::unexpected(std::move(result).error()); \
  declaration = *std::move(result)

// TRY_VOID(expression): for a Result<void>.
#define TRY_VOID(...) SKEP_TRY_VOID_(SKEP_CONCAT(try_result_, __COUNTER__), __VA_ARGS__)
#define SKEP_TRY_VOID_(result, ...) \
  if (auto result = (__VA_ARGS__); !result) return std::unexpected(std::move(result).error())
