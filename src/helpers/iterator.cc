// Open-coded iterators: over numbers, and over the bits that are set in some words. Their state lies on the program's
// stack, so what it says of itself is only as good as the program was verified.
#include <bit>
#include <new>

#include "helpers/safe_read.h"
#include "helpers/subjects.h"
#include "spec/uapi.h"

namespace skep::helpers {
namespace {

// ---- Numbers

struct Numbers {
  std::int32_t current, end;
};
static_assert(sizeof(Numbers) == 8);

int bpf_iter_num_new(Call&, Numbers& it, std::int32_t start, std::int32_t end) noexcept {
  const std::int64_t count = std::int64_t{end} - start;
  it = {0, 0};
  if (count < 0) return -EINVAL;
  if (count > std::int64_t{spec::kMaxLoops}) return -E2BIG;
  it = {static_cast<std::int32_t>(static_cast<std::uint32_t>(start) - 1), end};  // the first is asked for next
  return 0;
}

const std::int32_t* bpf_iter_num_next(Call&, Numbers& it) noexcept {
  const auto next = static_cast<std::int32_t>(static_cast<std::uint32_t>(it.current) + 1);
  if (next >= it.end) {
    it = {0, 0};
    return nullptr;
  }
  it.current = next;
  return &it.current;
}

void bpf_iter_num_destroy(Call&, Numbers& it) noexcept { it = {0, 0}; }

// ---- Bits

constexpr std::uint32_t kMostWords = 511;
constexpr std::int32_t kWordBits = 64;

struct Bits {
  union {
    std::uint64_t word;    // of one word: a copy
    std::uint64_t* words;  // of more: in an allocation
  };
  std::int32_t count;    // bits; 0: there are none
  std::int32_t current;  // the one that was given last, -1 before the first
};
static_assert(sizeof(Bits) == 16);

std::uint64_t* allocate(Call& call, std::size_t bytes) noexcept {
  auto* const memory = static_cast<std::byte*>(::operator new(sizeof(exec::Allocation) + bytes, std::nothrow));
  if (memory == nullptr) return nullptr;
  auto* const made = new (memory) exec::Allocation{.next = call.allocated, .from = &call.allocated};
  if (made->next != nullptr) made->next->from = &made->next;
  call.allocated = made;
  return reinterpret_cast<std::uint64_t*>(memory + sizeof(exec::Allocation));
}

void free(exec::Allocation* allocation) noexcept {
  *allocation->from = allocation->next;
  if (allocation->next != nullptr) allocation->next->from = allocation->from;
  ::operator delete(allocation);
}

exec::Allocation* allocation_of(std::uint64_t* words) noexcept {
  return reinterpret_cast<exec::Allocation*>(reinterpret_cast<std::byte*>(words) - sizeof(exec::Allocation));
}

int bpf_iter_bits_new(Call& call, Bits& it, std::uint64_t address, std::uint32_t words) noexcept {
  it = {.word = 0, .count = 0, .current = -1};
  if (address == 0 || words == 0) return -EINVAL;
  if (words > kMostWords) return -E2BIG;
  const std::size_t bytes = words * sizeof(std::uint64_t);
  std::uint64_t* const copy = words == 1 ? &it.word : allocate(call, bytes);
  if (copy == nullptr) return -ENOMEM;
  if (!safe_read(address, {reinterpret_cast<std::byte*>(copy), bytes})) {
    if (words > 1) free(allocation_of(copy));
    it.word = 0;
    return -EFAULT;
  }
  if (words > 1) it.words = copy;
  it.count = static_cast<std::int32_t>(words) * kWordBits;
  return 0;
}

// The first bit that is set at `from` or behind; `count` when there is none.
std::int32_t find_bit(const std::uint64_t* words, std::int32_t count, std::int32_t from) noexcept {
  for (std::int32_t at = from; at < count; at = (at / kWordBits + 1) * kWordBits) {
    const std::uint64_t left = words[at / kWordBits] >> (at % kWordBits);
    if (left != 0) return at + std::countr_zero(left);
  }
  return count;
}

const std::int32_t* bpf_iter_bits_next(Call&, Bits& it) noexcept {
  if (it.current >= it.count) return nullptr;
  it.current = find_bit(it.count == kWordBits ? &it.word : it.words, it.count, it.current + 1);
  return it.current < it.count ? &it.current : nullptr;
}

void bpf_iter_bits_destroy(Call&, Bits& it) noexcept {
  if (it.count > kWordBits) free(allocation_of(it.words));
  it = {.word = 0, .count = 0, .current = 0};
}

}  // namespace

void free_allocations(Call& call) noexcept {
  while (call.allocated != nullptr) free(call.allocated);
}

std::span<const KfuncBinding> iterator_bindings() noexcept {
  static constexpr KfuncBinding rows[] = {
      SKEP_BIND_KFUNC(bpf_iter_num_new),  SKEP_BIND_KFUNC(bpf_iter_num_next),  SKEP_BIND_KFUNC(bpf_iter_num_destroy),
      SKEP_BIND_KFUNC(bpf_iter_bits_new), SKEP_BIND_KFUNC(bpf_iter_bits_next), SKEP_BIND_KFUNC(bpf_iter_bits_destroy)};
  return rows;
}

}  // namespace skep::helpers
