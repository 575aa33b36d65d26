// Fragments: loops that end by a counter, an iterator, a callback's count or may_goto.
#include "judge/author.h"

namespace skep::judge {

// The counter is in a register that the body leaves alone, or on the stack where it seldom writes.
void Author::counted_loop() {
  if (depth_ > 2 || (depth_ > 1 && !chance(3))) return arithmetic();
  const unsigned n = saved();
  const bool kept = chance(2);
  const int slot = -static_cast<int>(96 + 8 * depth_);
  const std::string head = label();
  const unsigned rounds = 1 + below(chance(16) ? 64 : 5);
  kept ? line("*(u64 *)(r10 {}) = 0", slot) : line("r{} = 0", n);
  set(n, Holds::Nothing);
  line("{}:", head);
  const Registers before = registers_;
  {
    const Hold hold(*this, kept ? kNone : n);
    body(1 + below(2));
  }
  if (kept) line("r{} = *(u64 *)(r10 {})", n, slot);
  const bool odd = chance(6);
  line("r{} += {}", n, slip() && chance(4) ? 0 : odd ? 1 : 1 + below(2));
  if (kept) line("*(u64 *)(r10 {}) = r{}", slot, n);
  line("if r{} {} {} goto {}", n, odd ? "!=" : "<", rounds, head);
  meet(before);
  set(n, Holds::Number);
}

void Author::iterator_loop() {
  if (depth_ > 1 || iterators_ == 2 || (in_function_ && !chance(4))) return arithmetic();
  ++iterators_;
  const int depth = 80;
  const std::string head = label(), end = label();
  stack_to(1, depth);
  line("r2 = {}", below(3));
  chance(3) ? line("r3 = r{}", number()) : line("r3 = {}", below(1000));
  line("call bpf_iter_num_new");
  clobber();
  const Registers before = registers_;
  line("{}:", head);
  stack_to(1, depth);
  line("call bpf_iter_num_next");
  clobber();
  if (!slip()) line("if r0 == 0 goto {}", end);
  const unsigned n = saved();
  line("r{} = *(u32 *)(r0 +0)", n);
  set(n, Holds::Number, 0xffffffff);
  chance(3) ? body(1 + below(2)) : quiet_body();
  line("goto {}", head);
  line("{}:", end);
  meet(before);
  stack_to(1, depth);
  if (!slip()) line("call bpf_iter_num_destroy");
  clobber();
}

void Author::callback_loop() {
  if (depth_ > 1 || in_function_) return arithmetic();
  const std::string name = need_function("callback");
  chance(2) ? line("r1 = r{}", bounded(1 << 20)) : line("r1 = {}", below(100));
  if (chance(2)) {
    line("*(u64 *)(r10 -8) = {}", immediate());
    stack_to(3, 8);
  } else {
    line("r3 = 0");
  }
  line("r2 = subprog[{}]", name);
  line("r4 = {}", slip() ? 1 : 0);
  line("call bpf_loop");
  clobber();
  set(0, Holds::Number);
}

// Numbers that change in every round and matter later take a verifier a million steps: seldom.
void Author::quiet_body() {
  if (chance(10)) return body(1);
  chance(2) ? stack_access() : context_access();
}

void Author::may_goto() {
  if (depth_ > 1 || used_may_goto_ || in_function_) return arithmetic();
  used_may_goto_ = true;
  const std::string head = label(), end = label();
  line("{}:", head);
  line("may_goto {}", end);
  const Registers before = registers_;
  quiet_body();
  line("goto {}", slip() ? end : head);
  line("{}:", end);
  meet(before);
}

void Author::walk_map() {
  if (depth_ > 1 || in_function_) return arithmetic();
  const std::string name = need_function("walker");
  line("r1 = map[{}]", chance(2) ? "array" : "hash");
  line("r2 = subprog[{}]", name);
  stack_to(3, 8);
  line("r4 = 0");
  line("call bpf_for_each_map_elem");
  clobber();
  set(0, Holds::Number);
}

}  // namespace skep::judge
