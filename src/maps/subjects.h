// For this folder's tests: our map and the running kernel's behind one face, so that one table of cases, or one random
// sequence of operations, can be put to both.
#pragma once

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "base/fd.h"
#include "maps/domain.h"
#include "maps/kinds.h"
#include "maps/map.h"

namespace skep::maps {

// 0 or a negative errno each, as bpf(2) answers.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual std::size_t value_size() const = 0;  // of a system call
  virtual int lookup(const std::byte* key, std::byte* value, std::uint64_t flags) = 0;
  virtual int update(const std::byte* key, const std::byte* value, std::uint64_t flags) = 0;
  virtual int erase(const std::byte* key) = 0;
  virtual int take(const std::byte* key, std::byte* value, std::uint64_t flags) = 0;
  virtual int next_key(const std::byte* key, std::byte* next) = 0;
};

class Ours final : public Subject {
 public:
  static int create(Domain& domain, const spec::MapSpec& spec, std::unique_ptr<Subject>& to,
                    const spec::MapSpec* inner = nullptr) {
    auto map = Map::create(domain, spec, spec::MapId{1}, inner);
    if (!map) return -map.error().code;
    to = std::make_unique<Ours>(*std::move(map));
    return 0;
  }
  explicit Ours(std::unique_ptr<Map> map) : map_(std::move(map)) {}

  std::size_t value_size() const override { return map_->syscall_value_size(); }
  int lookup(const std::byte* key, std::byte* value, std::uint64_t flags) override {
    return map_->copy_value(key, value, flags);
  }
  int update(const std::byte* key, const std::byte* value, std::uint64_t flags) override {
    return map_->update_all(key, value, flags);
  }
  int erase(const std::byte* key) override { return map_->erase(key); }
  int take(const std::byte* key, std::byte* value, std::uint64_t flags) override {
    return map_->take(key, value, flags);
  }
  int next_key(const std::byte* key, std::byte* next) override { return map_->next_key(key, next); }

 private:
  std::unique_ptr<Map> map_;
};

class Kernels final : public Subject {
 public:
  // Whether this process may ask the kernel.
  static bool available() {
    std::unique_ptr<Subject> map;
    return create({.type = spec::MapType::Array, .key_size = 4, .value_size = 4, .max_entries = 1}, map) == 0;
  }
  static int create(const spec::MapSpec& spec, std::unique_ptr<Subject>& to, int inner_fd = -1) {
    bpf_attr attr{};
    attr.map_type = std::to_underlying(spec.type);
    attr.key_size = spec.key_size;
    attr.value_size = spec.value_size;
    attr.max_entries = spec.max_entries;
    attr.map_flags = spec.flags;
    attr.map_extra = spec.extra;
    attr.numa_node = spec.numa_node;
    attr.inner_map_fd = static_cast<__u32>(inner_fd);
    const int fd = call(BPF_MAP_CREATE, attr);
    if (fd < 0) return fd;
    const Kind* kind = find_kind(spec.type);
    const bool percpu = kind != nullptr && kind->has(kPerCpu);
    auto map = std::make_unique<Kernels>();
    map->fd_ = Fd(fd);
    map->value_size_ = percpu ? round_up(spec.value_size, 8) * static_cast<unsigned>(::sysconf(_SC_NPROCESSORS_CONF))
                              : spec.value_size;
    to = std::move(map);
    return 0;
  }

  int fd() const { return fd_.get(); }
  int empty_batch(bpf_cmd command) const {
    bpf_attr attr{};
    attr.batch.map_fd = static_cast<__u32>(fd_.get());
    return call(command, attr);
  }
  std::size_t value_size() const override { return value_size_; }
  int lookup(const std::byte* key, std::byte* value, std::uint64_t flags) override {
    return element(BPF_MAP_LOOKUP_ELEM, key, value, flags);
  }
  int update(const std::byte* key, const std::byte* value, std::uint64_t flags) override {
    return element(BPF_MAP_UPDATE_ELEM, key, value, flags);
  }
  int erase(const std::byte* key) override { return element(BPF_MAP_DELETE_ELEM, key, nullptr, 0); }
  int take(const std::byte* key, std::byte* value, std::uint64_t flags) override {
    return element(BPF_MAP_LOOKUP_AND_DELETE_ELEM, key, value, flags);
  }
  int next_key(const std::byte* key, std::byte* next) override { return element(BPF_MAP_GET_NEXT_KEY, key, next, 0); }

 private:
  static int call(bpf_cmd command, bpf_attr& attr) {
    const long result = ::syscall(SYS_bpf, command, &attr, sizeof attr);
    return result < 0 ? -errno : static_cast<int>(result);
  }
  int element(bpf_cmd command, const std::byte* key, const std::byte* value, std::uint64_t flags) const {
    bpf_attr attr{};
    attr.map_fd = static_cast<__u32>(fd_.get());
    attr.key = reinterpret_cast<std::uintptr_t>(key);
    attr.value = reinterpret_cast<std::uintptr_t>(value);
    attr.flags = flags;
    return call(command, attr);
  }

  Fd fd_;
  std::size_t value_size_ = 0;
};

}  // namespace skep::maps
