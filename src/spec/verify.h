// What the verifier is given and what it gives back: data, and nothing that leads to map storage, helper bodies or
// engines.
//
// A VerifyInput is borrowed for the length of the call. A map is a MapView: what its creator said of it. Whoever fills
// it has looked up every descriptor the instructions name, valid or not: the verifier says what is wrong with them when
// their turn comes. The result is a VerifiedProgram, or a Rejection with the errno and the sentence of Linux; the log
// is filled in both cases. Tested by: verifier/explore/verify_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "btf/btf.h"
#include "btf/ext.h"
#include "btf/record.h"
#include "isa/insn.h"
#include "spec/barrier.h"
#include "spec/facts.h"
#include "spec/helper_access.h"
#include "spec/map_spec.h"
#include "spec/types.h"

namespace skep::spec {

enum class License : std::uint8_t { Gpl, Other };

// A map as the verifier sees it.
struct MapView {
  MapId id = MapId::None;
  MapSpec spec = {};
  const MapView* inner = nullptr;                  // of a map of maps
  std::span<const std::byte> frozen = {};          // the first value of a frozen map that programs may not write
  const btf::Btf* btf = nullptr;                   // of its value
  std::span<const btf::SpecialField> fields = {};  // locks, timers, kptrs ... in its value
  bool is_frozen = false;
  bool has_direct_value = false;  // its bytes may be addressed (arrays of one element and the like)
  bool is_guarded = false;        // against speculation: made by someone without CAP_PERFMON
};

// The descriptor that the ld_imm64 at `insn` names, or fd_array has for it.
struct MapUse {
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  std::uint32_t insn = 0;
  std::uint32_t map = kNone;  // index in VerifyInput::maps
  std::int32_t fd = -1;
  int error = 0;  // why it is no map: EBADF, EINVAL; EPROTO without fd_array, EFAULT where it cannot be read
};

// A function of a program that another one is attached to.
struct TargetFunction {
  std::uint32_t type_id = 0;   // a FUNC of the program's BTF
  bool is_unreliable = false;  // its BTF may not say what it really takes: static functions
  bool changes_packet = false;
  bool is_exception_callback = false;
};

// What the program will be attached to, for types that attach to functions.
struct AttachTarget {
  std::uint32_t btf_id = 0;       // attach_btf_id; 0: none
  const btf::Btf* btf = nullptr;  // that the id is of: the kernel's, or a program's
  bool is_program = false;        // attach_prog_fd named a program
  std::string_view program_name = {};
  ProgType program_type = ProgType::Unspec;
  AttachType program_attach = AttachType::CgroupInetIngress;
  bool program_is_attached = false;  // to a program itself
  std::span<const TargetFunction> functions = {};
};

// Indices of BTFs in registers and instructions.
inline constexpr std::uint32_t kKernelBtf = 0, kProgramBtf = 1;

struct VerifyInput {
  ProgType type = ProgType::Unspec;
  AttachType attach = AttachType::CgroupInetIngress;
  std::span<const isa::Insn> insns;
  std::span<const MapView> maps = {};
  std::span<const MapUse> map_uses = {};         // by instruction
  std::uint32_t flags = 0;                       // prog_flags of BPF_PROG_LOAD
  std::uint32_t log_level = 0;                   // LogLevel bits
  std::size_t log_limit = std::size_t{1} << 30;  // bytes of the log that are kept
  License license = License::Gpl;
  LoaderRights rights = {};
  std::string_view name = {};  // of the program
  const btf::Btf* kernel_btf = nullptr;
  const btf::Btf* btf = nullptr;  // the program's
  btf::Records func_info = {};
  btf::Records line_info = {};
  AttachTarget target = {};
  std::uint32_t possible_cpus = 1;  // bpf_get_smp_processor_id gives numbers below
};

struct Rejection {
  int code = 0;          // an errno, positive
  std::size_t insn = 0;  // the instruction that was looked at
  std::string message;   // the sentence that ends the log, without its newline; may be empty
};

struct VerifyStats {
  std::uint32_t insns_processed = 0;
  std::uint32_t stack_depth = 0;  // bytes, of the deepest frame
  std::uint32_t max_states_per_insn = 0;
  std::uint32_t total_states = 0;
  std::uint32_t peak_states = 0;
  std::uint32_t longest_mark_read_walk = 0;
  std::size_t peak_bytes = 0;  // of memory for states
};

// A function of a verified program.
struct VerifiedFunction {
  std::uint32_t start = 0;        // of its first instruction
  std::uint32_t given = 0;        // which it was in the input: its func_info is the one of that number
  std::string name = {};          // empty when unknown
  std::uint32_t stack_depth = 0;  // bytes
  bool is_global = false;
  bool changes_packet = false;
  bool is_exception_callback = false;
};

// A bpf_loop call without flags whose callback is always the function that starts at `callback`.
struct InlinedLoop {
  std::uint32_t insn = 0;
  std::uint32_t callback = 0;
};

// Pointer plus or minus a register, for loaders whose programs a processor must not let read more than they could:
// whatever it guesses, the register's part in it is within the limit, or zero.
struct PointerMask {
  enum How : std::uint8_t {
    Source = 1U << 0,       // the pointer is in the destination
    Destination = 1U << 1,  // the number is
    Negative = 1U << 2,     // the number is negative
    Nothing = 1U << 3,      // both are numbers
    Constant = 1U << 4,     // the number is known
  };
  std::uint32_t insn = 0;
  std::uint8_t how = 0;
  std::uint32_t limit = 0;  // bytes; the number itself where it is known
};

// What Linux makes of a program for its own engines, as far as the walk has to say how: each by instruction.
struct Rewrites {
  std::vector<InlinedLoop> loops;
  std::vector<PointerMask> masks;
  std::vector<Barrier> barriers;
};

struct VerifiedProgram {
  std::vector<isa::Insn> insns;        // that run, in the order they were given; maps as given
  std::vector<std::uint32_t> origins;  // by instruction: its index in the input
  std::vector<VerifiedFunction> functions;
  Rewrites rewrites;
  bool enforces_attach_type = false;  // it may be attached only where it was loaded for
  std::uint32_t read_buffer_end = 0;  // bytes that it may touch of an iterator's key, and of its value
  std::uint32_t write_buffer_end = 0;
  // Loads through pointers to objects of the kernel's, by instruction: what is no memory then reads as zero.
  std::vector<std::uint32_t> probed;
  // Loads, stores and atomics of an arena's memory, whose pointers have 32 bits, by instruction.
  std::vector<std::uint32_t> arena_accesses;
  std::optional<std::uint32_t> arena;     // which of the input's maps that is
  std::vector<std::uint32_t> map_fields;  // loads of fields of the kernel's structure of a map, through a pointer to it
  std::shared_ptr<const Facts> facts;     // by instruction
  VerifyStats stats;
};

}  // namespace skep::spec
