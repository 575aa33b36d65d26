#include "isa/asm.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>

#include "isa/matcher.h"

namespace skep::isa {

std::optional<std::int32_t> Symbols::helper(std::string_view) const { return {}; }
std::optional<std::int32_t> Symbols::kfunc(std::string_view) const { return {}; }

const Symbols& no_symbols() noexcept {
  static const Symbols none;
  return none;
}

namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string_view without_comment(std::string_view line, Syntax syntax) {
  line = line.substr(0, line.find(';'));
  line = line.substr(0, line.find("//"));
  return syntax == Syntax::Mnemonic ? line.substr(0, line.find('#')) : line;
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// "b7 00 00 00 00 00 00 00": one slot or two, as `opcodes` prints them below an instruction.
bool is_hex_bytes(std::string_view line) {
  if (line.size() != 8 * 3 - 1 && line.size() != 16 * 3 - 1) return false;
  for (std::size_t i = 0; i < line.size(); ++i)
    if (i % 3 == 2 ? line[i] != ' ' : !is_hex(line[i])) return false;
  return true;
}

// The name in "int prog(struct xdp_md * ctx):"; empty if the line is no such header.
std::string_view header_name(std::string_view line) {
  if (!line.ends_with(':')) return {};
  const std::string_view before = trim(line.substr(0, std::min(line.find('('), line.size())));
  if (before.size() == line.size()) return {};
  std::size_t start = before.size();
  while (start > 0 && is_word(before[start - 1])) --start;
  return before.substr(start);
}

class Assembler {
 public:
  Assembler(const Symbols& symbols, Syntax syntax) : symbols_(symbols), syntax_(syntax) {}

  Result<Assembly> run(std::string_view text);

 private:
  struct Pending {
    std::size_t insn;
    std::size_t line;
    Fixup fixup;
  };

  Result<> line(std::string_view line);
  Result<> prefixed(std::string_view line);
  Result<> instruction(std::string_view line);
  Result<> index(std::string_view digits);
  Result<> label(std::string_view name);
  void emit(Parsed&& parsed);
  void push(const Insn& insn);
  Result<> resolve(const Pending& pending);
  Result<> callee(const Pending& pending);
  Result<std::size_t> find_label(const Pending& pending) const;
  std::optional<std::size_t> first_exit() const;

  template <class... Args>
  std::unexpected<Error> error(std::size_t line, fmt::format_string<Args...> format, Args&&... args) const {
    return fail(EINVAL, fmt::format("line {}: {}", line, fmt::format(format, std::forward<Args>(args)...)));
  }

  const Symbols& symbols_;
  Syntax syntax_;
  Assembly result_;
  std::vector<Pending> pending_;
  std::map<std::string, std::size_t, std::less<>> labels_;
  std::size_t line_ = 0;
};

Result<Assembly> Assembler::run(std::string_view text) {
  while (!text.empty()) {
    ++line_;
    const std::size_t end = std::min(text.find('\n'), text.size());
    TRY_VOID(line(trim(without_comment(text.substr(0, end), syntax_))));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  for (const Pending& pending : pending_) TRY_VOID(resolve(pending));
  return std::move(result_);
}

Result<> Assembler::line(std::string_view line) {
  if (line.empty() || is_hex_bytes(line)) return {};
  if (const std::string_view name = header_name(line); !name.empty()) return label(name);
  return prefixed(line);
}

// An instruction behind any number of "12:" and "name:", or these alone.
Result<> Assembler::prefixed(std::string_view line) {
  while (!line.empty()) {
    std::size_t end = 0;
    while (end < line.size() && is_word(line[end])) ++end;
    if (end == 0 || end == line.size() || line[end] != ':') return instruction(line);
    const std::string_view name = line.substr(0, end);
    if (name[0] >= '0' && name[0] <= '9') {
      TRY_VOID(index(name));
    } else {
      TRY_VOID(label(name));
    }
    line = trim(line.substr(end + 1));
  }
  return {};
}

Result<> Assembler::index(std::string_view digits) {
  std::size_t number = 0;
  const auto [end, failed] = std::from_chars(digits.begin(), digits.end(), number);
  if (failed == std::errc() && end == digits.end() && number == result_.insns.size()) return {};
  return error(line_, "found \"{}:\", expected \"{}:\" (a 64-bit immediate counts as two)", digits,
               result_.insns.size());
}

Result<> Assembler::label(std::string_view name) {
  if (!labels_.emplace(name, result_.insns.size()).second) return error(line_, "label \"{}\" is there twice", name);
  result_.labels.push_back({std::string(name), result_.insns.size()});
  return {};
}

// "(b7)" in front of an instruction; leaves the line behind it.
std::optional<std::uint8_t> take_code(std::string_view& line) {
  if (line.size() < 4 || line[0] != '(' || line[3] != ')' || !is_hex(line[1]) || !is_hex(line[2])) return {};
  std::uint8_t code = 0;
  std::from_chars(line.data() + 1, line.data() + 3, code, 16);
  line = trim(line.substr(4));
  return code;
}

Result<> Assembler::instruction(std::string_view line) {
  const auto code = take_code(line);
  auto parsed = match(line, syntax_, code);
  if (!parsed) return error(line_, "{}", parsed.error().message);
  emit(std::move(*parsed));
  return {};
}

void Assembler::push(const Insn& insn) {
  result_.insns.push_back(insn);
  result_.lines.push_back(line_);
}

void Assembler::emit(Parsed&& parsed) {
  const std::size_t at = result_.insns.size();
  if (parsed.fixup) pending_.push_back({at, line_, std::move(*parsed.fixup)});
  if (parsed.reference) {
    parsed.reference->insn = at;
    result_.references.push_back(std::move(*parsed.reference));
  }
  push(parsed.low);
  if (is_ld_imm64(parsed.op)) push(parsed.high);
}

// The conformance vectors jump to "exit", which is the first one there is.
std::optional<std::size_t> Assembler::first_exit() const {
  for (std::size_t i = 0; i < result_.insns.size(); ++i)
    if (decode(result_.insns[i]) == Op::Exit) return i;
  return {};
}

Result<std::size_t> Assembler::find_label(const Pending& pending) const {
  const auto found = labels_.find(pending.fixup.name);
  if (found != labels_.end()) return found->second;
  if (syntax_ == Syntax::Mnemonic && pending.fixup.name == "exit")
    if (const auto at = first_exit()) return *at;
  std::vector<std::string_view> names;
  names.reserve(result_.labels.size());
  for (const Label& known : result_.labels) names.emplace_back(known.name);
  return error(pending.line, "found label \"{}\", expected {}", pending.fixup.name,
               names.empty() ? "a distance, as no labels are there" : fmt::format("one of {}", fmt::join(names, ", ")));
}

Result<> Assembler::resolve(const Pending& pending) {
  if (pending.fixup.kind == Fixup::Kind::Callee) return callee(pending);
  TRY(const std::size_t target, find_label(pending));
  const auto distance = static_cast<std::int64_t>(target) - static_cast<std::int64_t>(pending.insn) - 1;
  Insn& insn = result_.insns[pending.insn];
  if (pending.fixup.kind == Fixup::Kind::Imm) {
    insn.imm = static_cast<std::int32_t>(distance);
    return {};
  }
  if (distance < std::numeric_limits<std::int16_t>::min() || distance > std::numeric_limits<std::int16_t>::max())
    return error(pending.line, "label \"{}\" is {} instructions away, expected at most 32767 (gotol reaches further)",
                 pending.fixup.name, distance);
  insn.off = static_cast<std::int16_t>(distance);
  return {};
}

Result<> Assembler::callee(const Pending& pending) {
  const std::string& name = pending.fixup.name;
  Insn& insn = result_.insns[pending.insn];
  if (labels_.contains(name)) {
    insn = encode(Op::CallLocal);
    return resolve({pending.insn, pending.line, {Fixup::Kind::Imm, name}});
  }
  if (const auto id = symbols_.helper(name)) {
    insn.imm = *id;
    return {};
  }
  if (const auto id = symbols_.kfunc(name)) {
    insn = encode(Op::CallKfunc);
    insn.imm = *id;
    return {};
  }
  return error(pending.line, "found \"call {0}\", expected a label, a helper or a kfunc (or a number: call {0}#1)",
               name);
}

}  // namespace

Result<Assembly> assemble(std::string_view text, const Symbols& symbols, Syntax syntax) {
  return Assembler(symbols, syntax).run(text);
}

}  // namespace skep::isa
