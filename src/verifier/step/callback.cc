// Callbacks: what each helper passes, and the path through them.
#include <algorithm>

#include "base/errno.h"
#include "spec/helper_maps.h"
#include "verifier/step/call.h"
#include "verifier/step/global.h"

namespace skep::verifier {
namespace {

using spec::HelperId;

Register of_map(Kind kind, std::uint32_t map) {
  Register reg = Register::pointer(kind);
  reg.map = map;
  return reg;
}

// ---- What is passed

CheckedOf<CallbackShape> for_each_shape(Walk& walk) {
  const Register map = walk.peek(1);
  if (!spec::is_walkable(walk.map(map.map).spec.type))
    return walk.reject(kNotSupported, "callback function not allowed for map");
  CallbackShape shape;
  shape.arguments = {Register{}, map, of_map(Kind::MapKey, map.map), of_map(Kind::MapValue, map.map), walk.peek(3)};
  return shape;
}

CallbackShape loop_shape(Walk& walk) {
  CallbackShape shape;
  shape.arguments = {Register{}, Register::unknown(), walk.peek(3)};
  return shape;
}

CheckedOf<CallbackShape> find_vma_shape(Walk& walk) {
  const btf::Btf* kernel = walk.input.kernel_btf;
  const auto type = kernel == nullptr ? std::nullopt : kernel->find("vm_area_struct", btf::Kind::Struct);
  if (!type) return walk.unsupported("bpf_find_vma without the kernel's BTF");
  Register vma = Register::pointer(Kind::Btf);
  vma.btf = spec::kKernelBtf;
  vma.btf_type = *type;
  CallbackShape shape;
  shape.arguments = {Register{}, walk.peek(1), vma, walk.peek(4)};
  return shape;
}

CallbackShape user_ringbuf_shape(Walk& walk) {
  Register sample = Register::pointer(Kind::Dynptr);
  sample.dynptr = DynptrType::Local;
  sample.first_slot = true;
  sample.id = walk.new_id();
  CallbackShape shape;
  shape.arguments = {Register{}, sample, walk.peek(3)};
  return shape;
}

// ---- Paths

// It is of no interest here whether the arguments fit, only that the BTF is not relied on when they do not.
Checked check_prototype(Walk& walk, std::uint32_t subprog) {
  const Checked fits = check_call_arguments(walk, subprog);
  if (fits) return {};
  if (walk.rejection->code == EFAULT || is_unsupported(*walk.rejection)) return fits;
  if (!walk.rejection->message.empty()) walk.say("{}", walk.rejection->message);
  walk.rejection.reset();
  return {};
}

// A state of its own, with an empty stack: nothing is known of the moment when it runs, not even that one may sleep.
Checked enter_later(Walk& walk, std::uint32_t subprog, const CallbackShape& shape) {
  if (walk.forks.size() >= kMaxForks)
    return walk.reject(E2BIG, "The sequence of {} jumps is too complex for async cb.", walk.forks.size() + 1);
  Frame frame;
  frame.subprog = subprog;
  frame.called_as = CallKind::AsyncCallback;
  frame.callback_returns = shape.returns;
  frame.async_entry = walk.frame().async_entry + 1;
  std::ranges::copy(shape.arguments, frame.registers.begin());
  frame.registers[isa::kRegisters - 1] = Register::pointer(Kind::Stack);
  Fork& made = walk.forks.emplace_back();
  made.state.frames[0] = FrameRef(walk.pool, frame);
  made.state.may_sleep = shape.may_sleep;
  made.insn = walk.subprogs[subprog].start;
  made.from = static_cast<std::uint32_t>(walk.index);
  made.log_size = walk.log.size();
  if (walk.trail) made.trail_size = walk.trail->size();
  walk.changes = Changes::all();
  return {};
}

Checked enter_now(Walk& walk, std::uint32_t subprog, const CallbackShape& shape) {
  TRY(State* const entered, walk.fork(walk.subprogs[subprog].start));
  const unsigned caller = walk.state.top;
  TRY_VOID(push_frame(walk, *entered, subprog, shape.arguments));
  Frame& callee = entered->mutable_frame();
  callee.called_as = CallKind::Callback;
  callee.callback_returns = shape.returns;
  ++entered->callback_unroll_depth;
  ++entered->mutable_frame(caller).callback_depth;
  walk.mutable_frame().callback_depth = 0;
  return {};
}

Checked enter_loop(Walk& walk, std::uint32_t subprog) {
  // Of a pointer nobody can say how often, so that the callback might run without having been walked.
  if (!walk.peek(1).is_scalar())
    return walk.reject(EFAULT, "{}", walk.rules == Rules::Linux612 ? "" : "verifier bug: backtracking misuse");
  TRY_VOID(walk.mark_precise(1));  // it says whether the loop has ended
  if (walk.frame().callback_depth < walk.peek(1).number.full.umax)
    return enter_callback(walk, subprog, loop_shape(walk));
  walk.mutable_frame().callback_depth = 0;
  if (walk.log.shows_all_paths()) walk.say("frame{} bpf_loop iteration limit reached", walk.state.top);
  return {};
}

}  // namespace

CallbackShape later_shape(const Walk& walk, unsigned number) {
  const std::uint32_t map = walk.peek(number).map;
  CallbackShape shape;
  shape.kind = CallKind::AsyncCallback;
  shape.arguments = {Register{}, of_map(Kind::MapPointer, map), of_map(Kind::MapKey, map), of_map(Kind::MapValue, map)};
  shape.returns = {0, 0};
  return shape;
}

Checked enter_callback(Walk& walk, std::uint32_t subprog, const CallbackShape& shape) {
  TRY_VOID(check_prototype(walk, subprog));
  Subprog& function = walk.subprogs[subprog];
  function.is_callback = true;
  if (shape.kind != CallKind::AsyncCallback) return enter_now(walk, subprog, shape);
  function.is_async_callback = true;
  return enter_later(walk, subprog, shape);
}

Checked enter_helper_callback(Walk& walk, HelperId helper, std::uint32_t subprog) {
  switch (helper) {
    case HelperId::loop: return enter_loop(walk, subprog);
    case HelperId::timer_set_callback: return enter_callback(walk, subprog, later_shape(walk, 1));
    case HelperId::user_ringbuf_drain: return enter_callback(walk, subprog, user_ringbuf_shape(walk));
    case HelperId::for_each_map_elem: {
      TRY(const CallbackShape shape, for_each_shape(walk));
      return enter_callback(walk, subprog, shape);
    }
    case HelperId::find_vma: {
      TRY(const CallbackShape shape, find_vma_shape(walk));
      return enter_callback(walk, subprog, shape);
    }
    default: return walk.unsupported("callbacks of helper bpf_{}", spec::helper(helper).name);
  }
}

}  // namespace skep::verifier
