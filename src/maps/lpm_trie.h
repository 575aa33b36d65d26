// BPF_MAP_TYPE_LPM_TRIE: longest prefix match in binary tries with compressed paths, which tables of first bits lead
// to.
//
// Keys are {u32 prefixlen, data in network order}. A table has a slot for each value of a key's first 20 (16, 12, 8, 0)
// bits: the root of a trie. A prefix hangs in the table with the most bits that it has all of. A lookup asks the tables
// from the longest on and ends with the first trie that has a match: a walk of few steps. Which tables there are
// depends on max_entries: one has at most five slots for an entry, so that slots and nodes together stay below the 24
// bytes a node that the kernel takes more for its own.
//
// A node is {child[2], prefix length, kind} prefix value; its children extend its prefix by a 0 and a 1 bit. An
// intermediate node has no value and always two children, so n prefixes need at most 2n - 1 nodes; they are numbers in
// an arena that grows with use.
//
// One lock serves writers. Readers take none: they walk, then look whether the generation still is the one they began
// with. It is bumped when a writer begins, so that who missed a change in one table sees nothing of later ones in
// another, and again before a removed node may be reused; each change is committed by one store of a link or a kind.
// Memory: 16 bytes + key data + value, each rounded up to 8, per node. Source: Documentation/bpf/map_lpm_trie.rst for
// the behaviour. Tested by: maps/lpm_trie_test.cc, maps/model_test.cc, maps/recipe_test.cc.
#pragma once

#include <array>
#include <span>

#include "maps/lpm_key.h"
#include "maps/map.h"
#include "maps/recipe.h"

namespace skep::maps {

class LpmTrie final : public Map {
 public:
  static Result<Plan> plan(const spec::MapSpec& spec, unsigned cpus);
  explicit LpmTrie(Parts&& parts);

  std::byte* lookup(const std::byte* key, unsigned cpu) noexcept override;
  int update(const std::byte* key, const std::byte* value, std::uint64_t flags, unsigned cpu) noexcept override;
  int erase(const std::byte* key) noexcept override;
  int copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept override;
  int next_key(const std::byte* key, std::byte* next) noexcept override;
  std::optional<MutableBytes> value_at(const std::byte* address) noexcept override;
  Recipe recipe() const noexcept;

 private:
  enum Kind : std::uint32_t { kFree, kIntermediate, kPrefix };
  using Link = std::uint32_t;  // a node's number + 1; 0 is none

  struct Node {
    Link child[2];
    std::uint32_t bits;  // of the prefix; the next free node when free
    std::uint32_t kind;
  };
  struct State {  // in Header::kind
    std::uint32_t lock;
    std::uint32_t generation;
    Link free;
    std::uint32_t fresh;  // nodes ever used
    std::uint32_t count;  // prefixes
  };
  // Of prefixes of at least `bits` bits, fewer than the next table has: a slot for each value of their first bits.
  struct Table {
    std::uint32_t bits;
    std::size_t slots_at;  // in the region
  };
  static constexpr std::size_t kMostTables = 5;
  struct Shape {
    std::uint32_t data_bytes;
    std::size_t value_at;  // in a node
    std::size_t node_bytes;
    std::uint32_t capacity;
    std::array<Table, kMostTables> tables;  // shortest first
    std::size_t table_count;
    std::size_t nodes_at;
    std::size_t bytes;
  };
  // The way down to the node nearest to a key.
  struct Path {
    Link* link = nullptr;         // that leads to node
    Link* parent_link = nullptr;  // that leads to the node link is in; null: link is a slot
    Link node = 0;                // 0: the key would hang at link
    std::uint32_t match = 0;      // common bits of key and node
  };

  static Shape shape_of(const spec::MapSpec& spec);
  State& state() const noexcept { return *reinterpret_cast<State*>(region_.header().kind); }
  std::span<const Table> tables() const noexcept { return std::span(shape_.tables).first(shape_.table_count); }
  const Table& table_of(std::uint32_t bits) const noexcept;
  static std::size_t slot_of(const Table& table, std::uint64_t first_word) noexcept;
  static std::size_t last_slot_of(const Table& table, const DataKey& key) noexcept;
  Link& slot(const Table& table, std::size_t number) const noexcept {
    return reinterpret_cast<Link*>(region_.data() + table.slots_at)[number];
  }
  bool valid(Link link) const noexcept { return link - 1 < shape_.capacity; }
  Node& node(Link link) const noexcept {
    return *reinterpret_cast<Node*>(region_.data() + shape_.nodes_at + (link - 1) * shape_.node_bytes);
  }
  static std::byte* data_of(Node& node) noexcept { return reinterpret_cast<std::byte*>(&node) + sizeof(Node); }
  std::byte* value_of(Node& node) const noexcept { return reinterpret_cast<std::byte*>(&node) + shape_.value_at; }
  std::uint32_t bits_of(Node& node) const noexcept { return std::min(get(node.bits), max_bits_); }
  DataKey data_key(const std::byte* key) const noexcept { return DataKey(key, shape_.data_bytes); }

  template <class Key>
  Node* best_below(Link link, std::uint32_t known, const Key& key) const noexcept;
  template <class Key>
  Node* best_match(const Key& key) const noexcept;
  Node* best_match(const std::byte* key) const noexcept;
  template <class Key>
  static std::byte* find(const void* trie, std::uint64_t, const std::byte* key) noexcept;
  template <class Use>
  int with_best(const std::byte* key, Use use) noexcept;

  void bump() noexcept { set(state().generation, get(state().generation) + 1); }
  Path descend(const DataKey& key) const noexcept;
  bool is_prefix(const Path& path, const DataKey& key) const noexcept;
  int check_add(std::uint64_t flags) const noexcept;
  int add(const Path& path, const std::byte* key, const std::byte* value) noexcept;
  int replace(const Path& path, const std::byte* key, const std::byte* value) noexcept;
  Link new_prefix(const std::byte* key, const std::byte* value) noexcept;
  Link allocate() noexcept;
  void release(Link link) noexcept;
  void repair() noexcept;

  Node* leftmost(Link from) const noexcept;
  Node* first_after(Link link, const DataKey& key) const noexcept;
  Node* first_after(const Table& table, const DataKey& key, std::size_t last) const noexcept;
  Node* first_of(const Table& table, std::size_t from, std::size_t last) const noexcept;
  bool before(Node& one, const DataKey& key) const noexcept;

  std::uint32_t max_bits_;
  Shape shape_;
};

}  // namespace skep::maps
