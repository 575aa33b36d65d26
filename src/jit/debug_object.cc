#include "jit/debug_object.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/bytes.h"
#include "jit/dwarf_writer.h"
#include "jit/unwind.h"

namespace skep::jit {
namespace {

enum Section : std::uint8_t { kNone, kText, kEhFrame, kAbbrev, kInfo, kLine, kSymbols, kStrings, kNames, kSections };

// ---- .debug_abbrev and .debug_info: one compile unit with its functions

enum Tag : std::uint8_t { kUnitTag = 0x11, kFunctionTag = 0x2e };
enum Attribute : std::uint8_t {
  kName = 0x03,
  kStatements = 0x10,
  kLow = 0x11,
  kHigh = 0x12,
  kLanguage = 0x13,
  kExternal = 0x3f
};
enum Form : std::uint8_t {
  kAddressForm = 0x01,
  kData2 = 0x05,
  kData8 = 0x07,
  kTextForm = 0x08,
  kOffsetForm = 0x17,
  kPresent = 0x19
};
constexpr std::uint32_t kC99 = 0x0c, kUnit = 1, kFunction = 2;  // the last two number the abbreviations

std::vector<std::byte> abbreviations() {
  DwarfWriter to;
  const auto entry = [&](std::uint32_t number, Tag tag, bool children, auto... attributes) {
    to.uleb(number);
    to.uleb(tag);
    to.u8(children ? 1 : 0);
    for (const auto& [name, form] : {attributes...}) to.uleb(name), to.uleb(form);
    to.uleb(0), to.uleb(0);
  };
  using Pair = std::pair<std::uint8_t, std::uint8_t>;
  entry(kUnit, kUnitTag, true, Pair(kLanguage, kData2), Pair(kName, kTextForm), Pair(kLow, kAddressForm),
        Pair(kHigh, kData8), Pair(kStatements, kOffsetForm));
  entry(kFunction, kFunctionTag, false, Pair(kName, kTextForm), Pair(kLow, kAddressForm), Pair(kHigh, kData8),
        Pair(kExternal, kPresent));
  to.uleb(0);
  return to.take();
}

std::vector<std::byte> information(const Portrait& portrait) {
  const auto& functions = portrait.functions;
  const auto lines = std::ranges::find_if(functions, [](const auto& function) { return !function.lines.empty(); });
  DwarfWriter to;
  const std::size_t begun = to.begin();
  to.u16(4);  // version
  to.u32(0);  // abbreviations
  to.u8(8);   // bytes of an address
  to.uleb(kUnit);
  to.u16(kC99);
  to.text(lines != functions.end() ? lines->lines.front().file : std::string_view("bpf"));
  to.u64(portrait.address());
  to.u64(portrait.layout.shared);
  to.u32(0);  // lines
  for (const Portrait::Function& function : functions) {
    to.uleb(kFunction);
    to.text(function.symbol);
    to.u64(portrait.address(function.offset));
    to.u64(function.bytes);
  }
  to.uleb(0);  // no more children
  to.end(begun);
  return to.take();
}

// ---- .debug_line

std::vector<std::byte> lines(const Portrait& portrait) {
  enum Op : std::uint8_t { kExtended, kCopy, kAdvancePc, kAdvanceLine, kSetFile };
  enum Extended : std::uint8_t { kEnd = 1, kSetAddress = 2 };
  constexpr std::array<std::uint8_t, 12> kOperands = {0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1};  // of standard operations
  std::map<std::string_view, std::uint32_t> files;
  std::vector<std::string_view> names;
  for (const Portrait::Function& function : portrait.functions)
    for (const Portrait::Line& line : function.lines)
      if (files.emplace(line.file, names.size() + 1).second) names.push_back(line.file);

  DwarfWriter to;
  const std::size_t begun = to.begin();
  to.u16(4);  // version
  const std::size_t header = to.begin();
  to.u8(1);                              // bytes of an instruction, at least
  to.u8(1);                              // operations in one
  to.u8(1);                              // lines begin statements
  to.u8(static_cast<std::uint8_t>(-5));  // of special operations, which are not used: the first line step
  to.u8(14);                             // and how many there are
  to.u8(kOperands.size() + 1);
  for (const std::uint8_t count : kOperands) to.u8(count);
  to.u8(0);  // no folders
  for (const std::string_view name : names) {
    to.text(name);
    to.uleb(0), to.uleb(0), to.uleb(0);
  }
  to.u8(0);
  to.end(header);
  for (const Portrait::Function& function : portrait.functions) {
    if (function.lines.empty()) continue;
    to.u8(kExtended), to.uleb(9), to.u8(kSetAddress);
    to.u64(portrait.address(function.offset));
    std::uint32_t at = function.offset;
    std::int64_t number = 1;
    for (const Portrait::Line& line : function.lines) {
      to.u8(kSetFile), to.uleb(files[line.file]);
      to.u8(kAdvancePc), to.uleb(line.offset - at);
      to.u8(kAdvanceLine), to.sleb(std::int64_t{line.line} - number);
      to.u8(kCopy);
      at = line.offset;
      number = line.line;
    }
    to.u8(kAdvancePc), to.uleb(function.offset + function.bytes - at);
    to.u8(kExtended), to.uleb(1), to.u8(kEnd);
  }
  to.end(begun);
  return to.take();
}

// ---- The file

std::uint32_t add_text(DwarfWriter& to, std::string_view text) {
  const auto at = static_cast<std::uint32_t>(to.size());
  to.text(text);
  return at;
}

class File {
 public:
  explicit File(const Portrait& portrait) : portrait_(portrait) {
    names_.u8(0);
    strings_.u8(0);
  }

