#include "maps/lpm_trie.h"

#include <algorithm>
#include <array>
#include <bit>

#include "maps/lock.h"
#include "maps/words.h"

namespace skep::maps {
namespace {

constexpr unsigned kMostRetries = 1000;
constexpr std::uint32_t kPrefixBytes = 4;  // of the key, before its data

std::uint32_t key_bits(const std::byte* key) noexcept { return load<std::uint32_t>(key); }
unsigned bit_of(const std::byte* data, std::uint32_t bit) noexcept {
  return std::to_integer<unsigned>(data[bit / 8] >> (7 - bit % 8)) & 1;
}

}  // namespace

LpmTrie::Shape LpmTrie::shape_of(const spec::MapSpec& spec) {
  Shape shape{};
  shape.data_bytes = spec.key_size - kPrefixBytes;
  shape.value_at = sizeof(Node) + round_up(shape.data_bytes, 8);
  shape.node_bytes = shape.value_at + round_up(spec.value_size, 8);
  shape.capacity =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(2 * std::uint64_t{spec.max_entries} + 2, UINT32_MAX - 1));
  Planner planner;
  planner.place(1, kPageSize, kPageSize);
  shape.nodes_at = planner.place(shape.capacity, shape.node_bytes, 64);
  shape.bytes = planner.invalid() ? 0 : round_up(planner.bytes(), kPageSize);
  return shape;
}

Result<Plan> LpmTrie::plan(const spec::MapSpec& spec, unsigned) {
  const Shape shape = shape_of(spec);
  if (shape.bytes == 0) return fail(ENOMEM, "lpm trie: larger than an address space");
  return Plan{.header_at = 0, .bytes = shape.bytes, .resident = kPageSize};
}

LpmTrie::LpmTrie(Parts&& parts)
    : Map(std::move(parts)), max_bits_((spec_.key_size - kPrefixBytes) * 8), shape_(shape_of(spec_)) {
  static_assert(sizeof(State) <= sizeof(Header::kind));
}

std::uint32_t LpmTrie::get_bits(Link link) const noexcept { return get(node(link).bits); }

unsigned LpmTrie::bit_of_node(Link link, std::uint32_t bit) const noexcept {
  const std::uint64_t word = word_at<std::uint64_t>(data_of(link) + bit / 64 * 8).load(std::memory_order_acquire);
  return static_cast<unsigned>(from_be(word) >> (63 - bit % 64)) & 1;
}

// How many bits the node's prefix and the key's have in common.
std::uint32_t LpmTrie::common_bits(Link link, const std::byte* key) const noexcept {
  const std::uint32_t limit = std::min(bits_of(link), key_bits(key));
  const std::byte* wanted = key + kPrefixBytes;
  for (std::uint32_t bit = 0; bit < limit; bit += 64) {
    const std::size_t rest = shape_.data_bytes - bit / 8;
    const std::uint64_t there = word_at<std::uint64_t>(data_of(link) + bit / 8).load(std::memory_order_acquire);
    const std::uint64_t here = rest >= 8 ? load<std::uint64_t>(wanted + bit / 8) : partial_word(wanted + bit / 8, rest);
    if (there != here)
      return std::min(limit, bit + static_cast<std::uint32_t>(std::countl_zero(from_be(there ^ here))));
  }
  return limit;
}

// The node of the longest prefix that matches. Means something only if the generation stood still.
LpmTrie::Link LpmTrie::best_match(const std::byte* key) const noexcept {
  Link best = 0;
  Link link = get(state().root);
  for (std::uint32_t steps = 0; valid(link) && steps <= max_bits_; ++steps) {
    const std::uint32_t bits = bits_of(link);
    if (common_bits(link, key) < bits) break;
    if (get(node(link).kind) == kPrefix) best = link;
    if (bits >= max_bits_) break;
    link = get(node(link).child[bit_of(key + kPrefixBytes, bits)]);
  }
  return best;
}

