// Fragments: bytes of packets.
#include "judge/author.h"

namespace skep::judge {
namespace {

// How a packet's end is compared. {0}: the packet and what is to be proven, {1}: its end, {2}: where it is not proven.
constexpr std::string_view kFits[] = {"if r{0} > r{1} goto {2}", "if r{1} < r{0} goto {2}", "if r{0} > r{1} goto {2}"};
// Those jump where it is proven.
constexpr std::string_view kJumpsIfFits[] = {"if r{0} <= r{1} goto {2}", "if r{1} >= r{0} goto {2}"};
// Proves one byte less, or more, or nothing.
constexpr std::string_view kOdd[] = {"if r{0} >= r{1} goto {2}", "if r{1} <= r{0} goto {2}", "if r{0} == r{1} goto {2}",
                                     "if r{0} < r{1} goto {2}"};

}  // namespace

// The packet and its end are loaded, and some bytes are proven to be there.
void Author::packet() {
  if (target_->data < 0) return context_access();
  const unsigned context = any(Holds::Context);
  if (context == kNone) return;
  const unsigned data = saved();
  unsigned end = spare(), copy = spare();
  if (end == data || copy == data || end == copy || end == context || data == context || copy == context) return;
  const Hold hold(*this, context, data, end, copy);
  const bool meta = target_->data_meta >= 0 && chance(6);
  line("r{} = *(u{} *)(r{} +{})", data, target_->data_bits, context, meta ? target_->data_meta : target_->data);
  line("r{} = *(u{} *)(r{} +{})", end, target_->data_bits, context, meta ? target_->data : target_->data_end);
  set(data, Holds::Nothing), set(copy, Holds::Nothing);
  set(end, Holds::PacketEnd);
  if (chance(5)) {
    const unsigned n = bounded(chance(2) ? 255 : 0xffff);
    if (n != data && n != end && n != context && n != copy) line("r{} += r{}", data, n);
  }
  const std::int64_t bytes = chance(2) ? 14 : 1 + below(64);
  line("r{} = r{}", copy, data);
  line("r{} += {}", copy, bytes);
  if (slip()) {
    line(fmt::runtime(one_of(kOdd)), copy, end, way_out());
  } else if (chance(3)) {
    const std::string fits = label();
    line(fmt::runtime(one_of(kJumpsIfFits)), copy, end, fits);
    line("goto {}", way_out());
    line("{}:", fits);
  } else {
    line(fmt::runtime(one_of(kFits)), copy, end, way_out());
  }
  set(data, Holds::Packet, bytes);
  packet_access();
}

// A load, or a store where packets may be written.
void Author::packet_byte(unsigned base, std::int64_t offset, unsigned bytes) {
  if (target_->writes_packet || slip()) return access(base, offset, bytes);
  const unsigned d = spare();
  line("r{} = *(u{} *)(r{} {:+})", d, 8 * bytes, base, offset);
  set(d, Holds::Number, bytes < 8 ? (std::int64_t{1} << (8 * bytes)) - 1 : Register::kUnknown);
}

// What is proven of a packet is lost when a variable is added, and has to be proven again.
void Author::variable_packet_access(unsigned base, unsigned end, unsigned bytes) {
  const Hold hold(*this, base, end);
  const unsigned n = bounded(chance(3) ? 0xffff : 63), d = spare();
  const Hold hold_sum(*this, d);
  const unsigned copy = spare();
  if (d == n || n == base || copy == n) return;
  line("r{} = r{}", d, base);
  line("r{} += r{}", d, n);
  set(d, Holds::Nothing), set(copy, Holds::Nothing);
  line("r{} = r{}", copy, d);
  line("r{} += {}", copy, slip() ? bytes - 1 : bytes);
  if (!slip()) line("if r{} > r{} goto {}", copy, end, way_out());
  packet_byte(d, 0, bytes);
}

void Author::packet_access() {
  const unsigned base = any(Holds::Packet);
  if (base == kNone) return packet();
  const std::int64_t bytes = registers_[base].extent;
  const unsigned size = 1U << below(4);
  if (bytes < size) return;
  const Hold hold(*this, base);
  const unsigned end = any(Holds::PacketEnd);
  if (end != kNone && chance(4)) return variable_packet_access(base, end, size);
  packet_byte(base, slip() ? bytes - size + 1 : below(static_cast<std::size_t>(bytes - size + 1)), size);
}

// The old way: *(u8 *)skb[14].
void Author::packet_load() {
  if (!target_->loads_packet && !slip()) return packet_access();
  if (any(Holds::Context) == kNone && !slip()) return;
  const unsigned n = number();
  line("r6 = r{}", any(Holds::Context) == kNone ? below(10) : any(Holds::Context));
  const unsigned bits = 8U << below(3);
  if (chance(2) || n == 6)
    line("r0 = *(u{} *)skb[{}]", bits, below(40));
  else
    line("r0 = *(u{} *)skb[r{} + {}]", bits, n, below(40));
  set(6, Holds::Context);
  clobber();
  set(0, Holds::Number);
}

// Some of them move the packet, so that pointers into it are worthless.
void Author::packet_helper() {
  if (!context_to(1)) return;
  const bool xdp = target_->type == spec::ProgType::Xdp;
  constexpr std::string_view kXdp[] = {"xdp_adjust_head", "xdp_adjust_tail", "xdp_adjust_meta"};
  constexpr std::string_view kSkb[] = {"skb_pull_data", "skb_load_bytes", "get_hash_recalc", "skb_store_bytes"};
  const bool tc = target_->loads_packet && target_->data >= 0 && target_->type != spec::ProgType::CgroupSkb;
  const unsigned which = tc || slip() ? below(4) : 1;
  if (target_->type == spec::ProgType::SkMsg && !slip()) return packet_access();
  if (xdp || which == 0) {
    line("r2 = {}", chance(2) ? below(64) : 0);
    line("call bpf_{}", xdp ? one_of(kXdp) : kSkb[0]);
  } else {
    line("r2 = {}", below(64));
    stack_to(3, 16);
    line("r4 = {}", slip() ? 17 : 1 + below(16));
    line("r5 = 0");
    line("call bpf_{}", kSkb[which]);
  }
  clobber();
  set(0, Holds::Number);
  if (slip() || which == 2) return;
  for (Register& known : registers_)
    if (known.holds == Holds::Packet || known.holds == Holds::PacketEnd) known = {};
}

}  // namespace skep::judge
