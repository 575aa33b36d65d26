// BPF_MAP_TYPE_LPM_TRIE: longest prefix match in a binary trie with compressed paths.
//
// Keys are {u32 prefixlen, data in network order}. A node is {child[2], prefix length, kind} prefix value; its children
// extend its prefix by a 0 and a 1 bit. An intermediate node has no value and always two children, so n prefixes need
// at most 2n - 1 nodes; they are numbers in an arena that grows with use. One lock serves writers. Readers take none:
// they walk, then look whether the generation still is the one they began with; it is bumped before a removed node may
// be reused, and each change is committed by one store of a link. Memory: 16 bytes + key data + value, each rounded up
// to 8, per node. Source: Documentation/bpf/map_lpm_trie.rst for the behaviour. Tested by: maps/lpm_trie_test.cc,
// maps/model_test.cc.
#pragma once

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
  static constexpr std::uint32_t kMostBits = 2048;
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
    Link root;
    Link free;
    std::uint32_t fresh;  // nodes ever used
    std::uint32_t count;  // prefixes
  };
  struct Shape {
    std::uint32_t data_bytes;
    std::size_t value_at;  // in a node
    std::size_t node_bytes;
    std::uint32_t capacity;
    std::size_t nodes_at;
    std::size_t bytes;
  };
  // The way down to the node nearest to a key.
  struct Path {
    Link* link = nullptr;         // that leads to node
    Link* parent_link = nullptr;  // that leads to the node link is in
    Link node = 0;                // 0: the key would hang at link
    std::uint32_t match = 0;      // common bits of key and node
  };

  static Shape shape_of(const spec::MapSpec& spec);
  State& state() const noexcept { return *reinterpret_cast<State*>(region_.header().kind); }
  bool valid(Link link) const noexcept { return link - 1 < shape_.capacity; }
  Node& node(Link link) const noexcept {
    return *reinterpret_cast<Node*>(region_.data() + shape_.nodes_at + (link - 1) * shape_.node_bytes);
  }
  std::byte* data_of(Link link) const noexcept { return reinterpret_cast<std::byte*>(&node(link)) + sizeof(Node); }
  std::byte* value_of(Link link) const noexcept { return reinterpret_cast<std::byte*>(&node(link)) + shape_.value_at; }
  std::uint32_t bits_of(Link link) const noexcept { return std::min(get_bits(link), max_bits_); }
  std::uint32_t get_bits(Link link) const noexcept;
  unsigned bit_of_node(Link link, std::uint32_t bit) const noexcept;

  std::uint32_t common_bits(Link link, const std::byte* key) const noexcept;
  Link best_match(const std::byte* key) const noexcept;
  // Of a key whose data, at most 8 bytes of it, are `data`, the first bit highest.
  Link best_match(std::uint64_t data, std::uint32_t length) const noexcept;
  static std::byte* find(const void* trie, std::uint64_t, const std::byte* key) noexcept;
  template <class Use>
  int with_best(const std::byte* key, Use use) noexcept;
  Path descend(const std::byte* key) noexcept;
  int check_add(std::uint64_t flags) const noexcept;
  int add(const Path& path, const std::byte* key, const std::byte* value) noexcept;
  int replace(const Path& path, const std::byte* key, const std::byte* value) noexcept;
  Link new_prefix(const std::byte* key, const std::byte* value) noexcept;
  Link allocate() noexcept;
  void release(Link link) noexcept;
  Link leftmost(Link from) const noexcept;
  Link after(const std::byte* key) const noexcept;

  std::uint32_t max_bits_;
  Shape shape_;
};

}  // namespace skep::maps
