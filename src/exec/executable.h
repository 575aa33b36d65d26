// A program bound in this process: code that an engine can enter. Made by an engine from an Image and Bindings.
#pragma once

#include <time.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/result.h"
#include "exec/call.h"
#include "exec/image.h"

namespace skep::exec {

// Tables of kKnownSlots, for compiled code; null: it asks the Host.
struct KnownTables {
  const KnownSlot* programs = nullptr;
  const KnownSlot* maps = nullptr;
};

// What reads a clock of the system: clock_gettime(), or what a test has in its place.
using ClockReader = int (*)(clockid_t clock, timespec* now);

// How relocations are answered in this process.
class Bindings {
 public:
  virtual ~Bindings() = default;
  virtual maps::Map* map(spec::MapId id) const = 0;                // null: no such map here
  virtual HelperBody helper(std::uint32_t id) const noexcept = 0;  // null: no body
  // Of the kernel function in a row of spec::kfuncs(). Null: no body.
  virtual HelperBody kfunc(std::uint32_t) const noexcept { return nullptr; }
  // What references mean to the Hosts of its runs; the tables outlive what is bound.
  virtual KnownTables known() const noexcept { return {}; }
  // What the Hosts of its runs ask for the time, each clock by its exec::system_clock(): compiled code does so itself.
  // Null: it asks the Host.
  virtual ClockReader clock() const noexcept { return nullptr; }
};

class Executable {
 public:
  virtual ~Executable() = default;
  const Image& image() const noexcept { return *image_; }
  // Runs the program; call.program must be this. The caller set call.context and holds what uses_cpu asks for.
  std::uint64_t run(Call& call) const noexcept { return enter_(*this, call); }
  // Whether `other` is run by the same engine under the same policy: then it may go on with this one's code.
  bool same_engine(const Executable& other) const noexcept { return enter_ == other.enter_; }
  JumpTarget jump_target = {};
  // The reference that it was last found by, in bits, so that its code knows itself in a slot: all ones is none.
  mutable std::atomic<std::uint64_t> found_as{UINT64_MAX};

 protected:
  using Enter = std::uint64_t (*)(const Executable& self, Call& call) noexcept;
  Executable(std::shared_ptr<const Image> image, Enter enter) : image_(std::move(image)), enter_(enter) {}

 private:
  std::shared_ptr<const Image> image_;
  Enter enter_;
};

}  // namespace skep::exec
