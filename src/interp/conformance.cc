#include "interp/conformance.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

#include "exec/doors.h"
#include "exec/failure.h"
#include "exec/quiet_host.h"

namespace skep::interp {
namespace {

// The helpers that vectors may call. Helper 5 is "unwind" in the runner's reference: it does nothing but give 0.
struct TestHelper {
  std::uint32_t id;
  exec::HelperBody body;
};
constexpr TestHelper kTestHelpers[] = {
    {5, [](exec::Call&, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
           std::uint64_t) noexcept { return std::uint64_t{0}; }},
};

class TestBindings final : public exec::Bindings {
 public:
  maps::Map* map(spec::MapId) const override { return nullptr; }
  exec::HelperBody helper(std::uint32_t id) const noexcept override {
    for (const TestHelper& helper : kTestHelpers)
      if (helper.id == id) return helper.body;
    return nullptr;
  }
};

}  // namespace

Result<std::vector<std::byte>> parse_hex(std::string_view text) {
  std::vector<std::byte> bytes;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n') {
      ++at;
      continue;
    }
    unsigned value = 0;
    const char* from = text.data() + at;
    const char* to = text.data() + std::min(at + 2, text.size());
    const auto [end, error] = std::from_chars(from, to, value, 16);
    if (error != std::errc{} || end != from + 2)
      return fail(EINVAL, fmt::format("expected two hex digits at character {}", at));
    bytes.push_back(static_cast<std::byte>(value));
    at += 2;
  }
  return bytes;
}

Result<std::vector<isa::Insn>> parse_insns(std::span<const std::byte> bytes) {
  if (bytes.size() % sizeof(isa::Insn))
    return fail(EINVAL, fmt::format("{} bytes are no whole number of instructions of 8 bytes", bytes.size()));
  std::vector<isa::Insn> insns;
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(isa::Insn))
    insns.push_back(load<isa::Insn>(bytes.data() + at));
  return insns;
}

Result<std::uint64_t> run_vector(std::vector<isa::Insn> insns, MutableBytes memory, Bind bind, std::uint64_t budget) {
  exec::Source source;
  source.name = "vector";
  source.insns = std::move(insns);
  TRY(exec::Image image, exec::assume_verified(source, exec::ContextKind::Memory, "conformance vector"));
  TRY(const auto program, bind(std::make_shared<const exec::Image>(std::move(image)), TestBindings()));
  exec::QuietHost host;
  exec::Failure failure;
  exec::Call call(host);
  call.program = program.get();
  call.context = memory.empty() ? nullptr : memory.data();
  call.context_bytes = static_cast<std::uint32_t>(memory.size());
  call.budget = budget;
  call.failure = &failure;
  const std::uint64_t r0 = program->run(call);
  if (call.stopped) return fail(EFAULT, failure.text());
  return r0;
}

Result<std::uint64_t> run_vector(std::vector<isa::Insn> insns, MutableBytes memory, Policy policy) {
  constexpr auto kBind = []<Policy policy>() -> Bind {
    return [](std::shared_ptr<const exec::Image> image, const exec::Bindings& bindings) {
      return interp::bind(std::move(image), bindings, policy);
    };
  };
  const Bind bind = policy == Policy::Plain ? kBind.operator()<Policy::Plain>() : kBind.operator()<Policy::Checked>();
  return run_vector(std::move(insns), memory, bind, kVectorBudget);
}

std::vector<Vector> read_vectors(const std::string& path) {
  std::ifstream file(path);
  std::vector<Vector> found;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream fields(line);
    Vector vector;
    std::getline(fields, vector.name, '\t');
    std::getline(fields, vector.r0, '\t');
    std::getline(fields, vector.memory, '\t');
    std::getline(fields, vector.insns, '\t');
    found.push_back(vector);
  }
  return found;
}

}  // namespace skep::interp
