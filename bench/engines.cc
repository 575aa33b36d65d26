#include "engines.h"

#include <array>
#include <cerrno>

extern "C" {
#define NATIVE_FORM(form, kind, name)                      \
  int form##_##kind##_##name##_bench(skep::bench::XdpMd*); \
  int form##_##kind##_##name##_setup(skep::bench::XdpMd*) __attribute__((weak));
#define PROGRAM(kind, name)       \
  NATIVE_FORM(native, kind, name) \
  NATIVE_FORM(vector, kind, name) \
  void native_##kind##_##name##_prepare(std::uint8_t*);
#include "programs.def"
#undef PROGRAM
#undef NATIVE_FORM
}

namespace skep::bench {
namespace {

class NativeRunner final : public Runner {
 public:
  explicit NativeRunner(Program::Native function) : function_(function) {}

  Result<std::uint32_t> run(MutableBytes packet, std::uint32_t times) override {
    const auto start = reinterpret_cast<std::uint64_t>(packet.data());
    XdpMd ctx{start, start + packet.size()};
    int result = 0;
    for (std::uint32_t i = 0; i < times; ++i) result = function_(&ctx);
    return static_cast<std::uint32_t>(result);
  }

 private:
  Program::Native function_;
};

std::string object_path(const Program& program) {
  return std::string(BENCH_OBJECTS "/").append(program.kind).append("-").append(program.name).append(".bpf.o");
}

Result<> run_once(Runner& setup, const Program& program) {
  std::vector<std::byte> packet(kPacket);
  program.prepare(reinterpret_cast<std::uint8_t*>(packet.data()));
  TRY_VOID(setup.run(packet, 1));
  return {};
}

Result<std::unique_ptr<Runner>> load_native(const Program& program, const Program::NativeForm& form) {
  if (form.setup != nullptr) {
    NativeRunner setup(form.setup);
    TRY_VOID(run_once(setup, program));
  }
  return std::make_unique<NativeRunner>(form.bench);
}

Result<std::shared_ptr<Loaded>> load_object(const Program& program, Form form) {
  if (form == Form::Kernel) return load_into_kernel(object_path(program));
  const auto engine = form == Form::Jit      ? hive::Engine::Jit
                      : form == Form::Interp ? hive::Engine::Interp
                                             : hive::Engine::Checked;
  return load_into_hive(object_path(program), engine);
}

Result<std::unique_ptr<Runner>> load_bytecode(const Program& program, Form form) {
  TRY(const std::shared_ptr<Loaded> loaded, load_object(program, form));
  TRY(std::unique_ptr<Runner> bench, loaded->runner("bench"));
  if (loaded->object().find_program("setup")) {
    TRY(const std::unique_ptr<Runner> setup, loaded->runner("setup"));
    TRY_VOID(run_once(*setup, program));
  }
  return bench;
}

}  // namespace

std::string_view name(Form form) noexcept {
  switch (form) {
    case Form::Native: return "native";
    case Form::Vector: return "vector";
    case Form::Jit: return "jit";
    case Form::Interp: return "interp";
    case Form::Checked: return "checked";
    case Form::Kernel: return "kernel";
  }
  return "";
}

std::vector<Program> programs() {
#define NATIVE_FORM(form, kind, name) {form##_##kind##_##name##_bench, form##_##kind##_##name##_setup}
  return {
#define PROGRAM(kind, name) \
  {#kind, #name, NATIVE_FORM(native, kind, name), NATIVE_FORM(vector, kind, name), native_##kind##_##name##_prepare},
#include "programs.def"
#undef PROGRAM
#undef NATIVE_FORM
  };
}

Result<std::unique_ptr<Runner>> load(const Program& program, Form form) {
  switch (form) {
    case Form::Native: return load_native(program, program.native);
    case Form::Vector: return load_native(program, program.vector);
    case Form::Jit:
    case Form::Interp:
    case Form::Checked:
    case Form::Kernel: return load_bytecode(program, form);
  }
  return fail(EINVAL, "no such form");
}

Result<CompileCost> compile_cost(const Program& program) {
  TRY(const std::shared_ptr<InHive> loaded, load_into_hive(object_path(program), hive::Engine::Jit));
  return loaded->compile_cost("bench");
}

}  // namespace skep::bench
