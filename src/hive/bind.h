// Which engine a program is bound with, on its maps. Tested by: hive/cpu_use_test.cc, hive/jit_test.cc.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "exec/executable.h"
#include "hive/state.h"

namespace skep::hive {

struct Bound {
  std::shared_ptr<const exec::Executable> code;
  std::string note;  // why it is not the engine asked for; or empty
};

// `maps` are those that the program may name; they outlive the code. Errors: no engine here can run it.
Result<Bound> bind_image(State& hive, exec::Image image, std::span<MapObject* const> maps, const Binding& with);

}  // namespace skep::hive
