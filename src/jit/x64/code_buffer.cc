#include "jit/x64/code_buffer.h"

#include <algorithm>
#include <limits>

namespace skep::jit::x64 {
namespace {

constexpr int kRounds = 3;  // of looking for short jumps: the third finds next to nothing

bool fits_byte(std::int64_t distance) noexcept {
  return distance >= std::numeric_limits<std::int8_t>::min() && distance <= std::numeric_limits<std::int8_t>::max();
}

// Fills `room` with the fewest instructions that do nothing: lengths the manual recommends, up to 9 bytes each.
void do_nothing(std::span<std::uint8_t> room) noexcept {
  static constexpr std::uint8_t kNops[][9] = {
      {0x90},
      {0x66, 0x90},
      {0x0f, 0x1f, 0x00},
      {0x0f, 0x1f, 0x40, 0x00},
      {0x0f, 0x1f, 0x44, 0x00, 0x00},
      {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
      {0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
      {0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
      {0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
  };
  while (!room.empty()) {
    const std::size_t length = std::min(room.size(), std::size(kNops));
    std::memcpy(room.data(), kNops[length - 1], length);
    room = room.subspan(length);
  }
}

}  // namespace

CodeBuffer::CodeBuffer(std::size_t expected) : bytes_(expected + kPiece) {}

Label CodeBuffer::label() {
  labels_.push_back(0);
  return {static_cast<std::uint32_t>(labels_.size() - 1)};
}

void CodeBuffer::jump(Label to) {
  sites_.push_back({size(), to.id, 0, Kind::Jump, 0});
  byte(0xe9);
  value(std::uint32_t{0});
}

void CodeBuffer::jump(Condition when, Label to) {
  sites_.push_back({size(), to.id, 0, Kind::Conditional, 0});
  byte(0x0f);
  byte(0x80U + static_cast<unsigned>(when));
  value(std::uint32_t{0});
}

void CodeBuffer::call(Label to) {
  byte(0xe8);
  distance(to);
}

void CodeBuffer::distance(Label to) {
  sites_.push_back({size(), to.id, 0, Kind::Distance, 0});
  value(std::uint32_t{0});
}

void CodeBuffer::absolute(std::uint64_t address) {
  sites_.push_back({size(), static_cast<std::uint32_t>(addresses_.size()), 0, Kind::Absolute, 0});
  addresses_.push_back(address);
  value(std::uint32_t{0});
}

void CodeBuffer::entries(std::uint32_t count, Label to, Label table) {
  entries_.push_back({size(), count, to.id, table.id});
  reserve(sizeof(std::uint32_t) * count);
  size_ += sizeof(std::uint32_t) * count;
}

void CodeBuffer::align() {
  sites_.push_back({size(), 0, 0, Kind::Align, 0});
  size_ += kAlignment - 1;
}

std::uint32_t CodeBuffer::long_bytes(Kind kind) noexcept {
  switch (kind) {
    case Kind::Jump: return 5;
    case Kind::Conditional: return 6;
    case Kind::Distance:
    case Kind::Absolute: return 4;
    case Kind::Align: return kAlignment - 1;
  }
  return 0;
}

std::uint32_t CodeBuffer::moved(std::uint32_t at) const noexcept {
  const auto behind = std::ranges::lower_bound(sites_, at, {}, &Site::at);
  if (behind == sites_.begin()) return at;
  const Site& before = *std::prev(behind);
  return at - before.removed - before.saved;
}

// Whether another jump has been found to reach its label with a byte.
bool CodeBuffer::shorten() {
  bool found = false;
  for (Site& site : sites_) {
    if (site.saved != 0 || (site.kind != Kind::Jump && site.kind != Kind::Conditional)) continue;
    const std::int64_t end = std::int64_t{site.at} - site.removed + 2;
    const std::int64_t target = moved(labels_[site.label]);
    // A label behind comes nearer by what the jump itself gives up.
    const std::int64_t own = labels_[site.label] > site.at ? long_bytes(site.kind) - 2 : 0;
    if (!fits_byte(target - own - end)) continue;
    site.saved = static_cast<std::uint8_t>(long_bytes(site.kind) - 2);
    found = true;
  }
  std::uint32_t removed = 0;
  for (Site& site : sites_) {
    site.removed = removed;
    removed += site.saved;
  }
  return found;
}

// Alignments took all the room they might need: now they take what they do need.
void CodeBuffer::place() {
  std::uint32_t removed = 0;
  for (Site& site : sites_) {
    site.removed = removed;
    if (site.kind == Kind::Align) {
      const std::uint32_t padding = (0 - (site.at - removed)) % kAlignment;
      site.saved = static_cast<std::uint8_t>(kAlignment - 1 - padding);
    }
    removed += site.saved;
  }
}

// Moves everything to its final place.
void CodeBuffer::close_gaps() {
  std::uint32_t from = 0, to = 0;
  for (const Site& site : sites_) {
    std::memmove(bytes_.data() + to, bytes_.data() + from, site.at - from);
    to += site.at - from;
    const std::uint32_t length = long_bytes(site.kind);
    const std::uint32_t kept = length - site.saved;
    if (site.kind == Kind::Align) {
      do_nothing(std::span(bytes_).subspan(to, kept));
    } else if (site.saved != 0) {
      bytes_[to] = static_cast<std::uint8_t>(site.kind == Kind::Jump ? 0xeb : bytes_[site.at + 1] - 0x10);
    } else {
      std::memmove(bytes_.data() + to, bytes_.data() + site.at, length);
    }
    from = site.at + length;
    to += kept;
  }
  std::memmove(bytes_.data() + to, bytes_.data() + from, size_ - from);
  size_ = to + (size_ - from);
}

void CodeBuffer::fill() {
  for (const Site& site : sites_) {
    if (site.kind == Kind::Align) continue;
    const std::uint32_t at = site.at - site.removed;
    if (site.kind == Kind::Absolute) {
      fixups_.push_back({at, addresses_[site.label]});
      continue;
    }
    const std::uint32_t end = at + long_bytes(site.kind) - site.saved;
    const std::uint32_t distance = moved(labels_[site.label]) - end;
    if (site.saved != 0)
      bytes_[end - 1] = static_cast<std::uint8_t>(distance);
    else
      std::memcpy(bytes_.data() + end - 4, &distance, sizeof distance);
  }
}

void CodeBuffer::fill_entries() {
  std::uint32_t table = 0, begin = 0;
  for (const Entries& run : entries_) {
    if (&run == entries_.data() || run.table != table) begin = moved(labels_[table = run.table]);
    const std::uint32_t distance = moved(labels_[run.label]) - begin;
    std::uint8_t* to = bytes_.data() + begin + (run.at - labels_[table]);
    for (std::uint32_t i = 0; i < run.count; ++i, to += sizeof distance) std::memcpy(to, &distance, sizeof distance);
  }
}

void CodeBuffer::finish() {
  for (int i = 0; i < kRounds && shorten(); ++i) {
  }
  place();
  close_gaps();
  fill();
  fill_entries();
}

}  // namespace skep::jit::x64
