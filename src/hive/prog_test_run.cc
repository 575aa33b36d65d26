// BPF_PROG_TEST_RUN: a packet or context of the caller through a program, and back.
#include <time.h>

#include <algorithm>
#include <vector>

#include "base/errno.h"
#include "exec/failure.h"
#include "hive/extension.h"
#include "hive/prog_system.h"
#include "hive/request.h"
#include "maps/run_storage.h"
#include "packet/test_run.h"
#include "packet/xdp_ops.h"
#include "spec/prog_rules.h"

namespace skep::hive {
namespace {

using spec::AttrTest;
using spec::ProgType;

thread_local exec::Failure failure_of_last_run;

constexpr std::uint64_t kBetweenLooks = 10'000'000;  // nanoseconds of runs, between looks whether anybody waits
constexpr std::uint32_t kMaxBatch = 256;             // live frames
constexpr std::uint32_t kMaxSyscallContext = 65535;  // bytes
constexpr std::uint32_t kMaxTracepointContext = 12 * 8;
// A frame's page and its fragments: room for headroom and the kernel's shared info in the page.
constexpr std::uint32_t kXdpTailroom = 320;
constexpr std::uint32_t kXdpMaxPacket = 4096 - packet::kXdpHeadroom - kXdpTailroom + 17 * 4096;

std::uint64_t monotonic() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

bool goes_through_skb(const ProgObject& program) noexcept {
  return program.code->image().context == exec::ContextKind::SkBuff;
}

// A context of the caller, extended with zeros or, beyond ours, checked to be zero.
template <class Context>
class UserContext {
 public:
  explicit UserContext(const AttrTest& attr) : attr_(attr) {}
  bool given() const noexcept { return attr_.ctx_in != 0 || attr_.ctx_out != 0; }
  Context* get() noexcept { return given() ? &context_ : nullptr; }

  int read(Caller& caller) noexcept {
    if (attr_.ctx_in == 0) return 0;
    const MutableBytes ours = std::as_writable_bytes(std::span(&context_, 1));
    if (attr_.ctx_size_in > spec::kMaxAttrBytes) return E2BIG;
    std::vector<std::byte> theirs(attr_.ctx_size_in);
    if (!caller.copy_in(attr_.ctx_in, theirs)) return EFAULT;
    const std::size_t known = std::min(theirs.size(), ours.size());
    if (std::any_of(theirs.begin() + static_cast<std::ptrdiff_t>(known), theirs.end(),
                    [](std::byte b) { return b != std::byte{0}; }))
      return E2BIG;
    std::copy_n(theirs.begin(), known, ours.begin());
    return 0;
  }

  // 0, ENOSPC when the caller's buffer holds only a part (which is written), EFAULT.
  int write(Request& request) noexcept {
    if (attr_.ctx_out == 0) return 0;
    const auto size = static_cast<std::uint32_t>(sizeof context_);
    const std::uint32_t part = std::min(size, attr_.ctx_size_out);
    if (!request.caller.copy_out(attr_.ctx_out, bytes_of(context_).first(part)) ||
        !answer(request, offsetof(AttrTest, ctx_size_out), size))
      return EFAULT;
    return part < size ? ENOSPC : 0;
  }