  std::vector<std::byte> make() {
    out_.bytes(std::vector<std::byte>(sizeof(Elf64_Ehdr)));
    Elf64_Shdr& text = headers_[kText];
    text = {.sh_name = add_text(names_, ".text"),
            .sh_type = SHT_NOBITS,
            .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
            .sh_addr = portrait_.address(),
            .sh_offset = 0,
            .sh_size = portrait_.code.size(),
            .sh_link = 0,
            .sh_info = 0,
            .sh_addralign = 16,
            .sh_entsize = 0};
    add(kEhFrame, ".eh_frame", SHT_PROGBITS, unwind_table(portrait_, 0, portrait_.functions.size(), {}));
    headers_[kEhFrame].sh_flags = SHF_ALLOC;
    add(kAbbrev, ".debug_abbrev", SHT_PROGBITS, abbreviations());
    add(kInfo, ".debug_info", SHT_PROGBITS, information(portrait_));
    add(kLine, ".debug_line", SHT_PROGBITS, lines(portrait_));
    add(kSymbols, ".symtab", SHT_SYMTAB, symbols());
    headers_[kSymbols].sh_link = kStrings;
    headers_[kSymbols].sh_info = 1;  // the first symbol that is not local
    headers_[kSymbols].sh_entsize = sizeof(Elf64_Sym);
    add(kStrings, ".strtab", SHT_STRTAB, strings_.take());
    headers_[kNames].sh_name = add_text(names_, ".shstrtab");
    const std::uint32_t name = headers_[kNames].sh_name;
    add_named(kNames, name, SHT_STRTAB, names_.take());
    return finish();
  }

 private:
  void add(Section section, std::string_view name, std::uint32_t type, const std::vector<std::byte>& bytes) {
    add_named(section, add_text(names_, name), type, bytes);
  }
  void add_named(Section section, std::uint32_t name, std::uint32_t type, const std::vector<std::byte>& bytes) {
    out_.align(8);
    headers_[section] = {.sh_name = name,
                         .sh_type = type,
                         .sh_flags = 0,
                         .sh_addr = 0,
                         .sh_offset = out_.size(),
                         .sh_size = bytes.size(),
                         .sh_link = 0,
                         .sh_info = 0,
                         .sh_addralign = 8,
                         .sh_entsize = 0};
    out_.bytes(bytes);
  }

  std::vector<std::byte> symbols() {
    DwarfWriter to;
    const auto add_symbol = [&](const Elf64_Sym& symbol) { to.bytes(bytes_of(symbol)); };
    add_symbol({});
    for (const Portrait::Function& function : portrait_.functions)
      add_symbol({.st_name = add_text(strings_, function.symbol),
                  .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                  .st_other = 0,
                  .st_shndx = kText,
                  .st_value = portrait_.address(function.offset),
                  .st_size = function.bytes});
    return to.take();
  }

  std::vector<std::byte> finish() {
    out_.align(8);
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_EXEC;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_shoff = out_.size();
    header.e_ehsize = sizeof header;
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = kSections;
    header.e_shstrndx = kNames;
    out_.bytes(std::as_bytes(std::span(headers_)));
    std::vector<std::byte> file = out_.take();
    std::memcpy(file.data(), &header, sizeof header);
    return file;
  }

  const Portrait& portrait_;
  DwarfWriter out_, names_, strings_;
  std::array<Elf64_Shdr, kSections> headers_{};
};

}  // namespace

std::vector<std::byte> debug_object(const Portrait& portrait) { return File(portrait).make(); }

}  // namespace skep::jit
