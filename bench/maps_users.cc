#include "maps_users.h"

#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "abi/route.h"
#include "hive/hive.h"
#include "kernel/bpf.h"

namespace skep::bench {
namespace {

constexpr std::uint32_t kEntries = 100'000;
constexpr std::uint32_t kDumped = 1'000'000;
constexpr std::uint32_t kPart = 4096;   // elements that one system call of a dump asks for
constexpr std::uint32_t kAsked = 4096;  // keys of a batch
constexpr std::uint64_t kSpread = 0x9e3779b97f4a7c15;
const kernel::NewMap kHash{.type = BPF_MAP_TYPE_HASH, .key_size = 8, .value_size = 8, .name = {}};

using Key = std::uint64_t;
using Value = std::uint64_t;
const std::byte* bytes(const Key& key) { return reinterpret_cast<const std::byte*>(&key); }
std::byte* bytes(Value& value) { return reinterpret_cast<std::byte*>(&value); }

// How an element is read and written: 0 or a negative errno.
class Way {
 public:
  virtual ~Way() = default;
  virtual int lookup(const Key& key, Value& value) noexcept = 0;
  virtual int update(const Key& key, const Value& value) noexcept = 0;
};

class SystemCall : public Way {
 public:
  SystemCall(int map, kernel::BpfCall call) : map_(map), call_(call) {}
  int lookup(const Key& key, Value& value) noexcept override {
    return kernel::lookup(map_, bytes(key), bytes(value), call_);
  }
  int update(const Key& key, const Value& value) noexcept override {
    return kernel::update(map_, bytes(key), bytes(value), BPF_ANY, call_);
  }

 private:
  int map_;
  kernel::BpfCall call_;
};

class MapObject final : public Way {
 public:
  explicit MapObject(std::shared_ptr<maps::Map> map) : map_(std::move(map)) {}
  int lookup(const Key& key, Value& value) noexcept override { return map_->copy_value(bytes(key), bytes(value), 0); }
  int update(const Key& key, const Value& value) noexcept override {
    return map_->update_all(bytes(key), bytes(value), BPF_ANY);
  }

 private:
  std::shared_ptr<maps::Map> map_;
};

// A hive with a map of `entries` elements, all there, and the kernel's with the same if there is a kernel.
struct Maps {
  std::unique_ptr<hive::Hive> hive;
  Fd ours, kernels;
  std::vector<Key> keys;

  static Result<Maps> make(std::uint32_t entries) {
    Maps maps;
    for (std::uint32_t i = 0; i < entries; ++i) maps.keys.push_back(i * kSpread);
    TRY(maps.hive, hive::Hive::create({}));
    kernel::NewMap spec = kHash;
    spec.max_entries = entries;
    {
      const abi::Target target = abi::use(*maps.hive);
      TRY(maps.ours, kernel::create_map(spec, abi::bpf));
    }
    TRY(const std::shared_ptr<maps::Map> map, maps.hive->map(maps.ours.get()));
    MapObject direct(map);
    TRY_VOID(maps.fill(direct));
    if (!kernel::available()) return maps;
    TRY(maps.kernels, kernel::create_map(spec));
    SystemCall call(maps.kernels.get(), kernel::bpf);
    TRY_VOID(maps.fill(call));
    std::ranges::shuffle(maps.keys, std::minstd_rand(1));
    return maps;
  }
  bool has_kernel() const noexcept { return static_cast<bool>(kernels); }

 private:
  Result<> fill(Way& way) const {
    for (const Key key : keys)
      if (const int error = way.update(key, ~key); error != 0) return fail(-error, "an element cannot be added");
    return {};
  }
};

// ---- Elements

enum class Action : std::uint8_t { Lookup, Update };
std::string_view name(Action action) noexcept { return action == Action::Lookup ? "lookup" : "update"; }

// Nanoseconds an operation.
Result<double> batch(Way& way, Action action, std::span<const Key> keys, std::uint32_t repeat) {
  int errors = 0;
  Value sum = 0;
  const double before = thread_time();
  for (std::uint32_t i = 0; i < repeat; ++i)
    for (const Key key : keys) {
      Value value = ~key;
      errors |= action == Action::Lookup ? way.lookup(key, value) : way.update(key, value);
      sum += value + key + 1;
    }
  const double spent = thread_time() - before;
  if (errors != 0 || sum != 0) return fail(EIO, "elements are not what they were");
  return spent / static_cast<double>(keys.size()) / repeat;
}

// A way of skep's to do it, measured against the kernel's system call. `bar`: 0: none.
struct Compared {
  std::string_view name;
  Way& way;
  double bar;
};

Result<Line> measure_way(const Compared& ours, Way* kernel, Action action, const Maps& maps, std::string name,
                         double batch_time) {
  const std::span<const Key> keys = std::span(maps.keys).first(kAsked);
  const auto repeat_of = [&](Way& way) -> Result<std::uint32_t> {
    TRY(const double each, batch(way, action, keys, 1));
    return static_cast<std::uint32_t>(std::max(1.0, batch_time / (each * kAsked)));
  };
  TRY(const std::uint32_t our_repeat, repeat_of(ours.way));
  std::uint32_t kernel_repeat = 1;
  if (kernel != nullptr) {
    TRY(kernel_repeat, repeat_of(*kernel));
  }
  Batches our_times{};
  std::optional<Batches> kernel_times;
  if (kernel != nullptr) kernel_times.emplace();
  for (std::size_t i = 0; i < kBatches; ++i) {
    TRY(our_times[i], batch(ours.way, action, keys, our_repeat));
    if (kernel == nullptr) continue;
    TRY((*kernel_times)[i], batch(*kernel, action, keys, kernel_repeat));
  }
  return time_line(std::move(name), our_times, kernel_times, ours.bar);
}

// The ways there are to a hive's map: another is a class above, its name and a row here.
constexpr std::string_view kWays[] = {"bpf", "c++"};
struct Ways {
  SystemCall call;
  MapObject object;
  std::vector<Compared> all() { return {{kWays[0], call, 0}, {kWays[1], object, 0.1}}; }

