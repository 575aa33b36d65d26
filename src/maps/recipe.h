// How an engine finds a map's elements past Map::lookup(): the map's inline recipe.
//
// Arrays say where their elements lie: element i of CPU c is at base + i * stride + c * per_cpu, for i below `entries`.
// In an array of programs or maps an element is a slot with a Reference, which lookup() does not give.
// Hash maps name a function made for their size of keys: it gives the value of CPU 0, or null; that of CPU c is at
// c * per_cpu from there. Where small keys and values lie in chunks of slots, they also say how (maps/hash_table.h), so
// that a caller can look himself and only asks that function when the key's home does not settle it. Either is what
// lookup() would say, while the map lives. Some name functions that do what update() and erase() do, too.
// Ring buffers say where their positions, their lock and their data are (maps/ring_map.h), so that a caller can reserve
// and submit himself where that is all there is to it. Tested by: maps/recipe_test.cc,
// runtime/ring_runs_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "maps/control.h"
#include "maps/hash.h"

namespace skep::maps {

class Map;

struct Recipe {
  // The second argument is not looked at: a caller has its arguments where a helper's would be.
  using Find = std::byte* (*)(const void* table, std::uint64_t unused, const std::byte* key) noexcept;
  using Update = std::int64_t (*)(void* table, std::uint64_t unused, const std::byte* key, const std::byte* value,
                                  std::uint64_t flags) noexcept;
  using Erase = std::int64_t (*)(void* table, std::uint64_t unused, const std::byte* key) noexcept;

  // Chunk (hash >> 32) * count >> 32 is the key's home: the control word (maps/control.h), the generation at
  // kGenerationAt, and from kHeaderBytes on the slots: a key of one word, padded with zeros, or of two, and its value.
  // What was found by two words is theirs only if the generation is the same afterwards.
  struct Chunks {
    static constexpr std::uint64_t kOnes = Control::kOnes;
    static constexpr std::uint8_t kTagBit = Control::kTagBit;
    static constexpr unsigned kPassedAt = Control::kPassedAt;
    static constexpr std::uint32_t kGenerationAt = 12;
    static constexpr std::uint32_t kHeaderBytes = 16;

    std::uint64_t base = 0;
    std::uint32_t count = 0;  // 0: none
    std::uint32_t bytes = 0;  // of a chunk
    std::uint32_t slot_bytes = 0;
    std::uint32_t key_size = 0;  // 4, 8 or 16
    WordHash hash{};
    bool given_back = false;  // a chunk's memory may be, and is zero then: what is found counts if nothing has changed
  };

  // A record begins with its length and, at kOwnerAt, the thread that reserved it; its data follow these. Positions are
  // multiples of kAlignment, those of the consumer and of the producers lie before the data. At `state` is the lock
  // (maps/lock.h), behind it how often the position of the oldest record that is being written did not move, and that
  // position.
  struct Ring {
    static constexpr std::uint32_t kBusy = 1U << 31;
    static constexpr std::uint32_t kDiscarded = 1U << 30;
    static constexpr std::uint64_t kNoWakeup = 1, kForceWakeup = 2;  // flags of who gives a record back
    static constexpr std::int32_t kOwnerAt = 4;
    static constexpr std::int32_t kRecordHeader = 8;
    static constexpr std::uint64_t kAlignment = 8;
    static constexpr std::int32_t kConsumerAt = -8192, kProducerAt = -4096;
    static constexpr std::int32_t kStallsAt = 4, kPendingAt = 8;
    using Wake = void (*)(const Map* map) noexcept;

    // What a record of `length` bytes takes.
    static constexpr std::uint64_t record_bytes(std::uint64_t length) noexcept {
      return (length + kRecordHeader + kAlignment - 1) & ~(kAlignment - 1);
    }

    std::uint64_t data = 0;
    std::uint64_t state = 0;
    std::uint32_t mask = 0;  // of positions; 0: no ring buffer
    Wake wake = nullptr;     // of the consumer, who waits
  };

  const Map* map = nullptr;
  std::uint64_t base = 0;
  std::uint32_t entries = 0;
  std::uint64_t stride = 0;
  std::uint64_t per_cpu = 0;  // 0: all CPUs share the elements
  bool references = false;    // elements are slots: a Reference each
  Find find = nullptr;        // null: an array
  Update update = nullptr;    // null: Map::update() is the only way
  Erase erase = nullptr;      // likewise
  const void* table = nullptr;
  Chunks chunks{};
  Ring ring{};
};

// Nothing where elements must be looked up.
std::optional<Recipe> recipe(const Map& map) noexcept;

}  // namespace skep::maps
