#include "interp/objects.h"

#include <fmt/format.h>

#include <algorithm>

#include "exec/context_model.h"
#include "exec/dynptr.h"
#include "exec/packet_view.h"

namespace skep::interp {
namespace {

using FailureKind = exec::Failure::Kind;
using exec::ContextKind;

constexpr std::uint64_t kNullPage = 4096;                // an access below is one through a null pointer
constexpr std::uint64_t kNear = std::uint64_t{1} << 16;  // bytes; farther away it is not that object that was meant

std::uint64_t address_of(const void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }

}  // namespace

Objects::Objects(exec::Call& call, std::byte* stacks, std::uint64_t* written) noexcept
    : stack_(address_of(stacks)), written_(written), call_(call) {
  enter_frame(0);
}

void Objects::enter_frame(unsigned depth) noexcept {
  leave_to_frame(depth);
  std::fill_n(written_ + depth * kFrameWords, kFrameWords, std::uint64_t{0});
}

void Objects::set_program(const Program& program) noexcept {
  program_ = &program;
  forget_hits();
}

bool Objects::refuse(FailureKind kind, std::uint64_t address, std::uint64_t bytes, std::string_view why) noexcept {
  fault_ = {kind, address, static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes, UINT32_MAX)), why};
  return false;
}

bool Objects::slow_stack(Touch touch, std::uint64_t offset, std::uint32_t bytes) noexcept {
  if (offset % isa::kStackBytes + bytes > isa::kStackBytes)
    return refuse(FailureKind::OutOfBounds, stack_ + offset, bytes);
  if (touch == Touch::Write) {
    mark_written(stack_ + offset, bytes);
    return true;
  }
  for (std::uint64_t at = offset; at < offset + bytes; ++at)
    if (!(written_[at / 64] >> (at % 64) & 1)) return refuse(FailureKind::Uninitialised, stack_ + offset, bytes);
  return true;
}

bool Objects::slow(Touch touch, std::uint64_t address, std::uint32_t bytes, const Code* pc) noexcept {
  Object object;
  if (!find(address, bytes, object)) return refuse(FailureKind::OutOfBounds, address, bytes);
  hit(pc) = {object.base, object.readable ? object.bytes : 0, object.writable ? object.bytes : 0};
  if (touch == Touch::Write && !object.writable) return refuse(FailureKind::ReadOnly, address, bytes);
  return object.readable || touch == Touch::Write || refuse(FailureKind::OutOfBounds, address, bytes);
}

// ---- Objects ----

Objects::Object Objects::context() const noexcept {
  const ContextKind kind = program_->image().context;
  const bool plain = kind == ContextKind::Memory;
  const std::size_t bytes = plain ? call_.context_bytes : exec::context_bytes(kind);
  return {address_of(call_.context), bytes, What::Context, true, plain, nullptr};
}

Objects::Object Objects::packet() const noexcept {
  const Bytes bytes = exec::packet_of(program_->image().context, call_.context);
  return {address_of(bytes.data()), bytes.size(), What::Packet, true, true, nullptr};
}

Objects::Object Objects::value(const maps::Map& map, std::uint64_t base) const noexcept {
  const std::uint32_t flags = map.spec().flags;
  return {base, map.spec().value_size, What::Value, !(flags & spec::kWronlyProg), !(flags & spec::kRdonlyProg), &map};
}

bool Objects::find_in_map(maps::Map& map, std::uint64_t address, std::uint64_t bytes, Object& found) const noexcept {
  if (map.spec().type == spec::MapType::Ringbuf) return false;  // its records are known
  const auto bounds = map.value_at(reinterpret_cast<const std::byte*>(address));
  if (!bounds) return false;
  found = value(map, address_of(bounds->data()));
  found.bytes = std::min<std::uint64_t>(found.bytes, bounds->size());
  return found.holds(address, bytes);
}

bool Objects::find(std::uint64_t address, std::uint64_t bytes, Object& found) const noexcept {
  found = packet();
  if (found.holds(address, bytes)) return true;
  found = context();
  if (found.holds(address, bytes)) {
    // Of a lowered context, only fields that a program may write are writable, and never its pointers.
    for (const exec::ModelField& field : exec::model_fields()) {
      if (field.context != program_->image().context || field.store == exec::FieldStore::None) continue;
      const Object part{found.base + field.offset, field.bytes, What::Context, true, true, nullptr};
      if (!part.holds(address, bytes)) continue;
      found = part;
      break;
    }
    return true;
  }
  for (const auto& table :
       {std::span(records_).first(record_count_), std::span(lent_).first(std::min(lent_count_, kLent))})
    for (const Object& object : table)
      if (object.holds(address, bytes)) {
        found = object;
        return true;
      }
  for (const exec::Lent& lent : call_.lent) {
    found = {address_of(lent.base), lent.bytes, What::Memory, true, lent.writable, nullptr};
    if (found.holds(address, bytes)) return true;
  }
  for (maps::Map* map : program_->maps())
    if (find_in_map(*map, address, bytes, found)) return true;
  for (std::size_t i = 0; i < std::min(inner_count_, kInner); ++i)
    if (find_in_map(*inner_[i], address, bytes, found)) return true;
  return false;
}

void Objects::lend(const Object& object) noexcept { lent_[lent_count_++ % kLent] = object; }

