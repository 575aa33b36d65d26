// An object file in a hive of its own, in this process.
#include "abi/route.h"
#include "exec/failure.h"
#include "jit/jit.h"
#include "packet/test_run.h"
#include "runner.h"
#include "runtime/bindings.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace skep::bench {
namespace {

class HiveObject final : public InHive {
 public:
  static Result<std::shared_ptr<InHive>> load(const std::string& file, hive::Engine engine) {
    TRY(loader::Object object, loader::Object::open(file, {}));
    hive::Options options;
    options.engine = engine;
    TRY(std::unique_ptr<hive::Hive> hive, hive::Hive::create(options));
    std::shared_ptr<HiveObject> made(new HiveObject(std::move(object), std::move(hive)));
    const abi::Target target = abi::use(*made->hive_);
    TRY_VOID(made->Loaded::load());
    return std::shared_ptr<InHive>(std::move(made));
  }

  Result<std::unique_ptr<Runner>> runner(const std::string& program, Lease lease) override;
  Result<CompileCost> compile_cost(const std::string& program) const override;
  hive::Hive& hive() noexcept override { return *hive_; }
  Rings& rings() noexcept { return rings_; }

 private:
  HiveObject(loader::Object object, std::unique_ptr<hive::Hive> hive)
      : InHive(std::move(object)), hive_(std::move(hive)) {}

  Result<hive::Hive::Program> code(const std::string& program) const {
    TRY(const int fd, program_fd(program));
    return hive_->program(fd);
  }

  std::unique_ptr<hive::Hive> hive_;
};

class HiveRunner final : public Runner {
 public:
  HiveRunner(std::shared_ptr<HiveObject> object, hive::Hive::Program code, Lease lease)
      : object_(std::move(object)), code_(std::move(code)), lease_(lease) {}

  // What the programs can reach lives as long as the object, so runs under one lease need no section of their own.
  Result<std::uint32_t> run(MutableBytes packet, std::uint32_t times) override {
    packet::XdpBuff xdp{};
    if (const int error = packet::begin(xdp, frame_, packet, nullptr); error != 0) return fail(-error, "no frame");
    TRY(const std::uint64_t result, lease_ == Lease::Once ? run_under_lease(xdp, times) : run_alone(xdp, times));
    std::ranges::copy(packet::finish(xdp, nullptr), packet.begin());
    return static_cast<std::uint32_t>(result);
  }
  std::uint32_t most_runs() const override { return object_->rings().most_runs(kMostRuns); }
  void drain() override { object_->rings().drain(); }

 private:
  Result<std::uint64_t> run_under_lease(packet::XdpBuff& xdp, std::uint32_t times) {
    const maps::Cpu cpu(object_->hive().domain());
    return repeat(xdp, times, [&](exec::Call& call) {
      call.program = code_.code.get();
      call.cpu = cpu.number();
      return code_.code->run(call);
    });
  }
  Result<std::uint64_t> run_alone(packet::XdpBuff& xdp, std::uint32_t times) {
    return repeat(xdp, times, [&](exec::Call& call) { return object_->hive().run(code_, call); });
  }
  template <class Start>
  Result<std::uint64_t> repeat(packet::XdpBuff& xdp, std::uint32_t times, Start start) {
    exec::Failure failure;
    std::uint64_t result = 0;
    for (std::uint32_t i = 0; i < times; ++i) {
      exec::Call call(object_->hive().host());
      call.context = &xdp;
      call.context_bytes = sizeof xdp;
      call.failure = &failure;
      result = start(call);
      if (call.stopped) return fail(EFAULT, failure.text());
    }
    return result;
  }

  std::shared_ptr<HiveObject> object_;
  hive::Hive::Program code_;
  Lease lease_;
  packet::Frame frame_;
};

Result<std::unique_ptr<Runner>> HiveObject::runner(const std::string& program, Lease lease) {
  TRY(hive::Hive::Program code, this->code(program));
  if (!code.note.empty()) return fail(ENOTSUP, code.note);
  auto self = std::static_pointer_cast<HiveObject>(shared_from_this());
  return std::make_unique<HiveRunner>(std::move(self), std::move(code), lease);
}

Result<CompileCost> HiveObject::compile_cost(const std::string& program) const {
  TRY(const hive::Hive::Program code, this->code(program));
  const auto image = std::make_shared<const exec::Image>(code.code->image());
  std::vector<std::shared_ptr<maps::Map>> held;
  std::vector<maps::Map*> maps;
  for (std::size_t i = 0; i < object_.maps().size(); ++i) {
    TRY(std::shared_ptr<maps::Map> map, hive_->map(object_.map_fd(i)));
    maps.push_back(map.get());
    held.push_back(std::move(map));
  }
  const runtime::MapBindings bindings(maps);
  std::array<double, 101> times;
  for (double& time : times) {
    const double start = thread_time();
    TRY(const std::unique_ptr<exec::Executable> bound, jit::bind(image, bindings));
    time = thread_time() - start;
  }
  std::ranges::nth_element(times, times.begin() + times.size() / 2);
  return CompileCost{image->insns.size(), times[times.size() / 2]};
}

}  // namespace

Result<std::shared_ptr<InHive>> load_into_hive(const std::string& file, hive::Engine engine) {
  return HiveObject::load(file, engine);
}

}  // namespace skep::bench
