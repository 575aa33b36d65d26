#include "cli/reference.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "spec/info.h"
#include "spec/types.h"

namespace skep::cli {
namespace {

using By = Reference::By;

struct Keyword {
  std::string_view word;
  By by;
};
constexpr Keyword kKeywords[] = {{"id", By::Id}, {"name", By::Name}, {"pinned", By::Path}, {"tag", By::Tag}};

const Keyword* keyword(std::string_view word) {
  const auto found = std::ranges::find(kKeywords, word, &Keyword::word);
  return found == std::end(kKeywords) ? nullptr : found;
}

bool can_be(ObjectKind kind, By by) {
  switch (by) {
    case By::Id: return true;
    case By::Name: return kind != ObjectKind::Link;
    case By::Path: return kind != ObjectKind::Btf;
    case By::Tag: return kind == ObjectKind::Program;
  }
  return false;
}

std::unexpected<Failure> expected_one(ObjectKind kind, const std::string& before) {
  std::vector<std::string_view> forms;
  if (can_be(kind, By::Name)) forms.insert(forms.end(), {"NAME", "name NAME"});
  if (can_be(kind, By::Path)) forms.insert(forms.end(), {"/PATH", "pinned PATH"});
  if (can_be(kind, By::Tag)) forms.emplace_back("tag TAG");
  forms.emplace_back("N");
  return give_up(Exit::Usage, fmt::format("{}expected a {}: {} or id N", before, noun(kind), fmt::join(forms, ", ")));
}

// ---- What is told of an object to find it by.

struct Identity {
  std::uint32_t id = 0;
  std::string name, tag;
  std::string about;  // what tells it from others of this name
};

template <class Info>
std::optional<Info> info_of(const BpfCall& bpf, int fd) {
  Info info{};
  return get_info(bpf, fd, info) < 0 ? std::nullopt : std::optional(info);
}

std::optional<Identity> identity_of_map(const BpfCall& bpf, int fd) {
  const auto info = info_of<spec::MapInfo>(bpf, fd);
  if (!info) return std::nullopt;
  return Identity{.id = info->id,
                  .name = text_in(info->name),
                  .tag = "",
                  .about = fmt::format("{}, key {} bytes, value {} bytes, {} entries",
                                       spec::name(static_cast<spec::MapType>(info->type)), info->key_size,
                                       info->value_size, info->max_entries)};
}

std::optional<Identity> identity_of_program(const BpfCall& bpf, int fd) {
  const auto info = info_of<spec::ProgInfo>(bpf, fd);
  if (!info) return std::nullopt;
  std::string tag = tag_text(info->tag);
  std::string about = fmt::format("{}, tag {}, {} instructions", spec::name(static_cast<spec::ProgType>(info->type)),
                                  tag, info->xlated_prog_len / 8);
  return Identity{.id = info->id, .name = text_in(info->name), .tag = std::move(tag), .about = std::move(about)};
}

std::optional<Identity> identity_of_btf(const BpfCall& bpf, int fd) {
  char name[64] = {};
  spec::BtfInfo info{.btf = 0, .btf_size = 0, .id = 0, .name = address(name), .name_len = sizeof name, .kernel_btf = 0};
  if (get_info(bpf, fd, info) < 0) return std::nullopt;
  return Identity{.id = info.id, .name = text_in(name), .tag = "", .about = fmt::format("{} bytes", info.btf_size)};
}

std::optional<Identity> identity_of(const BpfCall& bpf, ObjectKind kind, int fd) {
  switch (kind) {
    case ObjectKind::Map: return identity_of_map(bpf, fd);
    case ObjectKind::Program: return identity_of_program(bpf, fd);
    case ObjectKind::Btf: return identity_of_btf(bpf, fd);
    case ObjectKind::Link: break;  // they have no names
  }
  return std::nullopt;
}

// ---- The ways to open one

struct Candidate {
  Fd fd;
  Identity is;
};

// Names are cut to 15 characters when an object is made.
bool is_meant(const Identity& is, const Reference& by) {
  if (by.by == By::Tag) return is.tag == by.text;
  return !is.name.empty() && (is.name == by.text || is.name == by.text.substr(0, spec::kObjNameBytes - 1));
}

std::unexpected<Failure> nobody(ObjectKind kind, const Reference& by, std::vector<std::string> names) {
  if (by.by == By::Tag)
    return give_up(Exit::Absent, fmt::format("no {} has the tag {}; `skep {} list` shows all", noun(kind), by.text,
                                             command_name(kind)));
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return give_up(Exit::Absent,
                 names.empty()
                     ? fmt::format("no {} \"{}\"; there are none with a name", noun(kind), by.text)
                     : fmt::format("no {} \"{}\"; there are: {}", noun(kind), by.text, fmt::join(names, ", ")));
}

Expected<Fd> search(const BpfCall& bpf, ObjectKind kind, const Reference& by) {
  std::vector<Candidate> found;
  std::vector<std::string> names;
  const Expected<> looked = for_each_object(bpf, kind, [&](Fd fd) -> Expected<> {
    auto is = identity_of(bpf, kind, fd.get());
    if (!is) return {};
    if (!is->name.empty()) names.push_back(is->name);
    if (is_meant(*is, by)) found.push_back({std::move(fd), *std::move(is)});
    return {};
  });
  if (!looked) return std::unexpected(looked.error());
  if (found.size() == 1) return std::move(found[0].fd);
  if (found.empty()) return nobody(kind, by, std::move(names));
  std::string list;
  for (const Candidate& one : found) list += fmt::format("\n  id {}: {}", one.is.id, one.is.about);
  return give_up(Exit::Usage, by.by == By::Tag ? fmt::format("{} {}s have the tag {}; choose one by its id:{}",
                                                             found.size(), noun(kind), by.text, list)
                                               : fmt::format("{} {}s are called \"{}\"; choose one by its id:{}",
                                                             found.size(), noun(kind), by.text, list));
}

Expected<Fd> by_path(const BpfCall& bpf, ObjectKind kind, const std::string& path) {
  auto fd = pinned_at(bpf, path);
  if (!fd) return fd;
  if (const ObjectKind is = pinned_kind(bpf, fd->get()); is != kind)
    return give_up(Exit::Usage, fmt::format("{}: a {} is pinned there, expected a {}", path, noun(is), noun(kind)));
  return fd;
}

}  // namespace

std::optional<std::uint32_t> number_in(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return text.empty() || error != std::errc() || end != text.data() + text.size() ? std::nullopt : std::optional(value);
}

std::string tag_text(std::span<const std::uint8_t> tag) { return fmt::format("{:02x}", fmt::join(tag, "")); }

std::size_t reference_words(Words words) {
  if (words.empty()) return 0;
  return words.size() > 1 && keyword(words[0]) != nullptr ? 2 : 1;
}

Expected<Reference> take_reference(ObjectKind kind, Words& words) {
  const std::size_t count = reference_words(words);
  if (count == 0) return expected_one(kind, "");
  const std::string& text = words[count - 1];
  const auto id = number_in(text);
  const By by = count == 2                            ? keyword(words[0])->by
                : id                                  ? By::Id
                : text.find('/') != std::string::npos ? By::Path
                                                      : By::Name;
  words = words.subspan(count);
  if (by == By::Id && !id) return give_up(Exit::Usage, fmt::format("id {}: expected a number", text));
  if (!can_be(kind, by)) return expected_one(kind, fmt::format("\"{}\": ", text));
  return Reference{.by = by, .text = text, .id = id.value_or(0)};
}

Expected<Fd> open_object(const BpfCall& bpf, ObjectKind kind, const Reference& reference) {
  if (reference.by == By::Id) return object_by_id(bpf, kind, reference.id);
  return reference.by == By::Path ? by_path(bpf, kind, reference.text) : search(bpf, kind, reference);
}

}  // namespace skep::cli
