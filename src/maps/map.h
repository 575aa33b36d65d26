// A map as one process sees it: a handle on a region of shared memory that holds the elements.
//
// Three users, one object: programs (the "program side": keys and values are trusted pointers of the
// map's sizes, no allocation, noexcept, 0 or a negative errno, as the helpers return it), bpf(2) (the
// "system call side": whole values, all CPUs of a per-CPU map at once) and the hive (references to
// other objects). Only this folder touches the bytes.
//
// The bytes hold no pointers: a region may be mapped anywhere, by several processes, and may be
// hostile: open() checks it, and sizes and masks are then taken from this handle, never from the region.
//
// Threads: every function at any time, from any number of threads and processes, but for drain() (one consumer) and
// set_value_lock() (before use). Lookups take no lock. Writers take short ones that are words with the owner's thread
// id; one that its own thread holds already (a signal handler), or that a living one keeps for a second, makes the
// operation -EBUSY. Which types there are: maps/kinds.def. How each stores its elements: its header, and docs/maps.md.
// Tested by: maps/*_test.cc; most cases are put to the running kernel as well. Fuzzed by: fuzz/maps_region_fuzz.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"
#include "maps/region.h"
#include "maps/value_lock.h"
#include "spec/map_spec.h"

namespace skep::maps {

class ArenaMap;
class Domain;

// What a slot of a prog array or a map of maps holds, and dev/cpu map entries' programs: an object's id and
// its generation (ids are reused late, generations never). {0, 0} is an empty slot.
struct Reference {
  std::uint32_t id = 0;
  std::uint32_t generation = 0;
  friend bool operator==(const Reference&, const Reference&) = default;
};

// Whether BPF_MAP_CREATE accepts the spec: sizes, flags and limits of its type, the kernel's errno if not.
// `inner` is the template of a map of maps, else null.
Result<> validate(const spec::MapSpec& spec, const spec::MapSpec* inner);

// Whether a map may be put into a map of maps made with the template `inner` (BTF records are compared by the caller);
// the kernel answers -EINVAL if not.
bool fits(const spec::MapSpec& inner, const spec::MapSpec& candidate) noexcept;

// A part of a batch read. In: the cursor (0 at the start), how many elements there is room for, and where keys
// (key_size apart) and values (syscall_value_size() apart) go. With BPF_F_LOCK in flags a value is read
// with its lock held, unless that cannot be had. Out: the cursor to go on from, and how many elements were stored.
struct Batch {
  std::uint32_t cursor = 0;
  std::uint32_t room = 0;
  std::byte* keys = nullptr;
  std::byte* values = nullptr;
  std::uint32_t count = 0;
  std::uint64_t flags = 0;
};
enum class Then : std::uint8_t { Keep, Remove };

class Map {
 public:
  // A new map in a memfd named "bpf-map", maximal and sealed (ARCHITECTURE, decision 2). `id` is stored
  // in the region and as the file position of the descriptor. `inner` as in validate(). Its spec() is the one the
  // kernel shows: without BPF_F_RDONLY and BPF_F_WRONLY, which belong to descriptors; device maps with
  // BPF_F_RDONLY_PROG; max_entries of LRU maps with lists per CPU rounded up to the CPUs. open() wants that one.
  static Result<std::unique_ptr<Map>> create(Domain& domain, const spec::MapSpec& spec, spec::MapId id,
                                             const spec::MapSpec* inner = nullptr);
  // A handle on a region made by create(), here or in another process. Refuses regions that are not
  // sealed or do not hold a well-formed map of exactly `spec`.
  static Result<std::unique_ptr<Map>> open(Domain& domain, Fd memfd, const spec::MapSpec& spec);

  virtual ~Map() = default;
  Map(const Map&) = delete;
  Map& operator=(const Map&) = delete;

  const spec::MapSpec& spec() const noexcept { return spec_; }
  spec::MapId id() const noexcept { return id_; }
  // The creation description, of which users get reopenings; -1 in handles that open() made.
  int memfd() const noexcept { return fd_.get(); }
  // What is noted of how it is used, which is no part of what it holds: may be cleared while nobody is at work in it.
  std::span<std::byte> habits() const noexcept { return region_.header().habits; }
  Domain& domain() const noexcept { return domain_; }

  // ---- program side. `cpu` is the caller's virtual CPU (a lease of the Domain).
  // A pointer to the value (of this CPU), valid memory until the map is gone; null when absent.
  // For references see below.
  virtual std::byte* lookup(const std::byte* key, unsigned cpu) noexcept;
  virtual int update(const std::byte* key, const std::byte* value, std::uint64_t flags, unsigned cpu) noexcept;
  virtual int erase(const std::byte* key) noexcept;
  virtual int push(const std::byte* value, std::uint64_t flags) noexcept;  // queue, stack, bloom filter
  virtual int pop(std::byte* value) noexcept;
  virtual int peek(std::byte* value) noexcept;
  // Per-CPU maps: the value of another CPU (bpf_map_lookup_percpu_elem); null for other kinds.
  virtual std::byte* lookup_percpu(const std::byte* key, unsigned cpu) noexcept;

