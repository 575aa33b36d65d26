// Fragments: numbers in registers.
#include "judge/author.h"

namespace skep::judge {
namespace {

constexpr std::string_view kOperators[] = {"+=", "-=", "*=", "/=", "|=", "&=", "%=", "^=", "+=", "-=", "&=", "="};
constexpr std::string_view kSigned[] = {"s/=", "s%="};
constexpr std::string_view kShifts[] = {"<<=", ">>=", "s>>="};
constexpr std::string_view kUnary[] = {
    "r{0} = (s8)r{1}",     "r{0} = (s16)r{1}",    "r{0} = (s32)r{1}", "w{0} = (s8)w{1}",
    "w{0} = (s16)w{1}",    "w{0} = w{1}",         "r{0} = be16 r{0}", "r{0} = be32 r{0}",
    "r{0} = be64 r{0}",    "r{0} = le16 r{0}",    "r{0} = le32 r{0}", "r{0} = bswap16 r{0}",
    "r{0} = bswap32 r{0}", "r{0} = bswap64 r{0}", "r{0} = -r{0}",     "w{0} = -w{0}"};

}  // namespace

// A number from somewhere: 64 unknown bits, 32 of them, or a constant.
void Author::source() {
  const bool may_call = (held_ & 0x3f) == 0;
  switch (may_call ? below(6) : 2 + below(4)) {
    case 0:
    case 1: {
      line("call bpf_{}", chance(2) ? "ktime_get_ns" : chance(3) ? "get_smp_processor_id" : "get_prandom_u32");
      clobber();
      set(0, Holds::Number);
      const unsigned n = saved();
      line("r{} = r0", n);
      return set(n, Holds::Number);
    }
    case 2: return context_access();
    case 3: {
      const unsigned n = spare();
      line("r{} = *(u{} *)(r10 -{})", n, 8U << below(4), 8 * (1 + below(8)));
      return set(n, Holds::Number);
    }
    default: {
      const unsigned n = spare();
      const std::int64_t value = immediate();
      chance(6) ? line("r{} = {} ll", n, value * 0x10001) : line("r{} = {}", n, value);
      set(n, Holds::Number, value >= 0 ? value : Register::kUnknown);
    }
  }
}

void Author::arithmetic() {
  const unsigned d = number();
  const char width = chance(2) ? 'w' : 'r';
  if (chance(6)) {
    const unsigned bits = width == 'w' ? 32 : 64;
    const unsigned count = slip() ? below(80) : below(bits);
    if (chance(4))
      line("{}{} {} {}{}", width, d, one_of(kShifts), width, number());
    else
      line("{}{} {} {}", width, d, one_of(kShifts), count);
  } else if (chance(2)) {
    line("{}{} {} {}{}", width, d, chance(10) ? one_of(kSigned) : one_of(kOperators), width, number());
  } else {
    const std::int64_t value = immediate();
    line("{}{} {} {}", width, d, chance(10) ? one_of(kSigned) : one_of(kOperators), value == 0 && !slip() ? 1 : value);
  }
  set(d, Holds::Number);
}

void Author::unary() {
  const unsigned d = number(), s = number();
  line(fmt::runtime(one_of(kUnary)), d, s);
  set(d, Holds::Number);
}

// Copies are linked: what a jump says of one holds for the other.
void Author::move() {
  const unsigned s = number(), d = spare();
  const bool half = chance(4);
  line("{}{} = {}{}", half ? 'w' : 'r', d, half ? 'w' : 'r', s);
  set(d, Holds::Number, half ? Register::kUnknown : registers_[s].extent);
  if (chance(2) && d != s) {
    line("r{} += {}", d, below(32));
    set(d, Holds::Number);
  }
}

void Author::bound() { limit(number(), (std::int64_t{1} << below(20)) - 1); }

// Mostly what the verifier refuses, or forgets about.
void Author::pointer_arithmetic() {
  const unsigned d = spare();
  stack_to(d, static_cast<int>(8 * (1 + below(8))));
  if (chance(3)) {
    line("r{} -= r10", d);
    return set(d, Holds::Number);
  }
  const unsigned n = bounded(7);
  if (n == d) return;
  slip() ? line("r{} -= r{}", d, n) : line("r{} += r{}", d, n);
  if (slip()) line("r{} *= 2", d);
  set(d, Holds::Nothing);
}

}  // namespace skep::judge