LpmTrie::Link LpmTrie::best_match(std::uint64_t data, std::uint32_t length) const noexcept {
  // Kept in registers: each atomic load would make the compiler read them again.
  std::byte* const nodes = region_.data() + shape_.nodes_at;
  const std::size_t node_bytes = shape_.node_bytes;
  const std::uint32_t capacity = shape_.capacity;
  const std::uint32_t most_bits = max_bits_;
  Link best = 0;
  Link link = get(state().root);
  for (std::uint32_t steps = 0; link - 1 < capacity && steps <= most_bits; ++steps) {
    std::byte* const at = nodes + (link - 1) * node_bytes;
    Node& here = *reinterpret_cast<Node*>(at);
    const std::uint32_t bits = std::min(get(here.bits), most_bits);
    const std::uint64_t there = from_be(word_at<std::uint64_t>(at + sizeof(Node)).load(std::memory_order_acquire));
    if (bits > length || (bits != 0 && (there ^ data) >> (64 - bits) != 0)) break;
    best = get(here.kind) == kPrefix ? link : best;
    if (bits >= most_bits) break;
    link = get(here.child[data << bits >> 63]);
  }
  return best;
}

// What lookup() does, for engines: keys of a word or less are loaded once.
std::byte* LpmTrie::find(const void* trie, std::uint64_t, const std::byte* key) noexcept {
  auto& self = *static_cast<LpmTrie*>(const_cast<void*>(trie));
  const std::uint32_t length = key_bits(key);
  if (self.shape_.data_bytes > sizeof(std::uint64_t) || length > self.max_bits_) return self.lookup(key, 0);
  const std::byte* const data = key + kPrefixBytes;
  const std::uint64_t word = self.shape_.data_bytes == 4   ? load<std::uint32_t>(data)
                             : self.shape_.data_bytes == 8 ? load_halves(data)
                                                           : partial_word(data, self.shape_.data_bytes);
  const std::uint32_t generation = get(self.state().generation);
  const Link best = self.best_match(from_be(word), length);
  if (get(self.state().generation) != generation) return self.lookup(key, 0);
  return best != 0 ? self.value_of(best) : nullptr;
}

Recipe LpmTrie::recipe() const noexcept {
  Recipe recipe;
  recipe.map = this;
  recipe.find = find;
  recipe.table = this;
  return recipe;
}

// Calls `use` with the best match's link until nothing was removed meanwhile. -ENOENT when nothing matches.
template <class Use>
int LpmTrie::with_best(const std::byte* key, Use use) noexcept {
  if (key_bits(key) > max_bits_) return -ENOENT;
  Link best = 0;
  for (unsigned tries = 0; tries < kMostRetries; ++tries) {
    const std::uint32_t generation = get(state().generation);
    if ((best = best_match(key)) != 0) use(best);
    if (get(state().generation) == generation) return best != 0 ? 0 : -ENOENT;
  }
  const Guard guard(state().lock);
  if (!guard) return -EBUSY;
  if ((best = best_match(key)) != 0) use(best);
  return best != 0 ? 0 : -ENOENT;
}

std::byte* LpmTrie::lookup(const std::byte* key, unsigned) noexcept {
  std::byte* value = nullptr;
  return with_best(key, [&](Link best) { value = value_of(best); }) == 0 ? value : nullptr;
}

int LpmTrie::copy_value(const std::byte* key, std::byte* to, std::uint64_t flags) noexcept {
  if (flags != 0) return -EINVAL;
  return with_best(key, [&](Link best) { copy_out(to, value_of(best), spec_.value_size); });
}

// Under the lock: down while nodes' prefixes are proper prefixes of the key's.
LpmTrie::Path LpmTrie::descend(const std::byte* key) noexcept {
  Path path{.link = &state().root, .node = get(state().root)};
  for (std::uint32_t steps = 0; valid(path.node) && steps <= max_bits_; ++steps) {
    path.match = common_bits(path.node, key);
    const std::uint32_t bits = bits_of(path.node);
    if (path.match != bits || bits == key_bits(key)) return path;
    path.parent_link = path.link;
    path.link = &node(path.node).child[bit_of(key + kPrefixBytes, bits)];
    path.node = get(*path.link);
  }
  path.node = 0;
  return path;
}

