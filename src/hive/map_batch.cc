// The four batch commands.
//
// Where a lookup goes on is told by a cursor. That of arrays and tries is the last key, as in the kernel. Hashes' users
// reserve 4 bytes for it whatever the key's size: it is a number that stands for the last key, which the map remembers
// for as long as no more than kCursors others were given out since.
#include <algorithm>

#include "hive/btf_use.h"
#include "hive/map_values.h"
#include "hive/request.h"
#include "maps/kinds.h"

namespace skep::hive {
namespace {

using spec::AttrBatch;

constexpr std::size_t kCursors = 64;
enum class After : std::uint8_t { Keep, Delete };
enum class Asks : std::uint8_t { Read, Write, Both };

bool is_hash(const maps::Map& map) noexcept { return maps::find_kind(map.spec().type)->family == maps::Family::Hash; }

// What every batch command checks first: 0 or an errno. `found` receives the map.
int open_batch(Request& request, Asks asks, Found<MapObject>& found) noexcept {
  const AttrBatch& attr = request.attr.batch;
  found = find_map(request.hive, request.caller, static_cast<int>(attr.map_fd));
  if (!found.object) return found.error;
  const bool writes = asks != Asks::Read;
  if (asks != Asks::Write && found.access == Access::WriteOnly) return EPERM;
  if (writes && (found.access == Access::ReadOnly || found.object->map->frozen())) return EPERM;
  const maps::Kind& kind = *maps::find_kind(found.object->map->spec().type);
  if (!kind.has(maps::kBatch)) return maps::kNotSupported;
  if (asks == Asks::Both && !kind.has(maps::kTake) && !is_hash(*found.object->map)) return maps::kNotSupported;
  if ((attr.elem_flags & ~std::uint64_t{spec::kLock}) != 0) return EINVAL;
  if ((attr.elem_flags & spec::kLock) != 0 && !has_spin_lock(*found.object)) return EINVAL;
  return 0;
}

bool set_count(Request& request, std::uint32_t count) noexcept {
  return answer(request, offsetof(AttrBatch, count), count);
}

// One lookup through a map, from a cursor on.
class Lookup {
 public:
  Lookup(Request& request, MapObject& map, After after)
      : request_(request),
        attr_(request.attr.batch),
        object_(map),
        map_(*map.map),
        after_(after),
        key_(map_.spec().key_size),
        value_(map_.syscall_value_size()),
        last_(map_.spec().key_size) {}

  long run() {
    if (!key_.ok() || !value_.ok() || !last_.ok()) return -ENOMEM;
    if (const int error = start(); error != 0) return error;
    int end = 0;
    while (count_ < attr_.count) {
      if (end = map_.next_key(have_last_ ? last_.data() : nullptr, key_.data()); end != 0) break;
      if (const int error = element(); error != 0) return finish(error);
    }
    return finish(end);
  }

 private:
  // Reads the cursor.
  int start() {
    if (attr_.in_batch == 0) return 0;
    have_last_ = true;
    if (!is_hash(map_)) return request_.caller.copy_in(attr_.in_batch, last_.bytes()) ? 0 : -EFAULT;
    std::uint32_t cursor = 0;
    if (!request_.caller.copy_in(attr_.in_batch, std::as_writable_bytes(std::span(&cursor, 1)))) return -EFAULT;
    const std::scoped_lock lock(object_.mutex);
    const auto found = std::ranges::find(object_.cursors, cursor, &MapObject::Cursor::number);
    if (cursor == 0) have_last_ = false;
    if (cursor == 0) return 0;
    if (found == object_.cursors.end()) return -ENOENT;
    std::ranges::copy(found->key, last_.data());
    return 0;
  }

  // The element of key_, which then is the last one. One that went away meanwhile is skipped.
  int element() {
    const int error = after_ == After::Delete ? take_value(object_, key_.data(), value_.data(), attr_.elem_flags)
                                              : read_value(object_, key_.data(), value_.data(), attr_.elem_flags);
    if (error != 0 && error != -ENOENT) return error;
    if (error == 0) {
      const std::size_t at = count_;
      if (!request_.caller.copy_out(attr_.keys + at * key_.bytes().size(), key_.bytes()) ||
          !request_.caller.copy_out(attr_.values + at * value_.bytes().size(), value_.bytes()))
        return -EFAULT;
      ++count_;
    }
    // What is deleted cannot be gone on from: the next one is the first again.
    if (after_ == After::Delete) return 0;
    std::ranges::copy(key_.bytes(), last_.data());
    have_last_ = true;
    return 0;
  }

  long finish(int error) {
    if (error == -EFAULT) return error;
    if (!set_count(request_, count_)) return -EFAULT;
    if (count_ == 0 && !is_hash(map_)) return error;
    const bool written = is_hash(map_) ? copy_out(request_, attr_.out_batch, remember())
                                       : request_.caller.copy_out(attr_.out_batch, last_.bytes());
    return written ? error : -EFAULT;
  }

  std::uint32_t remember() {
    if (!have_last_) return 0;
    const std::scoped_lock lock(object_.mutex);
    if (object_.cursors.size() >= kCursors) object_.cursors.erase(object_.cursors.begin());
    if (++object_.last_cursor == 0) ++object_.last_cursor;
    object_.cursors.push_back({object_.last_cursor, {last_.data(), last_.data() + last_.bytes().size()}});
    return object_.last_cursor;
  }

  Request& request_;
  const AttrBatch& attr_;
  MapObject& object_;
  maps::Map& map_;
  After after_;
  Buffer key_, value_, last_;
  bool have_last_ = false;
  std::uint32_t count_ = 0;
};

long lookup(Request& request, After after) {
  Found<MapObject> found;
  const Asks asks = after == After::Delete ? Asks::Both : Asks::Read;
  if (const int error = open_batch(request, asks, found); error != 0) return -error;
  const AttrBatch& attr = request.attr.batch;
  if (is_hash(*found.object->map) && attr.flags != 0) return -EINVAL;
  if (attr.count == 0) return 0;
  if (!set_count(request, 0)) return -EFAULT;
  return Lookup(request, *found.object, after).run();
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

long map_lookup_batch(Request& request) { return lookup(request, After::Keep); }
long map_lookup_and_delete_batch(Request& request) { return lookup(request, After::Delete); }

long map_update_batch(Request& request) {
  Found<MapObject> found;
  if (const int error = open_batch(request, Asks::Write, found); error != 0) return -error;
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
  if (const int error = open_batch(request, Asks::Write, found); error != 0) return -error;
  if (maps::find_kind(found.object->map->spec().type)->family == maps::Family::Array) return -maps::kNotSupported;
  MapObject& map = *found.object;
  return change_all(request, *map.map,
                    [&](const std::byte* key, std::uint32_t) -> long { return delete_value(request.hive, map, key); });
}

}  // namespace skep::hive
