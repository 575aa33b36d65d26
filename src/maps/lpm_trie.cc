#include "maps/lpm_trie.h"

#include <algorithm>
#include <ranges>

#include "maps/lock.h"
#include "maps/words.h"

namespace skep::maps {
namespace {

constexpr unsigned kMostRetries = 1000;
constexpr std::uint32_t kTableBits[] = {0, 8, 12, 16, 20};
constexpr std::uint64_t kMostSlotsPerEntry = 5;

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
  for (const std::uint32_t bits : kTableBits) {
    const std::uint64_t slots = 1ULL << bits;
    if (bits > shape.data_bytes * 8 || slots > kMostSlotsPerEntry * spec.max_entries) break;
    shape.tables[shape.table_count++] = {bits, planner.place(slots, sizeof(Link), 64)};
  }
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
  static_assert(std::size(kTableBits) == kMostTables);
}

// Where prefixes of `bits` bits hang.
const LpmTrie::Table& LpmTrie::table_of(std::uint32_t bits) const noexcept {
  std::size_t longest = shape_.table_count - 1;
  while (shape_.tables[longest].bits > bits) --longest;
  return shape_.tables[longest];
}

std::size_t LpmTrie::slot_of(const Table& table, std::uint64_t first_word) noexcept {
  return first_word >> 1 >> (kWordBits - 1 - table.bits);
}

// Of the slots that the key's prefix covers, or is in.
std::size_t LpmTrie::last_slot_of(const Table& table, const DataKey& key) noexcept {
  const std::uint32_t open = table.bits - std::min(table.bits, key.length());
  return slot_of(table, key.first_word()) | ((std::size_t{1} << open) - 1);
}

// In the trie at `link`, whose nodes share their first `known` bits with the key.
template <class Key>
LpmTrie::Node* LpmTrie::best_below(Link link, std::uint32_t known, const Key& key) const noexcept {
  Node* best = nullptr;
  while (valid(link)) {
    Node& here = node(link);
    const std::uint32_t bits = get(here.bits);
    if (bits - known > key.length() - known || !key.begins_with(data_of(here), bits, known)) break;
    if (get(here.kind) == kPrefix) best = &here;
    if (bits == key.length()) break;
    link = get(here.child[key.bit(bits)]);
    known = bits + 1;
  }
  return best;
}

// The node of the longest prefix that matches. Means something only if the generation stood still.
template <class Key>
LpmTrie::Node* LpmTrie::best_match(const Key& key) const noexcept {
  for (const Table& table : tables() | std::views::reverse) {
    if (table.bits > key.length()) continue;
    const Link root = get(slot(table, slot_of(table, key.first_word())));
    if (Node* const best = best_below(root, table.bits, key); best != nullptr) return best;
  }
  return nullptr;
}

LpmTrie::Node* LpmTrie::best_match(const std::byte* key) const noexcept {
  return shape_.data_bytes <= 8 ? best_match(WordKey<0>(key, shape_.data_bytes)) : best_match(data_key(key));
}

// What lookup() does, for engines, made for a kind of key.
template <class Key>
std::byte* LpmTrie::find(const void* trie, std::uint64_t, const std::byte* key) noexcept {
  auto& self = *static_cast<LpmTrie*>(const_cast<void*>(trie));
  const Key wanted(key, self.shape_.data_bytes);
  if (wanted.length() > self.max_bits_) return nullptr;
  const std::uint32_t generation = get(self.state().generation);
  Node* const best = self.best_match(wanted);
  if (get(self.state().generation) != generation) return self.lookup(key, 0);
  return best != nullptr ? self.value_of(*best) : nullptr;
}

Recipe LpmTrie::recipe() const noexcept {
  Recipe recipe;
  recipe.map = this;
  recipe.find = shape_.data_bytes == 4   ? find<WordKey<4>>
                : shape_.data_bytes == 8 ? find<WordKey<8>>
                : shape_.data_bytes < 8  ? find<WordKey<0>>
                                         : find<DataKey>;
  recipe.table = this;
  return recipe;
}

// Calls `use` with the best match until no writer was at work meanwhile. -ENOENT when nothing matches.
template <class Use>
int LpmTrie::with_best(const std::byte* key, Use use) noexcept {
  if (key_bits(key) > max_bits_) return -ENOENT;
  Node* best = nullptr;
  for (unsigned tries = 0; tries < kMostRetries; ++tries) {
    const std::uint32_t generation = get(state().generation);
    if ((best = best_match(key)) != nullptr) use(*best);
    if (get(state().generation) == generation) return best != nullptr ? 0 : -ENOENT;
  }
  const Guard guard(state().lock, [this] { repair(); });
  if (!guard) return -EBUSY;
  if ((best = best_match(key)) != nullptr) use(*best);
  return best != nullptr ? 0 : -ENOENT;
}

std::byte* LpmTrie::lookup(const std::byte* key, unsigned) noexcept {
  std::byte* value = nullptr;
  return with_best(key, [&](Node& best) { value = value_of(best); }) == 0 ? value : nullptr;
}

int LpmTrie::copy_value(const std::byte* key, std::byte* to, std::uint64_t flags) noexcept {
  if (flags != 0) return -EINVAL;
  return with_best(key, [&](Node& best) { copy_out(to, value_of(best), spec_.value_size); });
}

// Under the lock: down while nodes' prefixes are proper prefixes of the key's.
LpmTrie::Path LpmTrie::descend(const DataKey& key) const noexcept {
  const Table& table = table_of(key.length());
  Path path{.link = &slot(table, slot_of(table, key.first_word()))};
  path.node = get(*path.link);
  std::uint32_t known = table.bits;
  while (valid(path.node)) {
    Node& here = node(path.node);
    const std::uint32_t bits = bits_of(here);
    path.match = key.common_bits(data_of(here), std::min(bits, key.length()), known);
    if (path.match != bits || bits == key.length()) return path;
    if (bits < known) break;  // somebody scribbled
    path.parent_link = path.link;
    path.link = &here.child[key.bit(bits)];
    path.node = get(*path.link);
    known = bits + 1;
  }
  path.node = 0;
  return path;
}

// Whether the key's own prefix is there.
bool LpmTrie::is_prefix(const Path& path, const DataKey& key) const noexcept {
  if (path.node == 0) return false;
  Node& here = node(path.node);
  return path.match == bits_of(here) && path.match == key.length() && get(here.kind) == kPrefix;
}

int LpmTrie::check_add(std::uint64_t flags) const noexcept {
  if (flags == spec::kExist) return -ENOENT;
  return get(state().count) >= spec_.max_entries ? -ENOSPC : 0;
}

int LpmTrie::update(const std::byte* key, const std::byte* value, std::uint64_t flags, unsigned) noexcept {
  if (flags > spec::kExist || key_bits(key) > max_bits_) return -EINVAL;
  const Guard guard(state().lock, [this] { repair(); });
  if (!guard) return -EBUSY;
  const Path path = descend(data_key(key));
  const bool exists = is_prefix(path, data_key(key));
  if (exists && flags == spec::kNoExist) return -EEXIST;
  if (!exists)
    if (const int error = check_add(flags); error != 0) return error;
  bump();
  const bool same = path.node != 0 && path.match == bits_of(node(path.node));
  const int error = same ? replace(path, key, value) : add(path, key, value);
  if (error == 0 && !exists) set(state().count, get(state().count) + 1);
  return error;
}

LpmTrie::Link LpmTrie::new_prefix(const std::byte* key, const std::byte* value) noexcept {
  const Link link = allocate();
  if (link == 0) return 0;
  Node& made = node(link);
  copy_in(data_of(made), key + kPrefixBytes, shape_.data_bytes);
  copy_in(value_of(made), value, spec_.value_size);
  set(made.bits, key_bits(key));
  set(made.kind, std::uint32_t{kPrefix});
  return link;
}

// A node with this very prefix is there: the new one takes its place.
int LpmTrie::replace(const Path& path, const std::byte* key, const std::byte* value) noexcept {
  const Link link = new_prefix(key, value);
  if (link == 0) return -ENOMEM;
  for (const int side : {0, 1}) set(node(link).child[side], get(node(path.node).child[side]));
  set(*path.link, link);
  bump();
  release(path.node);
  return 0;
}

// As a leaf, as an ancestor of the node found, or beside it under a new intermediate node.
int LpmTrie::add(const Path& path, const std::byte* key, const std::byte* value) noexcept {
  const Link link = new_prefix(key, value);
  if (link == 0) return -ENOMEM;
  if (path.node == 0) return set(*path.link, link), 0;
  std::byte* const there = data_of(node(path.node));
  const unsigned side = bit_of(node_word(there, path.match), path.match);
  if (path.match == key_bits(key)) {
    set(node(link).child[side], path.node);
    return set(*path.link, link), 0;
  }
  const Link between = allocate();
  if (between == 0) return release(link), -ENOMEM;
  for (std::size_t at = 0; at < shape_.data_bytes; at += 8)
    word_at<std::uint64_t>(data_of(node(between)) + at)
        .store(word_at<std::uint64_t>(there + at).load(std::memory_order_acquire), std::memory_order_release);
  set(node(between).bits, path.match);
  set(node(between).kind, std::uint32_t{kIntermediate});
  set(node(between).child[side], path.node);
  set(node(between).child[1 - side], link);
  return set(*path.link, between), 0;
}

int LpmTrie::erase(const std::byte* key) noexcept {
  if (key_bits(key) > max_bits_) return -EINVAL;
  const Guard guard(state().lock, [this] { repair(); });
  if (!guard) return -EBUSY;
  const Path path = descend(data_key(key));
  if (!is_prefix(path, data_key(key))) return -ENOENT;
  bump();
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
  bump();
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

// After a writer's death, under its lock: which nodes lead somewhere is found by walking; all others are free.
void LpmTrie::repair() noexcept {
  bump();
  const std::uint32_t fresh = std::min(get(state().fresh), shape_.capacity);
  const std::unique_ptr<bool[]> reached(new (std::nothrow) bool[fresh + 1]());
  const std::unique_ptr<Link[]> open(new (std::nothrow) Link[fresh + 1]);
  if (!reached || !open) return;
  std::uint32_t waiting = 0, prefixes = 0;
  const auto reach = [&](Link link) {
    if (link == 0 || link > fresh || reached[link]) return;
    reached[link] = true;
    open[waiting++] = link;
  };
  for (const Table& table : tables())
    for (std::size_t number = 0; number < std::size_t{1} << table.bits; ++number) {
      reach(get(slot(table, number)));
      while (waiting != 0) {
        Node& here = node(open[--waiting]);
        prefixes += get(here.kind) == kPrefix ? 1 : 0;
        for (Link& child : here.child) reach(get(child));
      }
    }
  set(state().count, prefixes);
  set(state().free, Link{0});
  for (Link link = 1; link <= fresh; ++link)
    if (!reached[link]) release(link);
}

// ---- Postorder, in which keys are walked: where two differ, 0 before 1; what is in a prefix before it. Under the
// lock.

bool LpmTrie::before(Node& one, const DataKey& key) const noexcept {
  const std::uint32_t bits = bits_of(one);
  const std::uint32_t shorter = std::min(bits, key.length());
  const std::uint32_t match = key.common_bits(data_of(one), shorter, 0);
  return match == shorter ? bits > key.length() : bit_of(node_word(data_of(one), match), match) == 0;
}

// The first in a trie that is not empty; it has no children.
LpmTrie::Node* LpmTrie::leftmost(Link from) const noexcept {
  for (std::uint32_t steps = 0; steps <= max_bits_; ++steps) {
    const Link left = get(node(from).child[0]);
    const Link below = valid(left) ? left : get(node(from).child[1]);
    if (!valid(below)) break;
    from = below;
  }
  return &node(from);
}

// The first in slots `from` to `last`.
LpmTrie::Node* LpmTrie::first_of(const Table& table, std::size_t from, std::size_t last) const noexcept {
  for (; from <= last; ++from)
    if (const Link root = get(slot(table, from)); valid(root)) return leftmost(root);
  return nullptr;
}

// The first in a trie that the key, which need not be there, is before.
LpmTrie::Node* LpmTrie::first_after(Link link, const DataKey& key) const noexcept {
  Node* next = nullptr;  // a node on the way, or
  Link right = 0;        // the trie beside it
  std::uint32_t least = 0;
  while (valid(link)) {
    Node& here = node(link);
    const std::uint32_t bits = bits_of(here);
    const std::uint32_t shorter = std::min(bits, key.length());
    if (key.common_bits(data_of(here), shorter, 0) != shorter) {
      if (!before(here, key)) return leftmost(link);
      break;
    }
    if (bits < least || bits >= key.length()) break;
    if (const Link beside = get(here.child[1]); key.bit(bits) == 0 && valid(beside)) {
      right = beside;
    } else if (get(here.kind) == kPrefix) {
      next = &here;
      right = 0;
    }
    link = get(here.child[key.bit(bits)]);
    least = bits + 1;
  }
  return right != 0 ? leftmost(right) : next;
}

// The first in a table, up to slot `last`, that the key is before.
LpmTrie::Node* LpmTrie::first_after(const Table& table, const DataKey& key, std::size_t last) const noexcept {
  const std::size_t slots = last_slot_of(table, key);
  if (table.bits <= key.length())
    if (Node* const next = first_after(get(slot(table, slots)), key); next != nullptr) return next;
  return first_of(table, slots + 1, last);
}

// The first of what the tables give. A table's slots are looked through only up to what a shorter one gave.
int LpmTrie::next_key(const std::byte* key, std::byte* next) noexcept {
  const Guard guard(state().lock, [this] { repair(); });
  if (!guard) return -EBUSY;
  const bool there = key != nullptr && key_bits(key) <= max_bits_ && is_prefix(descend(data_key(key)), data_key(key));
  bool found = false;
  for (const Table& table : tables()) {
    const std::size_t last = found ? last_slot_of(table, data_key(next)) : (std::size_t{1} << table.bits) - 1;
    Node* const first = there ? first_after(table, data_key(key), last) : first_of(table, 0, last);
    if (first == nullptr || (found && !before(*first, data_key(next)))) continue;
    store(next, bits_of(*first));
    copy_out(next + kPrefixBytes, data_of(*first), shape_.data_bytes);
    found = true;
  }
  return found ? 0 : -ENOENT;
}

std::optional<MutableBytes> LpmTrie::value_at(const std::byte* address) noexcept {
  const auto offset = static_cast<std::size_t>(address - region_.data()) - shape_.nodes_at;
  const std::size_t number = offset / shape_.node_bytes;
  const std::size_t inside = offset % shape_.node_bytes;
  if (number >= shape_.capacity || number >= get(state().fresh)) return std::nullopt;
  if (inside < shape_.value_at || inside >= shape_.value_at + spec_.value_size) return std::nullopt;
  return MutableBytes(value_of(node(static_cast<Link>(number + 1))), spec_.value_size);
}

}  // namespace skep::maps
