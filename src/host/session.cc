#include "host/session.h"

#include <algorithm>
#include <cerrno>

#include "host/remote_caller.h"

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
  const long result = service_.hive().call(caller, asked.command, request.address, asked.attr_bytes);
  client_of_thread = nullptr;
  service_.calls.fetch_add(1, std::memory_order_relaxed);
  return caller.finish(result);
}

bool Session::wake_up(Fd ring) noexcept {
  const Result<int> event = ring ? service_.hive().wakeup_fd(ring.get()) : fail(EBADF, "no descriptor");
  ring.reset();
  if (!event) return channel_.send(Kind::Done, {.value = -event.error().code}) == 0;
  return channel_.send(Kind::Done, {.descriptor = *event}) == 0;
}

}  // namespace skep::host
