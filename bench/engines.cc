#include "engines.h"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "abi/route.h"
#include "exec/failure.h"
#include "hive/hive.h"
#include "jit/jit.h"
#include "loader/object.h"
#include "packet/test_run.h"
#include "runtime/bindings.h"

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

// ---- Native

class NativeRunner final : public Runner {
 public:
  explicit NativeRunner(const Program::NativeForm& form, Program::Prepare prepare) : form_(form), prepare_(prepare) {}

  Result<> set_up() override {
    std::vector<std::uint8_t> packet(kPacket);
    prepare_(packet.data());
    XdpMd ctx = context(std::as_writable_bytes(std::span(packet)));
    if (form_.setup != nullptr) form_.setup(&ctx);
    return {};
  }
  Result<std::uint32_t> run(MutableBytes packet, std::uint32_t times) override {
    XdpMd ctx = context(packet);
    int result = 0;
    for (std::uint32_t i = 0; i < times; ++i) result = form_.bench(&ctx);
    return static_cast<std::uint32_t>(result);
  }

 private:
  static XdpMd context(MutableBytes packet) noexcept {
    const auto start = reinterpret_cast<std::uint64_t>(packet.data());
    return {start, start + packet.size()};
  }
  Program::NativeForm form_;
  Program::Prepare prepare_;
};

// ---- In a hive of its own

hive::Engine engine_of(Form form) noexcept {
  if (form == Form::Jit) return hive::Engine::Jit;
  return form == Form::Interp ? hive::Engine::Interp : hive::Engine::Checked;
}

class HiveRunner final : public Runner {
 public:
  static Result<std::unique_ptr<HiveRunner>> load(const Program& program, Form form) {
    std::unique_ptr<HiveRunner> runner(new HiveRunner(program));
    hive::Options options;
    options.engine = engine_of(form);
    TRY(runner->hive_, hive::Hive::create(options));
    TRY(loader::Object object, loader::Object::open(object_path(program), {}));
    runner->object_ = std::make_unique<loader::Object>(std::move(object));
    {
      const abi::Target target = abi::use(*runner->hive_);
      TRY_VOID(runner->object_->load());
    }
    TRY(runner->bench_, runner->program("bench"));
    if (!runner->bench_.note.empty()) return fail(ENOTSUP, runner->bench_.note);
    for (std::size_t i = 0; i < runner->object_->maps().size(); ++i) {
      if (runner->object_->maps()[i].type != BPF_MAP_TYPE_RINGBUF) continue;
      TRY_VOID(runner->rings_.add(runner->object_->map_fd(i)));
    }
    return std::unique_ptr<HiveRunner>(std::move(runner));
  }

  Result<> set_up() override {
    if (!object_->find_program("setup")) return {};
    TRY(const hive::Hive::Program code, program("setup"));
    std::vector<std::uint8_t> packet(kPacket);
    program_.prepare(packet.data());
    TRY_VOID(run(code, std::as_writable_bytes(std::span(packet)), 1));
    return {};
  }
  Result<std::uint32_t> run(MutableBytes packet, std::uint32_t times) override { return run(bench_, packet, times); }
  std::uint32_t most_runs() const override { return rings_.most_runs(kMostRuns); }
  void drain() override { rings_.drain(); }

  Result<CompileCost> compile_cost() const {
    const auto image = std::make_shared<const exec::Image>(bench_.code->image());
    std::vector<std::shared_ptr<maps::Map>> held;
    std::vector<maps::Map*> maps;
    for (std::size_t i = 0; i < object_->maps().size(); ++i) {
      TRY(std::shared_ptr<maps::Map> map, hive_->map(object_->map_fd(i)));
      maps.push_back(map.get());
      held.push_back(std::move(map));
    }
    const runtime::MapBindings bindings(maps);
    std::array<double, 101> times;
    for (double& time : times) {
      const double start = thread_time();
      TRY(const std::unique_ptr<exec::Executable> code, jit::bind(image, bindings));
      time = thread_time() - start;
    }
    std::ranges::nth_element(times, times.begin() + times.size() / 2);
    return CompileCost{image->insns.size(), times[times.size() / 2]};
  }

