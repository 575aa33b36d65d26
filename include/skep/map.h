// Maps with types: skep::Map<Key, Value> over a map of a hive in this process, at the cost of a function call, or over
// one of the kernel, by bpf(2).
//
//   auto hits = skep::Map<std::uint32_t, std::uint64_t>::create(hive, {.type = BPF_MAP_TYPE_HASH, .max_entries =
//   1024}); if (!hits) return report(hits.error().message); if (auto error = hits->update(7, 1)) ...                 //
//   a std::error_code: no error is false if (std::optional<std::uint64_t> count = hits->lookup(7)) ... for (const auto&
//   [key, value] : *hits) ...
//
// Sizes are checked once, when a map is opened: a Map whose types do not fit cannot be had. A per-CPU map is a
// Map<Key, PerCpu<Value>>; queues and stacks are a Queue<Value>. Keys and values are trivially copyable, and keys have
// no padding, because maps compare bytes. Nothing throws but std::bad_alloc.
//
// Lifetime and threads are those of skep_map_open() in skep/skep.h: any number of threads may use one Map, and a Map
// keeps what it needs alive. Errors are errno numbers in std::generic_category(): no_such_file_or_directory (absent),
// file_exists, argument_list_too_long (E2BIG: full, or an index out of range), operation_not_permitted (frozen, or not
// the descriptor's right). Tested by: hive/typed_map_test.cc, tests/install.
#ifndef SKEP_MAP_H
#define SKEP_MAP_H

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <expected>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "skep/skep.h"

namespace skep {

// Why a map cannot be opened: an errno number and a sentence that says what was expected.
struct MapError {
  int code = EINVAL;
  std::string message;
};

// What a new map is; its sizes come from the types.
struct MapOptions {
  std::uint32_t type = 0;  // enum bpf_map_type
  std::uint32_t max_entries = 0;
  std::uint32_t flags = 0;  // BPF_F_*
  const char* name = "";    // 15 characters at most
};

// The values of one element of a per-CPU map.
template <class Value>
class PerCpu {
  static_assert(std::is_trivially_copyable_v<Value>);

 public:
  explicit PerCpu(unsigned cpus, const Value& each = {}) : words_(kWords * cpus) {
    for (unsigned cpu = 0; cpu < cpus; ++cpu) set(cpu, each);
  }
  unsigned cpus() const noexcept { return static_cast<unsigned>(words_.size() / kWords); }
  // cpu < cpus()
  Value operator[](unsigned cpu) const noexcept {
    Value value;
    std::memcpy(&value, &words_[cpu * kWords], sizeof value);
    return value;
  }
  void set(unsigned cpu, const Value& value) noexcept { std::memcpy(&words_[cpu * kWords], &value, sizeof value); }
  Value sum() const noexcept
    requires std::is_arithmetic_v<Value>
  {
    Value all{};
    for (unsigned cpu = 0; cpu < cpus(); ++cpu) all = static_cast<Value>(all + (*this)[cpu]);
    return all;
  }
  friend bool operator==(const PerCpu&, const PerCpu&) = default;

  void* data() noexcept { return words_.data(); }
  const void* data() const noexcept { return words_.data(); }

