// How an object is named on the command line: by its id, its name, the path it is pinned under, a program also by the
// tag of its instructions. Tested by: tests/map_command, tests/prog_command.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "cli/live_object.h"

namespace skep::cli {

using Words = std::span<const std::string>;

// "id 12" or "12", "name NAME" or "NAME", "pinned PATH" or "/PATH", "tag TAG".
struct Reference {
  enum class By : std::uint8_t { Id, Name, Path, Tag };
  By by = By::Name;
  std::string text;
  std::uint32_t id = 0;
};

// How many words at the front of `words` name an object: 0 to 2.
std::size_t reference_words(Words words);
// Takes the words that name an object from the front of `words`. Usage: what was expected.
Expected<Reference> take_reference(ObjectKind kind, Words& words);
// Absent: no such object. Usage: several have this name or tag, which the message lists, or what is pinned there is of
// another kind. Unavailable: bpf(2) refuses.
Expected<Fd> open_object(const BpfCall& bpf, ObjectKind kind, const Reference& reference);

// "c3d49b55c811776f".
std::string tag_text(std::span<const std::uint8_t> tag);
// All of `text` as a number.
std::optional<std::uint32_t> number_in(std::string_view text);

}  // namespace skep::cli