int LpmTrie::check_add(std::uint64_t flags) const noexcept {
  if (flags == spec::kExist) return -ENOENT;
  return get(state().count) >= spec_.max_entries ? -ENOSPC : 0;
}

int LpmTrie::update(const std::byte* key, const std::byte* value, std::uint64_t flags, unsigned) noexcept {
  if (flags > spec::kExist || key_bits(key) > max_bits_) return -EINVAL;
  const Guard guard(state().lock);
  if (!guard) return -EBUSY;
  const Path path = descend(key);
  const bool same = path.node != 0 && path.match == bits_of(path.node);
  const bool exists = same && get(node(path.node).kind) == kPrefix;
  if (exists && flags == spec::kNoExist) return -EEXIST;
  if (!exists)
    if (const int error = check_add(flags); error != 0) return error;
  const int error = same ? replace(path, key, value) : add(path, key, value);
  if (error == 0 && !exists) set(state().count, get(state().count) + 1);
  return error;
}

LpmTrie::Link LpmTrie::new_prefix(const std::byte* key, const std::byte* value) noexcept {
  const Link link = allocate();
  if (link == 0) return 0;
  copy_in(data_of(link), key + kPrefixBytes, shape_.data_bytes);
  copy_in(value_of(link), value, spec_.value_size);
  set(node(link).bits, key_bits(key));
  set(node(link).kind, std::uint32_t{kPrefix});
  return link;
}

// A node with this very prefix is there: the new one takes its place.
int LpmTrie::replace(const Path& path, const std::byte* key, const std::byte* value) noexcept {
  const Link link = new_prefix(key, value);
  if (link == 0) return -ENOMEM;
  for (const int side : {0, 1}) set(node(link).child[side], get(node(path.node).child[side]));
  set(*path.link, link);
  std::atomic_ref(state().generation).fetch_add(1);
  release(path.node);
  return 0;
}

// As a leaf, as an ancestor of the node found, or beside it under a new intermediate node.
int LpmTrie::add(const Path& path, const std::byte* key, const std::byte* value) noexcept {
  const Link link = new_prefix(key, value);
  if (link == 0) return -ENOMEM;
  if (path.node == 0) return set(*path.link, link), 0;
  const unsigned side = bit_of_node(path.node, path.match);
  if (path.match == key_bits(key)) {
    set(node(link).child[side], path.node);
    return set(*path.link, link), 0;
  }
  const Link between = allocate();
  if (between == 0) return release(link), -ENOMEM;
  for (std::size_t at = 0; at < shape_.data_bytes; at += 8)
    word_at<std::uint64_t>(data_of(between) + at)
        .store(word_at<std::uint64_t>(data_of(path.node) + at).load(std::memory_order_acquire),
               std::memory_order_release);
  set(node(between).bits, path.match);
  set(node(between).kind, std::uint32_t{kIntermediate});
  set(node(between).child[side], path.node);
  set(node(between).child[1 - side], link);
  return set(*path.link, between), 0;
}

