// What /sys/devices/system says about processors and memory nodes, read when asked, and where a thread runs.
#pragma once

#include <optional>
#include <string_view>

namespace skep {

// CPUs that may ever come online (/sys/devices/system/cpu/possible): highest number + 1; at least 1.
unsigned possible_cpus();
// CPU numbers the kernel was built for (/sys/devices/system/cpu/kernel_max, plus 1).
unsigned most_cpus();
bool memory_node_online(unsigned node);

// The CPU that the calling thread runs on, of `cpus`; 0 where nothing is known.
unsigned current_cpu(unsigned cpus) noexcept;
// From now on the calling thread runs on the CPU it is on, where the kernel grants that.
void stay_on_this_cpu() noexcept;

// Whether a list such as "0-3,8" contains `number`; nullopt for text that is no list.
std::optional<bool> list_contains(std::string_view list, unsigned number);
// The highest number in the list, plus 1; 0 for text that is no list.
unsigned list_end(std::string_view list);

}  // namespace skep