 private:
  static constexpr std::size_t kWords = (sizeof(Value) + 7) / 8;
  std::vector<std::uint64_t> words_;
};

namespace map_detail {

template <class Value>
struct Layout {
  static_assert(std::is_trivially_copyable_v<Value>, "values are copied as bytes");
  static constexpr bool per_cpu = false;
  static constexpr std::size_t bytes = sizeof(Value);
  static Value blank(unsigned) { return Value{}; }
  static void* data(Value& value) { return &value; }
  static const void* data(const Value& value) { return &value; }
};
template <class Value>
struct Layout<PerCpu<Value>> {
  static constexpr bool per_cpu = true;
  static constexpr std::size_t bytes = sizeof(Value);
  static PerCpu<Value> blank(unsigned cpus) { return PerCpu<Value>(cpus); }
  static void* data(PerCpu<Value>& values) { return values.data(); }
  static const void* data(const PerCpu<Value>& values) { return values.data(); }
};

inline std::error_code error_of(int result) noexcept {
  return result == 0 ? std::error_code() : std::error_code(errno, std::generic_category());
}

struct Close {
  void operator()(skep_map* map) const noexcept { skep_map_close(map); }
};
using Handle = std::unique_ptr<skep_map, Close>;

inline MapError error_with(std::string what) {
  const int code = errno;
  const std::string reason = skep_last_error();
  return {code, what + ": " + (reason.empty() ? std::strerror(code) : reason)};
}

inline std::string bytes_text(std::size_t bytes) { return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes"); }

// The handle behind `fd`, if its sizes are these.
inline std::expected<Handle, MapError> open(skep_hive* hive, int fd, std::size_t key_bytes, std::size_t value_bytes,
                                            bool per_cpu, skep_map_info& info) {
  Handle handle(skep_map_open(hive, fd));
  if (!handle) return std::unexpected(error_with("descriptor " + std::to_string(fd)));
  skep_map_describe(handle.get(), &info, sizeof info);
  const std::string name = std::string("map ") + info.name;
  const auto wrong = [&](const char* what, std::size_t has, std::size_t type) {
    return std::unexpected(MapError{EINVAL, name + ": " + what + " have " + bytes_text(has) +
                                                ", and the type given for them has " + bytes_text(type)});
  };
  if (info.key_size != key_bytes) return wrong("keys", info.key_size, key_bytes);
  if (info.value_size != value_bytes) return wrong("values", info.value_size, value_bytes);
  const bool is_per_cpu = info.value_bytes != info.value_size || info.cpus != 1;
  if (is_per_cpu != per_cpu) {
    return std::unexpected(MapError{
        EINVAL, name + (is_per_cpu ? ": has a value for each CPU; expected Map<Key, PerCpu<Value>>"
                                   : ": has one value for all CPUs; expected Map<Key, Value> without PerCpu")});
  }
  return handle;
}

// BPF_MAP_CREATE: the map's descriptor, or -1 and errno.
inline int create(skep_hive* hive, const MapOptions& options, std::size_t key_bytes, std::size_t value_bytes) {
  struct {  // the first members of union bpf_attr
    std::uint32_t type, key_size, value_size, max_entries, flags, inner_fd, numa_node;
    char name[16];
  } attr{};
  attr.type = options.type;
  attr.key_size = static_cast<std::uint32_t>(key_bytes);
  attr.value_size = static_cast<std::uint32_t>(value_bytes);
  attr.max_entries = options.max_entries;
  attr.flags = options.flags;
  std::strncpy(attr.name, options.name, sizeof attr.name - 1);
  constexpr int kMapCreate = 0;
  return static_cast<int>(hive != nullptr ? skep_bpf(hive, kMapCreate, &attr, sizeof attr)
                                          : ::syscall(SYS_bpf, kMapCreate, &attr, sizeof attr));
}

}  // namespace map_detail

template <class Key, class Value>
class Map {
  static_assert(std::is_trivially_copyable_v<Key>, "keys are copied as bytes");
  static_assert(std::has_unique_object_representations_v<Key>,
                "keys are compared as bytes: they must have no padding; give it a name and set it to zero");
  using Layout = map_detail::Layout<Value>;

 public:
  // The map behind `fd`: of a hive in this process or, when `hive` is null, of the kernel or whoever answers bpf(2).
  // The descriptor may be closed afterwards.
  static std::expected<Map, MapError> open(skep_hive* hive, int fd) {
    skep_map_info info{};
    auto handle = map_detail::open(hive, fd, sizeof(Key), Layout::bytes, Layout::per_cpu, info);
    if (!handle) return std::unexpected(std::move(handle.error()));
    return Map(*std::move(handle), info);
  }
  // A new map that this object alone holds.
  static std::expected<Map, MapError> create(skep_hive* hive, const MapOptions& options) {
    const int fd = map_detail::create(hive, options, sizeof(Key), Layout::bytes);
    if (fd < 0) return std::unexpected(map_detail::error_with(std::string("map ") + options.name));
    auto map = open(hive, fd);
    ::close(fd);
    return map;
  }

  const skep_map_info& info() const noexcept { return info_; }
  unsigned cpus() const noexcept { return info_.cpus; }

  // Nothing when the key is absent, or the value cannot be read (at() says why).
  std::optional<Value> lookup(const Key& key) const {
    std::optional<Value> value(Layout::blank(info_.cpus));
    if (skep_map_lookup(map_.get(), &key, Layout::data(*value)) != 0) value.reset();
    return value;
  }
  std::expected<Value, std::error_code> at(const Key& key) const {
    Value value = Layout::blank(info_.cpus);
    const int result = skep_map_lookup(map_.get(), &key, Layout::data(value));
    if (result != 0) return std::unexpected(map_detail::error_of(result));
    return value;
  }
  bool contains(const Key& key) const { return lookup(key).has_value(); }

