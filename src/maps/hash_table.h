// The hash table under every hash-like map: chains of numbered elements in shared memory.
//
//   buckets    power of two: {lock, generation, head}; a link is an element's number + 1, 0 ends a chain
//   elements   {next, hash} [mark] key value, each part rounded up to 8 bytes
//
// Readers take no lock and write nothing: they walk the chain and then look whether the bucket's generation is still
// the one they started with. Writers hold the bucket's lock; each commits with one store of a link (a replacement puts
// the new element where the old one was), and bumps the generation before an element that readers might stand on goes
// back to the free list, where others reuse it. So a value pointer stays valid memory for good, while its content may
// become another element's. The free list is a stack of numbers with a tag against ABA; elements never used come from a
// counter, so that an unused part of the region stays untouched (maps without preallocation grow with use).
//
// LRU: an element's mark is 0 (not in a chain), 1, or 2 (used since the hand of the clock last passed). Eviction moves
// the hand, which goes through the elements in order of their number: second chance in order of insertion.
//
// Hostile regions: numbers are compared with the capacity of this handle's plan, walks are bounded by it. Tested by:
// maps/hash_map_test.cc.
#pragma once

#include <cstdint>

#include "maps/lock.h"
#include "maps/map.h"
#include "maps/recipe.h"
#include "maps/region.h"
#include "maps/words.h"

namespace skep::maps {

class HashTable {
 public:
  struct Shape {
    std::uint32_t key_size;
    std::size_t value_bytes;  // in the element, all CPUs
    std::uint32_t entries;    // elements at most
    unsigned cpus;
    bool lru;
  };
  // Where things lie in the region; computed, never read.
  struct Layout {
    std::size_t buckets_at = 0;
    std::size_t elements_at = 0;
    std::uint32_t bucket_mask = 0;
    std::uint32_t capacity = 0;  // elements: `entries` and a few for replacements
    std::size_t element_bytes = 0;
    std::size_t key_at = 0;  // in an element
    std::size_t value_at = 0;
    std::size_t bytes = 0;  // 0: impossibly large
  };
  static Layout layout(const Shape& shape) noexcept;

  HashTable(const Region& region, const Shape& shape) noexcept;

  // How an update treats the value: as the value bytes of a new element, or of an existing one when `in_place`.
  class Writer {
   public:
    virtual void fill(std::byte* value) noexcept = 0;
    virtual void overwrite(std::byte* value) noexcept = 0;

   protected:
    ~Writer() = default;
  };
  enum class Replace : std::uint8_t { NewElement, InPlace };

  std::byte* find(const std::byte* key) const noexcept;  // its value, or null
  void touch(std::byte* value) const noexcept;           // LRU: just used
  // Both in one, made for this table's size of keys; called with the table.
  Recipe::Find finder() const noexcept;
  // Copies `size` bytes of the value, all of them of one element that had this key. 0 or -ENOENT.
  int read(const std::byte* key, std::byte* to, std::size_t size) noexcept;
  int put(const std::byte* key, std::uint64_t flags, Replace replace, Writer& writer) noexcept;
  // Removes the element, after copying `size` bytes of its value to `to`, under the value's lock if there is one.
  int remove(const std::byte* key, std::byte* to, std::size_t size, const ValueLock& value_lock = {}) noexcept;
  int next_key(const std::byte* key, std::byte* next) noexcept;
  // Visits the elements of whole buckets from `bucket` on, at most `room`, and removes them if told so. 0, -ENOENT,
  // -ENOSPC as Map::read_batch; `bucket` and `room` become where to go on and how many were visited.
  template <class Visitor>
  int read_buckets(std::uint32_t& bucket, std::uint32_t& room, Then then, Visitor visit) noexcept;
  // The values of all elements, each with its key, until `visit` returns non-zero; the number visited.
  template <class Visitor>
  std::int64_t for_each(Visitor visit) noexcept;
  // The start of the value that `address` lies in, if it lies in the value of an element that was ever used.
  std::byte* value_around(const std::byte* address) const noexcept;

 private:
  struct Bucket {
    std::uint32_t lock;
    std::uint32_t generation;
    std::uint32_t head;
    std::uint32_t reserved;
  };
  // In Header::kind.
  struct State {
    std::uint64_t free;   // tag << 32 | link
    std::uint32_t fresh;  // elements ever used
    std::uint32_t count;
    std::uint32_t hand;
  };
  struct Place {
    std::uint32_t* link = nullptr;  // that leads to the element, or ends the chain
    std::uint32_t element = 0;      // its link; 0: absent
  };

