// A host for tests, and programs as lists of helper calls: run here by calling the bodies, and by the running kernel as
// the bytecode they stand for. What both made of results, memory, packet and context is compared.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "exec/executable.h"
#include "helpers/bodies.h"
#include "packet/test_run.h"
#include "packet/testing.h"
#include "spec/helpers.h"

namespace skep::helpers::testing {

using packet::testing::Buffer;
using spec::HelperId;

// Answers with fixed values, remembers what it was given.
class TestHost final : public exec::Host {
 public:
  std::uint64_t now(exec::Clock clock) noexcept override { return 1000 + static_cast<std::uint64_t>(clock); }
  std::uint32_t random() noexcept override { return 0x89abcdef; }
  std::uint64_t pid_tgid() noexcept override { return 0x1100000022; }
  std::uint64_t uid_gid() noexcept override { return 0x3300000044; }
  void comm(char (&name)[16]) noexcept override { std::memcpy(name, "a-long-name-here", 16); }
  void trace(std::string_view line) noexcept override { traced += line; }
  int perf_event(maps::Map&, std::uint64_t index, Bytes record) noexcept override {
    perf_index = index;
    perf_record.assign(record.begin(), record.end());
    return perf_result;
  }
  int clone_to(std::uint32_t ifindex, bool ingress, Bytes packet) noexcept override {
    cloned_to = ifindex;
    cloned_ingress = ingress;
    cloned.assign(packet.begin(), packet.end());
    return 0;
  }
  const exec::Executable* program(maps::Reference) noexcept override { return nullptr; }
  maps::Map* map(maps::Reference reference) noexcept override { return reference.id == inner_id ? inner : nullptr; }

  std::string traced;
  std::uint64_t perf_index = 0;
  Buffer perf_record;
  int perf_result = 0;
  std::uint32_t cloned_to = 0;
  bool cloned_ingress = false;
  Buffer cloned;
  std::uint32_t inner_id = 0;
  maps::Map* inner = nullptr;
};

// A program of a kind, for Call::program; it is never entered.
class NoProgram final : public exec::Executable {
 public:
  explicit NoProgram(exec::ContextKind kind) : Executable(image_of(kind), nullptr) {}

 private:
  static std::shared_ptr<const exec::Image> image_of(exec::ContextKind kind) {
    auto image = std::make_shared<exec::Image>();
    image->context = kind;
    return image;
  }
};

template <class T>
std::uint64_t reg(T value) {
  if constexpr (std::is_null_pointer_v<T>)
    return 0;
  else if constexpr (std::is_pointer_v<T>)
    return reinterpret_cast<std::uint64_t>(value);
  else
    return static_cast<std::uint64_t>(value);
}

// The body of `id`, called with up to five registers.
template <class... Args>
std::int64_t invoke(exec::Call& call, HelperId id, Args... args) {
  std::uint64_t r[5] = {reg(args)...};
  return static_cast<std::int64_t>(body(static_cast<std::uint32_t>(id))(call, r[0], r[1], r[2], r[3], r[4]));
}

}  // namespace skep::helpers::testing
