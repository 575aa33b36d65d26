#include "loader/elf_check.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loader/btf_check.h"

namespace skep::loader {
namespace {

constexpr std::uint64_t kMaxSections = 4096;
constexpr std::uint64_t kMaxSymbols = 1 << 20;

std::unexpected<Error> bad(std::string message) { return fail(ENOEXEC, std::move(message)); }

// Names of machines people mistake for BPF.
std::string machine_name(std::uint16_t machine) {
  switch (machine) {
    case EM_386: return "x86";
    case EM_X86_64: return "x86-64";
    case EM_AARCH64: return "AArch64";
    case EM_ARM: return "ARM";
    case EM_RISCV: return "RISC-V";
    case EM_S390: return "S/390";
    case EM_PPC64: return "PowerPC64";
    default: return fmt::format("machine {}", machine);
  }
}

struct Section {
  Elf64_Shdr header;
  std::string_view name;
};

class Checker {
 public:
  explicit Checker(Bytes file) : file_(file) {}

  Result<> run() {
    TRY_VOID(read_header());
    TRY_VOID(read_sections());
    TRY_VOID(read_names());
    for (std::size_t i = 0; i < sections_.size(); ++i) TRY_VOID(check_section(i));
    TRY_VOID(check_symbols());
    for (std::size_t i = 0; i < sections_.size(); ++i) TRY_VOID(check_relocations(i));
    return check_types();
  }

 private:
  bool inside(std::uint64_t offset, std::uint64_t size) const {
    return offset <= file_.size() && size <= file_.size() - offset;
  }
  Bytes contents(const Section& s) const {
    if (s.header.sh_type == SHT_NOBITS) return {};
    return file_.subspan(s.header.sh_offset, s.header.sh_size);
  }
  std::string describe(std::size_t i) const { return fmt::format("section {} ({})", i, sections_[i].name); }

  Result<> read_header() {
    if (file_.size() < SELFMAG || std::memcmp(file_.data(), ELFMAG, SELFMAG) != 0) {
      std::string found;
      for (std::size_t i = 0; i < std::min<std::size_t>(file_.size(), 4); ++i)
        found += fmt::format(" {:02x}", file_[i]);
      return bad(fmt::format("not an ELF file: expected it to begin with 7f 45 4c 46, found{}",
                             found.empty() ? " nothing" : found));
    }
    if (file_.size() < sizeof(Elf64_Ehdr)) return truncated("the ELF header", 0, sizeof(Elf64_Ehdr));
    header_ = load<Elf64_Ehdr>(file_.data());
    constexpr unsigned char kOrder = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
    if (header_.e_ident[EI_CLASS] != ELFCLASS64) return bad("a 32-bit ELF file, expected a 64-bit BPF object");
    if (header_.e_ident[EI_DATA] != kOrder) return bad("an ELF file of the other byte order than this machine's");
    if (header_.e_machine != EM_BPF) {
      return bad(fmt::format("an ELF file for {}, expected BPF; compile with clang -target bpf -c",
                             machine_name(header_.e_machine)));
    }
    if (header_.e_type != ET_REL) {
      return bad(fmt::format("ELF type {}, expected a relocatable object (1), as clang -c makes it", header_.e_type));
    }
    return {};
  }

  std::unexpected<Error> truncated(std::string_view what, std::uint64_t offset, std::uint64_t size) const {
    return bad(fmt::format("{} is at {} to {}, but the file has {} bytes: truncated or damaged", what, offset,
                           offset + size, file_.size()));
  }

  Result<> read_sections() {
    if (header_.e_shentsize != sizeof(Elf64_Shdr)) {
      return bad(fmt::format("section headers of {} bytes, expected {}", header_.e_shentsize, sizeof(Elf64_Shdr)));
    }
    if (header_.e_shnum == 0 || header_.e_shnum > kMaxSections) {
      return bad(fmt::format("{} sections, expected 1 to {}", header_.e_shnum, kMaxSections));
    }
    const std::uint64_t size = std::uint64_t{header_.e_shnum} * sizeof(Elf64_Shdr);
    if (!inside(header_.e_shoff, size)) return truncated("the section table", header_.e_shoff, size);
    for (std::size_t i = 0; i < header_.e_shnum; ++i) {
      sections_.push_back({load<Elf64_Shdr>(file_.data() + header_.e_shoff + i * sizeof(Elf64_Shdr)), "?"});
    }
    for (std::size_t i = 1; i < sections_.size(); ++i) {
      const Elf64_Shdr& s = sections_[i].header;
      if (s.sh_type != SHT_NOBITS && !inside(s.sh_offset, s.sh_size)) {
        return truncated(fmt::format("section {}", i), s.sh_offset, s.sh_size);
      }
      if (s.sh_type == SHT_NOBITS && s.sh_size > (1ULL << 30))
        return bad(fmt::format("section {} has {} bytes", i, s.sh_size));
    }
    return sections_[0].header.sh_type == SHT_NULL ? Result<>{} : bad("section 0 is not empty");
  }

