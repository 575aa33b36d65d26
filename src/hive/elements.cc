// The element commands. No lock is held while the map works; the map does its own.
#include "hive/elements.h"

#include <algorithm>
#include <new>

#include "base/errno.h"
#include "hive/buffer.h"
#include "maps/kinds.h"

namespace skep::hive {
namespace {

using spec::AttrElem;
using spec::Command;

const maps::Kind& kind_of(const ElementMap& map) noexcept { return *maps::find_kind(map.map.spec().type); }
bool may_read(const ElementMap& map) noexcept { return map.access != Access::WriteOnly; }
bool may_write(const ElementMap& map) noexcept { return map.access != Access::ReadOnly && !map.map.frozen(); }
bool lock_without_lock(const ElementMap& map, std::uint64_t flags) noexcept {
  return (flags & spec::kLock) != 0 && !spin_lock_in(map.fields);
}

// The key at `address`; a map without keys wants a null address. 0 or a positive errno.
int read_key(Caller& caller, const maps::Map& map, std::uint64_t address, Buffer& key) noexcept {
  if (map.spec().key_size == 0) return address == 0 ? 0 : EINVAL;
  if (!key.ok()) return ENOMEM;
  return caller.copy_in(address, key.bytes().first(map.spec().key_size)) ? 0 : EFAULT;
}

long lookup(const AttrElem& attr, Caller& caller, const ElementMap& map, Changes& changes) noexcept {
  if (!may_read(map)) return -EPERM;
  if (lock_without_lock(map, attr.flags)) return -EINVAL;
  Buffer key(changes.key_bytes(map));
  if (const int error = read_key(caller, map.map, attr.key, key); error != 0) return -error;
  Buffer value(map.map.syscall_value_size());
  if (!value.ok()) return -ENOMEM;
  if (map.map.spec().type == spec::MapType::BloomFilter && !caller.copy_in(attr.value, value.bytes())) return -EFAULT;
  if (const int error = changes.find_key(map, key); error != 0) return error;
  changes.before_reading(map, key.data());
  if (const int error = read_value(map, key.data(), value.data(), attr.flags); error != 0) return error;
  return caller.copy_out(attr.value, value.bytes()) ? 0 : -EFAULT;
}

long update(const AttrElem& attr, Caller& caller, const ElementMap& map, Changes& changes) noexcept {
  if (!may_write(map)) return -EPERM;
  if (lock_without_lock(map, attr.flags)) return -EINVAL;
  Buffer key(changes.key_bytes(map));
  if (const int error = read_key(caller, map.map, attr.key, key); error != 0) return -error;
  Buffer value(map.map.syscall_value_size());
  if (!value.ok()) return -ENOMEM;
  if (!caller.copy_in(attr.value, value.bytes())) return -EFAULT;
  if (const int error = changes.find_key(map, key); error != 0) return error;
  return changes.write(map, key.data(), value.data(), attr.flags);
}

long erase(const AttrElem& attr, Caller& caller, const ElementMap& map, Changes& changes) noexcept {
  if (!may_write(map)) return -EPERM;
  Buffer key(changes.key_bytes(map));
  if (const int error = read_key(caller, map.map, attr.key, key); error != 0) return -error;
  if (const int error = changes.find_key(map, key); error != 0) return error;
  return changes.erase(map, key.data());
}

long next_key(const AttrElem& attr, Caller& caller, const ElementMap& map, Changes& changes) noexcept {
  if (!may_read(map)) return -EPERM;
  Buffer key(map.map.spec().key_size);
  if (attr.key != 0)
    if (const int error = read_key(caller, map.map, attr.key, key); error != 0) return -error;
  if (const int error = changes.before_walking(map, attr.key != 0 ? key.data() : nullptr); error != 0) return error;
  Buffer next(map.map.spec().key_size);
  if (!next.ok()) return -ENOMEM;
  if (const int error = map.map.next_key(attr.key != 0 ? key.data() : nullptr, next.data()); error != 0) return error;
  return caller.copy_out(attr.next_key, next.bytes()) ? 0 : -EFAULT;
}

long take(const AttrElem& attr, Caller& caller, const ElementMap& map) noexcept {
  if (!may_read(map) || !may_write(map)) return -EPERM;
  const bool keyless = map.map.spec().type == spec::MapType::Queue || map.map.spec().type == spec::MapType::Stack;
  if (attr.flags != 0 && (keyless || lock_without_lock(map, attr.flags))) return -EINVAL;
  Buffer key(map.map.spec().key_size);
  if (const int error = read_key(caller, map.map, attr.key, key); error != 0) return -error;
  Buffer value(map.map.syscall_value_size());
  if (!value.ok()) return -ENOMEM;
  if (const int error = take_value(map, key.data(), value.data(), attr.flags); error != 0) return error;
  return caller.copy_out(attr.value, value.bytes()) ? 0 : -EFAULT;
}

}  // namespace

Buffer::Buffer(std::size_t size) noexcept : size_(size), data_(inline_) {
  if (size <= kInline) return;
  heap_.reset(new (std::nothrow) std::byte[size]);
  data_ = heap_.get();
  if (data_ == nullptr) size_ = 0;
}

bool is_plain(const spec::MapSpec& spec) noexcept {
  const maps::Kind* kind = maps::find_kind(spec.type);
  if (kind == nullptr || kind->has(maps::kReferences) || kind->has(maps::kShell)) return false;
  switch (kind->family) {
    case maps::Family::Array:
    case maps::Family::Hash:
    case maps::Family::Trie:
    case maps::Family::Queue:
    case maps::Family::Bloom: return true;
    default: return false;
  }
}

bool known_element_flags(Command command, const AttrElem& attr) noexcept {
  const bool only_lock = command == Command::MapLookupElem || command == Command::MapLookupAndDeleteElem;
  return !only_lock || (attr.flags & ~std::uint64_t{spec::kLock}) == 0;
}

long element_command(Command command, const AttrElem& attr, Caller& caller, const ElementMap& map,
                     Changes& changes) noexcept {
  switch (command) {
    case Command::MapLookupElem: return lookup(attr, caller, map, changes);
    case Command::MapUpdateElem: return update(attr, caller, map, changes);
    case Command::MapDeleteElem: return erase(attr, caller, map, changes);
    case Command::MapGetNextKey: return next_key(attr, caller, map, changes);
    case Command::MapLookupAndDeleteElem: return take(attr, caller, map);
    default: return -EINVAL;
  }
}

int PlainChanges::write(const ElementMap& map, const std::byte* key, std::byte* value, std::uint64_t flags) noexcept {
  if (kind_of(map).has(maps::kKeyless)) return map.map.push(value, flags);
  blank_special_fields(map, value);
  return map.map.update_all(key, value, flags);
}
int PlainChanges::erase(const ElementMap& map, const std::byte* key) noexcept { return map.map.erase(key); }

int read_value(const ElementMap& map, const std::byte* key, std::byte* value, std::uint64_t flags) noexcept {
  if (kind_of(map).has(maps::kKeyless)) return map.map.peek(value);
  const int error = map.map.copy_value(key, value, flags);
  if (error == 0) blank_special_fields(map, value);
  return error;
}

int take_value(const ElementMap& map, const std::byte* key, std::byte* value, std::uint64_t flags) noexcept {
  const maps::Kind& kind = kind_of(map);
  if (!kind.has(maps::kTake)) return -kNotSupported;
  const int error = kind.has(maps::kKeyless) ? map.map.pop(value) : map.map.take(key, value, flags);
  if (error == 0) blank_special_fields(map, value);
  return error;
}

std::optional<std::uint32_t> spin_lock_in(std::span<const btf::SpecialField> fields) noexcept {
  const auto lock = std::ranges::find(fields, btf::Special::SpinLock, &btf::SpecialField::kind);
  return lock == fields.end() ? std::nullopt : std::optional(lock->offset);
}

void blank_special_fields(const ElementMap& map, std::byte* value) noexcept {
  if (map.fields.empty()) return;
  const std::size_t stride = round_up(map.map.spec().value_size, 8);  // of a value per CPU
  for (std::size_t at = 0; at < map.map.syscall_value_size(); at += stride)
    for (const btf::SpecialField& field : map.fields) std::fill_n(value + at + field.offset, field.bytes, std::byte{0});
}

}  // namespace skep::hive
