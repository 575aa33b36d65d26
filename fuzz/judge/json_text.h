// A text as JSON has it, quoted; what is no UTF-8 is replaced. For reports of programs and logs.
#pragma once

#include <string>
#include <string_view>

namespace skep::judge {

std::string json_text(std::string_view text);

}  // namespace skep::judge