  // The text at `offset` of string table `table`, or nothing.
  std::optional<std::string_view> text(std::size_t table, std::uint64_t offset) const {
    if (table == 0 || table >= sections_.size() || sections_[table].header.sh_type != SHT_STRTAB) return std::nullopt;
    const Bytes bytes = contents(sections_[table]);
    if (offset >= bytes.size()) return std::nullopt;
    const char* from = reinterpret_cast<const char*>(bytes.data()) + offset;
    const std::size_t n = strnlen(from, bytes.size() - offset);
    if (n == bytes.size() - offset) return std::nullopt;
    return std::string_view(from, n);
  }

  Result<> read_names() {
    for (std::size_t i = 1; i < sections_.size(); ++i) {
      const auto name = text(header_.e_shstrndx, sections_[i].header.sh_name);
      if (!name) return bad(fmt::format("section {} has no readable name", i));
      sections_[i].name = *name;
    }
    return {};
  }

  // Tables have the entry size of their type, and the section they refer to is there and of the right type.
  Result<> check_section(std::size_t i) {
    struct Table {
      std::uint32_t type;
      std::uint64_t entry;
      std::uint32_t linked;
    };
    static constexpr Table kTables[] = {{SHT_SYMTAB, sizeof(Elf64_Sym), SHT_STRTAB},
                                        {SHT_REL, sizeof(Elf64_Rel), SHT_SYMTAB}};
    const Elf64_Shdr& s = sections_[i].header;
    if (s.sh_type == SHT_RELA) return bad(describe(i) + " holds relocations with addends; BPF objects have none");
    if ((s.sh_flags & SHF_COMPRESSED) != 0) return bad(describe(i) + " is compressed");
    if ((s.sh_flags & SHF_EXECINSTR) != 0 && s.sh_type == SHT_PROGBITS && s.sh_size % 8 != 0) {
      return bad(fmt::format("{} has {} bytes, which is no whole number of instructions", describe(i), s.sh_size));
    }
    for (const Table& table : kTables) {
      if (s.sh_type != table.type) continue;
      if (s.sh_entsize != table.entry || s.sh_size % table.entry != 0) {
        return bad(fmt::format("{} has {} bytes in entries of {}, expected entries of {}", describe(i), s.sh_size,
                               s.sh_entsize, table.entry));
      }
      if (s.sh_link == 0 || s.sh_link >= sections_.size() || sections_[s.sh_link].header.sh_type != table.linked) {
        return bad(fmt::format("{} refers to section {}, which is not the table it needs", describe(i), s.sh_link));
      }
    }
    if (s.sh_type == SHT_SYMTAB) {
      if (symtab_ != 0) return bad("two symbol tables");
      symtab_ = i;
    }
    return {};
  }

  std::size_t symbol_count() const { return symtab_ == 0 ? 0 : sections_[symtab_].header.sh_size / sizeof(Elf64_Sym); }
  Elf64_Sym symbol(std::size_t i) const {
    return load<Elf64_Sym>(contents(sections_[symtab_]).data() + i * sizeof(Elf64_Sym));
  }

  Result<> check_symbols() {
    if (symtab_ == 0) return bad("no symbol table: expected an object as clang -c makes it, not a stripped one");
    if (symbol_count() > kMaxSymbols) return bad(fmt::format("{} symbols", symbol_count()));
    for (std::size_t i = 1; i < symbol_count(); ++i) TRY_VOID(check_symbol(i, symbol(i)));
    return {};
  }

  Result<> check_symbol(std::size_t i, const Elf64_Sym& s) const {
    const auto name = text(sections_[symtab_].header.sh_link, s.st_name);
    if (!name) return bad(fmt::format("symbol {} has no readable name", i));
    if (s.st_shndx >= SHN_LORESERVE || s.st_shndx == SHN_UNDEF) return {};
    if (s.st_shndx >= sections_.size())
      return bad(fmt::format("symbol {} ({}) is in section {}, of {}", i, *name, s.st_shndx, sections_.size()));
    const std::uint64_t room = sections_[s.st_shndx].header.sh_size;
    if (s.st_value > room || s.st_size > room - s.st_value) {
      return bad(fmt::format("symbol {} ({}) lies outside of {}", i, *name, describe(s.st_shndx)));
    }
    // libbpf cuts a text section into programs by its functions.
    const bool code = (sections_[s.st_shndx].header.sh_flags & SHF_EXECINSTR) != 0;
    if (code && ELF64_ST_TYPE(s.st_info) == STT_FUNC && (s.st_value % 8 != 0 || s.st_size % 8 != 0 || s.st_size == 0)) {
      return bad(fmt::format("function {} is not made of whole instructions", *name));
    }
    return {};
  }

