// Objects that exist, in a hive or in the kernel, of all kinds that bpf(2) gives ids to: which there are, how they are
// opened, and what BPF_OBJ_GET_INFO_BY_FD says. Tested by: tests/map_command, tests/prog_command.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "btf/btf.h"
#include "cli/bpf_call.h"
#include "cli/exit_codes.h"
#include "spec/commands.h"

namespace skep::cli {

enum class ObjectKind : std::uint8_t {
#define OBJECT_KIND(Name, noun, command, NextId, FdById) Name,
#include "cli/object_kinds.def"
#undef OBJECT_KIND
};
std::string_view noun(ObjectKind kind);          // "program"
std::string_view command_name(ObjectKind kind);  // "prog": the command of `skep` for such objects

inline std::uint64_t address(const void* at) noexcept { return reinterpret_cast<std::uintptr_t>(at); }
inline long call(const BpfCall& bpf, spec::Command command, spec::Attr& attr) {
  return bpf(static_cast<int>(command), attr);
}

// Fills `info`, in which arrays and their sizes may be asked for: 0 or a negative errno.
template <class Info>
long get_info(const BpfCall& bpf, int fd, Info& info) {
  spec::Attr attr{};
  attr.info = {.bpf_fd = static_cast<std::uint32_t>(fd), .info_len = sizeof info, .info = address(&info)};
  return call(bpf, spec::Command::ObjGetInfoByFd, attr);
}
template <std::size_t size>
std::string text_in(const char (&field)[size]) {
  return {field, ::strnlen(field, size)};
}

// The ids of all objects of a kind.
Expected<std::vector<std::uint32_t>> object_ids(const BpfCall& bpf, ObjectKind kind);
// The object with this id, which may have gone meanwhile (Absent).
Expected<Fd> object_by_id(const BpfCall& bpf, ObjectKind kind, std::uint32_t id);
// All that there are, in the order of their ids; with progress.
Expected<> for_each_object(const BpfCall& bpf, ObjectKind kind, const std::function<Expected<>(Fd)>& visit);

// What is pinned at a path. Absent: nothing.
Expected<Fd> pinned_at(const BpfCall& bpf, const std::string& path);
// Of an object that was pinned: a map, a program or a link.
ObjectKind pinned_kind(const BpfCall& bpf, int fd);
// Whether a descriptor is the running kernel's and not a hive's.
bool is_kernels(int fd);
// Pins an object. Refused.
Expected<> pin_at(const BpfCall& bpf, int fd, const std::string& path);

// The BTF with this id; null when there is none, or it cannot be had: types are a convenience.
std::unique_ptr<btf::Btf> types_by_id(const BpfCall& bpf, std::uint32_t btf_id);
Expected<std::vector<std::byte>> btf_bytes(const BpfCall& bpf, int fd);

// bpf(2) itself does not answer as it should.
Failure unavailable(std::string_view what, long error);

}  // namespace skep::cli
