#include "isa/matcher.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "isa/scanner.h"

namespace skep::isa {

PatternSet::PatternSet(std::vector<FormText> texts) : texts_(std::move(texts)) {
  for (const FormText& form : texts_) patterns_.push_back(parse_pattern(form.op, form.text));
  for (const Pattern& pattern : patterns_)
    by_first_[static_cast<unsigned char>(pattern.pieces.front().text.front())].push_back(&pattern);
}

namespace {

std::vector<FormText> kernel_forms() {
  std::vector<FormText> forms;
  for (std::size_t i = 1; i < kOps; ++i) forms.push_back({static_cast<Op>(i), std::string(kOpInfo[i].text)});
  return forms;
}

}  // namespace

const PatternSet& patterns(Syntax syntax) {
  static const PatternSet kernel(kernel_forms());
  static const PatternSet mnemonic(mnemonic_forms());
  return syntax == Syntax::Kernel ? kernel : mnemonic;
}

namespace {

using std::int16_t;
using std::int32_t;
using std::int64_t;
using std::uint32_t;

template <class T>
constexpr std::int64_t kLowest = std::numeric_limits<T>::min();
template <class T>
constexpr std::int64_t kHighest = std::numeric_limits<T>::max();

enum class Bare : std::uint8_t { No, Yes };

// Reads the operands of one line into an instruction, piece by piece of a pattern.
class Matcher {
 public:
  explicit Matcher(std::string_view line) : scan_(line) {}

  // Whether the whole line is `pattern`; parsed() is then it.
  bool whole(const Pattern& pattern) {
    start(pattern.op);
    return std::ranges::all_of(pattern.pieces, [&](const Piece& p) { return piece(p); }) && scan_.end();
  }
  bool raw();
  Parsed&& parsed() { return std::move(parsed_); }
  Scanner& scanner() { return scan_; }

 private:
  void start(Op op) {
    scan_.rewind();
    parsed_ = {.op = op, .low = encode(op), .high = {}, .fixup = {}, .reference = {}};
    dst_.reset();
    src_.reset();
  }

  bool piece(const Piece& piece);
  bool reg(const Piece& piece);
  bool operand(char letter);
  bool offset();
  bool imm(int64_t low, int64_t high);
  bool imm_part(unsigned shift);
  bool imm64();
  bool second_imm(int64_t low, int64_t high);
  bool jump(Bare bare);
  bool long_jump(Bare bare);
  bool label(Fixup::Kind kind);
  bool subprog_distance();
  bool local_call();
  bool map_by_fd_or_id();
  bool map_by_index();
  bool btf();
  bool callee();
  bool kfunc();
  bool reference(Reference::Kind kind, std::string_view what);

