// What /proc/self/fdinfo says of a descriptor of this process.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace skep::cli {

// The number behind a word such as "memlock:", which the kernel's objects have.
std::optional<std::uint64_t> fdinfo_number(int fd, std::string_view word);

}  // namespace skep::cli
