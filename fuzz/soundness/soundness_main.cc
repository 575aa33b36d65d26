// skep-soundness: what verifier and facts claim of programs, compared with what they do.
//
//   skep-soundness [--programs N] [--inputs N] [--seed S] [--seconds T] [--class NAME] [--json]
//
// Exit code: 0 when nothing was violated, 1 when something was, 2 for wrong arguments.
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>

#include "soundness/soundness.h"

namespace {

using namespace skep;
using namespace skep::soundness;

constexpr int kViolated = 1, kUsage = 2;
constexpr std::string_view kHelp =
    "skep-soundness [--programs N] [--inputs N] [--seed S] [--seconds T] [--class NAME] [--json]\n";

template <class T>
bool read_number(std::string_view text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

bool read_class(std::string_view text, Options& options) {
  const auto found = std::ranges::find(judge::kClassNames, text);
  if (found == std::end(judge::kClassNames)) return false;
  options.about = static_cast<judge::Class>(found - std::begin(judge::kClassNames));
  return true;
}

bool read_option(std::string_view name, std::string_view value, Options& options) {
  if (name == "--programs") return read_number(value, options.programs);
  if (name == "--inputs") return read_number(value, options.inputs);
  if (name == "--seed") return read_number(value, options.seed);
  if (name == "--seconds") return read_number(value, options.seconds);
  return name == "--class" && read_class(value, options);
}

bool read_options(std::span<char*> words, Options& options, bool& json) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (std::string_view(words[i]) == "--json") {
      json = true;
    } else {
      if (i + 1 >= words.size() || !read_option(words[i], words[i + 1], options)) return false;
      ++i;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  bool json = false;
  if (!read_options({argv + 1, static_cast<std::size_t>(argc - 1)}, options, json)) {
    std::fputs(kHelp.data(), stderr);
    return kUsage;
  }
  const bool shows = isatty(STDERR_FILENO) != 0;
  const Report report = run(options, [&](const Report& now) {
    if (shows) std::fprintf(stderr, "\r\033[K%s", to_line(now).c_str());
  });
  if (shows) std::fputs("\r\033[K", stderr);
  std::fputs((json ? to_json(report) : to_text(report)).c_str(), stdout);
  return report.violated_runs == 0 ? 0 : kViolated;
}
