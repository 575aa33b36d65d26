// When may an object that running programs might still hold be freed?
//
// Programs reach maps and programs by bare pointers (a tail call, the inner map of a map of maps), and nobody counts
// those. So a run is a Section, and what a hive removes is retired: it is freed when every section that was open then
// has ended. Three epochs suffice: a section registers in the current one, the epoch advances when nobody is left in
// the one before, and garbage of epoch e goes at e + 2.
//
// Sections nest, never wait and may begin in a signal handler. A thread notes its section in a line of its own with two
// plain stores, about a nanosecond: whoever frees has all threads go through a barrier first (base/barrier.h). Threads
// beyond the number of lines count themselves in one that they share, and where barriers of others do not arrive each
// store is atomic. retire() takes a lock and may run destructors of older garbage; it must not be called within a
// section that the garbage's destruction would wait for (none does). A section that was open in another thread at a
// fork stays open in the child for ever, where nothing is freed then. Tested by: runtime/epochs_test.cc.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/barrier.h"

namespace skep::runtime {

class Epochs {
 private:
  // The epoch in which a thread's outermost section began, 0 where it is in none. Only the thread writes it.
  struct alignas(64) Reader {
    std::atomic<std::uint64_t> inside{0};
    std::atomic<std::uint32_t> thread{0};
  };
  using Crowd = std::atomic<std::uint64_t>;  // open sections of threads that have no Reader, by parity of their epoch

 public:
  // Those of a thread end in the reverse of the order in which they began.
  class Section {
   public:
    explicit Section(Epochs& epochs) noexcept {
      Reader* const reader = epochs.own_reader();
      if (reader == nullptr)
        crowd_ = &epochs.enter_crowd();
      else if (reader->inside.load(std::memory_order_relaxed) == 0)
        epochs.enter(*(outermost_ = reader));
    }
    ~Section() {
      if (outermost_ != nullptr) outermost_->inside.store(0, std::memory_order_release);
      if (crowd_ != nullptr) crowd_->fetch_sub(1);
    }
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

   private:
    Reader* outermost_ = nullptr;
    Crowd* crowd_ = nullptr;
  };

  Epochs() = default;
  ~Epochs() = default;  // no section may be open
  Epochs(const Epochs&) = delete;
  Epochs& operator=(const Epochs&) = delete;

  // Keeps `garbage` until the sections that are open now have ended. Nobody may be able to find it any more.
  void retire(std::shared_ptr<const void> garbage);
  // Frees what can be freed now.
  void reclaim();
  // Retired and not yet freed.
  std::size_t pending() const;

 private:
  struct Garbage {
    std::uint64_t epoch;
    std::shared_ptr<const void> object;
  };

  static constexpr unsigned kReaders = 64;

  // What a thread was told last: its Reader in the Epochs that it entered last. Forgotten in a fork's child.
  struct Known {
    std::uint64_t identity;  // of the Epochs; 0: none
    Reader* reader;
  };
  [[gnu::tls_model("initial-exec")]] static constinit thread_local Known known_;

  Reader* own_reader() noexcept { return known_.identity == identity_ ? known_.reader : look_for_reader(); }
  Reader* look_for_reader() noexcept;
  // A signal handler that comes in between leaves `inside` as it was. An epoch that is over meanwhile keeps more.
  void enter(Reader& reader) noexcept {
    const std::uint64_t now = epoch_.load(std::memory_order_acquire);
    if (barriers_arrive_.load(std::memory_order_relaxed)) {
      reader.inside.store(now, std::memory_order_release);
      order_for_others();
    } else {
      reader.inside.exchange(now);
    }
  }
  Crowd& enter_crowd() noexcept;
  bool nobody_before(std::uint64_t epoch) const noexcept;
  std::vector<Garbage> collect();  // mutex_ held

  static std::uint64_t next_identity() noexcept;
  static void forget_reader() noexcept;
  static const int kForgetAtFork;

  std::array<Reader, kReaders> readers_{};
  std::array<Crowd, 2> crowd_{};
  std::atomic<std::uint64_t> epoch_{2};
  std::atomic<bool> barriers_arrive_{skep::barriers_arrive(Reach::Process)};
  const std::uint64_t identity_ = next_identity();
  mutable std::mutex mutex_;
  std::vector<Garbage> garbage_;
};

}  // namespace skep::runtime
