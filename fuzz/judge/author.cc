#include "judge/author.h"

#include <algorithm>

#include "spec/uapi.h"

namespace skep::judge {
namespace {

// The low bits of a seed are the number of the program, so that neighbours differ everywhere.
std::uint32_t mixed(Class about, std::uint64_t seed) {
  std::uint64_t x = seed * 16 + static_cast<std::uint64_t>(about) + 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return static_cast<std::uint32_t>(x ^ (x >> 31));
}

}  // namespace

Author::Author(Class about, std::uint64_t seed) : random_(mixed(about, seed)), about_(about) {
  const auto rows = targets(about);
  target_ = chance(2) ? rows[below(std::min<std::size_t>(rows.size(), 4))] : rows[below(rows.size())];
  constexpr unsigned kSlips[] = {0, 0, 0, 200, 80, 40};
  slips_ = one_of(kSlips);
}

std::uint32_t Author::flags() {
  std::uint32_t flags = target_->flags;
  if (chance(6)) flags |= spec::kStrictAlignment;
  if (chance(12)) flags |= spec::kAnyAlignment;
  return flags;
}

std::int64_t Author::immediate() {
  const auto x = static_cast<std::int32_t>(random_());
  switch (below(8)) {
    case 0: return x;
    case 1: return x >> below(32);
    case 2: return std::int32_t{1} << below(31);
    case 3: return (std::int32_t{1} << below(31)) - 1;
    default: return static_cast<std::int32_t>(below(64)) - 16;
  }
}

const std::string& Author::way_out() {
  if (way_out_.empty()) way_out_ = label();
  return way_out_;
}

// ---- Registers

unsigned Author::any(Holds holds) {
  const unsigned first = below(registers_.size());
  for (unsigned i = 0; i < registers_.size(); ++i) {
    const unsigned n = (first + i) % static_cast<unsigned>(registers_.size());
    if (registers_[n].holds == holds) return n;
  }
  return kNone;
}

unsigned Author::spare() {
  const auto contexts = std::ranges::count(registers_, Holds::Context, &Register::holds);
  for (int tries = 0;; ++tries) {
    const unsigned n = below(registers_.size());
    if (is_held(n) && tries < 50) continue;
    if (registers_[n].holds != Holds::Context || (contexts > 1 && tries > 3)) return n;
  }
}

unsigned Author::saved() {
  for (int tries = 0;; ++tries) {
    const unsigned n = 6 + below(4);
    if (tries > 20 || (registers_[n].holds != Holds::Context && !is_held(n))) return n;
  }
}

unsigned Author::number() {
  if (slip()) return below(registers_.size());
  const unsigned known = any(Holds::Number);
  if (known != kNone && !chance(8)) return known;
  source();
  const unsigned made = any(Holds::Number);
  if (made != kNone) return made;
  const unsigned n = spare();
  line("r{} = {}", n, immediate());
  set(n, Holds::Number);
  return n;
}

// Leaves the register's number in 0 to max, one way or another.
void Author::limit(unsigned n, std::int64_t max) {
  const std::int64_t bound = slip() ? max + 1 + below(3) : max;
  switch (below(6)) {
    case 0: line("if r{} > {} goto {}", n, bound, way_out()); break;
    case 1:
      line("if w{} > {} goto {}", n, bound, way_out());
      line("w{} = w{}", n, n);
      break;
    case 2:
      line("if r{} s> {} goto {}", n, bound, way_out());
      if (!slip()) line("if r{} s< 0 goto {}", n, way_out());
      break;
    default: {
      std::int64_t mask = 1;
      while (mask * 2 + 1 <= bound) mask = mask * 2 + 1;
      line("r{} &= {}", n, bound == 0 ? 0 : mask);
    }
  }
  set(n, Holds::Number, max);
}

unsigned Author::bounded(std::int64_t max) {
  unsigned n = number();
  const Register known = registers_[n];
  if (known.holds == Holds::Number && known.extent >= 0 && known.extent <= max) return n;
  if (chance(3)) {
    const unsigned copy = spare();
    line("r{} = r{}", copy, n);
    set(copy, Holds::Number, known.extent);
    n = copy;
  }
  limit(n, max);
  return n;
}

void Author::clobber() {
  for (unsigned n = 0; n < 6; ++n) set(n, Holds::Nothing);
}

bool Author::context_to(unsigned n) {
  const unsigned from = any(Holds::Context);
  if (from == kNone) return false;
  if (from != n) line("r{} = r{}", n, from);
  set(n, Holds::Context);
  return true;
}

void Author::meet(const Registers& other) {
  for (unsigned n = 0; n < registers_.size(); ++n) {
    Register& mine = registers_[n];
    if (mine == other[n]) continue;
    const bool numbers = mine.holds == Holds::Number && other[n].holds == Holds::Number;
    const bool known = numbers && mine.extent >= 0 && other[n].extent >= 0;
    if (numbers)
      mine.extent = known ? std::max(mine.extent, other[n].extent) : Register::kUnknown;
    else if (mine.holds == other[n].holds)
      mine.extent = std::min(mine.extent, other[n].extent);
    else
      mine = {};
  }
}

// ---- The whole

namespace {

struct Weighted {
  unsigned weight;
  void (Author::*fragment)();
};
using W = Weighted;
using X = Author;
constexpr W kAlu[] = {{8, &X::arithmetic}, {3, &X::unary},        {2, &X::move},
                      {2, &X::bound},      {1, &X::source},       {2, &X::early_exit},
                      {1, &X::branch},     {1, &X::stack_access}, {1, &X::pointer_arithmetic}};
constexpr W kBranches[] = {
    {6, &X::branch},       {4, &X::arithmetic}, {2, &X::early_exit},       {2, &X::source},        {1, &X::move},
    {1, &X::stack_access}, {1, &X::spill},      {1, &X::compare_pointers}, {1, &X::context_access}};
constexpr W kStack[] = {{5, &X::stack_access}, {4, &X::spill},  {3, &X::variable_stack}, {2, &X::atomic},
                        {2, &X::arithmetic},   {1, &X::branch}, {1, &X::source},         {1, &X::pointer_arithmetic}};
constexpr W kMaps[] = {{5, &X::lookup},    {2, &X::update},    {3, &X::direct_value}, {4, &X::value_access},
                       {1, &X::atomic},    {1, &X::inner_map}, {1, &X::queue},        {1, &X::ring},
                       {1, &X::tail_call}, {1, &X::locked},    {2, &X::arithmetic},   {1, &X::branch},
                       {1, &X::spill}};
constexpr W kPackets[] = {{5, &X::packet},        {5, &X::packet_access},    {1, &X::packet_load},
                          {2, &X::packet_helper}, {2, &X::arithmetic},       {1, &X::branch},
                          {1, &X::spill},         {1, &X::compare_pointers}, {1, &X::context_access}};
constexpr W kHelpers[] = {{5, &X::helper},         {3, &X::any_helper}, {1, &X::socket}, {1, &X::dynptr},
                          {1, &X::task},           {1, &X::arithmetic}, {1, &X::branch}, {1, &X::lookup},
                          {1, &X::context_access}, {1, &X::section}};
constexpr W kLoops[] = {{3, &X::counted_loop}, {3, &X::iterator_loop}, {3, &X::callback_loop}, {2, &X::may_goto},
                        {1, &X::walk_map},     {3, &X::arithmetic},    {2, &X::branch},        {2, &X::stack_access},
                        {1, &X::value_access}, {1, &X::spill}};
constexpr W kSubprograms[] = {
    {5, &X::call_function}, {2, &X::arithmetic},     {2, &X::branch},     {2, &X::stack_access}, {1, &X::spill},
    {1, &X::lookup},        {1, &X::context_access}, {1, &X::early_exit}, {1, &X::packet},       {1, &X::counted_loop}};
constexpr std::span<const W> kFragments[] = {kAlu,     kBranches, kStack,       kMaps,    kPackets,
                                             kHelpers, kLoops,    kSubprograms, kBranches};
static_assert(std::size(kFragments) == kClasses);

}  // namespace

void Author::fragment() {
  const std::span<const W> rows = kFragments[static_cast<std::size_t>(about_)];
  unsigned total = 0;
  for (const W& row : rows) total += row.weight;
  unsigned pick = below(total);
  for (const W& row : rows) {
    if (pick < row.weight) return (this->*row.fragment)();
    pick -= row.weight;
  }
}

void Author::body(unsigned fragments) {
  ++depth_;
  for (unsigned i = 0; i < fragments && budget_ > 0; ++i) {
    --budget_;
    fragment();
  }
  --depth_;
}

void Author::start() {
  registers_ = {};
  way_out_.clear();
  set(1, Holds::Context);
  if (!slip()) {
    line("r{} = r1", 6);
    set(6, Holds::Context);
  }
  for (unsigned i = below(3); i > 0; --i) source();
}

void Author::finish() {
  const unsigned n = any(Holds::Number);
  const bool own = n != kNone && chance(4);
  const bool fits = own && (registers_[n].extent >= 0 ? registers_[n].extent <= target_->largest_result : chance(8));
  if (in_function_ ? own : fits || slip()) {
    line("r0 = r{}", n == kNone ? below(10) : n);
    if (n != kNone && !in_function_ && target_->largest_result != 0x7fffffff && !slip())
      line("r0 &= {}", target_->largest_result);
  } else {
    line("r0 = {}", in_function_ ? below(3) : below(2));
  }
  line("exit");
  if (way_out_.empty()) return;
  line("{}: r0 = {}", way_out_, below(2));
  line("exit");
}

std::string Author::write() {
  budget_ = 14;
  start();
  body(3 + below(10));
  finish();
  write_functions();
  return std::move(text_);
}

}  // namespace skep::judge