  static Result<Ways> of(const Maps& maps) {
    TRY(std::shared_ptr<maps::Map> map, maps.hive->map(maps.ours.get()));
    return Ways{SystemCall(maps.ours.get(), abi::bpf), MapObject(std::move(map))};
  }
};

std::string name_of(std::string_view way, Action action) { return fmt::format("user/{}/{}", way, name(action)); }

bool asks_for_any(const Plan& plan) {
  for (const std::string_view way : kWays)
    for (const Action action : {Action::Lookup, Action::Update})
      if (plan.asked(name_of(way, action))) return true;
  return false;
}

Result<> measure_elements(const Plan& plan) {
  if (!asks_for_any(plan)) return {};
  TRY(const Maps maps, Maps::make(kEntries));
  TRY(Ways ways, Ways::of(maps));
  SystemCall kernel(maps.kernels.get(), kernel::bpf);
  const abi::Target target = abi::use(*maps.hive);
  for (const Compared& way : ways.all())
    for (const Action action : {Action::Lookup, Action::Update}) {
      const std::string name = name_of(way.name, action);
      if (!plan.asked(name)) continue;
      TRY(Line line, measure_way(way, maps.has_kernel() ? &kernel : nullptr, action, maps, name, plan.batch_time));
      plan.found(std::move(line));
    }
  return {};
}

// ---- Dumps

struct Dump {
  std::uint64_t elements = 0, sum = 0;  // of keys
  friend bool operator==(const Dump&, const Dump&) = default;
};

Result<Dump> dump(int map, kernel::BpfCall call, std::vector<Key>& keys, std::vector<Value>& values) {
  Dump found;
  std::uint64_t cursor = 0;
  for (bool first = true;; first = false) {
    bpf_attr attr{};
    attr.batch.map_fd = static_cast<std::uint32_t>(map);
    attr.batch.in_batch = first ? 0 : reinterpret_cast<std::uint64_t>(&cursor);
    attr.batch.out_batch = reinterpret_cast<std::uint64_t>(&cursor);
    attr.batch.keys = reinterpret_cast<std::uint64_t>(keys.data());
    attr.batch.values = reinterpret_cast<std::uint64_t>(values.data());
    attr.batch.count = static_cast<std::uint32_t>(keys.size());
    const long error = call(BPF_MAP_LOOKUP_BATCH, &attr, sizeof attr);
    if (error != 0 && error != -ENOENT) return fail(static_cast<int>(-error), "a batch cannot be read");
    found.elements += attr.batch.count;
    for (std::uint32_t i = 0; i < attr.batch.count; ++i) found.sum += keys[i] ^ ~values[i];  // 0: what was written
    if (error == -ENOENT) return found;
  }
}

Result<double> dump_time(int map, kernel::BpfCall call, std::uint32_t entries) {
  std::vector<Key> keys(kPart);
  std::vector<Value> values(kPart);
  const double before = thread_time();
  TRY(const Dump found, dump(map, call, keys, values));
  const double spent = thread_time() - before;
  if (found != Dump{entries, 0}) return fail(EIO, "a dump has not all elements");
  return spent / entries;
}

Result<> measure_dump(const Plan& plan) {
  const std::string name = "user/bpf/dump-1m";
  if (!plan.asked(name)) return {};
  TRY(const Maps maps, Maps::make(kDumped));
  const abi::Target target = abi::use(*maps.hive);
  Batches ours{};
  std::optional<Batches> kernels;
  if (maps.has_kernel()) kernels.emplace();
  for (std::size_t i = 0; i < kBatches; ++i) {
    TRY(ours[i], dump_time(maps.ours.get(), abi::bpf, kDumped));
    if (!maps.has_kernel()) continue;
    TRY((*kernels)[i], dump_time(maps.kernels.get(), kernel::bpf, kDumped));
  }
  plan.found(time_line(name, ours, kernels, 0.3));
  return {};
}

}  // namespace

Result<> measure_users(const Plan& plan) {
  TRY_VOID(measure_elements(plan));
  return measure_dump(plan);
}

Result<> check_users() {
  TRY(const Maps maps, Maps::make(kAsked));
  TRY(Ways ways, Ways::of(maps));
  const abi::Target target = abi::use(*maps.hive);
  for (const Compared& way : ways.all())
    for (const Action action : {Action::Update, Action::Lookup}) TRY_VOID(batch(way.way, action, maps.keys, 1));
  TRY_VOID(dump_time(maps.ours.get(), abi::bpf, kAsked));
  if (maps.has_kernel()) TRY_VOID(dump_time(maps.kernels.get(), kernel::bpf, kAsked));
  return {};
}

}  // namespace skep::bench
