// What a reference in a map's slot means in this process: a table from (id, generation) to the object.
//
// Slots in shared memory hold an id and a generation, never an address. A process looks the object up here, one load
// and one comparison; on a miss it asks its Source at once (the hive's object table; later, a hive in another process)
// and remembers the answer. That an object is gone is not remembered. The table is direct mapped: two objects whose ids
// collide push each other out, which costs time and nothing else.
//
// Pointers that find() returns are valid within the caller's Epochs::Section. Whoever owns the objects calls forget()
// after its Source has stopped giving the object and before it retires it. Threads: any.
// Tested by: runtime/object_cache_test.cc.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <mutex>

#include "exec/call.h"
#include "maps/map.h"
#include "runtime/epochs.h"

namespace skep::runtime {

template <class T>
class ObjectCache {
 public:
  // Where a miss is filled from: the object, and what keeps it usable here (may be empty); null: it is gone.
  class Source {
   public:
    virtual ~Source() = default;
    virtual std::shared_ptr<T> find(maps::Reference reference) noexcept = 0;
  };

  ObjectCache(Epochs& epochs, Source& source) : epochs_(epochs), source_(source) {
    for (auto& slot : slots_) slot.store(&exec::kNothingKnown, std::memory_order_relaxed);
  }
  ~ObjectCache() {
    for (auto& slot : slots_) delete entry(slot.load());
  }
  ObjectCache(const ObjectCache&) = delete;
  ObjectCache& operator=(const ObjectCache&) = delete;

  T* find(maps::Reference reference) noexcept {
    if (reference == maps::Reference{}) return nullptr;
    const exec::Known* known = slot(reference).load(std::memory_order_acquire);
    return known->reference == reference ? entry(known)->keeper.get() : fill(reference);
  }

  void forget(maps::Reference reference) noexcept {
    const std::scoped_lock lock(mutex_);
    if (slot(reference).load()->reference == reference) replace(reference, nullptr);
  }

  // For compiled code.
  const exec::KnownSlot* table() const noexcept { return slots_.data(); }

 private:
  struct Entry : exec::Known {
    Entry(maps::Reference its_reference, std::shared_ptr<T> kept)
        : Known{its_reference, kept.get(), target_of(*kept)}, keeper(std::move(kept)) {
      if constexpr (requires { keeper->found_as; })
        keeper->found_as.store(std::bit_cast<std::uint64_t>(its_reference), std::memory_order_relaxed);
    }
    std::shared_ptr<T> keeper;
  };
  static exec::JumpTarget target_of(const T& object) noexcept {
    if constexpr (requires { object.jump_target; }) return object.jump_target;
    return {};
  }
  // Null for kNothingKnown.
  static const Entry* entry(const exec::Known* known) noexcept {
    return known == &exec::kNothingKnown ? nullptr : static_cast<const Entry*>(known);
  }

  exec::KnownSlot& slot(maps::Reference reference) noexcept { return slots_[reference.id % exec::kKnownSlots]; }

  T* fill(maps::Reference reference) noexcept {
    const std::scoped_lock lock(mutex_);  // so that forget() cannot fall between the answer and its entry
    std::shared_ptr<T> object = source_.find(reference);
    T* found = object.get();
    if (found != nullptr) replace(reference, std::make_unique<Entry>(reference, std::move(object)));
    return found;
  }

  void replace(maps::Reference reference, std::unique_ptr<Entry> fresh) noexcept {
    const exec::Known* known = &exec::kNothingKnown;
    if (fresh != nullptr) known = fresh.release();
    if (const Entry* old = entry(slot(reference).exchange(known)); old != nullptr)
      epochs_.retire(std::shared_ptr<const Entry>(old));
  }

  Epochs& epochs_;
  Source& source_;
  std::mutex mutex_;
  std::array<exec::KnownSlot, exec::kKnownSlots> slots_{};
};

}  // namespace skep::runtime
