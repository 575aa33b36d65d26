// The element commands of bpf(2) on one map, wherever it is mapped: in the hive's process, or in a client's, which has
// the map's memory at hand (wire/local_maps.h). Knows no hive: no objects, no descriptors.
#pragma once

#include <optional>
#include <span>

#include "btf/record.h"
#include "hive/caller.h"
#include "hive/descriptor.h"
#include "maps/map.h"
#include "spec/attr.h"
#include "spec/commands.h"

namespace skep::hive {

struct ElementMap {
  maps::Map& map;
  std::span<const btf::SpecialField> fields;  // of a value: what system calls neither see nor write
  Access access = Access::ReadWrite;          // of the descriptor
};

class Buffer;

// What keys and values mean besides their bytes, and what goes with an element that is erased. 0 or a negative errno;
// `value` has syscall_value_size() bytes and may be changed.
class Changes {
 public:
  virtual ~Changes() = default;
  // Bytes of a key as the map takes it, which find_key() makes of the caller's, who brings key_size of them.
  virtual std::size_t key_bytes(const ElementMap& map) const noexcept { return map.map.spec().key_size; }
  virtual int find_key(const ElementMap&, Buffer&) noexcept { return 0; }
  virtual void before_reading(const ElementMap&, const std::byte* /*key*/) noexcept {}
  virtual int before_walking(const ElementMap&, const std::byte* /*from*/) noexcept { return 0; }
  virtual int write(const ElementMap& map, const std::byte* key, std::byte* value, std::uint64_t flags) noexcept = 0;
  virtual int erase(const ElementMap& map, const std::byte* key) noexcept = 0;
};
// Bytes, and nothing else.
class PlainChanges final : public Changes {
 public:
  int write(const ElementMap& map, const std::byte* key, std::byte* value, std::uint64_t flags) noexcept override;
  int erase(const ElementMap& map, const std::byte* key) noexcept override;
};
// Whether a map's elements are, so that nobody but the map needs to know of a change.
bool is_plain(const spec::MapSpec& spec) noexcept;

// The five commands that look at or change one element. `attr` is the caller's, whose flags have been checked.
long element_command(spec::Command command, const spec::AttrElem& attr, Caller& caller, const ElementMap& map,
                     Changes& changes) noexcept;
// Whether the command knows the flags; EINVAL comes before anything is asked of the map.
bool known_element_flags(spec::Command command, const spec::AttrElem& attr) noexcept;

// All below: 0 or a negative errno. `value` has syscall_value_size() bytes.
int read_value(const ElementMap& map, const std::byte* key, std::byte* value, std::uint64_t flags) noexcept;
int take_value(const ElementMap& map, const std::byte* key, std::byte* value, std::uint64_t flags) noexcept;

// Where a lock that BPF_F_LOCK takes lies in a value of such fields.
std::optional<std::uint32_t> spin_lock_in(std::span<const btf::SpecialField> fields) noexcept;
// Clears what is more than data in a copy of a value, as system calls bring or get it (syscall_value_size() bytes).
void blank_special_fields(const ElementMap& map, std::byte* value) noexcept;

}  // namespace skep::hive
