// Memory whose size is known at run time only: made over a map's value or a ring buffer's record, read and written with
// checks of the bounds. Nobody has made one over the bytes of a packet yet (bpf_dynptr_from_skb, bpf_dynptr_from_xdp).
#include "exec/dynptr.h"

#include "helpers/subjects.h"
#include "maps/ring_map.h"

namespace skep::helpers {

namespace {

using exec::Dynptr;
using maps::Map;
using maps::RingMap;

bool is_null(const Dynptr& of) noexcept { return of.data == nullptr; }

int dynptr_from_mem(Call&, MutableBytes memory, std::uint64_t flags, Dynptr& to) noexcept {
  to = {};
  if (memory.size() > Dynptr::kMostBytes) return -E2BIG;
  if (flags != 0) return -EINVAL;
  to.data = memory.data();
  to.size = static_cast<std::uint32_t>(memory.size()) & Dynptr::kMostBytes;
  return 0;
}

int dynptr_read(Call&, MutableBytes to, Dynptr& from, std::uint32_t offset, std::uint64_t flags) noexcept {
  if (is_null(from) || flags != 0) return -EINVAL;
  if (!from.has(offset, to.size())) return -E2BIG;
  std::memmove(to.data(), from.begin() + offset, to.size());
  return 0;
}

int dynptr_write(Call&, Dynptr& to, std::uint32_t offset, Bytes from, std::uint64_t flags) noexcept {
  if (is_null(to) || to.is_read_only != 0) return -EINVAL;
  if (!to.has(offset, from.size())) return -E2BIG;
  if (flags != 0) return -EINVAL;
  std::memmove(to.begin() + offset, from.data(), from.size());
  return 0;
}

std::byte* dynptr_data(Call&, Dynptr& of, std::uint32_t offset, std::uint32_t bytes) noexcept {
  if (is_null(of) || !of.has(offset, bytes) || of.is_read_only != 0) return nullptr;
  return of.begin() + offset;
}

int ringbuf_reserve_dynptr(Call& call, Map& map, std::uint32_t size, std::uint64_t flags, Dynptr& to) noexcept {
  to = {};
  if (flags != 0 || map.spec().type != spec::MapType::Ringbuf) return -EINVAL;
  if (size > Dynptr::kMostBytes) return -E2BIG;
  std::byte* const record = call.reservations.full() ? nullptr : static_cast<RingMap&>(map).reserve(size, 0);
  if (record == nullptr) return -EINVAL;
  call.reservations.add(record, &map);
  to.data = record;
  to.size = size & Dynptr::kMostBytes;
  to.kind = static_cast<std::uint32_t>(Dynptr::Kind::Record) & 0x7f;
  return 0;
}

// The ring buffer of a record that is given back, and the record; null for a dynptr that has none.
struct Record {
  RingMap* map;
  std::byte* data;
};
Record take_record(Call& call, Dynptr& of) noexcept {
  std::byte* const data = std::exchange(of, Dynptr{}).data;
  Map* const map = data == nullptr ? nullptr : call.reservations.take(data);
  return {static_cast<RingMap*>(map), data};
}

void ringbuf_submit_dynptr(Call& call, Dynptr& of, std::uint64_t flags) noexcept {
  if (const Record record = take_record(call, of); record.map != nullptr) record.map->submit(record.data, flags);
}
void ringbuf_discard_dynptr(Call& call, Dynptr& of, std::uint64_t flags) noexcept {
  if (const Record record = take_record(call, of); record.map != nullptr) record.map->discard(record.data, flags);
}

}  // namespace

std::span<const Binding> dynptr_bindings() noexcept {
  static constexpr Binding rows[] = {
      SKEP_BIND(dynptr_from_mem),        SKEP_BIND(dynptr_read),
      SKEP_BIND(dynptr_write),           SKEP_BIND(dynptr_data),
      SKEP_BIND(ringbuf_reserve_dynptr), SKEP_BIND(ringbuf_submit_dynptr),
      SKEP_BIND(ringbuf_discard_dynptr),
  };
  return rows;
}

}  // namespace skep::helpers