 private:
  const AttrTest& attr_;
  Context context_{};
};

struct Outcome {
  std::uint32_t retval = 0;
  std::uint32_t duration = 0;  // nanoseconds of one run
};

// Results other than the context: 0, ENOSPC, EFAULT.
int write_results(Request& request, Bytes packet, Outcome outcome) noexcept {
  const AttrTest& attr = request.attr.test;
  const auto size = static_cast<std::uint32_t>(packet.size());
  const std::uint32_t part = attr.data_size_out != 0 ? std::min(size, attr.data_size_out) : size;
  if (attr.data_out != 0 && !request.caller.copy_out(attr.data_out, packet.first(part))) return EFAULT;
  if (!answer(request, offsetof(AttrTest, data_size_out), size) ||
      !answer(request, offsetof(AttrTest, retval), outcome.retval) ||
      !answer(request, offsetof(AttrTest, duration), outcome.duration))
    return EFAULT;
  return part < size ? ENOSPC : 0;
}

// The errno of a run that an engine stopped: the kernel's verifier would have said EACCES.
int stopped_error(const exec::Failure& failure) noexcept {
  return failure.kind == exec::Failure::Kind::Budget ? ETIMEDOUT : EACCES;
}

// Programs that ask for a cgroup's storage get one of this command's own.
void restart_storage(ProgObject& program) {
  const std::scoped_lock lock(program.mutex);
  for (MapObject* map : program.maps)
    if (auto* storage = dynamic_cast<maps::RunStorage*>(map->map.get())) storage->restart();
}

// The repetitions. `reset` puts the packet back as the caller gave it.
template <class Buffer, class Reset>
int repeat(Request& request, ProgObject& program, Buffer& buffer, Reset reset, Outcome& outcome) {
  State& hive = request.hive;
  const std::shared_ptr<const exec::Executable> code = running(hive, program);
  const std::uint32_t times = std::max<std::uint32_t>(request.attr.test.repeat, 1);
  std::uint64_t spent = 0, look_at = kBetweenLooks;
  for (std::uint32_t i = 0; i < times; ++i) {
    if (i != 0 && hive.options.repeat == Repeat::Reset)
      if (const int error = reset(); error != 0) return -error;
    exec::Call call(hive.host);
    call.context = &buffer;
    call.context_bytes = sizeof buffer;
    call.budget = hive.options.budget;
    call.failure = &failure_of_last_run;
    const std::uint64_t start = monotonic();
    outcome.retval = static_cast<std::uint32_t>(runtime::run(hive.surroundings, *code, call, program.counters));
    spent += monotonic() - start;
    if (call.stopped) return stopped_error(failure_of_last_run);
    if (spent < look_at) continue;
    if (request.caller.has_gone()) return EINTR;
    look_at = spent + kBetweenLooks;
  }
  outcome.duration = static_cast<std::uint32_t>(std::min<std::uint64_t>(spent / times, UINT32_MAX));
  return 0;
}

// Sizes that begin() does not know: what fits into a page and its fragments.
int check_xdp(const ProgObject& program, const AttrTest& attr) noexcept {
  const auto attach = spec::AttachType{program.attach_type};
  if (attach == spec::AttachType::XdpDevmap || attach == spec::AttachType::XdpCpumap) return EINVAL;
  if ((attr.flags & ~std::uint32_t{spec::kTestXdpLiveFrames}) != 0) return EINVAL;
  if ((attr.flags & spec::kTestXdpLiveFrames) != 0) return attr.batch_size > kMaxBatch ? E2BIG : EOPNOTSUPP;
  return attr.batch_size != 0 ? EINVAL : 0;
}

long run_xdp(Request& request, ProgObject& program) {
  const AttrTest& attr = request.attr.test;
  if (const int error = check_xdp(program, attr); error != 0) {
    if (error == EOPNOTSUPP) return refuse(error, "prog_test_run: a hive has no devices to send live frames to");
    return -error;
  }
  UserContext<spec::XdpMd> context(attr);
  if (const int error = context.read(request.caller); error != 0) return -error;
  if (attr.data_size_in < packet::kTestRunMin) return -EINVAL;
  if (attr.data_size_in > kXdpMaxPacket) return -ENOMEM;
  std::vector<std::byte> data(attr.data_size_in);
  if (!request.caller.copy_in(attr.data_in, data)) return -EFAULT;
  packet::Frame frame;
  packet::XdpBuff xdp;
  const auto begin = [&] { return packet::begin(xdp, frame, data, context.get()); };
  if (const int error = begin(); error != 0) return error;
  Outcome outcome;
  if (const int error = repeat(request, program, xdp, begin, outcome); error != 0) return -error;
  const Bytes out = packet::finish(xdp, context.get());
  if (const int error = write_results(request, out, outcome); error != 0) return -error;
  return -context.write(request);
}

long run_skb(Request& request, ProgObject& program) {
  const AttrTest& attr = request.attr.test;
  if ((attr.flags & ~packet::kSkbChecksumComplete) != 0 || attr.cpu != 0 || attr.batch_size != 0) return -EINVAL;
  if (attr.data_size_in < packet::kTestRunMin || attr.data_size_in > packet::kTestRunMaxSkb) return -EINVAL;
  std::vector<std::byte> data(attr.data_size_in);
  if (!request.caller.copy_in(attr.data_in, data)) return -EFAULT;
  UserContext<spec::SkBuffMd> context(attr);
  if (const int error = context.read(request.caller); error != 0) return -error;
  packet::Frame frame;
  packet::SkBuff skb;
  const auto begin = [&] { return packet::begin(skb, frame, data, context.get(), program.type, attr.flags); };
  if (const int error = begin(); error != 0) return error;
  Outcome outcome;
  if (const int error = repeat(request, program, skb, begin, outcome); error != 0) return -error;
  Bytes out;
  if (const int error = packet::finish(skb, context.get(), program.type, attr.flags, out); error != 0) return error;
  if (const int error = write_results(request, out, outcome); error != 0) return -error;
  return -context.write(request);
}

// Programs whose context is plain memory: one run, no packet. The context goes back where it came from when `back`.
enum class Back : std::uint8_t { No, Yes };
long run_plain(Request& request, ProgObject& program, std::uint32_t most, Back back) {
  const AttrTest& attr = request.attr.test;
  if (attr.data_in != 0 || attr.data_out != 0 || attr.ctx_out != 0 || attr.duration != 0 || attr.repeat != 0 ||
      attr.batch_size != 0)
    return -EINVAL;
  if (attr.ctx_size_in > most) return -EINVAL;
  std::vector<std::byte> context(attr.ctx_size_in);
  if (!request.caller.copy_in(attr.ctx_in, context)) return -EFAULT;
  exec::Call call(request.hive.host);
  call.context = context.data();
  call.context_bytes = attr.ctx_size_in;
  call.budget = request.hive.options.budget;
  call.failure = &failure_of_last_run;
  ProgSystem system(request);
  const std::shared_ptr<const exec::Executable> code = running(request.hive, program);
  if (program.type == ProgType::Syscall) call.system = &system;
  const auto retval =
      static_cast<std::uint32_t>(runtime::run(request.hive.surroundings, *code, call, program.counters));
  if (call.stopped) return -stopped_error(failure_of_last_run);
  if (!answer(request, offsetof(AttrTest, retval), retval)) return -EFAULT;
  if (back == Back::Yes && !request.caller.copy_out(attr.ctx_in, context)) return -EFAULT;
  return 0;
}

long run_tracepoint(Request& request, ProgObject& program) {
  const AttrTest& attr = request.attr.test;
  const bool on_cpu = (attr.flags & spec::kTestRunOnCpu) != 0;
  if (!on_cpu && attr.cpu != 0) return -EINVAL;
  if (on_cpu && attr.cpu >= request.hive.domain->cpus()) return -ENXIO;
  return run_plain(request, program, kMaxTracepointContext, Back::No);
}

// Programs attached to functions are not run themselves: the kernel calls its bpf_fentry_test*() or
// bpf_modify_return_test*() functions, so that whatever is attached there runs. Nothing can be attached to them in a
// hive: this is what they return.
long run_functions(Request& request, const ProgObject& program) {
  constexpr std::uint32_t kOfModifyReturn = 2U << 16 | 33;  // both changed their argument; 1 + 3, and 29
  const AttrTest& attr = request.attr.test;
  if (attr.flags != 0 || attr.cpu != 0 || attr.batch_size != 0) return -EINVAL;
  switch (static_cast<spec::AttachType>(program.attach_type)) {
    case spec::AttachType::TraceFentry:
    case spec::AttachType::TraceFexit: return answer(request, offsetof(AttrTest, retval), 0U) ? 0 : -EFAULT;
    case spec::AttachType::ModifyReturn:
      return answer(request, offsetof(AttrTest, retval), kOfModifyReturn) ? 0 : -EFAULT;
    default: return -EFAULT;
  }
}

}  // namespace

const exec::Failure& Hive::last_failure() noexcept { return failure_of_last_run; }

long prog_test_run(Request& request) {
  const AttrTest& attr = request.attr.test;
  failure_of_last_run = {};
  if ((attr.ctx_size_in != 0) != (attr.ctx_in != 0)) return -EINVAL;
  if ((attr.ctx_size_out != 0) != (attr.ctx_out != 0)) return -EINVAL;
  const Found<ProgObject> found = find_prog(request.hive, request.caller, static_cast<int>(attr.prog_fd));
  if (!found.object) return -found.error;
  ProgObject& program = *found.object;
  const bool runs = spec::test_run(program.type) != spec::TestRun::None && program.type != ProgType::Tracing;
  if (runs && !program.code) return refuse(EOPNOTSUPP, "no engine here can run this program: " + program.obstacle);
  restart_storage(*found.object);
  request.hive.count_statistics();
  if (program.type == ProgType::Xdp) return run_xdp(request, program);
  if (goes_through_skb(program)) return run_skb(request, program);
  switch (program.type) {
    case ProgType::Syscall:
      return attr.flags != 0 ? -EINVAL : run_plain(request, program, kMaxSyscallContext, Back::Yes);
    case ProgType::RawTracepoint:
    case ProgType::RawTracepointWritable: return run_tracepoint(request, program);
    case ProgType::Tracing: return run_functions(request, program);
    default: return refuse(kNotSupported, "prog_test_run: not for programs of this type");
  }
}

}  // namespace skep::hive
