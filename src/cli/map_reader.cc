#include "cli/map_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/cpus.h"
#include "base/errno.h"
#include "cli/ring_reader.h"

namespace skep::cli {
namespace {

using spec::MapType;

std::uint64_t address(const void* at) noexcept { return reinterpret_cast<std::uintptr_t>(at); }

// Keys of integer size in numeric order, others byte by byte.
bool key_less(const MapEntry& a, const MapEntry& b) {
  if (a.key.size() == 4) return load<std::uint32_t>(a.key.data()) < load<std::uint32_t>(b.key.data());
  if (a.key.size() == 8) return load<std::uint64_t>(a.key.data()) < load<std::uint64_t>(b.key.data());
  return a.key < b.key;
}

std::unexpected<Error> refused(const MapShape& map, long error) {
  const int code = static_cast<int>(-error);
  return fail(code, fmt::format("map {}: cannot be read: {}", map.name, std::strerror(code)));
}

// One key after the other. Stops behind max_entries elements: a map that changes may go on for ever.
Result<> walk(const BpfCall& bpf, int fd, const MapShape& map, const Visit& visit) {
  std::vector<std::byte> key(map.key_size), next(map.key_size), value(std::max<std::size_t>(map.update_bytes(), 8));
  for (std::size_t seen = 0; seen <= map.max_entries; ++seen) {
    const long found =
        element_call(bpf, spec::Command::MapGetNextKey, fd, seen == 0 ? nullptr : key.data(), next.data());
    if (found == -ENOENT) break;
    if (found < 0) return refused(map, found);
    key = next;
    const long read = element_call(bpf, spec::Command::MapLookupElem, fd, key.data(), value.data());
    if (read == -ENOENT) continue;  // an empty slot, or deleted meanwhile
    if (read < 0) return refused(map, read);
    if (!visit(key, Bytes(value).first(map.update_bytes()))) break;
  }
  return {};
}

// Whether a map's type has batches is what the first call says.
bool has_no_batches(long error) noexcept {
  return error == -EINVAL || error == -EOPNOTSUPP || error == -kNotSupported || error == -EPERM;
}

constexpr std::size_t kBatchBytes = 1U << 20;

// Many at once. False: the map cannot be read that way, nothing was visited.
Result<bool> read_batches(const BpfCall& bpf, int fd, const MapShape& map, const Visit& visit) {
  const std::size_t value_bytes = map.update_bytes();
  const std::size_t most = std::max<std::size_t>(map.max_entries, 1);
  std::size_t room =
      std::clamp<std::size_t>(kBatchBytes / std::max<std::size_t>(map.key_size + value_bytes, 1), 1, most);
  std::vector<std::byte> keys, values, cursor(std::max<std::size_t>(map.key_size, 8)), next(cursor.size());
  bool first = true;
  for (std::size_t seen = 0; seen <= map.max_entries;) {
    keys.resize(room * map.key_size);
    values.resize(room * value_bytes);
    spec::Attr attr{};
    attr.batch = {.in_batch = first ? 0 : address(cursor.data()),
                  .out_batch = address(next.data()),
                  .keys = address(keys.data()),
                  .values = address(values.data()),
                  .count = static_cast<std::uint32_t>(room),
                  .map_fd = static_cast<std::uint32_t>(fd),
                  .elem_flags = 0,
                  .flags = 0};
    const long result = bpf(static_cast<int>(spec::Command::MapLookupBatch), attr);
    if (first && has_no_batches(result)) return false;
    if (result == -ENOSPC && room < most) {  // a bucket has more
      room = std::min(room * 2, most);
      continue;
    }
    if (result < 0 && result != -ENOENT) return refused(map, result);
    for (std::size_t i = 0; i < std::min<std::size_t>(attr.batch.count, room); ++i, ++seen) {
      if (!visit(Bytes(keys).subspan(i * map.key_size, map.key_size),
                 Bytes(values).subspan(i * value_bytes, value_bytes)))
        return true;
    }
    if (result == -ENOENT) break;
    std::swap(cursor, next);
    first = false;
  }
  return true;
}

// Of a type whose elements bpf(2) does not show there is nothing to list.
Result<> read_entries(const BpfCall& bpf, int fd, MapContents& out) {
  const Result<> read = for_each_element(bpf, fd, out.shape, [&](Bytes key, Bytes value) {
    out.entries.push_back({{key.begin(), key.end()}, {value.begin(), value.end()}});
    return true;
  });
  if (!read && (read.error().code == EOPNOTSUPP || read.error().code == kNotSupported))
    out.elements = Elements::None;
  else if (!read)
    return read;
  std::ranges::sort(out.entries, key_less);
  return {};
}

std::string hex(Bytes bytes) {
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(bytes.size(), 24); ++i)
    text += fmt::format("{}{:02x}", i == 0 ? "" : " ", bytes[i]);
  return bytes.size() > 24 ? text + " ..." : text;
}

// Collects differences up to a number of them.
class Differences {
 public:
  explicit Differences(std::size_t most) : most_(most) {}
  void add(std::string text) {
    if (list_.size() < most_) list_.push_back(std::move(text));
  }
  std::vector<std::string> take() { return std::move(list_); }