  // Writes whether or not the key is there; only if it is not; only if it is. PerCpu values have cpus() of them.
  std::error_code update(const Key& key, const Value& value) { return write(key, value, kAny); }
  std::error_code insert(const Key& key, const Value& value) { return write(key, value, kNoExist); }
  std::error_code replace(const Key& key, const Value& value) { return write(key, value, kExist); }

  std::error_code erase(const Key& key) { return map_detail::error_of(skep_map_delete(map_.get(), &key)); }
  // Looks up and deletes in one.
  std::optional<Value> take(const Key& key) {
    std::optional<Value> value(Layout::blank(info_.cpus));
    if (skep_map_take(map_.get(), &key, Layout::data(*value)) != 0) value.reset();
    return value;
  }
  // The value itself, shared with programs: see skep_map_value() for what may be done with it, and when it is null.
  Value* find(const Key& key)
    requires(!Layout::per_cpu)
  {
    return static_cast<Value*>(skep_map_value(map_.get(), &key));
  }

  // Goes over the elements in the map's own order. Elements that come or go meanwhile are seen or not; when the element
  // the iterator stands at is deleted, it starts again.
  class Iterator {
   public:
    using value_type = std::pair<Key, Value>;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    const value_type& operator*() const noexcept { return *element_; }
    const value_type* operator->() const noexcept { return &*element_; }
    Iterator& operator++() {
      advance();
      return *this;
    }
    void operator++(int) { advance(); }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) noexcept { return !it.element_; }

   private:
    friend class Map;
    explicit Iterator(const Map& map) : map_(&map) { advance(); }
    void advance() {
      for (;;) {
        Key next;
        const int error = skep_map_next_key(map_->map_.get(), key_ ? &*key_ : nullptr, &next);
        key_ = next;
        if (error != 0) return element_.reset();
        if (auto value = map_->lookup(next)) return element_.emplace(next, *std::move(value)), void();
      }
    }
    const Map* map_ = nullptr;
    std::optional<Key> key_;
    std::optional<value_type> element_;
  };
  Iterator begin() const { return Iterator(*this); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  enum : std::uint64_t { kAny = 0, kNoExist = 1, kExist = 2 };
  Map(map_detail::Handle map, const skep_map_info& info) : map_(std::move(map)), info_(info) {}

  std::error_code write(const Key& key, const Value& value, std::uint64_t flags) {
    if constexpr (Layout::per_cpu)
      if (value.cpus() != info_.cpus) return std::make_error_code(std::errc::invalid_argument);
    return map_detail::error_of(skep_map_update(map_.get(), &key, Layout::data(value), flags));
  }

  map_detail::Handle map_;
  skep_map_info info_{};
};

// A queue or a stack.
template <class Value>
class Queue {
  using Layout = map_detail::Layout<Value>;
  static_assert(!Layout::per_cpu);

 public:
  static std::expected<Queue, MapError> open(skep_hive* hive, int fd) {
    skep_map_info info{};
    auto handle = map_detail::open(hive, fd, 0, Layout::bytes, false, info);
    if (!handle) return std::unexpected(std::move(handle.error()));
    return Queue(*std::move(handle));
  }
  static std::expected<Queue, MapError> create(skep_hive* hive, const MapOptions& options) {
    const int fd = map_detail::create(hive, options, 0, Layout::bytes);
    if (fd < 0) return std::unexpected(map_detail::error_with(std::string("map ") + options.name));
    auto queue = open(hive, fd);
    ::close(fd);
    return queue;
  }

  // argument_list_too_long: full.
  std::error_code push(const Value& value) {
    return map_detail::error_of(skep_map_update(map_.get(), nullptr, &value, 0));
  }
  std::optional<Value> pop() { return read(skep_map_take); }
  std::optional<Value> peek() const { return read(skep_map_lookup); }

 private:
  explicit Queue(map_detail::Handle map) : map_(std::move(map)) {}
  std::optional<Value> read(int (*how)(skep_map*, const void*, void*)) const {
    std::optional<Value> value(Value{});
    if (how(map_.get(), nullptr, &*value) != 0) value.reset();
    return value;
  }
  map_detail::Handle map_;
};

}  // namespace skep

#endif
