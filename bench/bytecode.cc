#include "bytecode.h"

#include <elf.h>

#include <fstream>
#include <iterator>
#include <string_view>

#include "base/bytes.h"

namespace skep::bench {
namespace {

// An object file in memory, every access checked against its size.
class Elf {
 public:
  explicit Elf(std::string bytes) : bytes_(std::move(bytes)) {}

  bool is_bpf() const {
    return bytes_.size() >= sizeof(Elf64_Ehdr) && bytes_.starts_with(ELFMAG) && header().e_machine == EM_BPF &&
           header().e_shentsize == sizeof(Elf64_Shdr) &&
           inside(header().e_shoff, header().e_shnum * sizeof(Elf64_Shdr)) && header().e_shstrndx < header().e_shnum;
  }
  Elf64_Ehdr header() const { return load<Elf64_Ehdr>(bytes_.data()); }
  Elf64_Shdr section(std::size_t index) const {
    return load<Elf64_Shdr>(bytes_.data() + header().e_shoff + index * sizeof(Elf64_Shdr));
  }
  std::string_view name(const Elf64_Shdr& section_header) const {
    const std::string_view names = contents(section(header().e_shstrndx));
    return section_header.sh_name < names.size() ? names.substr(section_header.sh_name).data() : "";
  }
  std::string_view contents(const Elf64_Shdr& section_header) const {
    if (!inside(section_header.sh_offset, section_header.sh_size)) return {};
    return std::string_view(bytes_).substr(section_header.sh_offset, section_header.sh_size);
  }

 private:
  bool inside(std::uint64_t offset, std::uint64_t size) const {
    return offset <= bytes_.size() && size <= bytes_.size() - offset;
  }

  std::string bytes_;
};

}  // namespace

Result<std::vector<isa::Insn>> read_bytecode(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ENOENT, path + ": cannot be read");
  const Elf elf(std::string{std::istreambuf_iterator<char>(file), {}});
  if (!elf.is_bpf()) return fail(EINVAL, path + ": not an ELF object for BPF");
  std::vector<isa::Insn> insns;
  for (std::size_t i = 0; i < elf.header().e_shnum; ++i) {
    const Elf64_Shdr section = elf.section(i);
    if (elf.name(section) == ".rel.text") return fail(EINVAL, path + ": has relocations");
    if (elf.name(section) != ".text") continue;
    const std::string_view text = elf.contents(section);
    for (std::size_t at = 0; at + sizeof(isa::Insn) <= text.size(); at += sizeof(isa::Insn))
      insns.push_back(load<isa::Insn>(text.data() + at));
  }
  if (insns.empty()) return fail(EINVAL, path + ": no .text section");
  return insns;
}

}  // namespace skep::bench
