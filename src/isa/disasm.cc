#include "isa/disasm.h"

#include <fmt/format.h>

#include <iterator>

#include "isa/pattern.h"

namespace skep::isa {

std::string Names::helper(std::int32_t) const { return {}; }
std::string Names::kfunc(std::int32_t, std::int16_t) const { return {}; }
std::string Names::subprog(std::size_t) const { return {}; }
std::string Names::prototype(std::size_t) const { return {}; }
std::string Names::map(Op, const Insn&) const { return {}; }
std::string Names::source(std::size_t) const { return {}; }

const Names& no_names() noexcept {
  static const Names none;
  return none;
}

namespace {

// One instruction on its way to text.
struct Printer {
  std::span<const Insn> program;
  std::size_t index;
  const Names& names;
  const PrintOptions& options;
  std::string& out;

  const Insn& insn() const { return program[index]; }
  Insn second() const { return index + 1 < program.size() ? program[index + 1] : Insn{}; }

  template <class... Args>
  void put(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
  }

  void form(std::string_view text);
  void operand(char letter);
  void subprog(std::int64_t distance);
  void kfunc();
  void map(std::string_view by);
  void btf();
  void raw(const Insn& slot);
};

std::string or_unknown(const std::string& name) { return name.empty() ? "unknown" : name; }

void Printer::subprog(std::int64_t distance) {
  put("pc{:+}", distance);
  const std::int64_t target = static_cast<std::int64_t>(index) + 1 + distance;
  if (target < 0) return;
  if (const std::string name = names.subprog(static_cast<std::size_t>(target)); !name.empty()) put("#{}", name);
}

void Printer::kfunc() {
  const std::string name = or_unknown(names.kfunc(insn().imm, insn().off));
  if (options.text == Text::Kernel) return put("{}#{}", name, insn().imm);
  put("kfunc {}#{}", name, insn().imm);
  if (insn().off) put(" fd:{}", insn().off);
}

void Printer::map(std::string_view by) {
  const std::string name = names.map(decode(insn()), insn());
  if (!name.empty()) return put("{}", name);
  put("{}:{}", by, static_cast<std::uint32_t>(insn().imm));
}

void Printer::btf() {
  put("id:{}", insn().imm);
  if (second().imm) put(", fd:{}", second().imm);
}

void Printer::operand(char letter) {
  const Insn& i = insn();
  const auto unsigned_imm = static_cast<std::uint32_t>(i.imm);
  switch (letter) {
    case 'd': return put("{}", unsigned{i.dst});
    case 's': return put("{}", unsigned{i.src});
    case 'o': return put("{:+}", i.off);
    case 'i': return put("{}", i.imm);
    case 'x': return put("{:#x}", unsigned_imm);
    case 'a': return put("{}", unsigned_imm >> 16);
    case 'b': return put("{}", unsigned_imm & 0xffff);
    case 'q': return put("{:#x}{}", imm64(i, second()), options.text == Text::Source ? " ll" : "");
    case 'j': return put("pc{:+}", i.off);
    case 'l': return put("pc{:+}", i.imm);
    case 'n': return put("{}", static_cast<std::uint32_t>(second().imm));
    case 'm': return map(options.stage == Stage::Loaded ? "fd" : "id");
    case 'M': return map("idx");
    case 't': return btf();
    case 'u': return put("{:+}", i.imm);
    case 'h': return put("{}#{}", or_unknown(names.helper(i.imm)), i.imm);
    case 'c': return subprog(options.stage == Stage::Translated && i.off ? i.off : i.imm);
    case 'k': return kfunc();
    default: __builtin_trap();  // the table has a letter that is_operand() knows and this switch does not
  }
}

void Printer::form(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%' && at + 1 < text.size() && is_operand(text[at + 1]))
      operand(text[++at]);
    else
      out += text[at];
  }
}

void Printer::raw(const Insn& slot) {
  put(".insn {:#x}, {}, {}, {}, {}", slot.code, unsigned{slot.dst}, unsigned{slot.src}, slot.off, slot.imm);
}

// Whether the form's text says everything about the instruction.
bool says_all(std::span<const Insn> program, std::size_t index, Op op) {
  if (op == Op::Invalid || stray_fields(op, program[index])) return false;
  if (!is_ld_imm64(op)) return true;
  const Illegal slots = check_second_slot(program, index);
  return slots == Illegal::None;
}

// Linux prints an unknown variant of a known code byte as the plain one, unless the variant is in imm.
Op plain_variant(Insn insn) {
  insn.off = 0;
  insn.src = 0;
  return decode(insn);
}

void put_text(Printer& printer) {
  const Insn& insn = printer.insn();
  Op op = decode(insn);
  if (printer.options.text == Text::Source && !says_all(printer.program, printer.index, op)) return printer.raw(insn);
  if (op == Op::Invalid) op = plain_variant(insn);
  if (op == Op::Invalid) return printer.put("BUG_{:02x}", insn.code);
  printer.form(info(op).text);
}

// Slots the text of the instruction at `index` stands for.
std::size_t slots_taken(std::span<const Insn> program, std::size_t index, Text text) {
  const Op op = decode(program[index]);
  if (!is_ld_imm64(op) || index + 1 >= program.size()) return 1;
  return text == Text::Kernel || says_all(program, index, op) ? 2 : 1;
}

void put_bytes(std::string& out, const Insn& insn) {
  const auto imm = static_cast<std::uint32_t>(insn.imm);
  const auto off = static_cast<std::uint16_t>(insn.off);
  fmt::format_to(std::back_inserter(out), "{:02x} {:02x} {:02x} {:02x} {:02x} {:02x} {:02x} {:02x}", insn.code,
                 unsigned{insn.src} << 4 | insn.dst, off & 0xffU, off >> 8, imm & 0xff, imm >> 8 & 0xff,
                 imm >> 16 & 0xff, imm >> 24);
}

void put_headers(std::string& out, std::size_t index, const Names& names) {
  if (const std::string header = names.prototype(index); !header.empty()) out += header + ":\n";
  if (const std::string line = names.source(index); !line.empty()) out += "; " + line + "\n";
}

}  // namespace

std::string to_text(std::span<const Insn> program, std::size_t index, const Names& names, const PrintOptions& options) {
  std::string out;
  Printer printer{program, index, names, options, out};
  put_text(printer);
  return out;
}

std::size_t print(std::string& out, std::span<const Insn> program, std::size_t index, const Names& names,
                  const PrintOptions& options) {
  const std::size_t slots = slots_taken(program, index, options.text);
  put_headers(out, index, names);
  Printer printer{program, index, names, options, out};
  if (options.index == Show::Yes) printer.put("{:{}}: ", index, options.index_width);
  const std::size_t start = out.size();
  put_text(printer);
  const std::string_view text = std::string_view(out).substr(start);
  const bool has_code = !text.starts_with('.') && !text.starts_with("BUG_");
  if (options.code == Show::Yes && has_code) out.insert(start, fmt::format("({:02x}) ", program[index].code));
  out += '\n';
  if (options.bytes == Show::No) return slots;
  out += "       ";
  for (std::size_t slot = 0; slot < slots; ++slot) {
    if (slot) out += ' ';
    put_bytes(out, program[index + slot]);
  }
  out += '\n';
  return slots;
}

std::string disassemble(std::span<const Insn> program, const Names& names, const PrintOptions& options) {
  std::string out;
  for (std::size_t index = 0; index < program.size();) index += print(out, program, index, names, options);
  return out;
}

}  // namespace skep::isa
