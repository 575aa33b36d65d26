// The calling thread's id, as lock words in shared memory hold it. Cached; right again in a fork's child.
#pragma once

#include <cstdint>

namespace skep {

std::uint32_t thread_id() noexcept;  // never 0
// Whether a thread with this id exists anywhere (seen from this pid namespace).
bool thread_exists(std::uint32_t id) noexcept;

}  // namespace skep
