#include "cli/map_reader.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/cpus.h"
#include "spec/commands.h"
#include "spec/uapi.h"

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

long element(const BpfCall& bpf, spec::Command command, int fd, const std::byte* key, std::byte* value) {
  spec::Attr attr{};
  attr.elem.map_fd = static_cast<std::uint32_t>(fd);
  attr.elem.key = address(key);
  attr.elem.value = address(value);
  return bpf(static_cast<int>(command), attr);
}

Result<> read_entries(const BpfCall& bpf, int fd, const loader::Map& map, MapContents& out) {
  const std::size_t limit = std::size_t{map.max_entries} + 1;  // a map that changes while it is read
  std::vector<std::byte> key(map.key_size), next(map.key_size),
      value(std::max<std::size_t>(out.shape.update_bytes(), 8));
  for (bool first = true; out.entries.size() < limit; first = false) {
    const long found = element(bpf, spec::Command::MapGetNextKey, fd, first ? nullptr : key.data(), next.data());
    if (found == -ENOENT) break;
    if (found < 0)
      return fail(static_cast<int>(-found),
                  fmt::format("map {}: {}", map.name, std::strerror(static_cast<int>(-found))));
    key = next;
    const long read = element(bpf, spec::Command::MapLookupElem, fd, key.data(), value.data());
    if (read == -ENOENT) continue;  // an empty slot, or deleted meanwhile
    if (read < 0 && out.elements != Elements::References)
      return fail(static_cast<int>(-read), fmt::format("map {}: {}", map.name, std::strerror(static_cast<int>(-read))));
    const std::size_t shown = out.elements == Elements::References ? 0 : out.shape.update_bytes();
    out.entries.push_back({key, {value.begin(), value.begin() + static_cast<std::ptrdiff_t>(shown)}});
  }
  std::ranges::sort(out.entries, key_less);
  return {};
}

// A ring buffer as its consumer maps it: a page with the consumer's position, one with the producer's, the data twice.
class Ring {
 public:
  Ring(int fd, std::size_t data_bytes) : bytes_(data_bytes) {
    const std::size_t page = page_bytes();
    consumer_ = ::mmap(nullptr, page, PROT_READ, MAP_SHARED, fd, 0);
    producer_ = ::mmap(nullptr, page + 2 * bytes_, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(page));
  }
  ~Ring() {
    if (consumer_ != MAP_FAILED) ::munmap(consumer_, page_bytes());
    if (producer_ != MAP_FAILED) ::munmap(producer_, page_bytes() + 2 * bytes_);
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  bool mapped() const { return consumer_ != MAP_FAILED && producer_ != MAP_FAILED; }

  // Complete records that nobody consumed.
  std::vector<std::vector<std::byte>> records() const {
    std::vector<std::vector<std::byte>> out;
    std::uint64_t at = position(consumer_);
    const std::uint64_t end = position(producer_);
    if (end - at > bytes_) return out;
    while (at < end) {
      const std::byte* header = static_cast<const std::byte*>(producer_) + page_bytes() + at % bytes_;
      const auto word = load<std::uint32_t>(header);
      if ((word & spec::kRingbufBusyBit) != 0) break;
      const std::size_t size = word & ~(spec::kRingbufBusyBit | spec::kRingbufDiscardBit);
      if (size > bytes_) break;
      if ((word & spec::kRingbufDiscardBit) == 0)
        out.emplace_back(header + spec::kRingbufHdrBytes, header + spec::kRingbufHdrBytes + size);
      at += round_up(size + spec::kRingbufHdrBytes, 8);
    }
    return out;
  }

 private:
  static std::size_t page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }
  static std::uint64_t position(void* page) {
    return std::atomic_ref<std::uint64_t>(*static_cast<std::uint64_t*>(page)).load(std::memory_order_acquire);
  }
  std::size_t bytes_;
  void* consumer_;
  void* producer_;
};

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
    case MapType::ArrayOfMaps:
    case MapType::HashOfMaps: return Elements::References;
    case MapType::Ringbuf: return Elements::Records;
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
          .cpus = value_cpus(map.type)};
}

Result<MapContents> read_map(const BpfCall& bpf, int fd, const loader::Map& map) {
  MapContents contents{.shape = shape_of(map), .elements = elements_of(map.type), .entries = {}, .records = {}};
  switch (contents.elements) {
    case Elements::Values:
    case Elements::PerCpu:
    case Elements::References: TRY_VOID(read_entries(bpf, fd, map, contents)); break;
    case Elements::Records: {
      const Ring ring(fd, map.max_entries);
      if (!ring.mapped())
        return fail(errno, fmt::format("map {}: cannot be mapped: {}", map.name, std::strerror(errno)));
      contents.records = ring.records();
      break;
    }
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
      if (x->value != y->value) {
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
