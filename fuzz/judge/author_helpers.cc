// Fragments: calls of helpers and kernel functions, with what the helper's row asks for.
#include <algorithm>

#include "judge/author.h"
#include "spec/helper_access.h"
#include "spec/helper_maps.h"
#include "spec/uapi.h"
#include "verifier/testing_maps.h"

namespace skep::judge {
namespace {

using spec::ArgBase;
using spec::HelperId;
using verifier::testing::kMapShapes;

const verifier::testing::MapShape& shape(std::string_view name) {
  return *std::ranges::find(kMapShapes, name, &verifier::testing::MapShape::name);
}

// What any_argument() writes well. Helpers that ask for something else are called less often.
bool is_easy(const spec::Helper& helper) {
  if (helper.is(spec::HelperTrait::Acquires)) return false;
  return std::ranges::all_of(helper.args, [](spec::ArgKind kind) {
    switch (spec::info(kind).base) {
      case ArgBase::None:
      case ArgBase::Scalar:
      case ArgBase::Unchecked:
      case ArgBase::Map:
      case ArgBase::MapKey:
      case ArgBase::MapValue:
      case ArgBase::Mem:
      case ArgBase::Size:
      case ArgBase::AllocSize:
      case ArgBase::FixedMem:
      case ArgBase::ConstStr:
      case ArgBase::Ctx: return true;
      default: return false;
    }
  });
}

}  // namespace

std::string_view Author::map_for(HelperId helper) {
  for (int tries = 0; tries < 60; ++tries) {
    const auto& row = one_of(kMapShapes);
    if (spec::helper_takes_map(helper, row.type) && (row.content == verifier::testing::MapContent::Data || chance(4)))
      return row.name;
  }
  return "array";
}

void Author::memory_argument(unsigned n, const spec::ArgInfo& kind) {
  const unsigned value = any(Holds::Value), packet = any(Holds::Packet);
  const bool null = spec::has(kind.use, spec::ArgUse::Null) && chance(4);
  if (null) {
    line("r{} = 0", n);
    return set(n, Holds::Number, 0);
  }
  const std::int64_t fixed = kind.bytes;
  if (value != kNone && value > 5 && registers_[value].extent >= std::max<std::int64_t>(fixed, 1) && chance(2)) {
    line("r{} = r{}", n, value);
    return set(n, Holds::Value, registers_[value].extent);
  }
  if (packet != kNone && packet > 5 && fixed == 0 && chance(2)) {
    line("r{} = r{}", n, packet);
    return set(n, Holds::Packet, registers_[packet].extent);
  }
  const int depth = static_cast<int>(fixed == 0 ? 8 * (1 + below(6)) : (fixed + 7) / 8 * 8);
  if (!spec::has(kind.use, spec::ArgUse::Uninit) && !slip())
    for (int at = depth; at > 0; at -= 8) line("*(u64 *)(r10 {}) = {}", -at, below(99));
  stack_to(n, depth);
}

void Author::argument(const spec::Helper& helper, std::size_t index, std::string_view map) {
  const unsigned n = static_cast<unsigned>(index) + 1;
  const spec::ArgInfo& kind = spec::info(helper.args[index]);
  switch (kind.base) {
    case ArgBase::None: return;
    case ArgBase::Ctx:
      if (!context_to(n)) line("r{} = 0", n);
      return;
    case ArgBase::Map: return line("r{} = map[{}]", n, map);
    case ArgBase::MapKey:
    case ArgBase::MapValue: {
      const auto& row = shape(map);
      const int bytes = static_cast<int>(kind.base == ArgBase::MapKey ? row.key_size : row.value_size);
      const int depth = (bytes + 7) / 8 * 8;
      if (!slip())
        for (int at = depth; at > 0; at -= 8) line("*(u64 *)(r10 {}) = {}", -at, below(9));
      return stack_to(n, depth);
    }
    case ArgBase::Mem:
    case ArgBase::FixedMem: return memory_argument(n, kind);
    case ArgBase::Size: {
      const Register before = registers_[n - 1];
      const bool zero = spec::has(kind.use, spec::ArgUse::Zero) && chance(5);
      const std::int64_t bytes = before.holds == Holds::Number ? 0 : std::max<std::int64_t>(before.extent, 1);
      const std::int64_t size = zero || bytes == 0 ? 0 : 1 + below(static_cast<std::size_t>(bytes));
      if (size > 1 && chance(4)) {
        const unsigned from = any(Holds::Number);
        if (from > 5 && from != kNone) {
          line("r{} = r{}", n, from);
          std::int64_t mask = 1;
          while (mask * 2 + 1 <= bytes) mask = mask * 2 + 1;
          line("r{} &= {}", n, slip() ? mask * 2 + 1 : mask);
          if (!spec::has(kind.use, spec::ArgUse::Zero)) line("r{} |= 1", n);
          return set(n, Holds::Number, bytes);
        }
      }
      line("r{} = {}", n, slip() ? bytes + 1 : size);
      return set(n, Holds::Number, size);
    }
    case ArgBase::AllocSize: return line("r{} = {}", n, 8 * (1 + below(8)));
    case ArgBase::ConstStr: return line("r{} = map[format][0]+{}", n, 16 * below(5));
    case ArgBase::Func: return line("r{} = subprog[{}]", n, need_function("callback"));
    case ArgBase::Stack: chance(2) ? stack_to(n, 8) : line("r{} = 0", n); return;
    default:
      if (chance(4) && context_to(n)) return;
      line("r{} = {}", n, immediate());
      return set(n, Holds::Number);
  }
}

void Author::result(const spec::Helper& helper, std::string_view map) {
  const spec::ResultInfo& kind = spec::info(helper.result);
  clobber();
  if (helper.is(spec::HelperTrait::MovesPacket))
    for (Register& known : registers_)
      if (known.holds == Holds::Packet || known.holds == Holds::PacketEnd) known = {};
  if (kind.base == spec::ResultBase::Integer) return set(0, Holds::Number);
  if (kind.base == spec::ResultBase::Void) return;
  if (kind.may_be_null() && !slip()) line("if r0 == 0 goto {}", way_out());
  if (kind.base != spec::ResultBase::MapValue) return;
  const unsigned n = saved();
  line("r{} = r0", n);
  set(n, Holds::Value, shape(map).value_size);
}

void Author::helper() {
  static constexpr auto kRows = spec::kHelperRows;
  for (int tries = 0; tries < 200; ++tries) {
    const HelperId id = kRows[below(kRows.size())]->id;
    const spec::Helper& row = spec::signature(target_->type, id);
    if (!spec::helper_allowed(target_->type, target_->attach, id) || !is_easy(row)) continue;
    if (id == HelperId::tail_call && !chance(4)) continue;
    const bool configured = id == HelperId::override_return || id == HelperId::probe_write_user;
    if (configured && !slip()) continue;  // a question of how the kernel was built
    if (row.is(spec::HelperTrait::Sleeps) && (target_->flags & spec::kSleepable) == 0 && !slip()) continue;
    const std::string_view map = map_for(id);
    // The last arguments first: what they need may change registers, the context is in none of them.
    for (std::size_t i = 0; i < row.arg_count(); ++i) argument(row, i, map);
    line("call bpf_{}", row.name);
    return result(row, map);
  }
  source();
}

// Any helper at all.
void Author::any_helper() {
  if (!slip()) return helper();
  const auto& row = *spec::kHelperRows[below(spec::kHelperRows.size())];
  const std::string_view map = map_for(row.id);
  for (std::size_t i = 0; i < row.arg_count(); ++i) argument(row, i, map);
  line("call bpf_{}", row.name);
  result(row, map);
}

// A socket is found, looked at and given up.
void Author::socket() {
  using enum spec::ProgType;
  constexpr spec::ProgType kWithLookup[] = {SchedCls, SchedAct, Xdp, CgroupSkb, SkSkb, CgroupSockAddr};
  if (std::ranges::find(kWithLookup, target_->type) == std::end(kWithLookup) && !slip()) return helper();
  if (!context_to(1)) return;
  for (int at = 16; at > 0; at -= 8) line("*(u64 *)(r10 {}) = {}", -at, below(9));
  stack_to(2, 16);
  line("r3 = {}", slip() ? 8 : 12);
  line("r4 = {}", slip() ? below(3) : -1);
  line("r5 = 0");
  line("call bpf_{}", chance(3) ? "sk_lookup_udp" : chance(3) ? "skc_lookup_tcp" : "sk_lookup_tcp");
  clobber();
  const unsigned n = saved();
  if (!slip()) line("if r0 == 0 goto {}", way_out());
  line("r{} = r0", n);
  if (chance(2)) line("r0 = *(u{} *)(r{} +{})", 8U << below(3), n, 4 * below(slip() ? 24 : 4));
  if (chance(3)) {
    line("r1 = r{}", n);
    line("call bpf_{}", chance(2) ? "sk_fullsock" : "tcp_sock");
    clobber();
    if (!slip()) {
      const std::string none = label();
      line("if r0 == 0 goto {}", none);
      line("r0 = *(u32 *)(r0 +{})", 4 * below(4));
      line("{}:", none);
    }
  }
  line("r1 = r{}", n);
  if (!slip()) line("call bpf_sk_release");
  clobber();
  set(n, Holds::Nothing);
}

void Author::dynptr() {
  const bool ring = chance(2);
  if (ring) {
    line("r1 = map[ring]");
    line("r2 = {}", 8 * (1 + below(4)));
    line("r3 = 0");
    stack_to(4, 16);
    line("call bpf_ringbuf_reserve_dynptr");
  } else {
    line("r1 = map[one][0]+0");
    line("r2 = {}", slip() ? 65 : 1 + below(64));
    line("r3 = 0");
    stack_to(4, slip() ? 12 : 16);
    line("call bpf_dynptr_from_mem");
  }
  clobber();
  if (chance(2)) {
    stack_to(1, 16);
    line("r2 = 0");
    line("r3 = {}", 1 + below(8));
    line("call bpf_dynptr_data");
    clobber();
    const std::string none = label();
    if (!slip()) line("if r0 == 0 goto {}", none);
    line("*(u8 *)(r0 +0) = 1");
    line("{}:", none);
  }
  if (chance(3)) {
    stack_to(1, 32);
    line("r2 = 8");
    stack_to(3, slip() ? 8 : 16);
    line("r4 = 0");
    line("r5 = 0");
    line("call bpf_dynptr_read");
    clobber();
  }
  if (slip()) stack_access();
  if (!ring || slip()) return;
  stack_to(1, 16);
  line("r2 = 0");
  line("call bpf_ringbuf_{}_dynptr", chance(2) ? "submit" : "discard");
  clobber();
}

void Author::task() {
  const bool current = target_->type == spec::ProgType::SockOps || chance(2);
  if (!current) line("r1 = {}", below(5));
  line("call bpf_{}", current ? "get_current_task_btf" : "task_from_pid");
  clobber();
  const unsigned n = saved();
  if (!current && !slip()) line("if r0 == 0 goto {}", way_out());
  line("r{} = r0", n);
  set(n, Holds::Nothing);
  if (chance(2)) line("r0 = *(u32 *)(r{} +{})", n, 4 * below(16));
  if (current) return;
  line("r1 = r{}", n);
  if (!slip()) line("call bpf_task_release");
  clobber();
}

}  // namespace skep::judge
