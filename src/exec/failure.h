// Why an engine stopped a program: what the checked policy found, or a limit that was reached.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace skep::exec {

struct Call;
struct Image;

struct Failure {
  enum class Kind : std::uint8_t {
    None,
    OutOfBounds,    // an access outside every live object
    Uninitialised,  // stack bytes read before they were written
    ReadOnly,       // a write to memory that may only be read
    Misaligned,     // an atomic operation on an unaligned address
    BadInstruction,
    BadCall,    // helper without a body, call depth, callback value that is no function
    Budget,     // the instruction budget is used up
    WrongFact,  // a register holds what the verifier's facts exclude: a bug of the verifier, not of the program
  };
  Kind kind = Kind::None;
  std::uint32_t insn = 0;     // index in the lowered image
  std::uint64_t address = 0;  // of the access
  std::uint32_t size = 0;     // bytes
  std::string object;         // nearest live object: "stack of frame 1", "packet", "map flows, value 3" ...
  std::int64_t outside = 0;   // bytes by which the access misses it: negative before, positive behind
  std::string program;        // whose image insn indexes
  std::string source;         // "firewall.bpf.c:42: if (ip->protocol == ...)", empty without line info
  // One sentence with all of the above.
  std::string text() const;
};

// An engine stops a run of `image` at `insn`: what it leaves in the call.
void note_stop(Call& call, const Image& image, std::uint32_t insn, Failure::Kind kind,
               std::string_view object) noexcept;

}  // namespace skep::exec