 private:
  std::size_t most_;
  std::vector<std::string> list_;
};

}  // namespace

Elements elements_of(std::uint32_t map_type) noexcept {
  switch (static_cast<MapType>(map_type)) {
    case MapType::Hash:
    case MapType::Array:
    case MapType::LruHash:
    case MapType::LpmTrie:
    case MapType::Devmap:
    case MapType::DevmapHash:
    case MapType::Cpumap: return Elements::Values;
    case MapType::PercpuHash:
    case MapType::PercpuArray:
    case MapType::LruPercpuHash: return Elements::PerCpu;
    case MapType::ProgArray:
    case MapType::PerfEventArray:
    case MapType::CgroupArray:
    case MapType::ArrayOfMaps:
    case MapType::HashOfMaps:
    case MapType::Xskmap:
    case MapType::Sockmap:
    case MapType::Sockhash:
    case MapType::ReuseportSockarray: return Elements::References;
    case MapType::StackTrace: return Elements::Values;
    case MapType::Ringbuf: return Elements::Records;
    case MapType::Queue:
    case MapType::Stack: return Elements::Keyless;
    case MapType::BloomFilter: return Elements::Members;
    default: return Elements::None;
  }
}

unsigned value_cpus(std::uint32_t map_type) { return elements_of(map_type) == Elements::PerCpu ? possible_cpus() : 0; }

MapShape shape_of(const loader::Map& map) {
  return {.name = map.section.empty() ? map.name : map.section,
          .key_size = map.key_size,
          .value_size = map.value_size,
          .key_type = map.key_type,
          .value_type = map.value_type,
          .cpus = value_cpus(map.type),
          .type = map.type,
          .max_entries = map.max_entries};
}

long element_call(const BpfCall& bpf, spec::Command command, int fd, const std::byte* key, std::byte* value,
                  std::uint64_t flags) {
  spec::Attr attr{};
  attr.elem = {
      .map_fd = static_cast<std::uint32_t>(fd), .pad = 0, .key = address(key), .value = address(value), .flags = flags};
  return bpf(static_cast<int>(command), attr);
}

Result<> for_each_element(const BpfCall& bpf, int fd, const MapShape& map, const Visit& visit) {
  TRY(const bool done, read_batches(bpf, fd, map, visit));
  return done ? Result<>{} : walk(bpf, fd, map, visit);
}

Result<MapContents> read_map(const BpfCall& bpf, int fd, const MapShape& map) {
  MapContents contents{.shape = map, .elements = elements_of(map.type), .entries = {}, .records = {}};
  switch (contents.elements) {
    case Elements::Values:
    case Elements::PerCpu:
    case Elements::References: TRY_VOID(read_entries(bpf, fd, contents)); break;
    case Elements::Records: {
      Result<RingReader> ring = RingReader::open(fd, map.max_entries, RingReader::Use::Look);
      if (!ring) return fail(ring.error().code, fmt::format("map {}: {}", map.name, ring.error().message));
      ring->read([&](Bytes record) {
        contents.records.emplace_back(record.begin(), record.end());
        return true;
      });
      break;
    }
    case Elements::Keyless:
    case Elements::Members:
    case Elements::None: break;
  }
  return contents;
}

std::vector<std::string> differences(std::string_view name_a, const MapContents& a, std::string_view name_b,
                                     const MapContents& b, std::size_t most) {
  Differences found(most);
  const auto only_in = [&](std::string_view who, const MapEntry& entry) {
    found.add(fmt::format("map {}: key {}: only in {}", a.shape.name, hex(entry.key), who));
  };
  auto x = a.entries.begin(), y = b.entries.begin();
  while (x != a.entries.end() || y != b.entries.end()) {
    if (y == b.entries.end() || (x != a.entries.end() && key_less(*x, *y))) {
      only_in(name_a, *x++);
    } else if (x == a.entries.end() || key_less(*y, *x)) {
      only_in(name_b, *y++);
    } else {
      if (x->value != y->value && a.elements != Elements::References) {  // ids are each instance's own
        const auto at = static_cast<std::size_t>(std::ranges::mismatch(x->value, y->value).in1 - x->value.begin());
        found.add(fmt::format("map {}: key {}: value at byte {}: {} {}, {} {}", a.shape.name, hex(x->key), at, name_a,
                              hex(Bytes(x->value).subspan(at)), name_b, hex(Bytes(y->value).subspan(at))));
      }
      ++x, ++y;
    }
  }
  if (a.records.size() != b.records.size()) {
    found.add(fmt::format("map {}: {} has {} records, {} has {}", a.shape.name, name_a, a.records.size(), name_b,
                          b.records.size()));
  }
  for (std::size_t i = 0; i < std::min(a.records.size(), b.records.size()); ++i) {
    if (a.records[i] != b.records[i]) {
      found.add(fmt::format("map {}: record {}: {} {}, {} {}", a.shape.name, i + 1, name_a, hex(a.records[i]), name_b,
                            hex(b.records[i])));
    }
  }
  return found.take();
}

}  // namespace skep::cli
