// For tests: programs of every type that bpf(2) attaches, and iterators.
#pragma once

#include <string>

#include "hive/testing.h"

namespace skep::hive::testing {

using spec::AttachType;
using spec::ProgType;

struct ProgShape {
  ProgType type;
  AttachType attach = AttachType{0};  // expected_attach_type
  int result = 0;
  const char* function = "";  // of the kernel, or a typedef: attach_btf_id
  std::uint32_t flags = 0;
};

inline std::uint32_t kernel_target(const std::string& name) {
  const std::uint32_t function = kernel_type(name, btf::Kind::Func);
  return function != 0 ? function : kernel_type(name, btf::Kind::Typedef);
}

inline long load_prog(Bpf& bpf, const ProgShape& shape, const Code& code) {
  spec::Attr attr = prog_attr(shape.type, code);
  attr.prog_load.expected_attach_type = static_cast<std::uint32_t>(shape.attach);
  attr.prog_load.prog_flags = shape.flags;
  if (*shape.function != '\0') attr.prog_load.attach_btf_id = kernel_target(shape.function);
  return bpf(spec::Command::ProgLoad, attr);
}
inline long load_prog(Bpf& bpf, const ProgShape& shape) { return load_prog(bpf, shape, return_value(shape.result)); }

// An iterator over "bpf_map" and the like.
inline long load_iterator(Bpf& bpf, const std::string& over, const Code& code) {
  const std::string function = "bpf_iter_" + over;
  return load_prog(bpf, {.type = ProgType::Tracing, .attach = AttachType::TraceIter, .function = function.c_str()},
                   code);
}

struct LinkShape {
  long prog = -1;
  int target = 0;
  AttachType attach = AttachType::TraceIter;
  std::uint32_t flags = 0;
};
inline spec::Attr link_attr(const LinkShape& shape) {
  spec::Attr attr{};
  attr.link_create.prog_fd = static_cast<std::uint32_t>(shape.prog);
  attr.link_create.target_fd = static_cast<std::uint32_t>(shape.target);
  attr.link_create.attach_type = static_cast<std::uint32_t>(shape.attach);
  attr.link_create.flags = shape.flags;
  return attr;
}
inline long create_link(Bpf& bpf, const LinkShape& shape) {
  spec::Attr attr = link_attr(shape);
  return bpf(spec::Command::LinkCreate, attr);
}
// A link of an iterator, over the elements of `map` if there is one.
inline long link_iterator(Bpf& bpf, long prog, long map = 0) {
  const std::uint32_t info[4] = {static_cast<std::uint32_t>(map), 0, 0, 0};
  spec::Attr attr = link_attr({.prog = prog});
  if (map != 0) attr.link_create.iter = {.iter_info = address(info), .iter_info_len = sizeof info, .pad = 0};
  return bpf(spec::Command::LinkCreate, attr);
}
inline long update_link(Bpf& bpf, long link, long prog, std::uint32_t flags = 0, long old = 0) {
  spec::Attr attr{};
  attr.link_update.link_fd = static_cast<std::uint32_t>(link);
  attr.link_update.new_prog_fd = static_cast<std::uint32_t>(prog);
  attr.link_update.flags = flags;
  attr.link_update.old_prog_fd = static_cast<std::uint32_t>(old);
  return bpf(spec::Command::LinkUpdate, attr);
}
inline long detach_link(Bpf& bpf, long link) {
  spec::Attr attr{};
  attr.link_detach.link_fd = static_cast<std::uint32_t>(link);
  return bpf(spec::Command::LinkDetach, attr);
}
inline long create_iter(Bpf& bpf, long link, std::uint32_t flags = 0) {
  spec::Attr attr{};
  attr.iter_create = {.link_fd = static_cast<std::uint32_t>(link), .flags = flags};
  return bpf(spec::Command::IterCreate, attr);
}

// Everything that can be read from a descriptor.
inline std::string read_all(long fd) {
  std::string text;
  char part[4096];
  for (ssize_t got = 0; (got = ::read(static_cast<int>(fd), part, sizeof part)) > 0;)
    text.append(part, static_cast<std::size_t>(got));
  return text;
}

}  // namespace skep::hive::testing
