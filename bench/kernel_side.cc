// An object file in the running kernel: libbpf loads it, PROG_TEST_RUN runs its programs.
#include "abi/route.h"
#include "isa/insn.h"
#include "kernel/bpf.h"
#include "runner.h"

#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>

namespace skep::bench {
namespace {

class KernelObject final : public Loaded {
 public:
  static Result<std::shared_ptr<Loaded>> load(const std::string& file) {
    if (!kernel::available()) return fail(ENOTSUP, kernel::why_unavailable());
    TRY(loader::Object object, loader::Object::open(file, {}));
    std::shared_ptr<KernelObject> made(new KernelObject(std::move(object)));
    const abi::Target target = abi::use_kernel();
    TRY_VOID(made->Loaded::load());
    TRY(made->empty_, empty_program());
    return std::shared_ptr<Loaded>(std::move(made));
  }

  Result<std::unique_ptr<Runner>> runner(const std::string& program, Lease lease) override;
  Rings& rings() noexcept { return rings_; }
  int empty() const noexcept { return empty_.get(); }

 private:
  using Loaded::Loaded;

  // What a program without instructions of its own costs.
  static Result<Fd> empty_program() {
    const isa::Insn insns[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS}, {.code = BPF_JMP | BPF_EXIT}};
    return kernel::load_program(
        {.type = BPF_PROG_TYPE_XDP, .attach_type = BPF_XDP, .insns = std::as_bytes(std::span(insns)), .name = "empty"});
  }

  Fd empty_;
};

class KernelRunner final : public Runner {
 public:
  KernelRunner(std::shared_ptr<KernelObject> object, int program) : object_(std::move(object)), program_(program) {}

  Result<std::uint32_t> run(MutableBytes packet, std::uint32_t times) override { return run(program_, packet, times); }
  std::uint32_t most_runs() const override { return object_->rings().most_runs(kMostRuns); }
  void drain() override { object_->rings().drain(); }

  // By the kernel's own clock, which stops while it lets others run: a test run of many repetitions costs a millisecond
  // around them.
  Result<double> time(MutableBytes packet, std::uint32_t times) override {
    TRY_VOID(run(program_, packet, times));
    const std::uint32_t spent = duration_;
    std::vector<std::byte> other(packet.size());
    TRY_VOID(run(object_->empty(), other, times));
    return (static_cast<double>(spent) - static_cast<double>(duration_)) * times;
  }

 private:
  Result<std::uint32_t> run(int program, MutableBytes packet, std::uint32_t times) {
    out_.resize(packet.size());
    kernel::TestRun test{.data = packet, .context = {}, .data_out = out_, .context_out = {}, .repeat = times};
    if (const int error = kernel::test_run(program, test); error != 0)
      return fail(-error, "the kernel does not run the program");
    duration_ = test.duration;
    std::ranges::copy(test.data_out, packet.begin());
    return test.verdict;
  }

  std::shared_ptr<KernelObject> object_;
  int program_;
  std::vector<std::byte> out_;
  std::uint32_t duration_ = 0;  // nanoseconds a run, of the last run()
};

Result<std::unique_ptr<Runner>> KernelObject::runner(const std::string& program, Lease) {
  TRY(const int fd, program_fd(program));
  return std::make_unique<KernelRunner>(std::static_pointer_cast<KernelObject>(shared_from_this()), fd);
}

}  // namespace

Result<std::shared_ptr<Loaded>> load_into_kernel(const std::string& file) { return KernelObject::load(file); }

}  // namespace skep::bench
