#include "abi/kallsyms.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "btf/btf.h"
#include "spec/attr.h"
#include "spec/commands.h"
#include "spec/info.h"

namespace skep::abi {
namespace {

using Tag = std::array<std::uint8_t, 8>;

template <class T>
std::uint64_t address(std::vector<T>& list) noexcept {
  return reinterpret_cast<std::uintptr_t>(list.data());
}

template <class Info>
bool ask(const Fd& fd, BpfCall bpf, Info& info) noexcept {
  spec::Attr attr{};
  attr.info = {.bpf_fd = static_cast<std::uint32_t>(fd.get()),
               .info_len = sizeof info,
               .info = reinterpret_cast<std::uintptr_t>(&info)};
  return bpf(static_cast<int>(spec::Command::ObjGetInfoByFd), &attr, sizeof attr) == 0;
}

Fd open_by_id(spec::Command command, std::uint32_t id, BpfCall bpf) noexcept {
  spec::Attr attr{};
  attr.id.start_id = id;
  return Fd(static_cast<int>(bpf(static_cast<int>(command), &attr, sizeof attr)));
}

std::optional<btf::Btf> types_of(std::uint32_t id, BpfCall bpf) {
  const Fd fd = id != 0 ? open_by_id(spec::Command::BtfGetFdById, id, bpf) : Fd();
  spec::BtfInfo info{};
  if (!fd || !ask(fd, bpf, info)) return std::nullopt;
  std::vector<std::byte> bytes(info.btf_size);
  info = {};
  info.btf = address(bytes);
  info.btf_size = static_cast<std::uint32_t>(bytes.size());
  if (!ask(fd, bpf, info)) return std::nullopt;
  Result<btf::Btf> types = btf::Btf::parse(bytes);
  return types ? std::optional(std::move(*types)) : std::nullopt;
}

// What there is to say of a program's functions, each in its order.
struct Functions {
  std::string name;  // the program's
  std::vector<std::uint64_t> addresses;
  std::vector<Tag> tags;
  std::vector<spec::FuncInfo> infos;
  std::optional<btf::Btf> types;

  std::string name_of(std::size_t i) const {
    if (!types || i >= infos.size() || !types->has(infos[i].type_id)) return i == 0 ? name : "F";
    return std::string(types->type(infos[i].type_id).name());
  }
};

Functions functions_of(const Fd& program, BpfCall bpf) {
  Functions found;
  spec::ProgInfo counts{};
  if (!ask(program, bpf, counts) || counts.nr_jited_ksyms == 0) return found;
  found.name = std::string(counts.name, ::strnlen(counts.name, sizeof counts.name));
  found.addresses.resize(counts.nr_jited_ksyms);
  found.tags.resize(counts.nr_prog_tags);
  found.infos.resize(counts.func_info_rec_size == sizeof(spec::FuncInfo) ? counts.nr_func_info : 0);
  spec::ProgInfo info{};
  info.jited_ksyms = address(found.addresses), info.nr_jited_ksyms = counts.nr_jited_ksyms;
  info.prog_tags = address(found.tags), info.nr_prog_tags = counts.nr_prog_tags;
  info.func_info = address(found.infos), info.nr_func_info = static_cast<std::uint32_t>(found.infos.size());
  info.func_info_rec_size = sizeof(spec::FuncInfo);
  if (!ask(program, bpf, info)) return {};
  found.types = types_of(counts.btf_id, bpf);
  return found;
}

void list(const Functions& functions, std::string& to) {
  for (std::size_t i = 0; i < functions.addresses.size() && i < functions.tags.size(); ++i) {
    char start[48];
    std::snprintf(start, sizeof start, "%016llx t bpf_prog_", static_cast<unsigned long long>(functions.addresses[i]));
    to += start;
    for (const std::uint8_t byte : functions.tags[i]) {
      std::snprintf(start, sizeof start, "%02x", byte);
      to += start;
    }
    if (const std::string name = functions.name_of(i); !name.empty()) to += "_" + name;
    to += "\t[bpf]\n";
  }
}

std::string symbols(BpfCall bpf) {
  std::string text;
  spec::Attr attr{};
  while (bpf(static_cast<int>(spec::Command::ProgGetNextId), &attr, sizeof attr) == 0) {
    attr.id.start_id = attr.id.next_id;
    attr.id.next_id = 0;
    if (const Fd program = open_by_id(spec::Command::ProgGetFdById, attr.id.start_id, bpf))
      list(functions_of(program, bpf), text);
  }
  return text;
}

bool copy(int from, int to) noexcept {
  std::array<char, 1 << 16> bytes;
  for (;;) {
    const ssize_t got = ::read(from, bytes.data(), bytes.size());
    if (got <= 0) return got == 0;
    if (::write(to, bytes.data(), static_cast<std::size_t>(got)) != got) return false;
  }
}

}  // namespace

Fd open_kallsyms(int kernel, BpfCall bpf) {
  const std::string ours = symbols(bpf);
  Fd text(ours.empty() ? -1 : ::memfd_create("kallsyms", MFD_CLOEXEC));
  if (!text || !copy(kernel, text.get())) return Fd();
  if (::write(text.get(), ours.data(), ours.size()) != static_cast<ssize_t>(ours.size())) return Fd();
  ::lseek(text.get(), 0, SEEK_SET);
  return text;
}

}  // namespace skep::abi
