// perf_event_open(2) of events that receive what programs output, and what is done with their descriptors. Such an
// event is the hive's (hive/perf_output.h), whoever asks; all others are the machine's.
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "base/cpus.h"
#include "hive/descriptor.h"
#include "supervisor/answers.h"

namespace skep::supervisor::answers {
namespace {

// The event that `fd` of the caller is; invalid when it is none of a hive's.
Fd event_of(Waiting& caller, int fd) noexcept {
  if (!caller.may_be_memory(fd)) return Fd();
  Fd event = caller.descriptor(fd);
  return event && hive::is_event(::lseek(event.get(), 0, SEEK_CUR)) ? std::move(event) : Fd();
}

// What the kernel asks of any event, and what this one cannot do: a negative errno, or 0.
int check(const Waiting& caller, const perf_event_attr& attr) noexcept {
  constexpr unsigned long kFlags =
      PERF_FLAG_FD_NO_GROUP | PERF_FLAG_FD_OUTPUT | PERF_FLAG_PID_CGROUP | PERF_FLAG_FD_CLOEXEC;
  const int process = caller.word(1), cpu = caller.word(2), group = caller.word(3);
  const std::uint64_t flags = caller.argument(4);
  if ((flags & ~kFlags) != 0 || cpu < -1 || (process == -1 && cpu == -1)) return -EINVAL;
  if (cpu >= static_cast<int>(possible_cpus())) return -EINVAL;
  const bool is_in_group = group != -1 || (flags & (PERF_FLAG_FD_OUTPUT | PERF_FLAG_PID_CGROUP)) != 0;
  const bool has_other_records = (attr.sample_type & ~std::uint64_t{PERF_SAMPLE_TIME}) != PERF_SAMPLE_RAW ||
                                 attr.write_backward != 0 || attr.sample_id_all != 0;
  return is_in_group || has_other_records ? -EOPNOTSUPP : 0;
}

}  // namespace

Answer open_event(Call& call) noexcept {
  Waiting& caller = *call.caller;
  // The first version's fields; the kernel says what is wrong with a size.
  constexpr std::size_t kFirst = PERF_ATTR_SIZE_VER0;
  perf_event_attr attr{};
  if (!caller.copy_in(caller.argument(0), std::as_writable_bytes(std::span(&attr, 1)).first(kFirst)))
    return Answer::How::PassOn;
  const bool is_output = attr.type == PERF_TYPE_SOFTWARE && attr.config == PERF_COUNT_SW_BPF_OUTPUT;
  if (!is_output || (attr.size != 0 && attr.size < kFirst)) return Answer::How::PassOn;
  if (const int error = check(caller, attr); error != 0) return error;
  Result<Fd> event =
      call.reach.client.open_perf_output({.is_disabled = attr.disabled ? 1U : 0U,
                                          .counts_bytes = attr.watermark ? 1U : 0U,
                                          .wakeup = attr.wakeup_events,
                                          .has_time = (attr.sample_type & PERF_SAMPLE_TIME) != 0 ? 1U : 0U});
  if (!event) return -event.error().code;
  const bool closes = (caller.argument(4) & PERF_FLAG_FD_CLOEXEC) != 0;
  return caller.install(*std::move(event), closes ? O_CLOEXEC : 0);
}

// The kernel maps the memory; we say how large the ring is.
Answer map_event(Call& call) noexcept {
  Waiting& caller = *call.caller;
  const Fd event = event_of(caller, caller.word(4));
  if (!event) return Answer::How::PassOn;
  const bool writable = (caller.argument(2) & PROT_WRITE) != 0;
  const int error = hive::prepare_ring(event.get(), caller.argument(1), caller.argument(5), writable);
  return error != 0 ? Answer(error) : Answer(Answer::How::PassOn);
}

Answer control_event(Call& call) noexcept {
  Waiting& caller = *call.caller;
  const auto request = static_cast<std::uint32_t>(caller.argument(1));
  const Fd event = event_of(caller, caller.word(0));
  if (!event && !caller.says(caller.word(0), "anon_inode:[perf_event]")) return Answer::How::PassOn;
  if (request == PERF_EVENT_IOC_SET_BPF) return attach_to_event(call, static_cast<bool>(event));
  // Which programs an event of the machine's runs: none of the hive's, and others have no ids here.
  if (!event) return request == PERF_EVENT_IOC_QUERY_BPF ? Answer(-EOPNOTSUPP) : Answer(Answer::How::PassOn);
  const std::uint64_t argument = caller.argument(2);
  switch (request) {
    case PERF_EVENT_IOC_ENABLE: return hive::enable_output(event.get(), true);
    case PERF_EVENT_IOC_DISABLE: return hive::enable_output(event.get(), false);
    case PERF_EVENT_IOC_PAUSE_OUTPUT: return hive::pause_output(event.get(), argument != 0);
    case PERF_EVENT_IOC_RESET: return 0;
    case PERF_EVENT_IOC_ID: {
      const std::uint64_t id = static_cast<std::uint32_t>(::lseek(event.get(), 0, SEEK_CUR));
      return caller.copy_out(argument, bytes_of(id)) ? 0 : -EFAULT;
    }
    case PERF_EVENT_IOC_QUERY_BPF: return -EINVAL;  // of tracepoints only
    default: return -EOPNOTSUPP;
  }
}

}  // namespace skep::supervisor::answers