int LpmTrie::erase(const std::byte* key) noexcept {
  if (key_bits(key) > max_bits_) return -EINVAL;
  const Guard guard(state().lock);
  if (!guard) return -EBUSY;
  const Path path = descend(key);
  if (path.node == 0 || path.match != bits_of(path.node) || get(node(path.node).kind) != kPrefix) return -ENOENT;
  set(state().count, get(state().count) - 1);
  const Link left = get(node(path.node).child[0]);
  const Link right = get(node(path.node).child[1]);
  if (left != 0 && right != 0) return set(node(path.node).kind, std::uint32_t{kIntermediate}), 0;
  const Link parent = path.parent_link == nullptr ? 0 : get(*path.parent_link);
  const bool lone = valid(parent) && left == 0 && right == 0 && get(node(parent).kind) == kIntermediate;
  if (lone) {  // the parent joins two children no more: the other takes its place
    const int other = path.link == &node(parent).child[0] ? 1 : 0;
    set(*path.parent_link, get(node(parent).child[other]));
  } else {
    set(*path.link, left != 0 ? left : right);
  }
  std::atomic_ref(state().generation).fetch_add(1);
  release(path.node);
  if (lone) release(parent);
  return 0;
}

// Under the lock. Children are none.
LpmTrie::Link LpmTrie::allocate() noexcept {
  Link link = get(state().free);
  if (valid(link)) {
    set(state().free, get(node(link).bits));
  } else {
    const std::uint32_t fresh = get(state().fresh);
    if (fresh >= shape_.capacity) return 0;
    set(state().fresh, fresh + 1);
    link = fresh + 1;
  }
  for (Link& child : node(link).child) set(child, Link{0});
  return link;
}

void LpmTrie::release(Link link) noexcept {
  set(node(link).kind, std::uint32_t{kFree});
  set(node(link).bits, get(state().free));
  set(state().free, link);
}

// The first in postorder below `from`; it has no children.
LpmTrie::Link LpmTrie::leftmost(Link from) const noexcept {
  for (std::uint32_t steps = 0; steps <= max_bits_; ++steps) {
    const Link left = get(node(from).child[0]);
    const Link below = valid(left) ? left : get(node(from).child[1]);
    if (!valid(below)) break;
    from = below;
  }
  return from;
}

// The next prefix in postorder, so that more specific ones come first; the first when the key is not in the trie.
LpmTrie::Link LpmTrie::after(const std::byte* key) const noexcept {
  std::array<Link, kMostBits + 2> way;
  std::size_t depth = 0;
  Link link = get(state().root);
  bool found = false;
  while (valid(link) && depth < way.size() && !found) {
    way[depth++] = link;
    const std::uint32_t bits = bits_of(link);
    if (common_bits(link, key) != bits) break;
    found = bits == key_bits(key);
    if (!found) link = bits < max_bits_ ? get(node(link).child[bit_of(key + kPrefixBytes, bits)]) : 0;
  }
  if (!found || get(node(link).kind) != kPrefix) return leftmost(way[0]);
  for (; depth >= 2; --depth) {
    const Link parent = way[depth - 2];
    const Link right = get(node(parent).child[1]);
    if (get(node(parent).child[0]) == way[depth - 1] && valid(right)) return leftmost(right);
    if (get(node(parent).kind) == kPrefix) return parent;
  }
  return 0;
}

int LpmTrie::next_key(const std::byte* key, std::byte* next) noexcept {
  const Guard guard(state().lock);
  if (!guard) return -EBUSY;
  const Link root = get(state().root);
  if (!valid(root)) return -ENOENT;
  const bool first = key == nullptr || key_bits(key) > max_bits_;
  const Link link = first ? leftmost(root) : after(key);
  if (link == 0) return -ENOENT;
  store(next, bits_of(link));
  copy_out(next + kPrefixBytes, data_of(link), shape_.data_bytes);
  return 0;
}

std::optional<MutableBytes> LpmTrie::value_at(const std::byte* address) noexcept {
  const auto offset = static_cast<std::size_t>(address - region_.data()) - shape_.nodes_at;
  const std::size_t number = offset / shape_.node_bytes;
  const std::size_t inside = offset % shape_.node_bytes;
  if (number >= shape_.capacity || number >= get(state().fresh)) return std::nullopt;
  if (inside < shape_.value_at || inside >= shape_.value_at + spec_.value_size) return std::nullopt;
  return MutableBytes(value_of(static_cast<Link>(number + 1)), spec_.value_size);
}

}  // namespace skep::maps
