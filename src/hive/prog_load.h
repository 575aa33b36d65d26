// The steps of BPF_PROG_LOAD, in the kernel's order: prog_load.cc checks the attribute, prog_debug.cc its BTF,
// prog_resolve.cc replaces descriptors of maps by ids, and the door of exec/ does the rest. Each later step says what
// is wrong in the log.
#pragma once

#include "exec/doors.h"
#include "hive/log.h"
#include "hive/request.h"

namespace skep::hive {

// What a program will be attached to, when that decides how it is verified: a function of a program or of the kernel.
struct Target {
  std::uint32_t btf_id = 0;          // the function; 0: none
  Ref<ProgObject> program;           // whose BTF has it; or
  const btf::Btf* kernel = nullptr;  // the kernel's
};

// A program while it is loaded.
struct Loading {
  Request& request;
  Log log;
  Target target;
  exec::Source source;
  std::vector<isa::Insn> insns;  // as the caller gave them
  Ref<BtfObject> btf;
  std::vector<spec::FuncInfo> funcs;
  std::vector<spec::LineInfo> lines;
  std::vector<Ref<MapObject>> maps;  // each once, in the order of first use
};

// prog_btf_fd, func_info and line_info. Fills btf, funcs, lines, and the source's subprograms and lines.
Result<> read_debug_info(Loading& loading);
// Descriptors of maps in ld_imm64: fills maps and the source's insns. Also refuses what no program may contain.
Result<> resolve_maps(Loading& loading);

}  // namespace skep::hive