 private:
  explicit HiveRunner(const Program& program) : program_(program) {}

  Result<hive::Hive::Program> program(const std::string& function) const {
    TRY(const std::size_t index, object_->find_program(function));
    return hive_->program(object_->program_fd(index));
  }

  // The virtual CPU is taken once for all runs, as PROG_TEST_RUN does in the kernel; what the programs can reach lives
  // as long as the object, so no run needs a section of its own.
  Result<std::uint32_t> run(const hive::Hive::Program& code, MutableBytes packet, std::uint32_t times) {
    packet::XdpBuff xdp{};
    if (const int error = packet::begin(xdp, frame_, packet, nullptr); error != 0) return fail(-error, "no frame");
    const maps::Cpu cpu(hive_->domain());
    exec::Failure failure;
    std::uint64_t result = 0;
    for (std::uint32_t i = 0; i < times; ++i) {
      exec::Call call(hive_->host());
      call.program = code.code.get();
      call.cpu = cpu.number();
      call.context = &xdp;
      call.context_bytes = sizeof xdp;
      call.failure = &failure;
      result = code.code->run(call);
      if (call.stopped) return fail(EFAULT, failure.text());
    }
    std::ranges::copy(packet::finish(xdp, nullptr), packet.begin());
    return static_cast<std::uint32_t>(result);
  }

  const Program program_;
  std::unique_ptr<hive::Hive> hive_;
  std::unique_ptr<loader::Object> object_;
  hive::Hive::Program bench_;
  packet::Frame frame_;
  Rings rings_;
};

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

std::string object_path(const Program& program) {
  return std::string(BENCH_OBJECTS "/").append(program.kind).append("-").append(program.name).append(".bpf.o");
}

Result<std::unique_ptr<Runner>> load(const Program& program, Form form) {
  switch (form) {
    case Form::Native: return std::make_unique<NativeRunner>(program.native, program.prepare);
    case Form::Vector: return std::make_unique<NativeRunner>(program.vector, program.prepare);
    case Form::Kernel: return load_into_kernel(program);
    case Form::Jit:
    case Form::Interp:
    case Form::Checked: return HiveRunner::load(program, form);
  }
  return fail(EINVAL, "no such form");
}

Result<CompileCost> compile_cost(const Program& program) {
  TRY(const std::unique_ptr<HiveRunner> runner, HiveRunner::load(program, Form::Jit));
  return runner->compile_cost();
}

Result<double> Runner::time(MutableBytes packet, std::uint32_t times) {
  const double before = thread_time();
  TRY_VOID(run(packet, times));
  return thread_time() - before;
}

Rings::~Rings() {
  const auto page = static_cast<std::size_t>(::getpagesize());
  for (const Pages& pages : pages_) {
    ::munmap(pages.reader, page);
    ::munmap(pages.writer, page);
  }
}

// The first page holds the reader's position, the second the writer's: linux/bpf.h has no names for them.
Result<> Rings::add(int map_fd) {
  const auto page = static_cast<std::size_t>(::getpagesize());
  void* const reader = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  void* const writer = ::mmap(nullptr, page, PROT_READ, MAP_SHARED, map_fd, static_cast<off_t>(page));
  if (reader == MAP_FAILED || writer == MAP_FAILED) return fail(errno, "a ring buffer cannot be mapped");
  pages_.push_back({reader, writer});
  return {};
}

void Rings::drain() noexcept {
  for (const Pages& pages : pages_) {
    const auto written = std::atomic_ref(*static_cast<std::uint64_t*>(pages.writer)).load();
    std::atomic_ref(*static_cast<std::uint64_t*>(pages.reader)).store(written);
  }
}

double thread_time() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

}  // namespace skep::bench
