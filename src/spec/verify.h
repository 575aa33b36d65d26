// What the verifier is given and what it gives back: data, and nothing that leads to map storage, helper bodies or
// engines.
//
// A VerifyInput is borrowed for the length of the call. A map is a MapView: what its creator said of it. The result is
// a VerifiedProgram, or a Rejection with the errno and the sentence of Linux; the log is filled in both cases. Tested
// by: verifier/explore/verify_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

#include "isa/insn.h"
#include "spec/helper_access.h"
#include "spec/map_spec.h"
#include "spec/types.h"

namespace skep::spec {

enum class License : std::uint8_t { Gpl, Other };

// A map as the verifier sees it.
struct MapView {
  MapId id = MapId::None;
  MapSpec spec = {};
  const MapView* inner = nullptr;          // of a map of maps
  std::span<const std::byte> frozen = {};  // the first value of a frozen map that programs may not write
};

struct VerifyInput {
  ProgType type = ProgType::Unspec;
  AttachType attach = AttachType::CgroupInetIngress;
  std::span<const isa::Insn> insns;
  std::span<const MapView> maps = {};
  std::uint32_t flags = 0;      // prog_flags of BPF_PROG_LOAD
  std::uint32_t log_level = 0;  // LogLevel bits
  License license = License::Gpl;
  LoaderRights rights = {};
};

struct Rejection {
  int code = 0;          // an errno, positive
  std::size_t insn = 0;  // the instruction that was looked at
  std::string message;   // the sentence that ends the log, without its newline; may be empty
};

struct VerifyStats {
  std::uint32_t insns_processed = 0;
  std::uint32_t stack_depth = 0;  // bytes, of the deepest frame
};

struct VerifiedProgram {
  std::vector<isa::Insn> insns;
  VerifyStats stats;
};

}  // namespace skep::spec
