// An image compiled in this process. Internal to jit/.
#pragma once

#include <atomic>
#include <mutex>
#include <span>
#include <vector>

#include "exec/executable.h"
#include "exec/relocate.h"
#include "jit/code_memory.h"
#include "jit/jit.h"
#include "jit/tools.h"
#include "jit/x64/compile.h"

namespace skep::jit {

class Program final : public exec::Executable {
 public:
  // For a processor with `features`, which this one must have.
  static Result<std::unique_ptr<Program>> bind(std::shared_ptr<const exec::Image> image, const exec::Bindings& bindings,
                                               x64::Features features, const Options& options = {});

  // Where a run begins. The counting code is made when it is first asked for; null when there is no room for it.
  const std::byte* entry(x64::Counting counting) const noexcept;
  bool guarded() const noexcept { return guarded_; }

  // What is told of it: the code without counting.
  std::span<const std::byte> code() const noexcept { return {code_.code(), code_bytes_}; }
  std::span<const std::uint32_t> entries() const noexcept { return entries_; }  // of the subprograms, in code()
  bool blinded() const noexcept { return hardening_.blinding != 0; }
  x64::Layout layout() const;

 private:
  Program(std::shared_ptr<const exec::Image> image, exec::Values values, x64::Features features);
  Result<x64::Code> translate(x64::Place place, x64::Counting counting, x64::Wanted wanted) const;
  Result<CodeMemory::Block> install(const x64::Code& code) const;
  Result<CodeMemory::Block> compile_counting() const;
  const std::byte* make_counting() const noexcept;

  exec::Values values_;
  x64::Features features_;
  std::vector<std::uint64_t> helpers_;  // bodies by id, when calls go through registers
  x64::Hardening hardening_;
  Tools tools_;
  x64::Place place_;  // where the code may stand, as was known when it was compiled
  bool guarded_ = false;
  std::vector<std::uint32_t> entries_;
  std::size_t code_bytes_ = 0;
  CodeMemory::Block code_;
  mutable std::mutex mutex_;
  mutable CodeMemory::Block counting_code_;
  mutable std::atomic<const std::byte*> counting_{nullptr};
  mutable std::vector<Keepsake> told_;  // of tools that must hear that code goes, which it does afterwards
};

}  // namespace skep::jit
