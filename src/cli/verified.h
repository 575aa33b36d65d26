// One program put before a verifier: the hive's, with the numbers that bpf(2) does not give and an explanation of a
// rejection, and the running kernel's. Each program is loaded alone, into a hive of its own, so that one that is
// rejected does not keep the others from being looked at. Tested by: tests/verify.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "cli/exit_codes.h"
#include "cli/instance.h"
#include "spec/verify.h"
#include "verifier/explain/explain.h"

namespace skep::cli {

enum class Outcome : std::uint8_t {
  Accepted,
  Rejected,
  Unsupported,  // no verdict: the program uses what the verifier does not know yet
  NotAsked,     // it did not come as far as the verifier
};
std::string_view name(Outcome outcome) noexcept;  // "accepted"

struct Verified {
  std::string program;
  std::string type;  // "xdp"
  Outcome outcome = Outcome::NotAsked;
  int code = 0;          // errno
  std::string message;   // the verifier's last sentence, or why it was not asked
  std::size_t size = 0;  // instructions
  spec::VerifyStats stats;
  std::chrono::nanoseconds duration{};
  std::string log;
  std::optional<verifier::Explanation> explanation;
};

// What the kernel says at log level 4.
struct KernelVerdict {
  Outcome outcome = Outcome::NotAsked;
  int code = 0;
  std::string message;
  std::uint64_t insns = 0, states = 0;
  std::chrono::microseconds duration{};
};

struct VerifyOptions {
  std::string btf;  // --btf FILE; empty: the running kernel's
  bool unprivileged = false;
  std::uint32_t log_level = 0;
  bool again = false;  // ask as often as fits in two milliseconds, at least once, and keep the shortest time
};

// Names of the object's programs that can be verified, in its order: all, or the one that is named.
std::expected<std::vector<std::string>, Failure> programs_of(const ObjectBytes& object, const std::string& only,
                                                             const VerifyOptions& options);
std::expected<Verified, Failure> verify_program(const ObjectBytes& object, const std::string& program,
                                                const VerifyOptions& options);
std::expected<KernelVerdict, Failure> ask_kernel(const ObjectBytes& object, const std::string& program,
                                                 const VerifyOptions& options);

}  // namespace skep::cli
