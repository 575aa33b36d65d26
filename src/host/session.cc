#include "host/session.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "host/remote_caller.h"
#include "maps/domain.h"

namespace skep::host {
namespace {

using wire::Kind;

thread_local const wire::Identity* client_of_thread = nullptr;

}  // namespace

const wire::Identity* current_client() noexcept { return client_of_thread; }

void Session::serve() noexcept {
  if (channel_.send(Kind::Hello, {.address = wire::kMagic}) != 0) return;
  wire::Message request;
  while (channel_.receive(request) == 0 && answer(request)) {
  }
}

bool Session::answer(wire::Message& request) noexcept {
  switch (request.kind) {
    case Kind::Call: return call(request);
    case Kind::Wakeup: return wake_up(std::move(request.descriptor));
    case Kind::Share: return share(std::move(request.descriptor));
    case Kind::PerfOutput: return open_perf_output(request.payload);
    case Kind::Domain: return give_domain(request.value);
    case Kind::Maps: return list_maps(request.address);
    case Kind::Status: {
      const wire::Status status = service_.status();
      return channel_.send(Kind::Done, {.payload = bytes_of(status)}) == 0;
    }
    case Kind::Stop: {
      const bool told = channel_.send(Kind::Done) == 0;
      service_.stop();
      return told;
    }
    default: return false;  // an answer to no question
  }
}

bool Session::call(wire::Message& request) noexcept {
  if (request.payload.size() < sizeof(wire::Asked)) return false;
  const auto asked = load<wire::Asked>(request.payload.data());
  const Bytes pieces = request.payload.subspan(sizeof asked);
  std::ranges::copy(pieces, request_.begin());
  RemoteCaller caller(channel_, writes_, asked, Bytes(request_).first(pieces.size()), std::move(request.descriptor));
  client_of_thread = &asked.who;
  if (asked.who.pid_tgid != 0) maps::Domain::prefer_cpu(asked.who.cpu);
  const long result = service_.hive().call(caller, asked.command, request.address, asked.attr_bytes);
  client_of_thread = nullptr;
  maps::Domain::prefer_cpu(wire::Identity::kAnyCpu);
  service_.calls.fetch_add(1, std::memory_order_relaxed);
  return caller.finish(result);
}

bool Session::refuse(int error) noexcept { return channel_.send(Kind::Done, {.value = -error}) == 0; }

bool Session::wake_up(Fd ring) noexcept {
  const Result<hive::Wakeup> wakeup = ring ? service_.hive().wakeup(ring.get()) : fail(EBADF, "no descriptor");
  ring.reset();
  if (!wakeup) return refuse(wakeup.error().code);
  return channel_.send(Kind::Done, {.address = wakeup->bytes,
                                    .value = std::to_underlying(wakeup->waits_for),
                                    .descriptor = wakeup->event}) == 0;
}

bool Session::open_perf_output(Bytes spec) noexcept {
  if (spec.size() != sizeof(hive::PerfOutputSpec)) return false;
  const Result<Fd> event = service_.hive().open_perf_output(load<hive::PerfOutputSpec>(spec.data()));
  return event ? channel_.send(Kind::Done, {.descriptor = event->get()}) == 0 : refuse(event.error().code);
}

bool Session::list_maps(std::uint64_t after) noexcept {
  std::array<hive::ListedMap, wire::kMostBytes / sizeof(hive::ListedMap)> room;
  const std::size_t count = service_.hive().list_maps(static_cast<std::uint32_t>(after), room);
  return channel_.send(Kind::Done, {.payload = std::as_bytes(std::span(room).first(count))}) == 0;
}

bool Session::share(Fd map) noexcept {
  const Result<hive::Hive::SharedMap> shared = service_.hive().share(map.get());
  map.reset();
  if (!shared) return refuse(shared.error().code);
  const spec::MapSpec& spec = shared->spec;
  wire::SharedMap what{.hive = service_.identity(),
                       .extra = spec.extra,
                       .type = std::to_underlying(spec.type),
                       .key_size = spec.key_size,
                       .value_size = spec.value_size,
                       .max_entries = spec.max_entries,
                       .flags = spec.flags,
                       .fields = static_cast<std::uint32_t>(std::min(shared->fields.size(), btf::kMaxSpecialFields)),
                       .field = {}};
  for (std::uint32_t i = 0; i < what.fields; ++i) {
    const btf::SpecialField& field = shared->fields[i];
    what.field[i] = {field.offset, field.bytes, field.kind == btf::Special::SpinLock ? 1U : 0U};
  }
  return channel_.send(Kind::Done, {.payload = bytes_of(what), .descriptor = shared->memory.get()}) == 0;
}

bool Session::give_domain(std::int64_t pid_namespace) noexcept {
  if (pid_namespace == 0 || pid_namespace != wire::pid_namespace()) return refuse(EOPNOTSUPP);
  return channel_.send(Kind::Done, {.descriptor = service_.hive().domain().memfd()}) == 0;
}

}  // namespace skep::host
