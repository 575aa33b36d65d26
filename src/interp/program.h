// An image bound for the interpreter: its pre-decoded code for each mode it may run in, and the objects it knows
// from the start. Internal to interp/.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "exec/executable.h"
#include "interp/code.h"
#include "interp/interp.h"
#include "spec/arena_place.h"

namespace skep::interp {

class Program final : public exec::Executable {
 public:
  static Result<std::unique_ptr<Program>> bind(std::shared_ptr<const exec::Image> image, const exec::Bindings& bindings,
                                               Policy policy);

  const Code* code(Mode mode) const noexcept { return codes_[static_cast<std::size_t>(mode)].data(); }
  std::uint32_t index_of(const Code* pc, Mode mode) const noexcept {
    return static_cast<std::uint32_t>(pc - code(mode));
  }
  Policy policy() const noexcept { return policy_; }
  bool needs_many_frames() const noexcept { return needs_many_frames_; }
  // Body of helper `id` for a call through a register, where only small ids are known; null when there is none.
  exec::HelperBody helper(std::uint64_t id) const noexcept { return id < helpers_.size() ? helpers_[id] : nullptr; }
  // Reads what may be no memory: bpf_probe_read_kernel; null where that has no body.
  exec::HelperBody probe() const noexcept { return probe_; }
  // The subprogram that starts at the instruction a function value names.
  std::optional<std::uint32_t> function(std::uint64_t value) const noexcept;
  // The maps that the program's instructions name, without repetitions.
  std::span<maps::Map* const> maps() const noexcept { return maps_; }
  const spec::ArenaPlace& arena() const noexcept { return arena_; }

 private:
  Program(std::shared_ptr<const exec::Image> image, Policy policy);
  Result<> relocate(const exec::Bindings& bindings);
  void translate(Mode mode);
  Code translate(Mode mode, std::size_t index) const noexcept;
  void fuse(std::vector<Code>& codes) const noexcept;
  bool is_probed(std::size_t index) const noexcept;
  bool is_in_arena(std::size_t index) const noexcept;
  // Its handler is none of its operation.
  bool is_guarded(std::size_t index) const noexcept { return is_probed(index) || is_in_arena(index); }

  Policy policy_;
  bool needs_many_frames_ = false;
  std::vector<std::uint64_t> values_;  // by instruction: 64-bit immediate or address of a helper's body
  std::array<std::vector<Code>, 3> codes_;
  std::vector<exec::HelperBody> helpers_;
  exec::HelperBody probe_ = nullptr;
  std::vector<maps::Map*> maps_;
  spec::ArenaPlace arena_;
};

// The entry of Executable::run for a policy (loop.cc).
std::uint64_t enter_plain(const exec::Executable& self, exec::Call& call) noexcept;
std::uint64_t enter_checked(const exec::Executable& self, exec::Call& call) noexcept;

}  // namespace skep::interp
