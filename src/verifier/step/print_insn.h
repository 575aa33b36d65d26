// An instruction as the verifier's log shows it: "(85) call bpf_map_lookup_elem#1".
#pragma once

#include <cstddef>
#include <string>

#include "verifier/step/walk.h"

namespace skep::verifier {

std::string text_of(const Walk& walk, std::size_t index);

}  // namespace skep::verifier