  Scanner scan_;
  Parsed parsed_;
  std::optional<unsigned> dst_, src_;
};

bool Matcher::piece(const Piece& piece) {
  switch (piece.kind) {
    case Piece::Kind::Literal: return scan_.literal(piece.text);
    case Piece::Kind::Register: return reg(piece);
    case Piece::Kind::Operand: return operand(piece.letter);
  }
  return false;
}

bool Matcher::reg(const Piece& piece) {
  auto& bound = piece.letter == 'd' ? dst_ : src_;
  const auto number = scan_.reg(piece.text, bound);
  if (!number) return false;
  bound = number;
  if (piece.letter == 'd')
    parsed_.low.dst = *number & 0xf;
  else
    parsed_.low.src = *number & 0xf;
  return true;
}

bool Matcher::operand(char letter) {
  // Where the instruction keeps 32 bits of imm only, they may be written with or without a sign.
  const int64_t imm_high = bits(parsed_.op) <= 32 ? kHighest<uint32_t> : kHighest<int32_t>;
  switch (letter) {
    case 'o': return offset();
    case 'i': return imm(kLowest<int32_t>, imm_high);
    case 'x': return imm(kLowest<int32_t>, kHighest<uint32_t>);
    case 'a': return imm_part(16);
    case 'b': return imm_part(0);
    case 'q': return imm64();
    case 'j': return jump(Bare::No);
    case 'J': return jump(Bare::Yes);
    case 'l': return long_jump(Bare::No);
    case 'L': return long_jump(Bare::Yes);
    case 'n': return second_imm(0, kHighest<uint32_t>);
    case 'm': return map_by_fd_or_id();
    case 'M': return map_by_index();
    case 't': return btf();
    case 'u': return subprog_distance();
    case 'h': return callee();
    case 'c': return local_call();
    case 'C': return label(Fixup::Kind::Imm);
    case 'k': return kfunc();
    default: __builtin_trap();  // d and s without a prefix: no such pattern
  }
}

bool Matcher::offset() {
  if (const char next = scan_.peek(); next == ')' || next == ']') return true;
  const auto value = scan_.signed_distance(kLowest<int16_t>, kHighest<int16_t>);
  if (value) parsed_.low.off = static_cast<int16_t>(*value);
  return value.has_value();
}

bool Matcher::imm(int64_t low, int64_t high) {
  const auto value = scan_.number(low, static_cast<std::uint64_t>(high));
  if (value) parsed_.low.imm = static_cast<int32_t>(*value);
  return value.has_value();
}

bool Matcher::imm_part(unsigned shift) {
  const auto value = scan_.number(0, 0xffff);
  if (value) parsed_.low.imm |= static_cast<int32_t>(static_cast<uint32_t>(*value) << shift);
  return value.has_value();
}

bool Matcher::imm64() {
  const auto value = scan_.number(kLowest<int64_t>, ~std::uint64_t{0});
  if (!value) return false;
  parsed_.low.imm = static_cast<int32_t>(*value);
  parsed_.high.imm = static_cast<int32_t>(*value >> 32);
  scan_.take("ll");
  return true;
}

bool Matcher::second_imm(int64_t low, int64_t high) {
  const auto value = scan_.number(low, static_cast<std::uint64_t>(high));
  if (value) parsed_.high.imm = static_cast<int32_t>(*value);
  return value.has_value();
}

bool Matcher::label(Fixup::Kind kind) {
  const auto name = scan_.word("a label");
  if (name) parsed_.fixup = {kind, std::string(*name)};
  return name.has_value();
}

bool Matcher::jump(Bare bare) {
  const char next = scan_.peek();
  const bool pc = scan_.take("pc");
  std::optional<int64_t> distance;
  if (pc || next == '+' || (next == '-' && bare == Bare::No))
    distance = scan_.signed_distance(kLowest<int16_t>, kHighest<int16_t>);
  else if (bare == Bare::Yes && (next == '-' || (next >= '0' && next <= '9')))
    distance = scan_.number(kLowest<int16_t>, kHighest<int16_t>);
  else
    return label(Fixup::Kind::Off);
  if (distance) parsed_.low.off = static_cast<int16_t>(*distance);
  return distance.has_value();
}

bool Matcher::long_jump(Bare bare) {
  const char next = scan_.peek();
  const bool pc = scan_.take("pc");
  if (bare == Bare::Yes && (next == '-' || (next >= '0' && next <= '9')))
    return imm(kLowest<int32_t>, kHighest<int32_t>);
  if (!pc && next != '+' && next != '-') return label(Fixup::Kind::Imm);
  const auto distance = scan_.signed_distance(kLowest<int32_t>, kHighest<int32_t>);
  if (distance) parsed_.low.imm = static_cast<int32_t>(*distance);
  return distance.has_value();
}

bool Matcher::subprog_distance() {
  const char next = scan_.peek();
  if (next != '+' && next != '-') return label(Fixup::Kind::Imm);
  const auto distance = scan_.signed_distance(kLowest<int32_t>, kHighest<int32_t>);
  if (distance) parsed_.low.imm = static_cast<int32_t>(*distance);
  return distance.has_value();
}

bool Matcher::local_call() {
  if (!scan_.literal("pc")) return false;
  const auto distance = scan_.signed_distance(kLowest<int32_t>, kHighest<int32_t>);
  if (!distance) return false;
  parsed_.low.imm = static_cast<int32_t>(*distance);
  return !scan_.take("#") || scan_.word("the name of a subprogram");
}

bool Matcher::reference(Reference::Kind kind, std::string_view what) {
  const auto name = scan_.word(what);
  if (name) parsed_.reference = {kind, 0, std::string(*name)};
  return name.has_value();
}

bool Matcher::map_by_fd_or_id() {
  const bool by_fd = scan_.take("fd:");
  if (!by_fd && !scan_.take("id:")) return reference(Reference::Kind::MapName, "the name of a map, fd:N or id:N");
  parsed_.reference = {by_fd ? Reference::Kind::MapFd : Reference::Kind::MapId, 0, {}};
  return imm(kLowest<int32_t>, kHighest<uint32_t>);
}

bool Matcher::map_by_index() {
  if (!scan_.literal("idx:")) return false;
  parsed_.reference = {Reference::Kind::MapIndex, 0, {}};
  return imm(kLowest<int32_t>, kHighest<uint32_t>);
}

bool Matcher::btf() {
  if (!scan_.take("id:")) return reference(Reference::Kind::BtfName, "the name of a variable or id:N");
  if (!imm(kLowest<int32_t>, kHighest<int32_t>)) return false;
  return !scan_.take(",") || (scan_.literal("fd:") && second_imm(kLowest<int32_t>, kHighest<int32_t>));
}

bool Matcher::callee() {
  const char next = scan_.peek();
  if (next == '-' || (next >= '0' && next <= '9')) return imm(kLowest<int32_t>, kHighest<int32_t>);
  if (scan_.take("#")) return imm(kLowest<int32_t>, kHighest<int32_t>);
  const auto name = scan_.word("a function");
  if (!name) return false;
  if (scan_.take("#")) return imm(kLowest<int32_t>, kHighest<int32_t>);
  parsed_.fixup = {Fixup::Kind::Callee, std::string(*name)};
  return true;
}

bool Matcher::kfunc() {
  if (!scan_.literal("kfunc") || !scan_.word("the name of a kfunc") || !scan_.literal("#")) return false;
  if (!imm(kLowest<int32_t>, kHighest<int32_t>)) return false;
  if (!scan_.take("fd:")) return true;
  const auto fd_index = scan_.number(kLowest<int16_t>, kHighest<int16_t>);
  if (fd_index) parsed_.low.off = static_cast<int16_t>(*fd_index);
  return fd_index.has_value();
}

// .insn code, dst, src, off, imm
bool Matcher::raw() {
  start(Op::Invalid);
  std::array<int64_t, 5> fields{};
  constexpr std::array<std::pair<int64_t, int64_t>, 5> kRanges = {
      {{0, 255}, {0, 15}, {0, 15}, {kLowest<int16_t>, kHighest<int16_t>}, {kLowest<int32_t>, kHighest<uint32_t>}}};
  if (!scan_.literal(".insn")) return false;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i && !scan_.literal(",")) return false;
    const auto value = scan_.number(kRanges[i].first, static_cast<std::uint64_t>(kRanges[i].second));
    if (!value) return false;
    fields[i] = static_cast<int64_t>(*value);
  }
  parsed_.low = {.code = static_cast<std::uint8_t>(fields[0]),
                 .dst = static_cast<std::uint8_t>(fields[1] & 0xf),
                 .src = static_cast<std::uint8_t>(fields[2] & 0xf),
                 .off = static_cast<int16_t>(fields[3]),
                 .imm = static_cast<int32_t>(fields[4])};
  return scan_.end();
}