  // ---- system call side. `value` has syscall_value_size() bytes.
  // value_size, or round_up(value_size, 8) * possible CPUs for per-CPU maps; 4 for maps of references.
  virtual std::size_t syscall_value_size() const noexcept;
  // References: the object's id. Keyless maps: peek(); what is asked of a bloom filter comes in `value`.
  virtual int copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept;
  virtual int update_all(const std::byte* key, const std::byte* value, std::uint64_t flags) noexcept;
  virtual int take(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept;  // lookup and delete
  // The key after `key` (null: the first; absent: the first) into `next`, which must not overlap it; -ENOENT at the
  // end.
  virtual int next_key(const std::byte* key, std::byte* next) noexcept;
  // Batches of hashes (BPF_MAP_LOOKUP_BATCH, BPF_MAP_LOOKUP_AND_DELETE_BATCH): whole buckets, so that nothing that
  // stays is missed or seen twice. 0: go on; -ENOENT: that was all; -ENOSPC: no room for even the next bucket.
  // -EOPNOTSUPP where a batch is a walk with next_key() whose cursor is a key.
  virtual int read_batch(Batch& batch, Then then) noexcept;

  // ---- references (prog array, perf event array, maps of maps, dev and cpu maps), written by the hive only.
  virtual Reference reference(const std::byte* key) noexcept;
  // The old reference goes to `old` if that is not null. {} as `to` deletes: -ENOENT when there is nothing.
  // Device and CPU maps: the program of an entry that update_all() wrote.
  virtual int set_reference(const std::byte* key, Reference to, std::uint64_t flags, Reference* old) noexcept;

  // ---- memory a program may touch, for the checked interpreter and the fault tests: when `address` lies in a
  // live value (or ring buffer record) of this map, the bounds of that value.
  virtual std::optional<MutableBytes> value_at(const std::byte* address) noexcept;
  // For BPF_PSEUDO_MAP_VALUE: the address of offset 0 of the only value of an array with one element; null otherwise.
  // Of an arena: where users have it, which is not here; null while nobody has said where.
  virtual std::byte* direct_value() noexcept;
  // Bytes of the memfd that a user may mmap, starting at offset 0 (0: not mmapable), as the kernel counts pages.
  virtual std::size_t mmap_bytes() const noexcept;

  // This, where it is an arena.
  virtual ArenaMap* arena() noexcept { return nullptr; }

  // ---- BPF_F_LOCK. Where the value's bpf_spin_lock is, as its BTF says: every handle of such a map must be told,
  // before use. Until then BPF_F_LOCK is -EINVAL. Reads then show 0 in its place, writes leave it alone.
  void set_value_lock(std::uint32_t offset) noexcept { value_lock_ = ValueLock(offset, spec_.value_size); }

  // ---- freezing (BPF_MAP_FREEZE): no more writes from the system call side. Kept in the region.
  bool frozen() const noexcept;
  int freeze() noexcept;  // 0, -EBUSY (already frozen, or mapped writable by users), -ENOTSUPP
  // Users' writable mappings of the memfd, which only the hive and the front ends see: +1 or -1.
  void note_writer(int change) noexcept;
  // Bytes of memory that the region takes now.
  std::size_t memory_bytes() const noexcept;

  // ---- bpf_for_each_map_elem. Calls `visit` for each element (of this CPU) until it returns non-zero; the element
  // may be deleted by it. Returns how many were visited, or -EINVAL where the kind has no such iteration.
  using Visit = std::uint64_t (*)(void* context, std::byte* key, std::byte* value) noexcept;
  virtual std::int64_t for_each(Visit visit, void* context, unsigned cpu) noexcept;

  // ---- for engines: where the elements of a plain array lie, as a recipe says it (maps/recipe.h), kept where compiled
  // code finds it when it knows of a map no more than its address. No entries: lookup() is the only way.
  struct Elements {
    std::byte* base = nullptr;
    std::uint64_t stride = 0;
    std::uint32_t entries = 0;
  };
  static std::size_t elements_offset() noexcept;

 protected:
  // What a kind's constructor gets: the parts all maps have, the region opened and checked.
  struct Parts {
    Domain& domain;
    spec::MapSpec spec;
    spec::MapId id;
    Region region;
  };
  explicit Map(Parts&& parts)
      : domain_(parts.domain),
        spec_(std::move(parts.spec)),
        id_(parts.id),
        region_(std::move(parts.region)),
        fd_(region_.take_fd()) {}

  Domain& domain_;
  spec::MapSpec spec_;
  spec::MapId id_;
  Region region_;
  Fd fd_;
  ValueLock value_lock_;
  Elements elements_;

 private:
  friend struct Maker;
};

}  // namespace skep::maps
