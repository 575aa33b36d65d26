// The steps of BPF_PROG_LOAD, in the kernel's order: prog_load.cc checks the attribute, prog_debug.cc copies what is
// said of functions and lines, prog_resolve.cc looks up descriptors of maps, prog_verify.cc asks the verifier, and the
// door of exec/ does the rest. What the verifier has to say is the log. A program it accepts is loaded even if no
// engine here can run it; whoever tries to run it is told why not.
//
// Hives whose programs are not verified (Verification::Skipped) check here what engines take for granted, with less to
// say about it.
#pragma once

#include "exec/doors.h"
#include "hive/log.h"
#include "hive/request.h"
#include "spec/verify.h"

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
  std::vector<std::byte> func_bytes, line_bytes;  // the records as the caller gave them
  std::vector<spec::FuncInfo> funcs;
  std::vector<spec::LineInfo> lines;
  std::vector<Ref<MapObject>> maps;               // each once, in the order of first use
  std::vector<spec::MapUse> uses;                 // by instruction
  std::vector<spec::VerifiedFunction> functions;  // of the verified program
  spec::Rewrites rewrites;
};

// prog_btf_fd, func_info and line_info as they are: fills btf and the bytes.
Result<> read_debug_info(Loading& loading);
btf::Records func_records(const Loading& loading);
btf::Records line_records(const Loading& loading);
exec::SourceLine source_line(const btf::Btf& types, const btf::LineInfo& line);
// When a record was too long (`error`), the caller is told how long they may be.
void tell_record_size(Loading& loading, const Error& error);
// What depends on the kernel's types, as core_relos say: changes insns.
Result<> relocate(Loading& loading);
// Descriptors of maps in ld_imm64, valid or not: fills uses and maps.
void find_maps(Loading& loading);
// The verifier's verdict and log. Fills funcs, lines and the source, and what there is to know of the program.
Result<> verify(Loading& loading, ProgObject& program);

// Makes what is shown of a verified program from what runs: its translated instructions, and the places of its
// functions and lines in them.
void show(const Loading& loading, ProgObject& program);

// ---- Of programs that are not verified
// Fills funcs, lines, and the source's subprograms and lines.
Result<> check_debug_info(Loading& loading);
// Fills the source's insns. Also refuses what no program may contain.
Result<> resolve_maps(Loading& loading);

}  // namespace skep::hive
