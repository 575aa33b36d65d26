// The surroundings of programs in tests of interp/: real maps, helper bodies of the test's own, programs to tail-call.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "exec/failure.h"
#include "exec/quiet_host.h"
#include "exec/testing.h"
#include "interp/interp.h"
#include "spec/uapi.h"

namespace skep::interp::testing {

inline std::string name_of(const ::testing::TestParamInfo<Policy>& info) {
  return info.param == Policy::Plain ? "Plain" : "Checked";
}

// What a run left behind.
struct Outcome {
  std::uint64_t r0 = 0;
  bool stopped = false;
  exec::Failure failure = {};
  std::uint64_t budget = 0;
  std::uint32_t tail_calls = 0;
  const exec::Executable* program = nullptr;
};

inline Outcome failed() {  // of a program that could not be loaded
  Outcome outcome;
  outcome.stopped = true;
  return outcome;
}

class World final : public exec::QuietHost, public exec::Bindings {
 public:
  // ---- Host
  std::uint64_t now(exec::Clock asked) noexcept override {
    timespec now{};
    if (reader == nullptr) return 1234;
    reader(exec::system_clock(asked), &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
  }
  std::uint32_t random() noexcept override { return 4; }
  const exec::Executable* program(maps::Reference reference) noexcept override {
    const auto found = programs_.find(reference.id);
    return found == programs_.end() ? nullptr : found->second;
  }
  maps::Map* map(maps::Reference reference) noexcept override { return map(spec::MapId{reference.id}); }
  // ---- Bindings
  maps::Map* map(spec::MapId id) const override { return maps_.find(id); }
  exec::HelperBody helper(std::uint32_t id) const noexcept override {
    const auto found = helpers_.find(id);
    return found == helpers_.end() ? nullptr : found->second;
  }
  exec::KnownTables known() const noexcept override { return tables; }
  exec::ClockReader clock() const noexcept override { return reader; }

  // ---- What tests put in
  exec::KnownTables tables = {};
  exec::ClockReader reader = nullptr;  // of all clocks; null: they stand still
  maps::Map& add_map(std::uint32_t id, spec::MapSpec spec, const spec::MapSpec* inner = nullptr) {
    return maps_.add(id, std::move(spec), inner);
  }
  void add_helper(spec::HelperId id, exec::HelperBody body) { helpers_[std::to_underlying(id)] = body; }
  void add_program(std::uint32_t id, const exec::Executable& program) { programs_[id] = &program; }

  std::unique_ptr<exec::Executable> load(const exec::Source& source, exec::ContextKind context, Policy policy) const {
    auto image = exec::assume_verified(source, context, "test");
    EXPECT_TRUE(image) << (image ? "" : image.error().message);
    if (!image) return nullptr;
    auto program = interp::bind(std::make_shared<const exec::Image>(*std::move(image)), *this, policy);
    EXPECT_TRUE(program) << (program ? "" : program.error().message);
    return program ? *std::move(program) : nullptr;
  }
  std::unique_ptr<exec::Executable> load(std::string_view text, Policy policy) const {
    return load(exec::testing::source(text), exec::ContextKind::Memory, policy);
  }

  Outcome run(const exec::Executable& program, void* context = nullptr, std::size_t bytes = 0,
              std::uint64_t budget = 0) {
    Outcome outcome;
    exec::Call call(*this);
    call.context = context;
    call.context_bytes = static_cast<std::uint32_t>(bytes);
    call.program = &program;
    call.budget = budget;
    call.failure = &outcome.failure;
    outcome.r0 = program.run(call);
    outcome.stopped = call.stopped;
    outcome.budget = call.budget;
    outcome.tail_calls = call.tail_calls;
    outcome.program = call.program;
    return outcome;
  }
  Outcome run(std::string_view text, Policy policy, MutableBytes memory = {}, std::uint64_t budget = 0) {
    const auto program = load(text, policy);
    return program ? run(*program, memory.data(), memory.size(), budget) : failed();
  }

 private:
  exec::testing::Maps maps_;
  std::map<std::uint32_t, exec::HelperBody> helpers_;
  std::map<std::uint32_t, const exec::Executable*> programs_;
};

inline spec::MapSpec array(std::uint32_t value_size, std::uint32_t entries, std::uint32_t flags = 0) {
  spec::MapSpec spec;
  spec.type = spec::MapType::Array;
  spec.key_size = 4;
  spec.value_size = value_size;
  spec.max_entries = entries;
  spec.flags = flags;
  return spec;
}

// bpf_map_lookup_elem and friends, as far as tests of an engine need them.
inline std::uint64_t lookup_body(exec::Call& call, std::uint64_t map, std::uint64_t key, std::uint64_t, std::uint64_t,
                                 std::uint64_t) noexcept {
  return reinterpret_cast<std::uint64_t>(
      reinterpret_cast<maps::Map*>(map)->lookup(reinterpret_cast<const std::byte*>(key), call.cpu));
}
// bpf_loop.
inline std::uint64_t loop_body(exec::Call& call, std::uint64_t count, std::uint64_t function, std::uint64_t context,
                               std::uint64_t flags, std::uint64_t) noexcept {
  const auto times = static_cast<std::uint32_t>(count);
  if (flags != 0) return static_cast<std::uint64_t>(-EINVAL);
  if (times > spec::kMaxLoops) return static_cast<std::uint64_t>(-E2BIG);
  std::uint64_t i = 0;
  while (i < times)
    if (call.callback(call, function, i++, context, 0, 0, 0) != 0) break;
  return i;
}

}  // namespace skep::interp::testing
