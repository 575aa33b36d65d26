// When may an object that running programs might still hold be freed?
//
// Programs reach maps and programs by bare pointers (a tail call, the inner map of a map of maps), and nobody counts
// those. So a run is a Section, and what a hive removes is retired: it is freed when every section that was open then
// has ended. Three epochs suffice: a section registers in the current one, the epoch advances when nobody is left in
// the one before, and garbage of epoch e goes at e + 2.
//
// Sections nest, never wait and may begin in a signal handler. Cost: two atomic additions on a line that 1/16 of all
// threads share. retire() takes a lock and may run destructors of older garbage; it must not be called within a section
// that the garbage's destruction would wait for (none does). A section that was open in another thread at a fork stays
// open in the child for ever, where nothing is freed then. Tested by: runtime/epochs_test.cc.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace skep::runtime {

class Epochs {
 private:
  static constexpr unsigned kStripes = 16;
  struct alignas(64) Stripe {
    std::array<std::atomic<std::uint64_t>, 2> inside{};  // open sections, by parity of their epoch
  };

 public:
  class Section {
   public:
    explicit Section(Epochs& epochs) noexcept : inside_(&epochs.enter()) {}
    ~Section() { inside_->fetch_sub(1); }
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

   private:
    std::atomic<std::uint64_t>* inside_;
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

  std::atomic<std::uint64_t>& enter() noexcept;
  bool empty(std::uint64_t epoch) const noexcept;
  std::vector<Garbage> collect();  // mutex_ held

  std::array<Stripe, kStripes> stripes_{};
  std::atomic<std::uint64_t> epoch_{2};
  mutable std::mutex mutex_;
  std::vector<Garbage> garbage_;
};

}  // namespace skep::runtime
