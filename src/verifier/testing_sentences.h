// For tests: what of a verifier's log is compared with another's, and facts of this machine that logs depend on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

namespace skep::verifier::testing {

// The sentence in a line of a log; empty where it is an instruction, a state or a number of the statistics.
inline std::string_view sentence_of(std::string_view line) {
  // 6.18 forgets the end of a line before these.
  if (const std::size_t count = line.find("processed "); count != 0) line = line.substr(0, count);
  constexpr std::string_view kOthers[] = {
      "mark_precise:", "processed ", "verification time", "stack depth", "func#", "from ", "Live regs", ";", "(",
      "SCC ",          "cur state:", "old state:"};
  const bool frame = line.starts_with("frame") && line.substr(5, 1).find_first_of("0123456789") == 0;
  const bool other =
      frame || std::ranges::any_of(kOthers, [&](std::string_view head) { return line.starts_with(head); });
  const std::size_t digits = std::min(line.find_first_not_of("0123456789"), line.size());
  const bool numbered = digits != 0 && line.substr(digits).starts_with(':');
  return other || numbered || line.starts_with(' ') ? std::string_view() : line;
}

// The lines that say what is wrong.
inline std::string sentences(std::string_view log) {
  std::string kept;
  while (!log.empty()) {
    const std::size_t end = std::min(log.find('\n'), log.size());
    const std::string_view sentence = sentence_of(log.substr(0, end));
    log.remove_prefix(std::min(end + 1, log.size()));
    if (!sentence.empty()) kept.append(sentence) += '\n';
  }
  return kept;
}

inline std::uint32_t possible_cpus() {
  std::ifstream file("/sys/devices/system/cpu/possible");
  std::string text;
  file >> text;  // "0-7"
  const std::size_t last = text.find_last_of(",-");
  return static_cast<std::uint32_t>(std::stoul(last == std::string::npos ? text : text.substr(last + 1))) + 1;
}

}  // namespace skep::verifier::testing
