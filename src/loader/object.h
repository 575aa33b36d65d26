// An object file on its way into whatever answers this thread's bpf(2): a hive or the kernel.
//
// A thin wrapper over libbpf (1.1): it opens (after elf_check.h), lets initial values be set, loads everything the
// object has, and hands out descriptors. What libbpf says is kept and shown with an error only. Programs in sections of
// no known type are listed and not loaded. Ownership: descriptors are the object's and live as long as it.
// Threads: one at a time per object; the log is kept per thread. Tested by: loader/object_test.cc, fuzz/object_fuzz.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace skep::loader {

struct Program {
  std::string name, section;
  std::uint32_t type = 0;  // BPF_PROG_TYPE_*; 0: the section's name says no type
  std::uint32_t attach_type = 0;
};

// What a section of this name says of its programs: "xdp", "cgroup/skb", "tc".
struct SectionType {
  std::uint32_t type = 0, attach_type = 0;
};
std::optional<SectionType> type_of_section(const std::string& section);

struct Map {
  std::string name;
  std::uint32_t type = 0, key_size = 0, value_size = 0, max_entries = 0, flags = 0;
  std::uint32_t key_type = 0, value_type = 0;  // BTF ids; 0: none
  // Global data: the section it is (".rodata", ".bss", ".data.mine"), else empty.
  std::string section;
  std::string pin_path;  // where the object asks for it to be pinned, or found; else empty
};

struct OpenOptions {
  // File of raw BTF to resolve CO-RE relocations against; empty: the running kernel's. It is checked in any case.
  std::string target_btf;
};

// The bytes of an object file. Errors: the file's, EFBIG.
Result<std::vector<std::byte>> read_object_file(const std::string& path);

// What the other side's verifier says of one program, at a log level of BPF_PROG_LOAD. `text` comes with room for it
// and is cut to what was said.
struct LoadLog {
  std::uint32_t level = 0;
  std::string text;
};

class Object {
 public:
  // Errors: ENOENT and the like for a file, ENOEXEC for its contents.
  static Result<Object> open(const std::string& path, const OpenOptions& options);
  static Result<Object> open(Bytes file, const std::string& name, const OpenOptions& options);
  ~Object();
  Object(Object&&) noexcept;
  Object& operator=(Object&&) noexcept;

  const std::vector<Program>& programs() const { return programs_; }
  const std::vector<Map>& maps() const { return maps_; }
  Bytes btf() const;  // raw; empty when there is none

  // Index of the program called `name`; of the only one that can be loaded when `name` is empty. The errors say
  // which there are. ENOENT.
  Result<std::size_t> find_program(const std::string& name) const;
  // Index of a map by its name, or of global data by its section. ENOENT, and which there are.
  Result<std::size_t> find_map(const std::string& name) const;

  // The contents that a global data map will be created with; empty for other maps and after load().
  MutableBytes initial_value(std::size_t map);

  // Until load(): what the program is, whatever its section says; an existing map in the place of the object's own (the
  // object keeps a descriptor of its own; EINVAL when it differs).
  void set_type(std::size_t program, SectionType type);
  Result<> reuse_map(std::size_t map, int fd);
  // Leaves the pins that the object asks for (Map::pin_path) to the caller; load() would make them as files of its own.
  void leave_pins();

  // Creates maps and loads every program of known type. On failure the message has what libbpf and the other side said,
  // and the code is its errno.
  Result<> load();
  // Creates maps and loads this program alone; `log` may be null.
  Result<> load_only(std::size_t program, LoadLog* log);

  // Whether the program's instructions, with those of its subprograms once it is loaded, call helper `helper`.
  bool calls(std::size_t program, std::uint32_t helper) const;

  int program_fd(std::size_t program) const;  // negative when not loaded
  int map_fd(std::size_t map) const;

 private:
  struct Handle;
  explicit Object(std::unique_ptr<Handle> handle);
  void list();
  std::unique_ptr<Handle> handle_;
  std::vector<Program> programs_;
  std::vector<Map> maps_;
};

}  // namespace skep::loader
