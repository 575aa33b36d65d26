// The object table: everything a hive has an id for, and when it goes.
//
// Ids count up per kind and are reused late, as the kernel's are; a generation is never reused, so a slot of a map
// that still names a dead object reads as empty. An object lives while somebody has a descriptor of it (or maps it)
// or it is pinned, while another object holds it (a program its maps, a map of maps its inner maps), or while a Ref
// exists: a command or a hook that is working with it.
//
// Nobody tells us of the last close, so death is found by looking: when ids are iterated or looked up, the candidates
// (and what holds them) are examined, and each creation examines a few others in turn, so that garbage stays within a
// factor of what lives. Prog arrays break the only possible cycle as in the kernel: without a user they give up
// their programs.
//
// Locks: one shared mutex for the table and what holds what; look-ups share it. What is removed is retired, because a
// run may still use it (runtime/epochs.h). Tested by: hive/lifetime_test.cc, hive/threads_test.cc.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "hive/descriptor.h"
#include "maps/map.h"
#include "runtime/epochs.h"

namespace skep::hive {

class Object {
 public:
  virtual ~Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  Kind kind() const noexcept { return kind_; }
  std::uint32_t id() const noexcept { return id_; }
  std::uint64_t tag() const noexcept { return tag_; }
  maps::Reference reference() const noexcept { return {id_, generation_}; }

 protected:
  explicit Object(Kind kind) : kind_(kind) {}
  // Whether users have descriptors or mappings of it. Called with the table locked.
  virtual bool open() noexcept;
  // Whether it gives up what it holds as soon as no user has it open (prog arrays); then does so.
  virtual bool lets_go() const noexcept { return false; }
  virtual void let_go() noexcept {}

 private:
  friend class Objects;
  template <class T>
  friend class Ref;

  const Kind kind_;
  std::uint32_t id_ = 0;
  std::uint32_t generation_ = 0;
  std::uint64_t tag_ = 0;
  std::atomic<std::uint32_t> refs_{0};
  // Guarded by the table's lock.
  bool examined_ = false;                          // further up in the current examination
  std::vector<Fd> ends_;                           // the hive's ends of socket pairs
  std::vector<Fd> pins_;                           // its files in the file system of pins (hive/bpffs.h)
  std::unordered_map<Object*, unsigned> held_;     // what it holds, how many times
  std::unordered_map<Object*, unsigned> holders_;  // and who holds it
};

// Keeps an object in the table while it is used.
template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) noexcept : object_(object) {
    if (object_ != nullptr) object_->refs_.fetch_add(1);
  }
  Ref(const Ref& other) noexcept : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr) object_->refs_.fetch_sub(1);
  }

  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

class Objects {
 public:
  // `forget` is told of each object after it left the table and before it is retired.
  using Forget = std::function<void(const Object&)>;
  Objects(runtime::Epochs& epochs, Forget forget);
  ~Objects();

  // The next id of this kind, given out once.
  std::uint32_t take_id(Kind kind);
  // Enters an object under an id from take_id, after a look at a few others.
  template <class T>
  Ref<T> insert(std::shared_ptr<T> object, std::uint32_t id) {
    Ref<T> ref(object.get());
    enter(std::move(object), id);
    return ref;
  }

  // The object with this id, wherever it came from; null when there is none. get() examines first whether it still
  // lives.
  Ref<Object> find(Kind kind, std::uint32_t id);
  Ref<Object> get(Kind kind, std::uint32_t id);
  // The one a descriptor names: another hive's object is none of ours.
  Ref<Object> find(const Identity& identity);
  // The one a slot names.
  Ref<Object> find(Kind kind, maps::Reference reference);
  // The first living object with an id above `start`; 0: none.
  std::uint32_t next(Kind kind, std::uint32_t start);

  // The object keeps the file that `make` makes, and lives while the file has a name. Nobody finds the file without its
  // object. Errors are those of `make`.
  Result<> pin(Object& object, const std::function<Result<Fd>()>& make);
  // The object of a file; null when it is none's.
  Ref<Object> pinned(int file);

  // A new descriptor of a program, BTF or link for a user.
  Result<Fd> open(Object& object);

  // `change` writes a slot or the like; `holder` then holds `added` (may be null) once more, and the object of kind
  // `kind` that the change reports as replaced once less. One after the other for the whole table.
  struct Replaced {
    int error = 0;  // of the change; then nothing is held or let go
    maps::Reference old{};
  };
  int exchange(Object& holder, Object* added, Kind kind, const std::function<Replaced()>& change);
  // Whether `held` is held by such an object.
  bool is_held(const Object& held, bool (*by)(const Object& holder));
  // `holder` holds `held` once more, for good.
  void hold(Object& holder, Object& held);

  // Whether this process is the one that entered the hive's objects so far; else (after a fork) takes a new tag, so
  // that objects made on the two sides are told apart.
  std::uint64_t tag() noexcept;

  std::size_t count(Kind kind) const;

 private:
  struct Shelf {
    std::map<std::uint32_t, std::shared_ptr<Object>> objects;
    std::uint32_t last_id = 0;
    std::uint32_t patrol = 0;  // the id that was last examined in passing
  };
  using Dead = std::vector<std::shared_ptr<Object>>;
  struct FileId {
    dev_t device = 0;
    ino_t inode = 0;
    friend auto operator<=>(const FileId&, const FileId&) = default;
  };
  static FileId id_of(int file) noexcept;

  void enter(std::shared_ptr<Object> object, std::uint32_t id);
  Shelf& shelf(Kind kind) noexcept { return shelves_[static_cast<std::size_t>(kind)]; }
  const Shelf& shelf(Kind kind) const noexcept { return shelves_[static_cast<std::size_t>(kind)]; }
  // All below: with the lock held exclusively.
  bool is_pinned(Object& object) noexcept;
  bool is_used(Object& object) noexcept;
  bool dies(Object& object, Dead& dead);
  void remove(Object& object, Dead& dead);
  void release(Object& holder, Object& held);
  void patrol(Kind kind, Dead& dead);
  // Without the lock.
  void bury(Dead dead);

  runtime::Epochs& epochs_;
  Forget forget_;
  mutable std::shared_mutex mutex_;
  Shelf shelves_[4];
  std::map<FileId, Object*> pinned_;  // those of all pins_, which are open, so that no other file has the number
  std::uint32_t last_generation_ = 0;
  std::uint32_t last_serial_ = 0;
  int owner_ = 0;  // process id that tag_ belongs to
  std::uint64_t tag_ = 0;
};

}  // namespace skep::hive