  std::byte* at(std::uint32_t link) const noexcept { return elements_ + (link - 1) * layout_.element_bytes; }
  bool valid(std::uint32_t link) const noexcept { return link - 1 < layout_.capacity; }
  std::uint32_t& next_of(std::uint32_t link) const noexcept { return reinterpret_cast<std::uint32_t*>(at(link))[0]; }
  std::uint32_t& hash_of(std::uint32_t link) const noexcept { return reinterpret_cast<std::uint32_t*>(at(link))[1]; }
  std::uint32_t& mark_of(std::uint32_t link) const noexcept { return reinterpret_cast<std::uint32_t*>(at(link))[2]; }
  std::byte* key_of(std::uint32_t link) const noexcept { return at(link) + layout_.key_at; }
  std::byte* value_of(std::uint32_t link) const noexcept { return at(link) + layout_.value_at; }
  Bucket& bucket_of(std::uint32_t hash) const noexcept { return buckets_[hash & layout_.bucket_mask]; }
  std::uint32_t hash_of(const std::byte* key) const noexcept;

  // Sizes of keys that have a find() of their own; 0 is for all others.
  template <std::size_t kKeySize>
  static std::byte* find_as(const void* table, std::uint64_t, const std::byte* key) noexcept;
  template <std::size_t kKeySize = 0>
  std::uint32_t walk(const Bucket& bucket, std::uint32_t hash, const std::byte* key) const noexcept;
  template <class Use>
  bool with_stable(Bucket& bucket, std::uint32_t hash, const std::byte* key, Use use) const noexcept;
  Place locate(Bucket& bucket, std::uint32_t hash, const std::byte* key) const noexcept;
  int put_locked(Bucket& bucket, std::uint32_t hash, const std::byte* key, std::uint64_t flags, Replace replace,
                 Writer& writer) noexcept;
  int link_new(std::uint32_t& link, std::uint32_t next, std::uint32_t hash, const std::byte* key,
               Writer& writer) noexcept;
  void unlink(Bucket& bucket, const Place& place) noexcept;
  bool first_from(std::uint64_t bucket, std::byte* next) noexcept;

  std::uint32_t length(const Bucket& bucket) const noexcept;
  std::uint32_t allocate() noexcept;  // a link; 0: none left
  void release(std::uint32_t link) noexcept;
  bool reserve() noexcept;  // counts one more, unless full
  bool evict() noexcept;
  bool evict(std::uint32_t link) noexcept;

  Shape shape_;
  Layout layout_;
  Bucket* buckets_;
  std::byte* elements_;
  State* state_;
  std::uint64_t seed_;
};

template <class Visitor>
int HashTable::read_buckets(std::uint32_t& bucket, std::uint32_t& room, Then then, Visitor visit) noexcept {
  std::uint32_t visited = 0;
  int result = -ENOENT;
  std::uint64_t number = bucket;
  for (; number <= layout_.bucket_mask; ++number) {
    Bucket& at = buckets_[number];
    if (get(at.head) == 0) continue;
    const Guard guard(at.lock);
    const std::uint32_t wanted = length(at);
    if (!guard || wanted > room - visited) {
      result = !guard ? -EBUSY : visited == 0 ? -ENOSPC : 0;
      break;
    }
    Place place{&at.head, get(at.head)};
    for (std::uint32_t i = 0; i < wanted && valid(place.element); ++i) {
      visit(key_of(place.element), value_of(place.element));
      ++visited;
      if (then == Then::Remove)
        unlink(at, place);
      else
        place.link = &next_of(place.element);
      place.element = get(*place.link);
    }
  }
  bucket = static_cast<std::uint32_t>(std::min<std::uint64_t>(number, UINT32_MAX));
  room = visited;
  return result;
}

template <class Visitor>
std::int64_t HashTable::for_each(Visitor visit) noexcept {
  std::int64_t visited = 0;
  for (std::uint64_t b = 0; b <= layout_.bucket_mask; ++b) {
    std::uint32_t link = get(buckets_[b].head);
    for (std::uint32_t steps = 0; valid(link) && steps < layout_.capacity; ++steps) {
      const std::uint32_t next = get(next_of(link));  // before the visitor deletes it
      ++visited;
      if (visit(key_of(link), value_of(link)) != 0) return visited;
      link = next;
    }
  }
  return visited;
}

}  // namespace skep::maps
