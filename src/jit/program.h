// An image compiled in this process. Internal to jit/.
#pragma once

#include <atomic>
#include <mutex>

#include "exec/executable.h"
#include "exec/relocate.h"
#include "jit/code_memory.h"
#include "jit/x64/compile.h"

namespace skep::jit {

class Program final : public exec::Executable {
 public:
  // For a processor with `features`, which this one must have.
  static Result<std::unique_ptr<Program>> bind(std::shared_ptr<const exec::Image> image, const exec::Bindings& bindings,
                                               x64::Features features);

  // Where a run begins. The counting code is made when it is first asked for; null when there is no room for it.
  const std::byte* entry(x64::Counting counting) const noexcept;
  bool guarded() const noexcept { return guarded_; }

 private:
  Program(std::shared_ptr<const exec::Image> image, exec::Values values, x64::Features features);
  Result<CodeMemory::Block> compile(x64::Counting counting, bool& guarded) const;
  const std::byte* make_counting() const noexcept;

  exec::Values values_;
  x64::Features features_;
  std::vector<std::uint64_t> helpers_;  // bodies by id, when calls go through registers
  bool guarded_ = false;
  CodeMemory::Block code_;
  mutable std::mutex mutex_;
  mutable CodeMemory::Block counting_code_;
  mutable std::atomic<const std::byte*> counting_{nullptr};
};

}  // namespace skep::jit
