// Objects of a hive as the kernel's own structures, for programs that read those: what iterators are given, and fields
// of maps.
//
// A structure is laid out as the kernel's BTF says, which the program was compiled or relocated for. Members that
// hive/kernel_objects.cc names hold what is true of the object; all others are zero, pointers among them, and reading
// through those finds zeros (spec::VerifiedProgram::probed). Members that the BTF has not are left out. A structure
// lives as long as its KernelObjects. Tested by: hive/iterator_test.cc (against the running kernel).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "btf/btf.h"
#include "exec/call.h"
#include "hive/state.h"

namespace skep::hive {

class KernelObjects {
 public:
  explicit KernelObjects(const btf::Btf& types) : types_(types) {}

  // Begins with a bpf_map; behind it is what the kernel has for maps of this type, as far as there is such a structure.
  MutableBytes map(const MapObject& map);
  std::byte* program(const ProgObject& program);
  std::byte* link(const LinkObject& link);
  std::byte* symbol(const std::string& name, const std::byte* address);
  // A structure of zeros; null where the BTF has none of this name.
  std::byte* make(std::string_view structure);
  // Its members; paths are names with dots between them.
  void set(std::byte* object, std::string_view structure, std::string_view path, std::uint64_t value);
  void set(std::byte* object, std::string_view structure, std::string_view path, const std::byte* pointer);
  void set_text(std::byte* object, std::string_view structure, std::string_view path, std::string_view text);
  void set_bytes(std::byte* object, std::string_view structure, std::string_view path, Bytes bytes);

  // All that was made, for engines that check accesses.
  std::vector<exec::Lent> lent() const;
  void clear() noexcept { made_.clear(); }

 private:
  struct Place {
    std::uint32_t bit = 0, bits = 0, bytes = 0;  // bits: of a bit field, or 0
  };
  std::optional<Place> place(std::string_view structure, std::string_view path) const;
  std::byte* allocate(std::size_t bytes);

  struct Made {
    std::unique_ptr<std::byte[]> memory;
    std::size_t bytes;
  };
  const btf::Btf& types_;
  std::vector<Made> made_;
};

}  // namespace skep::hive
