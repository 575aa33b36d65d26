// Fragments: functions of the program itself, and their bodies behind the main program.
#include <algorithm>

#include "judge/author.h"

namespace skep::judge {
namespace {

struct Callable {
  std::string_view prototype;
  unsigned weight;
};
constexpr std::string_view kCallables[] = {
    "local",         "local",           "local",          "local_context", "local_memory", "global",     "global",
    "global_memory", "global_not_null", "global_context", "global_none",   "local_memory", "global_xdp", "global_void"};

}  // namespace

// The label of a function with this prototype, which is written when the main program is.
std::string Author::need_function(std::string_view prototype) {
  const auto fits = [&](const Label& label) { return label.prototype == prototype; };
  const auto known = std::ranges::find_if(functions_, fits);
  const bool reuse = known != functions_.end() && (functions_.size() > 4 || chance(2));
  if (reuse && !in_function_) return known->name;
  if (in_function_ && slip()) return functions_.back().name;  // a recursion, if it is its own
  functions_.push_back({fmt::format("f{}", functions_.size()), std::string(prototype)});
  return functions_.back().name;
}

void Author::call_function() {
  if (in_function_ && (functions_.size() > 5 || !chance(4))) return arithmetic();
  std::string_view prototype = one_of(kCallables);
  const bool xdp = target_->type == spec::ProgType::Xdp;
  const bool skb = target_->data == 76 || target_->type == spec::ProgType::SocketFilter;
  if ((prototype == "global_context" || prototype == "global_xdp") && !slip())
    prototype = xdp ? "global_xdp" : skb ? "global_context" : "local_context";
  if (prototype == "global_void" && !slip()) prototype = "local";
  const bool context = prototype == "global_context" || prototype == "global_xdp" || prototype == "local_context";
  const bool memory = prototype.find("memory") != prototype.npos || prototype == "global_not_null";
  const unsigned n = number();
  if (context) {
    if (n != 2) line("r2 = r{}", n);
    if (!context_to(1)) return;
  } else if (memory) {
    if (n != 2) line("r2 = r{}", n);
    const unsigned value = any(Holds::Value);
    if (value != kNone && value > 5 && chance(2)) {
      line("r1 = r{}", value);
    } else if (slip()) {
      line("r1 = 0");
    } else {
      line("*(u64 *)(r10 -8) = {}", below(9));
      line("*(u64 *)(r10 -16) = {}", below(9));
      stack_to(1, slip() ? 8 : 16);
    }
  } else {
    line("r1 = r{}", n);
    line("r2 = {}", immediate());
  }
  line("call {}", need_function(prototype));
  clobber();
  set(0, Holds::Number);
}

void Author::write_function(std::string_view name, std::string_view prototype) {
  line("{}:", name);
  registers_ = {};
  held_ = 0;
  way_out_.clear();
  set(1, Holds::Number), set(2, Holds::Number);
  if (prototype.find("context") != prototype.npos || prototype == "global_xdp") set(1, Holds::Context);
  if (prototype == "global_none") set(1, Holds::Nothing), set(2, Holds::Nothing);
  if (prototype == "callback") set(2, Holds::Nothing);
  if (prototype == "walker") {
    set(1, Holds::Nothing);
    set(2, Holds::Value, 4);
    set(3, Holds::Value, 48);
  }
  const bool memory = prototype.find("memory") != prototype.npos || prototype == "global_not_null";
  if (memory) {
    if (prototype == "global_memory" && !slip()) line("if r1 == 0 goto {}", way_out());
    set(1, Holds::Value, prototype == "global_not_null" ? 4 : 8);
  }
  for (const Holds kept : {Holds::Value, Holds::Context}) {
    const unsigned n = any(kept);
    if (n == kNone || !chance(2)) continue;
    const unsigned copy = saved();
    line("r{} = r{}", copy, n);
    registers_[copy] = registers_[n];
  }
  body(1 + below(4));
  const bool called_back = prototype == "callback" || prototype == "walker";
  if (called_back && !slip()) {
    line("r0 = {}", below(2));
    line("exit");
    if (way_out_.empty()) return;
    line("{}: r0 = 0", way_out_);
    return line("exit");
  }
  finish();
}

void Author::write_functions() {
  in_function_ = true;
  for (; written_functions_ < functions_.size(); ++written_functions_) {
    const Label function = functions_[written_functions_];
    budget_ = 5;
    write_function(function.name, function.prototype);
  }
  in_function_ = false;
}

// RCU and preemption are turned off and on again.
void Author::section() {
  const bool rcu = chance(2);
  line("call bpf_{}", rcu ? "rcu_read_lock" : "preempt_disable");
  clobber();
  body(1);
  if (slip()) return;
  line("call bpf_{}", rcu ? "rcu_read_unlock" : "preempt_enable");
  clobber();
}

}  // namespace skep::judge