  Result<> check_relocations(std::size_t i) const {
    const Elf64_Shdr& s = sections_[i].header;
    if (s.sh_type != SHT_REL) return {};
    if (s.sh_link != symtab_ || s.sh_info == 0 || s.sh_info >= sections_.size()) {
      return bad(fmt::format("{} relocates section {}, which is not there", describe(i), s.sh_info));
    }
    const Section& target = sections_[s.sh_info];
    if (target.header.sh_type == SHT_NOBITS) return bad(describe(i) + " relocates a section without contents");
    const Bytes table = contents(sections_[i]);
    for (std::size_t at = 0; at < table.size(); at += sizeof(Elf64_Rel)) {
      const auto r = load<Elf64_Rel>(table.data() + at);
      if (r.r_offset >= target.header.sh_size || target.header.sh_size - r.r_offset < 4) {
        return bad(fmt::format("{}: a relocation at {} lies outside of {}", describe(i), r.r_offset, target.name));
      }
      if (ELF64_R_SYM(r.r_info) >= symbol_count()) {
        return bad(
            fmt::format("{}: a relocation names symbol {}, of {}", describe(i), ELF64_R_SYM(r.r_info), symbol_count()));
      }
    }
    return {};
  }

  Result<> check_types() const {
    const Section* btf = nullptr;
    const Section* ext = nullptr;
    for (const Section& s : sections_) {
      if (s.name == ".BTF") {
        if (btf) return bad("two sections .BTF");
        btf = &s;
      }
      if (s.name == ".BTF.ext") {
        if (ext) return bad("two sections .BTF.ext");
        ext = &s;
      }
    }
    if (btf) {
      if (btf->header.sh_type != SHT_PROGBITS) return bad("section .BTF has no contents");
      if (Result<> valid = check_btf(contents(*btf)); !valid) {
        return bad("section .BTF: " + valid.error().message);
      }
    }
    if (!ext) return {};
    if (ext->header.sh_type != SHT_PROGBITS) return bad("section .BTF.ext has no contents");
    return check_ext(contents(*ext));
  }

  // .BTF.ext: a header, then for each kind of record a record size and runs of records by section.
  struct ExtHeader {
    std::uint16_t magic;
    std::uint8_t version, flags;
    std::uint32_t bytes;
    std::array<std::array<std::uint32_t, 2>, 3> parts;  // offset behind the header, length
  };
  static_assert(sizeof(ExtHeader) == 32);

  static Result<> check_ext(Bytes all) {
    constexpr std::size_t kWithoutCore = 24;
    struct Kind {
      std::string_view name;
      std::uint32_t record;  // least bytes
    };
    constexpr std::array<Kind, 3> kKinds = {{{"function", 8}, {"line", 16}, {"CO-RE", 16}}};
    if (all.size() < kWithoutCore) return bad(fmt::format("section .BTF.ext has {} bytes", all.size()));
    ExtHeader header{};
    std::memcpy(&header, all.data(), std::min(all.size(), sizeof header));
    if (header.magic != 0xeb9f || header.version != 1) return bad("section .BTF.ext has an unknown header");
    if (header.bytes < kWithoutCore || header.bytes > all.size())
      return bad(fmt::format("section .BTF.ext: a header of {} bytes", header.bytes));
    const std::size_t parts = header.bytes >= sizeof header ? 3 : 2;
    const Bytes rest = all.subspan(header.bytes);
    for (std::size_t i = 0; i < parts; ++i) {
      const auto [offset, length] = header.parts[i];
      if (offset > rest.size() || length > rest.size() - offset || offset % 4 != 0) {
        return bad(fmt::format("section .BTF.ext: {} records lie outside of it", kKinds[i].name));
      }
      TRY_VOID(check_runs(rest.subspan(offset, length), kKinds[i].name, kKinds[i].record));
    }
    return {};
  }

  static Result<> check_runs(Bytes part, std::string_view name, std::uint32_t least) {
    if (part.empty()) return {};
    const auto wrong = [&](std::string_view what) {
      return bad(fmt::format("section .BTF.ext: {} records: {}", name, what));
    };
    if (part.size() < 4) return wrong("cut off");
    const auto record = load<std::uint32_t>(part.data());
    if (record < least || record % 4 != 0 || record > 4096) return wrong(fmt::format("of {} bytes", record));
    for (part = part.subspan(4); !part.empty();) {
      if (part.size() < 8) return wrong("cut off");
      const auto count = load<std::uint32_t>(part.data() + 4);
      const std::uint64_t bytes = std::uint64_t{count} * record;
      if (count == 0 || bytes > part.size() - 8) return wrong(fmt::format("{} announced, which do not fit", count));
      part = part.subspan(8 + bytes);
    }
    return {};
  }

  Bytes file_;
  Elf64_Ehdr header_{};
  std::vector<Section> sections_;
  std::size_t symtab_ = 0;
};

}  // namespace

Result<> check_elf(Bytes file) { return Checker(file).run(); }

}  // namespace skep::loader