std::string list(const std::vector<std::string>& expected) {
  constexpr std::size_t kMost = 16;
  const auto end = expected.begin() + static_cast<std::ptrdiff_t>(std::min(kMost, expected.size()));
  return fmt::format("{}{}", fmt::join(expected.begin(), end, ", "), expected.size() > kMost ? ", ..." : "");
}

// Matches once more, slowly, to say how far any form got.
Error explain(std::string_view line, const PatternSet& set, std::optional<std::uint8_t> code) {
  Matcher matcher(line);
  Scanner& scanner = matcher.scanner();
  scanner.explain();
  for (const Pattern& pattern : set.all())
    if (!code || info(pattern.op).code == *code) matcher.whole(pattern);
  if (line.starts_with(".insn")) matcher.raw();
  const bool nothing = scanner.failed_at_start() && !code;
  return {EINVAL, fmt::format("found {}, expected {}", scanner.found(),
                              nothing ? "an instruction or a label" : list(scanner.expected()))};
}

}  // namespace

Result<Parsed> match(std::string_view line, Syntax syntax, std::optional<std::uint8_t> code) {
  const PatternSet& set = patterns(syntax);
  Matcher matcher(line);
  if (code && std::ranges::none_of(kOpInfo, [&](const OpInfo& row) { return !row.text.empty() && row.code == *code; }))
    return fail(EINVAL, fmt::format("found code ({:02x}), expected the code of an instruction", *code));
  for (const Pattern* pattern : set.starting_with(line.empty() ? '\0' : line.front()))
    if ((!code || info(pattern->op).code == *code) && matcher.whole(*pattern)) return matcher.parsed();
  if (!code && matcher.raw()) return matcher.parsed();
  return std::unexpected(explain(line, set, code));
}

}  // namespace skep::isa
