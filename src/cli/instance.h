// An object file loaded into one engine: a hive of its own, or the kernel.
//
// Each instance has its own maps, so that engines can be compared on the same packets. Tested by: tests/cli.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/exit_codes.h"
#include "cli/jit_options.h"
#include "hive/hive.h"
#include "hooks/net/engine.h"
#include "hooks/net/verdict.h"
#include "kernel/trace_log.h"
#include "loader/object.h"
#include "spec/attr.h"

namespace skep::btf {
class Btf;
}

namespace skep::cli {

enum class EngineKind : std::uint8_t { Checked, Interp, Jit, Kernel };
std::string_view name(EngineKind kind) noexcept;

// --map NAME=FILE
struct MapArgument {
  std::string map, file;
};

// An object file's bytes and where they came from.
struct ObjectBytes {
  std::string name;
  std::vector<std::byte> bytes;
};
// Compiles FILE when it ends in ".c", else reads it.
std::expected<ObjectBytes, Failure> object_bytes(const std::string& file, const std::string& cpu);

struct LoadOptions {
  std::string program;  // empty: the only one
  std::string btf;      // --btf FILE; empty: the running kernel's
  std::vector<MapArgument> maps;
  bool unverified = false;
  JitOptions jit;
};

class Instance {
 public:
  static std::expected<std::unique_ptr<Instance>, Failure> load(EngineKind kind, const ObjectBytes& object,
                                                                const LoadOptions& options);
  ~Instance();

  EngineKind kind() const { return kind_; }
  hooks::net::Hook hook() const { return hook_; }
  const loader::Object& object() const { return object_; }
  const loader::Program& program() const { return object_.programs()[program_]; }
  const btf::Btf* types() const { return types_.get(); }
  // bpf(2) of this engine: a value or a negative errno.
  long bpf(int command, spec::Attr& attr) noexcept;

  // How packets are run. Test: by PROG_TEST_RUN, which gives contexts back; always so for the kernel.
  enum class How : std::uint8_t { Direct, Test };
  std::expected<std::unique_ptr<hooks::net::Engine>, Failure> engine(How how);
  // Why the program runs on another engine than was asked for; empty: it does not.
  std::string engine_note() const;

  // A ring buffer of the object and the BTF id of the type of its records.
  struct RecordType {
    std::size_t map;
    std::uint32_t type;
  };
  std::expected<RecordType, Failure> record_type(const std::string& map, const std::string& type) const;

  // What bpf_trace_printk printed, at most kPrintedLines of them.
  static constexpr std::size_t kPrintedLines = 1000;
  struct Printed {
    std::vector<std::string> lines;
    std::uint64_t left_out = 0;
    std::string note;  // why lines may be missing; empty: none are
  };
  Printed printed() const;

 private:
  Instance(EngineKind kind, loader::Object object);
  std::expected<void, Failure> start_hive(const LoadOptions& how);
  bool prints() const;
  void read_trace(Printed& to) const;
  std::expected<void, Failure> set_variables(const std::vector<MapArgument>& maps);
  std::expected<void, Failure> fill_maps(const std::vector<MapArgument>& maps);
  std::expected<void, Failure> fill_map(std::size_t map, const std::string& file);

  EngineKind kind_;
  std::unique_ptr<hive::Hive> hive_;               // null: the kernel
  Printed printed_;                                // by a hive
  std::optional<Result<kernel::TraceLog>> trace_;  // of the kernel, when the program prints
  loader::Object object_;                          // its descriptors go before the hive
  std::unique_ptr<btf::Btf> types_;
  std::size_t program_ = 0;
  hooks::net::Hook hook_ = hooks::net::Hook::Xdp;
};

}  // namespace skep::cli
