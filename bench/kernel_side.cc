// The running kernel as a form of a program: libbpf loads it, PROG_TEST_RUN runs it.
#include "abi/route.h"
#include "engines.h"
#include "isa/insn.h"
#include "kernel/bpf.h"
#include "loader/object.h"

#include <linux/bpf.h>

#include <algorithm>

namespace skep::bench {
namespace {

class KernelRunner final : public Runner {
 public:
  static Result<std::unique_ptr<Runner>> load(const Program& program) {
    if (!kernel::available()) return fail(ENOTSUP, kernel::why_unavailable());
    std::unique_ptr<KernelRunner> runner(new KernelRunner(program));
    TRY(loader::Object object, loader::Object::open(object_path(program), {}));
    runner->object_ = std::make_unique<loader::Object>(std::move(object));
    {
      const abi::Target target = abi::use_kernel();
      TRY_VOID(runner->object_->load());
    }
    TRY(const std::size_t bench, runner->object_->find_program("bench"));
    runner->bench_ = runner->object_->program_fd(bench);
    for (std::size_t i = 0; i < runner->object_->maps().size(); ++i) {
      if (runner->object_->maps()[i].type != BPF_MAP_TYPE_RINGBUF) continue;
      TRY_VOID(runner->rings_.add(runner->object_->map_fd(i)));
    }
    TRY(runner->empty_, empty_program());
    return std::unique_ptr<Runner>(std::move(runner));
  }

  Result<> set_up() override {
    const Result<std::size_t> index = object_->find_program("setup");
    if (!index) return {};
    std::vector<std::uint8_t> packet(kPacket);
    program_.prepare(packet.data());
    TRY_VOID(run(object_->program_fd(*index), std::as_writable_bytes(std::span(packet)), 1));
    return {};
  }
  Result<std::uint32_t> run(MutableBytes packet, std::uint32_t times) override { return run(bench_, packet, times); }
  std::uint32_t most_runs() const override { return rings_.most_runs(kMostRuns); }
  void drain() override { rings_.drain(); }

  // By the kernel's own clock, which stops while it lets others run: a test run of many repetitions costs a millisecond
  // around them.
  Result<double> time(MutableBytes packet, std::uint32_t times) override {
    TRY_VOID(run(bench_, packet, times));
    const std::uint32_t spent = duration_;
    std::vector<std::byte> other(kPacket);
    TRY_VOID(run(empty_.get(), other, times));
    return (static_cast<double>(spent) - static_cast<double>(duration_)) * times;
  }

 private:
  explicit KernelRunner(const Program& program) : program_(program) {}

  // What a program without instructions of its own costs.
  static Result<Fd> empty_program() {
    const isa::Insn insns[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS}, {.code = BPF_JMP | BPF_EXIT}};
    return kernel::load_program(
        {.type = BPF_PROG_TYPE_XDP, .attach_type = BPF_XDP, .insns = std::as_bytes(std::span(insns)), .name = "empty"});
  }

  Result<std::uint32_t> run(int program, MutableBytes packet, std::uint32_t times) {
    kernel::TestRun test{.data = packet, .context = {}, .data_out = out_, .context_out = {}, .repeat = times};
    if (const int error = kernel::test_run(program, test); error != 0)
      return fail(-error, "the kernel does not run the program");
    duration_ = test.duration;
    std::ranges::copy(test.data_out, packet.begin());
    return test.verdict;
  }

  const Program program_;
  std::unique_ptr<loader::Object> object_;
  int bench_ = -1;
  Fd empty_;
  std::vector<std::byte> out_ = std::vector<std::byte>(kPacket);
  std::uint32_t duration_ = 0;  // nanoseconds a run, of the last run()
  Rings rings_;
};

}  // namespace

Result<std::unique_ptr<Runner>> load_into_kernel(const Program& program) { return KernelRunner::load(program); }

}  // namespace skep::bench