void Objects::lend_element(std::uint64_t key, std::uint64_t element) noexcept {
  if (!map_) return;
  if (key) lend({key, map_->spec().key_size, What::Key, true, false, map_});
  if (element) lend(value(*map_, element));
}

void Objects::lend_dynptr(std::uint64_t at) noexcept {
  const auto dynptr = load<exec::Dynptr>(reinterpret_cast<const std::byte*>(at));
  lend({at, sizeof dynptr, What::Memory, true, false, nullptr});
  lend({address_of(dynptr.begin()), dynptr.size, What::Memory, true, dynptr.is_read_only == 0, nullptr});
}

bool Objects::knows_map(std::uint64_t map) const noexcept {
  const auto same = [&](const maps::Map* known) { return address_of(known) == map; };
  return std::ranges::any_of(program_->maps(), same) ||
         std::any_of(inner_.begin(), inner_.begin() + static_cast<std::ptrdiff_t>(std::min(inner_count_, kInner)),
                     same);
}

// ---- Claims ----

std::optional<std::uint64_t> Objects::start_of_value(spec::MapId map, std::uint64_t address) const noexcept {
  for (const Object& object : std::span(lent_).first(std::min(lent_count_, kLent)))
    if (object.what == What::Value && object.map->id() == map && object.holds(address, 1)) return object.base;
  for (maps::Map* known : program_->maps()) {
    if (known->id() != map) continue;
    const auto bounds = known->value_at(reinterpret_cast<const std::byte*>(address));
    if (bounds) return address_of(bounds->data());
  }
  return std::nullopt;
}

// ---- Telling ----

namespace {

// Bytes by which an access misses [base, base + size): negative before, positive behind.
std::int64_t distance(std::uint64_t address, std::uint64_t bytes, std::uint64_t base, std::uint64_t size) {
  if (address < base) return -static_cast<std::int64_t>(std::min(base - address, kNear));
  const std::uint64_t end = base + size;
  if (address >= end) return static_cast<std::int64_t>(std::min(address - end, kNear) + bytes);
  const std::uint64_t behind = bytes > end - address ? bytes - (end - address) : 0;
  return static_cast<std::int64_t>(behind);
}

std::uint64_t magnitude(std::int64_t outside) { return static_cast<std::uint64_t>(outside < 0 ? -outside : outside); }

std::string map_name(const maps::Map& map) {
  return map.spec().name.empty() ? fmt::format("map {}", std::to_underlying(map.id())) : "map " + map.spec().name;
}

std::string value_name(const maps::Map& map, std::uint64_t base) {
  if (map.spec().type != spec::MapType::Array) return "value of " + map_name(map);
  const std::uint32_t key = 0;
  const std::byte* first = const_cast<maps::Map&>(map).lookup(reinterpret_cast<const std::byte*>(&key),
                                                              0);  // an array's lookup writes nothing
  return fmt::format("{}, value {}", map_name(map), (base - address_of(first)) / round_up(map.spec().value_size, 8));
}

}  // namespace

void Objects::describe(exec::Failure& failure) const {
  failure.kind = fault_.kind;
  failure.address = fault_.address;
  failure.size = fault_.bytes;
  failure.outside = 0;
  if (fault_.kind == FailureKind::BadCall) {
    failure.object = fault_.why;
    return;
  }
  std::uint64_t nearest = kNear;
  const auto consider = [&](std::uint64_t base, std::uint64_t bytes, auto name) {
    const std::int64_t outside = distance(fault_.address, fault_.bytes, base, bytes);
    const std::uint64_t away = fault_.address - base < bytes ? 0 : magnitude(outside);  // one it starts in is nearest
    if (away >= nearest) return;
    nearest = away;
    failure.outside = outside;
    failure.object = name();
  };
  if (fault_.address < kNullPage) {
    failure.object = "the pointer is null";
    return;
  }
  for (unsigned depth = 0; depth < live_ / isa::kStackBytes; ++depth)
    consider(stack_ + depth * isa::kStackBytes, isa::kStackBytes,
             [&] { return fmt::format("stack of frame {}", depth); });
  const auto consider_object = [&](const Object& object) {
    consider(object.base, object.bytes, [&]() -> std::string {
      switch (object.what) {
        case What::Value: return value_name(*object.map, object.base);
        case What::Key: return "key of " + map_name(*object.map);
        case What::Record: return "record of " + map_name(*object.map);
        case What::Memory: return "memory a helper gave";
        case What::Packet: return "packet";
        case What::Context: return "context";
      }
      return {};
    });
  };
  if (const Object bounds = packet(); bounds.base) consider_object(bounds);
  consider_object(context());
  for (const Object& object : std::span(records_).first(record_count_)) consider_object(object);
  for (const Object& object : std::span(lent_).first(std::min(lent_count_, kLent))) consider_object(object);
  for (maps::Map* map : program_->maps())
    consider(address_of(map), sizeof(maps::Map),
             [&] { return map_name(*map) + " itself, which is no memory of the program"; });
  for (maps::Map* map : program_->maps())
    if (const std::byte* base = map->direct_value()) consider_object(value(*map, address_of(base)));
  if (failure.object.empty()) failure.object = "no object is near";
}

}  // namespace skep::interp
