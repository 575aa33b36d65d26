// The line of the source an instruction came from, as the log shows it once a line: "; int x = 1; @ file.c:12".
#pragma once

#include <cstddef>

#include "verifier/step/walk.h"

namespace skep::verifier {

void show_source_line(Walk& walk, std::size_t index);

}  // namespace skep::verifier
