// The commands of `skep prog`. Tested by: tests/prog_command.
#pragma once

#include "cli/live_program.h"
#include "cli/object_request.h"

namespace skep::cli {

#define PROG_COMMAND(name) void declare_prog_##name(CommandGroup& group);
#include "cli/prog_commands.def"
#undef PROG_COMMAND

// The program that the words name.
inline Expected<LiveProgram> open_program(const ObjectRequest& request, const BpfCall& bpf) {
  auto fd = request.open(bpf, ObjectKind::Program);
  if (!fd) return std::unexpected(fd.error());
  return look_at_program(bpf, *std::move(fd));
}

}  // namespace skep::cli
