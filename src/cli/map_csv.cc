#include "cli/map_csv.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/json_value.h"
#include "cli/map_dump.h"

namespace skep::cli {
namespace {

using Json = nlohmann::ordered_json;

// ---- lines and cells

std::string cell_text(std::string_view word) {
  if (word.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(word);
  std::string text = "\"";
  for (const char c : word) text += c == '"' ? std::string("\"\"") : std::string(1, c);
  return text + '"';
}

std::string line_text(const std::vector<std::string>& words) {
  std::string line;
  for (std::size_t i = 0; i < words.size(); ++i) line += (i == 0 ? "" : ",") + cell_text(words[i]);
  return line + "\n";
}

struct Line {
  std::size_t number = 0;  // in the file, from 1
  std::vector<std::string> cells;
};

// Cuts text into lines of cells. Quotes may hold commas, line ends and, doubled, quotes.
class Cutter {
 public:
  explicit Cutter(std::string_view text) : text_(text) {}

  // The next line that is not empty; nothing at the end. EINVAL: a quote that is not closed.
  Result<std::optional<Line>> next() {
    while (at_ < text_.size()) {
      Line line{.number = number_, .cells = {}};
      do {
        TRY(std::string cell, this->cell());
        line.cells.push_back(std::move(cell));
      } while (take(','));
      take('\r');
      if (take('\n')) ++number_;
      if (line.cells.size() > 1 || !line.cells[0].empty()) return std::optional(std::move(line));
    }
    return std::nullopt;
  }

 private:
  bool take(char c) {
    const bool there = at_ < text_.size() && text_[at_] == c;
    at_ += there ? 1 : 0;
    return there;
  }

  Result<std::string> cell() {
    if (take('"')) return quoted();
    const std::size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    std::string word(text_.substr(at_, end - at_));
    at_ = end;
    // A carriage return that ends no line is part of nothing a table could mean.
    if (at_ + 1 < text_.size() && text_[at_] == '\r' && text_[at_ + 1] != '\n')
      return fail(EINVAL, fmt::format("line {}: a carriage return inside a line", number_));
    return word;
  }

  Result<std::string> quoted() {
    const std::size_t first = number_;
    std::string word;
    for (; at_ < text_.size(); ++at_) {
      if (take('"')) {
        if (at_ >= text_.size() || text_[at_] != '"') return behind_quote(std::move(word));
      } else if (text_[at_] == '\n') {
        ++number_;
      }
      word += text_[at_];
    }
    return fail(EINVAL, fmt::format("line {}: a quote is not closed", first));
  }

  Result<std::string> behind_quote(std::string word) const {
    if (at_ < text_.size() && text_.find_first_of(",\r\n", at_) != at_)
      return fail(EINVAL, fmt::format("line {}: text behind a closing quote", number_));
    return word;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t number_ = 1;
};

// ---- writing

// Members of structures are columns of their own, everything else is a cell.
void flatten(const std::string& name, const Json& value, std::vector<std::pair<std::string, std::string>>& out) {
  if (!value.is_object() || value.empty()) return out.emplace_back(name, word_of(value)), void();
  for (const auto& [member, part] : value.items()) flatten(name + "." + member, part, out);
}

// The lines of one entry, each a list of column and word.
std::vector<std::vector<std::pair<std::string, std::string>>> lines_of(const Json& entry) {
  std::vector<std::vector<std::pair<std::string, std::string>>> lines;
  const auto add = [&](const Json* cpu, const Json& value) {
    auto& line = lines.emplace_back();
    flatten("key", entry["key"], line);
    if (cpu != nullptr) line.emplace_back("cpu", cpu->dump());
    flatten("value", value, line);
  };
  if (entry.contains("values")) {
    for (const Json& one : entry["values"]) add(&one["cpu"], one["value"]);
  } else if (entry.contains("value")) {
    add(nullptr, entry["value"]);
  }
  return lines;
}

// ---- reading

// Puts a word at "value.addr.port".
bool put(Json& entry, std::string_view column, const Json& word) {
  Json* at = &entry;
  for (;;) {
    const std::size_t dot = std::min(column.find('.'), column.size());
    if (!at->is_object() && !at->is_null()) return false;
    at = &(*at)[std::string(column.substr(0, dot))];
    if (dot == column.size()) break;
    column.remove_prefix(dot + 1);
  }
  if (!at->is_null()) return false;
  *at = word;
  return true;
}

constexpr std::ptrdiff_t kMostDots = 64;  // structures are nested less deep

class Reader {
 public:
  Reader(const MapShape& shape, const btf::Btf* btf) : shape_(shape), btf_(btf) {}

  Result<> header(const Line& line) {
    columns_ = line.cells;
    const auto of = [](std::string_view column, std::string_view side) {
      return column == side || (column.starts_with(side) && column[side.size()] == '.');
    };
    for (const std::string& column : columns_) {
      if (std::ranges::count(column, '.') > kMostDots)
        return fail(EINVAL, fmt::format("line {}: a column with more than {} dots", line.number, kMostDots));
      if (!of(column, "key") && !of(column, "value") && (column != "cpu" || shape_.cpus == 0)) {
        return fail(EINVAL, fmt::format("line {}: column \"{}\"; expected key, value{} and their members, such as "
                                        "value.count",
                                        line.number, column, shape_.cpus == 0 ? "" : ", cpu"));
      }
    }
    return {};
  }

  Result<> entry(const Line& line) {
    if (line.cells.size() != columns_.size()) {
      return fail(EINVAL, fmt::format("line {}: {} cells, expected {} as in the first line", line.number,
                                      line.cells.size(), columns_.size()));
    }
    Json read = Json::object();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (!put(read, columns_[i], parse_word(line.cells[i])))
        return fail(EINVAL, fmt::format("line {}: column {} is there twice", line.number, columns_[i]));
    }
    Result<> done = read.contains("cpu") ? one_cpu(read) : whole(read);
    return done ? done : fail(EINVAL, fmt::format("line {}: {}", line.number, done.error().message));
  }

  std::vector<MapEntry> take() { return std::move(entries_); }

 private:
  Result<> whole(const Json& read) {
    TRY(MapEntry entry, encode_entry(shape_, btf_, nlohmann::json(read)));
    entries_.push_back(std::move(entry));
    return {};
  }

  // Lines of one key that follow each other are one entry.
  Result<> one_cpu(Json& read) {
    Json one = {{"cpu", read["cpu"]}, {"value", read["value"]}};
    const Json entry = {{"key", read["key"]}, {"values", Json::array({std::move(one)})}};
    TRY(MapEntry encoded, encode_entry(shape_, btf_, nlohmann::json(entry)));
    if (entries_.empty() || entries_.back().key != encoded.key)
      return entries_.push_back(std::move(encoded)), Result<>{};
    const std::size_t stride = round_up(shape_.value_size, 8);
    const std::size_t at = read["cpu"].get<std::size_t>() * stride;
    std::copy_n(encoded.value.begin() + static_cast<std::ptrdiff_t>(at), stride,
                entries_.back().value.begin() + static_cast<std::ptrdiff_t>(at));
    return {};
  }

  const MapShape& shape_;
  const btf::Btf* btf_;
  std::vector<std::string> columns_;
  std::vector<MapEntry> entries_;
};

}  // namespace

std::string csv_text(const MapContents& map, const btf::Btf* btf) {
  std::string text;
  for (const MapEntry& entry : map.entries) {
    for (const auto& line : lines_of(entry_json(map, btf, entry))) {
      std::vector<std::string> names, words;
      for (const auto& [name, word] : line) names.push_back(name), words.push_back(word);
      if (text.empty()) text = line_text(names);
      text += line_text(words);
    }
  }
  return text.empty() ? "key,value\n" : text;
}

Result<std::vector<MapEntry>> parse_csv_entries(const std::string& name, std::string_view text, const MapShape& shape,
                                                const btf::Btf* btf) {
  const auto wrong = [&](const Error& error) { return fail(error.code, fmt::format("{}: {}", name, error.message)); };
  Cutter cutter(text);
  Reader reader(shape, btf);
  for (bool first = true;; first = false) {
    const Result<std::optional<Line>> line = cutter.next();
    if (!line) return wrong(line.error());
    if (!*line) break;
    if (const Result<> done = first ? reader.header(**line) : reader.entry(**line); !done) return wrong(done.error());
  }
  return reader.take();
}

}  // namespace skep::cli
