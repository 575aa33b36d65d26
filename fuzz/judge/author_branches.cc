// Fragments: conditional jumps.
#include "judge/author.h"

namespace skep::judge {
namespace {

constexpr std::string_view kComparisons[] = {
#define JUMP(name, text, code, value) text,
#include "isa/jump.def"
};

}  // namespace

void Author::condition(std::string_view target) {
  const unsigned d = number();
  const char width = chance(3) ? 'w' : 'r';
  if (chance(3))
    line("if {}{} {} {}{} goto {}", width, d, one_of(kComparisons), width, number(), target);
  else
    line("if {}{} {} {} goto {}", width, d, one_of(kComparisons), immediate(), target);
}

// A body that is left out, or one of two.
void Author::branch() {
  if (depth_ > 3) return arithmetic();
  const std::string other = label();
  condition(other);
  const Registers before = registers_;
  body(1 + below(3));
  if (chance(3)) {
    const std::string end = label();
    line("goto {}", end);
    line("{}:", other);
    const Registers first = registers_;
    registers_ = before;
    body(1 + below(2));
    line("{}:", end);
    meet(first);
  } else {
    line("{}:", other);
    meet(before);
  }
}

void Author::early_exit() { condition(way_out()); }

void Author::compare_pointers() {
  const unsigned d = below(10), s = below(10);
  if (!slip() && (registers_[d].holds == Holds::Nothing || registers_[s].holds == Holds::Nothing)) return early_exit();
  line("if r{} {} r{} goto {}", d, slip() ? one_of(kComparisons) : chance(2) ? "==" : "!=", s, way_out());
}

}  // namespace skep::judge
