// The four batch commands.
//
// Where a lookup goes on is told by a cursor. That of arrays and tries is the last key; that of hashes is the number of
// the next bucket, in 4 bytes, as in the kernel.
#include <algorithm>

#include "base/errno.h"
#include "hive/btf_use.h"
#include "hive/map_values.h"
#include "hive/request.h"
#include "maps/kinds.h"

namespace skep::hive {
namespace {

using spec::AttrBatch;

// Bytes of keys and values that are on their way to the caller at once, unless a bucket has more.
constexpr std::size_t kChunkBytes = 1U << 18;

const maps::Kind& kind_of(const MapObject& map) noexcept { return *map.kind; }

// What a command does with a map, and the feature that lets it.
struct Asks {
  maps::Feature feature;
  bool reads, writes;
};
constexpr Asks kLookup{maps::kBatch, true, false}, kTakeAll{maps::kBatchTake, true, true},
    kUpdate{maps::kBatch, false, true}, kDelete{maps::kBatchDelete, false, true};

// What every batch command checks first: 0 or an errno. `found` receives the map.
int open_batch(Request& request, const Asks& asks, Found<MapObject>& found) noexcept {
  const AttrBatch& attr = request.attr.batch;
  found = find_map(request.hive, request.caller, static_cast<int>(attr.map_fd));
  if (!found.object) return found.error;
  if (asks.reads && found.access == Access::WriteOnly) return EPERM;
  if (asks.writes && (found.access == Access::ReadOnly || found.object->map->frozen())) return EPERM;
  if (!kind_of(*found.object).has(asks.feature)) return kNotSupported;
  if ((attr.elem_flags & ~std::uint64_t{spec::kLock}) != 0) return EINVAL;
  if ((attr.elem_flags & spec::kLock) != 0 && !has_spin_lock(*found.object)) return EINVAL;
  return 0;
}

bool set_count(Request& request, std::uint32_t count) noexcept {
  return answer(request, offsetof(AttrBatch, count), count);
}

// One lookup through a map whose cursor is a key.
class KeyLookup {
 public:
  KeyLookup(Request& request, MapObject& map)
      : request_(request),
        attr_(request.attr.batch),
        object_(map),
        map_(*map.map),
        key_(map_.spec().key_size),
        value_(map_.syscall_value_size()),
        last_(map_.spec().key_size) {}

  long run() {
    if (!key_.ok() || !value_.ok() || !last_.ok()) return -ENOMEM;
    have_last_ = attr_.in_batch != 0;
    if (have_last_ && !request_.caller.copy_in(attr_.in_batch, last_.bytes())) return -EFAULT;
    int end = 0;
    while (count_ < attr_.count) {
      if (end = map_.next_key(have_last_ ? last_.data() : nullptr, key_.data()); end != 0) break;
      if (const int error = element(); error != 0) return finish(error);
    }
    return finish(end);
  }

 private:
  // The element of key_, which then is the last one. One that went away meanwhile is skipped.
  int element() {
    const int error = read_value(object_.elements(), key_.data(), value_.data(), attr_.elem_flags);
    if (error != 0 && error != -ENOENT) return error;
    if (error == 0) {
      const std::size_t at = count_;
      if (!request_.caller.copy_out(attr_.keys + at * key_.bytes().size(), key_.bytes()) ||
          !request_.caller.copy_out(attr_.values + at * value_.bytes().size(), value_.bytes()))
        return -EFAULT;
      ++count_;
    }
    std::ranges::copy(key_.bytes(), last_.data());
    have_last_ = true;
    return 0;
  }

  long finish(int error) {
    if (error == -EFAULT) return error;
    if (!set_count(request_, count_)) return -EFAULT;
    if (count_ == 0) return error;
    return request_.caller.copy_out(attr_.out_batch, last_.bytes()) ? error : -EFAULT;
  }

  Request& request_;
  const AttrBatch& attr_;
  MapObject& object_;
  maps::Map& map_;
  Buffer key_, value_, last_;
  bool have_last_ = false;
  std::uint32_t count_ = 0;
};

// One lookup through a hash, whole bucket by whole bucket, in chunks that are copied to the caller.
class BucketLookup {
 public:
  BucketLookup(Request& request, MapObject& map, maps::Then then)
      : request_(request),
        attr_(request.attr.batch),
        object_(map),
        then_(then),
        // The hive lets objects in slots go itself.
        read_(kind_of(map).has(maps::kReferences) ? maps::Then::Keep : then),
        key_bytes_(map.map->spec().key_size),
        value_bytes_(map.map->syscall_value_size()) {}

