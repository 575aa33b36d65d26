#include "map_judge/material.h"

#include <algorithm>
#include <cerrno>
#include <span>

namespace skep::map_judge {
namespace {

using maps::Family, maps::KeyRule, maps::Kind, maps::ValueRule;
using soundness::Draw;

constexpr std::size_t kLock = 4;  // bytes of a bpf_spin_lock

std::size_t value_size_of(const spec::MapSpec& spec, const Kind& kind, unsigned cpus) {
  return kind.has(maps::kPerCpu) ? round_up(spec.value_size, 8) * cpus : spec.value_size;
}

void put(Blob& to, std::size_t at, std::uint32_t word) {
  if (at + sizeof word <= to.size()) store(to.data() + at, word);
}

void noise(Draw draw, Blob& to, std::size_t from = 0) {
  for (std::size_t i = from; i < to.size(); ++i) to[i] = static_cast<std::byte>(draw());
}

// A thing where its descriptor would be, so that it is told from any number.
std::uint32_t mark(Thing thing) noexcept { return 0x7468'0000 + static_cast<std::uint32_t>(thing); }
std::uint32_t word_of(Thing thing, const Things* things) noexcept {
  return things != nullptr ? static_cast<std::uint32_t>(things->fd(thing)) : mark(thing);
}

bool names_object(const Kind& kind) noexcept {
  return kind.value == ValueRule::Fd || kind.value == ValueRule::FdOrCookie;
}

}  // namespace

Blob error_as_value(long error) { return {bytes_of(error).begin(), bytes_of(error).end()}; }

Material::Material(const Sequence& sequence, unsigned cpus)
    : sequence_(sequence),
      kind_(*maps::find_kind(sequence.spec.type)),
      value_size_(value_size_of(sequence.spec, kind_, cpus)) {}

Blob Material::key(std::uint32_t number, const Things& things) const { return key_bytes(number, &things); }
Blob Material::value(std::uint32_t number, const Things& things) const { return value_bytes(number, &things); }
Blob Material::normal_key(std::uint32_t number) const { return key_bytes(number, nullptr); }

Blob Material::normal(std::uint32_t number) const {
  Blob value = value_bytes(number, nullptr);
  if (kind_.value == ValueRule::FdOrCookie && value.size() < sizeof(std::uint64_t)) return error_as_value(-ENOSPC);
  if (sequence_.has_lock) std::ranges::fill(std::span(value).first(kLock), std::byte{});
  return value;
}

Blob Material::key_bytes(std::uint32_t number, const Things* things) const {
  Blob key(sequence_.spec.key_size);
  switch (kind_.key) {
    case KeyRule::None: break;
    case KeyRule::Index:
      put(key, 0, kind_.family == Family::Storage ? word_of(thing_in_key(kind_, number), things) : number);
      break;
    case KeyRule::Bytes:
    case KeyRule::Short: noise(Draw(number), key); break;
    case KeyRule::Prefix: prefix(number, key); break;
    case KeyRule::Cgroup: noise(Draw(number), key); break;
  }
  return key;
}

// Lengths of all sorts, one too long at times, and data of few bits, so that prefixes lie in each other.
void Material::prefix(std::uint32_t number, Blob& key) const {
  Draw draw(number);
  const std::uint64_t bits = (key.size() - 4) * 8;
  const bool is_short = draw.below(3) != 0;
  put(key, 0, static_cast<std::uint32_t>(draw.below((is_short ? std::min<std::uint64_t>(bits, 10) : bits) + 1)));
  if (draw.below(20) == 0) put(key, 0, static_cast<std::uint32_t>(bits + 1));
  constexpr unsigned kBytes[] = {0x00, 0x80, 0xc0, 0xff};
  for (std::size_t i = 4; i < key.size(); ++i) key[i] = static_cast<std::byte>(kBytes[draw.below(4)]);
}

Blob Material::value_bytes(std::uint32_t number, const Things* things) const {
  Blob value(value_size_);
  if (names_object(kind_)) {
    put(value, 0, word_of(thing_in_value(kind_, number), things));
  } else if (kind_.value == ValueRule::Device) {
    device(number, value, things);
  } else {
    noise(Draw(number + 1), value);
  }
  return value;
}

// An interface or the length of a queue, good and bad ones, and perhaps a program.
void Material::device(std::uint32_t number, Blob& value, const Things* things) const {
  Draw draw(number);
  constexpr std::uint32_t kInterfaces[] = {1, 1, 1, 0, 2, 77777}, kLengths[] = {1, 64, 192, 2048, 0, 16384, 16385};
  const bool is_cpu = kind_.family == Family::Cpu;
  put(value, 0, is_cpu ? kLengths[draw.below(std::size(kLengths))] : kInterfaces[draw.below(std::size(kInterfaces))]);
  if (draw.below(2) == 0) return;
  const Thing program = thing_in_value(kind_, static_cast<std::uint32_t>(draw.below(1000)));
  put(value, 4, word_of(program, things));
}

void Material::normalise(MutableBytes value, const Things& things) const {
  if (kind_.value == ValueRule::FdOrCookie && value.size() == sizeof(std::uint64_t))
    if (const auto thing = things.by_cookie(load<std::uint64_t>(value.data())))
      store(value.data(), std::uint64_t{mark(*thing)});
  const bool is_device = kind_.value == ValueRule::Device;
  const std::size_t at = is_device ? 4 : 0;
  if ((!is_device && kind_.value != ValueRule::Fd) || at + 4 > value.size()) return;
  const ThingClass what = kind_.has(maps::kOuter) ? ThingClass::Map : ThingClass::Prog;
  if (const auto thing = things.by_id(what, load<std::uint32_t>(value.data() + at)))
    store(value.data() + at, mark(*thing));
}

}  // namespace skep::map_judge
