// Fragments: the stack, the context, maps.
#include <algorithm>

#include "judge/author.h"
#include "spec/context.h"
#include "verifier/testing_maps.h"

namespace skep::judge {
namespace {

using verifier::testing::kMapShapes;

const verifier::testing::MapShape& shape(std::string_view name) {
  return *std::ranges::find(kMapShapes, name, &verifier::testing::MapShape::name);
}

constexpr std::string_view kAtomics[] = {
    "lock *(u64 *)(r{0} {1:+}) += r{2}",
    "lock *(u32 *)(r{0} {1:+}) |= r{2}",
    "r{2} = atomic64_fetch_add((u64 *)(r{0} {1:+}), r{2})",
    "r{2} = atomic_fetch_and((u32 *)(r{0} {1:+}), r{2})",
    "r{2} = atomic64_xchg((u64 *)(r{0} {1:+}), r{2})",
    "r0 = atomic64_cmpxchg((u64 *)(r{0} {1:+}), r0, r{2})",
    "r0 = atomic_cmpxchg((u32 *)(r{0} {1:+}), r0, r{2})",
};
// Where values are read and written.
constexpr std::string_view kValueMaps[] = {"array", "hash", "lru", "percpu", "array", "hash", "one", "trie"};
constexpr std::string_view kDirectMaps[] = {"one", "fw_bss", "tt_bss"};
constexpr std::string_view kGuardedMaps[] = {"read_only", "write_only", "format"};

}  // namespace

// A load or store of `bytes` bytes.
void Author::access(unsigned base, std::int64_t offset, unsigned bytes) {
  const unsigned bits = 8 * bytes;
  switch (below(4)) {
    case 0: return line("*(u{} *)(r{} {:+}) = {}", bits, base, offset, immediate());
    case 1: return line("*(u{} *)(r{} {:+}) = r{}", bits, base, offset, number());
    default: {
      const unsigned d = spare();
      const bool is_signed = bytes < 8 && chance(5);
      line("r{} = *({}{} *)(r{} {:+})", d, is_signed ? 's' : 'u', bits, base, offset);
      return set(d, Holds::Number, bytes < 8 && !is_signed ? (std::int64_t{1} << bits) - 1 : Register::kUnknown);
    }
  }
}

void Author::stack_access() {
  const unsigned bytes = 1U << below(4);
  const int slot = static_cast<int>(8 * (1 + below(8)));
  int offset = -slot + static_cast<int>(below(8 / bytes) * bytes);
  if (slip()) offset = static_cast<int>(below(600)) - 560;
  access(10, offset, bytes);
}

// A register goes to the stack and comes back, perhaps as another.
void Author::spill() {
  const unsigned s = below(10);
  if (registers_[s].holds == Holds::Nothing && !slip()) return stack_access();
  const int slot = static_cast<int>(8 * (1 + below(8)));
  const Register known = registers_[s];
  const bool number = known.holds == Holds::Number;
  const unsigned bits = number || slip() ? 8U << below(4) : 64;
  line("*(u{} *)(r10 {}) = r{}", bits, -slot, s);
  if (chance(3)) body(1);
  if (chance(6)) stack_access();
  const unsigned d = spare();
  const unsigned back = chance(6) && number ? 8U << below(4) : bits;
  line("r{} = *(u{} *)(r10 {})", d, back, -slot);
  registers_[d] = number ? Register{Holds::Number} : chance(2) ? known : Register{};
}

void Author::variable_stack() {
  const int slots = static_cast<int>(1 + below(4));
  if (chance(2))
    for (int i = 1; i <= slots; ++i) line("*(u64 *)(r10 {}) = {}", -8 * i, chance(3) ? 0 : immediate());
  const unsigned n = bounded(8 * slots - 1);
  const unsigned d = n == 0 ? 1 : n - 1;
  if (registers_[d].holds == Holds::Context) return;
  line("r{} = r10", d);
  line("r{} += r{}", d, n);
  line("r{} += {}", d, -8 * slots);
  set(d, Holds::Nothing);
  const Hold hold(*this, d);
  access(d, 0, chance(8) ? 1U << below(4) : 1);
}

void Author::atomic() {
  const unsigned base = any(Holds::Value);
  const bool on_stack = base == kNone || registers_[base].extent < 16 || chance(2);
  const Hold hold(*this, base);
  const unsigned s = number();
  if (registers_[0].holds == Holds::Context) return;
  if (registers_[0].holds != Holds::Number && !slip()) {
    line("r0 = {}", immediate());
    set(0, Holds::Number);
  }
  const int offset = on_stack ? -static_cast<int>(8 * (1 + below(8))) : static_cast<int>(8 * below(2));
  if (on_stack && !slip()) line("*(u64 *)(r10 {}) = {}", offset, immediate());
  line(fmt::runtime(one_of(kAtomics)), on_stack ? 10U : base, offset, s);
  set(s, Holds::Number);
  set(0, Holds::Number);
}

void Author::context_access() {
  const unsigned base = any(Holds::Context);
  const auto fields = spec::fields(spec::context_of(target_->type));
  if (base == kNone && !slip()) return arithmetic();
  if (base == kNone || fields.empty() || slip()) {
    const unsigned d = spare();
    line("r{} = *(u{} *)(r{} +{})", d, 8U << below(4), base == kNone ? below(10) : base, 4 * below(48));
    return set(d, Holds::Number);
  }
  for (int tries = 0; tries < 20; ++tries) {
    const spec::ContextField& field = fields[below(fields.size())];
    const unsigned bytes = std::min(1U << below(4), field.bytes);
    const std::uint32_t units = std::min<std::uint32_t>(field.bytes, 160) / bytes;
    const auto offset = static_cast<std::int32_t>(field.offset + below(units) * bytes);
    const bool write = chance(4) && any(Holds::Number) != kNone;
    const spec::ContextAccess access{target_->type, target_->attach, offset, bytes,
                                     write ? spec::Direction::Write : spec::Direction::Read};
    if (field.kind != spec::FieldKind::Scalar || (!spec::check_access(access) && !slip())) continue;
    const Hold hold(*this, base);
    if (write) return line("*(u{} *)(r{} +{}) = r{}", 8 * bytes, base, offset, any(Holds::Number));
    const unsigned d = spare();
    line("r{} = *(u{} *)(r{} +{})", d, 8 * bytes, base, offset);
    return set(d, Holds::Number, bytes < 8 ? (std::int64_t{1} << (8 * bytes)) - 1 : Register::kUnknown);
  }
}

// ---- Maps

// r2 = a key for the map, on the stack.
void Author::key(std::string_view map, int depth) {
  const std::uint32_t bytes = shape(map).key_size;
  if (!slip()) line("*(u{} *)(r10 {}) = {}", bytes == 4 ? 32 : 64, -depth, below(20));
  stack_to(2, depth);
}

// r0 = its value, or NULL.
void Author::value_to(std::string_view map) {
  key(map, static_cast<int>(8 * (1 + below(3))));
  line("r1 = map[{}]", map);
  line("call bpf_map_lookup_elem");
  clobber();
}

// An access to a value of `bytes` bytes, at a constant or at a variable place.
void Author::access_value(unsigned base, std::int64_t bytes) {
  const unsigned size = 1U << below(4);
  if (bytes < size) return;
  const Hold hold(*this, base);
  const auto last = bytes - size;
  if (chance(2)) {
    const std::int64_t offset =
        slip() ? last + 1 : static_cast<std::int64_t>(below(static_cast<std::size_t>(last / size + 1))) * size;
    return access(base, offset, size);
  }
  const unsigned n = bounded(last);
  const unsigned d = spare();
  if (d == n || n == base || d == base) return access(base, last, size);
  line("r{} = r{}", d, base);
  line("r{} += r{}", d, n);
  set(d, Holds::Nothing);
  const Hold hold_sum(*this, d);
  access(d, slip() ? 1 : 0, size > 1 && chance(3) ? size : 1);
}

void Author::lookup() {
  const std::string_view map = one_of(kValueMaps);
  value_to(map);
  const std::string none = label();
  const bool checked = !slip();
  const bool unlike = chance(2);
  if (checked) unlike ? line("if r0 == 0 goto {}", none) : line("if r0 == 0 goto {}", way_out());
  const unsigned n = saved();
  line("r{} = r0", n);
  const Registers before = registers_;
  set(n, Holds::Value, shape(map).value_size);
  for (unsigned i = 1 + below(2); i > 0; --i) access_value(n, shape(map).value_size);
  if (!checked || !unlike) return;
  body(below(2));
  line("{}:", none);
  meet(before);
  set(n, Holds::Nothing);
}

void Author::value_access() {
  const unsigned base = any(Holds::Value);
  if (base == kNone) return chance(2) ? lookup() : direct_value();
  access_value(base, registers_[base].extent);
}

void Author::update() {
  const std::string_view map = one_of(kValueMaps);
  const int bytes = static_cast<int>(shape(map).value_size);
  key(map, 8);
  const unsigned value = any(Holds::Value);
  if (chance(3)) {
    line("r1 = map[{}]", map);
    line("call bpf_map_delete_elem");
  } else {
    if (value != kNone && value > 5 && registers_[value].extent >= bytes) {
      line("r3 = r{}", value);
    } else {
      const int depth = bytes + 16 - (slip() ? 24 : 0);
      if (!slip())
        for (int at = 0; at < bytes; at += 8) line("*(u64 *)(r10 {:+}) = {}", -depth + at, below(9));
      stack_to(3, depth);
    }
    line("r1 = map[{}]", map);
    line("r4 = {}", below(4));
    line("call bpf_map_update_elem");
  }
  clobber();
  set(0, Holds::Number);
}

void Author::direct_value() {
  const std::string_view map = slip() ? one_of(kGuardedMaps) : one_of(kDirectMaps);
  const std::int64_t bytes = shape(map).value_size;
  const std::int64_t offset = slip() ? bytes + below(2) : 8 * below(static_cast<std::size_t>(bytes / 8));
  const unsigned d = spare();
  line("r{} = map[{}][0]+{}", d, map, offset);
  set(d, Holds::Value, std::max<std::int64_t>(bytes - offset, 0));
  access_value(d, bytes - offset);
}

void Author::inner_map() {
  value_to("outer");
  if (!slip()) line("if r0 == 0 goto {}", way_out());
  line("r1 = r0");
  key("array", 8);
  line("call bpf_map_lookup_elem");
  clobber();
  if (!slip()) line("if r0 == 0 goto {}", way_out());
  set(0, Holds::Value, 48);
  access_value(0, 48);
}

void Author::queue() {
  const bool bloom = chance(4);
  line("*(u64 *)(r10 -8) = {}", immediate());
  if (!slip()) line("*(u64 *)(r10 -16) = {}", immediate());
  stack_to(2, slip() ? 8 : 16);
  line("r1 = map[{}]", bloom ? "bloom" : "queue");
  const unsigned which = below(3);
  if (which == 0 || bloom) line("r3 = {}", below(2));
  line("call bpf_map_{}_elem", which == 0 ? "push" : which == 1 || bloom ? "peek" : "pop");
  clobber();
  set(0, Holds::Number);
}

// A record is reserved, written and given up.
void Author::ring() {
  const int bytes = static_cast<int>(8 * (1 + below(4)));
  line("r2 = {}", bytes);
  line("r3 = 0");
  line("r1 = map[ring]");
  line("call bpf_ringbuf_reserve");
  clobber();
  const unsigned n = saved();
  if (!slip()) line("if r0 == 0 goto {}", way_out());
  line("r{} = r0", n);
  const Hold hold(*this, n);
  for (unsigned i = below(3); i > 0; --i)
    access(n, slip() ? bytes : static_cast<int>(8 * below(static_cast<std::size_t>(bytes / 8))), 8);
  line("r1 = r{}", n);
  line("r2 = {}", below(2));
  if (!slip()) line("call bpf_ringbuf_{}", chance(2) ? "submit" : "discard");
  clobber();
  set(n, Holds::Nothing);
}

void Author::tail_call() {
  const unsigned index = number();
  if (index != 3) line("r3 = r{}", index);
  if (!context_to(1)) return;
  line("r2 = map[{}]", slip() ? "array" : "progs");
  line("call bpf_tail_call");
  clobber();
}

void Author::locked() {
  const bool timer = chance(3);
  value_to(timer ? "timers" : "locks");
  if (!slip()) line("if r0 == 0 goto {}", way_out());
  const unsigned n = saved();
  line("r{} = r0", n);
  set(n, Holds::Nothing);
  if (timer) {
    set(n, Holds::Value, 8);
    return access_value(n, slip() ? 24 : 8);
  }
  line("r1 = r{}", n);
  line("r1 += {}", slip() ? 0 : 4);
  line("call bpf_spin_lock");
  clobber();
  if (slip()) source();
  line("r0 = *(u32 *)(r{} +{})", n, slip() ? 4 : 0);
  line("r0 += 1");
  line("*(u32 *)(r{} +0) = r0", n);
  line("r1 = r{}", n);
  line("r1 += 4");
  if (!slip()) line("call bpf_spin_unlock");
  clobber();
}

}  // namespace skep::judge
