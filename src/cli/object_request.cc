#include "cli/object_request.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace skep::cli {
namespace {

// What the words of the commands are.
struct Word {
  std::string_view word, about;
};
constexpr Word kWords[] = {
    {"MAP", "NAME or name NAME, N or id N, /PATH or pinned PATH"},
    {"PROG", "NAME or name NAME, tag TAG, N or id N, /PATH or pinned PATH"},
    {"LINK", "N or id N, /PATH or pinned PATH"},
    {"BTF", "N or id N, NAME or name NAME, prog PROG, map MAP, file FILE"},
    {"KEY", "a key: JSON by its BTF type, or text"},
    {"VALUE", "a value: JSON by its BTF type, or text"},
    {"FILE", "- is standard input or output"},
    {"OBJECT", "an object file, or C source (.c), which is compiled with clang-19"},
    {"FORM", "xlated: BPF as it runs; jited: machine code"},
    {"NAME", "what the map is to be called, 15 characters at most"},
    {"PATH", "where it is to be found, in a BPF file system"},
    {"FOLDER", "a folder in a BPF file system; without a slash, in /sys/fs/bpf"},
};

// "[PROG]" and "PATH..." without what is around the word.
std::string_view bare(std::string_view name) {
  if (name.starts_with('[')) name = name.substr(1, name.size() - 2);
  return name.substr(0, name.find('.'));
}
bool may_be_missing(std::string_view name) { return name.starts_with('['); }
bool may_be_many(std::string_view name) { return name.find("...") != std::string_view::npos; }

std::string_view about_word(std::string_view name) {
  const auto found = std::ranges::find(kWords, bare(name), &Word::word);
  return found == std::end(kWords) ? "" : found->about;
}

bool is_reference(std::string_view name) { return name == "MAP" || name == "PROG" || name == "LINK" || name == "BTF"; }

// bpftool's words have underscores.
CLI::Option* option_called(CLI::App& command, std::string word) {
  std::ranges::replace(word, '_', '-');
  for (CLI::Option* option : command.get_options())
    if (std::ranges::find(option->get_lnames(), word) != option->get_lnames().end() && word != "help") return option;
  return nullptr;
}

// How many words at the front of `words` a declared word stands for.
std::size_t count_of(CLI::App& command, std::string_view name, Words words) {
  if (words.empty()) return 0;
  if (may_be_many(name)) {
    const auto is_option = [&](const std::string& word) { return option_called(command, word) != nullptr; };
    return static_cast<std::size_t>(std::ranges::find_if(words, is_option) - words.begin());
  }
  if (may_be_missing(name) && option_called(command, words[0]) != nullptr) return 0;
  if (!is_reference(bare(name))) return 1;
  const bool through = name == "BTF" && words.size() > 1 && (words[0] == "prog" || words[0] == "map");
  if (through) return 1 + reference_words(words.subspan(1));
  return name == "BTF" && words.size() > 1 && words[0] == "file" ? 2 : reference_words(words);
}

// Words as bpftool has them: "opcodes", "file F".
Expected<> take_options(CLI::App& command, Words words) {
  while (!words.empty()) {
    CLI::Option* option = option_called(command, words[0]);
    if (option == nullptr) {
      std::string names;
      for (const CLI::Option* one : command.get_options())
        for (const std::string& name : one->get_lnames()) names += name == "help" ? "" : " --" + name;
      return give_up(Exit::Usage, fmt::format("\"{}\" is one word too many; options are:{}", words[0], names));
    }
    const bool has_value = !option->get_type_name().empty();
    if (has_value && words.size() < 2)
      return give_up(Exit::Usage, fmt::format("{}: {} is missing", words[0], option->get_type_name()));
    option->add_result(has_value ? words[1] : "true");
    option->run_callback();
    words = words.subspan(has_value ? 2 : 1);
  }
  return {};
}

}  // namespace

Expected<BpfCall> ObjectRequest::bpf() const {
  auto place = open_back_end(back_end);
  if (!place) return std::unexpected(place.error());
  return std::move(place->bpf);
}

Expected<Fd> ObjectRequest::open(const BpfCall& bpf, ObjectKind kind) const {
  Words rest = words;
  const auto reference = take_reference(kind, rest);
  if (!reference) return std::unexpected(reference.error());
  return open_object(bpf, kind, *reference);
}

Expected<> ObjectRequest::pin(ObjectKind kind) const {
  const auto bpf = this->bpf();
  if (!bpf) return std::unexpected(bpf.error());
  const auto fd = open(*bpf, kind);
  if (!fd) return std::unexpected(fd.error());
  return pin_at(*bpf, fd->get(), words.back());
}

CLI::App* add_object_command(CommandGroup& group, const std::string& name, const std::string& about,
                             const std::vector<std::string>& words, ObjectRequest& request) {
  CLI::App* command = group.app.add_subcommand(name, about);
  for (const std::string& word : words) {
    const std::string about_it(about_word(word));
    command->add_option(word, about_it)->required(is_reference(word));
  }
  if (!words.empty()) command->add_option("MORE")->group("")->expected(-1)->take_all();
  add_back_end_options(*command, request.back_end);
  command->add_flag("--json", request.json, "as JSON");
  return command;
}

std::vector<std::string> given_words(const CLI::App& command) {
  std::vector<std::string> words;
  for (const CLI::Option* option : command.get_options())
    if (option->get_positional()) words.insert(words.end(), option->results().begin(), option->results().end());
  return words;
}

Expected<std::vector<std::string>> settled_words(CLI::App& command, const std::vector<std::string>& names) {
  std::vector<std::string> words = given_words(command);
  Words rest = words;
  for (const std::string& name : names) {
    if (rest.empty() && !may_be_missing(name)) return give_up(Exit::Usage, fmt::format("{} is missing", bare(name)));
    rest = rest.subspan(count_of(command, name, rest));
  }
  if (const Expected<> done = take_options(command, rest); !done) return std::unexpected(done.error());
  words.resize(words.size() - rest.size());
  return words;
}

void print_json(const nlohmann::ordered_json& value) {
  fmt::print("{}\n", value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace skep::cli