  long run() {
    if (attr_.in_batch != 0 && !request_.caller.copy_in(attr_.in_batch, std::as_writable_bytes(std::span(&cursor_, 1))))
      return -EFAULT;
    auto room =
        static_cast<std::uint32_t>(std::clamp<std::size_t>(kChunkBytes / (key_bytes_ + value_bytes_), 1, attr_.count));
    int result = 0;
    while (result == 0 && count_ < attr_.count) {
      const std::uint32_t left = attr_.count - count_;
      room = std::min(room, left);
      result = chunk(room);
      if (result != -ENOSPC || room == left) continue;
      result = 0;
      room = room > left / 2 ? left : room * 2;
    }
    if (result == -ENOSPC && count_ != 0) result = 0;
    if (result == -EFAULT || result == -ENOMEM) return result;
    return copy_out(request_, attr_.out_batch, cursor_) && set_count(request_, count_) ? result : -EFAULT;
  }

 private:
  // What read_batch() says, having copied out what it read.
  int chunk(std::uint32_t room) {
    Buffer keys(std::size_t{room} * key_bytes_);
    Buffer values(std::size_t{room} * value_bytes_);
    if (!keys.ok() || !values.ok()) return -ENOMEM;
    maps::Batch batch{.cursor = cursor_,
                      .room = room,
                      .keys = keys.data(),
                      .values = values.data(),
                      .count = 0,
                      .flags = attr_.elem_flags};
    const int result = object_.map->read_batch(batch, read_);
    for (std::size_t i = 0; i < batch.count; ++i) {
      blank_special_fields(object_.elements(), values.data() + i * value_bytes_);
      if (read_ != then_) delete_value(request_.hive, object_, keys.data() + i * key_bytes_);
    }
    if (!request_.caller.copy_out(attr_.keys + count_ * key_bytes_, keys.bytes().first(batch.count * key_bytes_)) ||
        !request_.caller.copy_out(attr_.values + count_ * value_bytes_,
                                  values.bytes().first(batch.count * value_bytes_)))
      return -EFAULT;
    cursor_ = batch.cursor;
    count_ += batch.count;
    return result;
  }

  Request& request_;
  const AttrBatch& attr_;
  MapObject& object_;
  maps::Then then_, read_;
  std::size_t key_bytes_, value_bytes_;
  std::uint32_t cursor_ = 0;
  std::uint32_t count_ = 0;
};

long lookup(Request& request, maps::Then then) {
  Found<MapObject> found;
  const bool takes = then == maps::Then::Remove;
  if (const int error = open_batch(request, takes ? kTakeAll : kLookup, found); error != 0) return -error;
  const AttrBatch& attr = request.attr.batch;
  const bool buckets = kind_of(*found.object).has(maps::kBuckets);
  if (buckets && attr.flags != 0) return -EINVAL;
  if (attr.count == 0) return 0;
  if (!set_count(request, 0)) return -EFAULT;
  return buckets ? BucketLookup(request, *found.object, then).run() : KeyLookup(request, *found.object).run();
}

// Runs `change` on one key (and value) after the other; the caller learns how many went well.
template <class Change>
long change_all(Request& request, const maps::Map& map, Change change) {
  const AttrBatch& attr = request.attr.batch;
  if (attr.count == 0) return 0;
  if (!set_count(request, 0)) return -EFAULT;
  Buffer key(map.spec().key_size);
  if (!key.ok()) return -ENOMEM;
  std::uint32_t done = 0;
  long error = 0;
  for (; done < attr.count && error == 0; ++done) {
    const bool read = request.caller.copy_in(attr.keys + std::uint64_t{done} * key.bytes().size(), key.bytes());
    error = read ? change(key.data(), done) : -EFAULT;
    if (error != 0) break;
  }
  return set_count(request, done) ? error : -EFAULT;
}

}  // namespace

long map_lookup_batch(Request& request) { return lookup(request, maps::Then::Keep); }
long map_lookup_and_delete_batch(Request& request) { return lookup(request, maps::Then::Remove); }

long map_update_batch(Request& request) {
  Found<MapObject> found;
  if (const int error = open_batch(request, kUpdate, found); error != 0) return -error;
  MapObject& map = *found.object;
  Buffer value(map.map->syscall_value_size());
  if (!value.ok()) return -ENOMEM;
  const AttrBatch& attr = request.attr.batch;
  return change_all(request, *map.map, [&](const std::byte* key, std::uint32_t index) -> long {
    const std::size_t size = value.bytes().size();
    if (!request.caller.copy_in(attr.values + index * size, value.bytes())) return -EFAULT;
    return write_value(request, map, key, value.data(), attr.elem_flags);
  });
}

long map_delete_batch(Request& request) {
  Found<MapObject> found;
  if (const int error = open_batch(request, kDelete, found); error != 0) return -error;
  MapObject& map = *found.object;
  return change_all(request, *map.map,
                    [&](const std::byte* key, std::uint32_t) -> long { return delete_value(request.hive, map, key); });
}

}  // namespace skep::hive
