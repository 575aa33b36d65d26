#include "cli/perf_reader.h"

#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "base/cpus.h"
#include "base/raw_syscall.h"
#include "cli/map_failure.h"

namespace skep::cli {
namespace {

constexpr std::size_t kDataPages = 64;

std::size_t page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }
std::size_t data_bytes() { return kDataPages * page_bytes(); }

// What programs' bpf_perf_event_output writes to: an event of its own kind, each record a wake-up.
long open_event(unsigned cpu) {
  perf_event_attr attr{};
  attr.size = sizeof attr;
  attr.type = PERF_TYPE_SOFTWARE;
  attr.config = PERF_COUNT_SW_BPF_OUTPUT;
  attr.sample_type = PERF_SAMPLE_RAW;
  attr.sample_period = 1;
  attr.wakeup_events = 1;
  return raw_syscall(SYS_perf_event_open, reinterpret_cast<long>(&attr), -1, static_cast<long>(cpu), -1,
                     PERF_FLAG_FD_CLOEXEC, 0);
}

// Bytes of a ring that goes round.
void copy_from(const std::byte* data, std::uint64_t at, MutableBytes out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = data[(at + i) % data_bytes()];
}

}  // namespace

Expected<PerfReader> PerfReader::open(const LiveMap& map) {
  PerfReader reader;
  for (unsigned cpu = 0; cpu < std::min(possible_cpus(), map.info.max_entries); ++cpu) {
    const long event = open_event(cpu);
    if (event == -ENODEV) continue;  // offline
    if (event < 0) {
      return give_up(Exit::Unavailable, fmt::format("perf events cannot be opened: {}; they need CAP_PERFMON",
                                                    std::strerror(static_cast<int>(-event))));
    }
    Ring ring{.cpu = cpu, .event = Fd(static_cast<int>(event)), .pages = nullptr};
    void* pages = ::mmap(nullptr, page_bytes() + data_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, ring.event.get(), 0);
    if (pages == MAP_FAILED)
      return give_up(Exit::Unavailable, fmt::format("perf events cannot be mapped: {}", std::strerror(errno)));
    ring.pages = static_cast<std::byte*>(pages);
    std::uint32_t key = cpu;
    auto value = static_cast<std::uint32_t>(ring.event.get());
    reader.rings_.push_back(std::move(ring));
    const long error = map.call(spec::Command::MapUpdateElem, reinterpret_cast<std::byte*>(&key),
                                reinterpret_cast<std::byte*>(&value));
    if (error < 0) return std::unexpected(element_failure(map, {.doing = Doing::Update, .key = bytes_of(key)}, error));
  }
  return reader;
}

PerfReader::~PerfReader() {
  for (const Ring& ring : rings_)
    if (ring.pages != nullptr) ::munmap(ring.pages, page_bytes() + data_bytes());
}

std::size_t PerfReader::read_ring(Ring& ring, const std::function<bool(const Record& record)>& visit) {
  auto& about = *static_cast<perf_event_mmap_page*>(static_cast<void*>(ring.pages));
  const std::byte* data = ring.pages + page_bytes();
  const std::uint64_t end = std::atomic_ref(about.data_head).load(std::memory_order_acquire);
  std::uint64_t at = about.data_tail;
  std::size_t visited = 0;
  std::vector<std::byte> event;
  for (bool more = true; more && at < end;) {
    perf_event_header header;
    copy_from(data, at, std::as_writable_bytes(std::span(&header, 1)));
    if (header.size < sizeof header || header.size > end - at) break;
    event.resize(header.size - sizeof header);
    copy_from(data, at + sizeof header, event);
    at += header.size;
    if (header.type == PERF_RECORD_SAMPLE && event.size() >= 4) {
      const std::size_t size = std::min<std::size_t>(load<std::uint32_t>(event.data()), event.size() - 4);
      more = visit({.cpu = ring.cpu, .data = Bytes(event).subspan(4, size), .lost = 0});
      ++visited;
    }
    if (header.type == PERF_RECORD_LOST && event.size() >= 16)
      visit({.cpu = ring.cpu, .data = {}, .lost = load<std::uint64_t>(event.data() + 8)});
    std::atomic_ref(about.data_tail).store(at, std::memory_order_release);
  }
  return visited;
}

std::size_t PerfReader::read(const std::function<bool(const Record& record)>& visit) {
  std::size_t visited = 0;
  bool more = true;
  for (Ring& ring : rings_) {
    visited += read_ring(ring, [&](const Record& record) { return more = visit(record); });
    if (!more) break;
  }
  return visited;
}

}  // namespace skep::cli
