// Any bytes as a program: the verifier answers within its limits, the same with and without a log, in whole lines.
// links: skep_verifier_explore
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "spec/uapi.h"
#include "verifier/explore/verify.h"

namespace {

using namespace skep;

void expect(bool truth) {
  if (!truth) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::vector<isa::Insn> insns((size - 1) / sizeof(isa::Insn));
  if (insns.size() > 64) return 0;  // 2^n paths are no news
  if (!insns.empty()) std::memcpy(insns.data(), data + 1, insns.size() * sizeof(isa::Insn));

  constexpr spec::ProgType kTypes[] = {spec::ProgType::SocketFilter, spec::ProgType::SchedCls, spec::ProgType::Xdp,
                                       spec::ProgType::Kprobe};
  const auto rules = data[0] & 4 ? verifier::Rules::Linux612 : verifier::Rules::Linux618;
  spec::VerifyInput input{.type = kTypes[data[0] & 3], .insns = insns};
  if (data[0] & 8) input.flags |= spec::kStrictAlignment;
  const auto quiet = verifier::verify(input, rules);
  expect(quiet.log.empty());
  if (quiet.stats.insns_processed > 10'000) return 0;  // a log of all that takes long, and says nothing new
  for (const std::uint32_t level : {1U, 2U, 4U}) {
    input.log_level = level;
    const auto loud = verifier::verify(input, rules);
    expect(loud.result.has_value() == quiet.result.has_value());
    expect(loud.stats.insns_processed == quiet.stats.insns_processed);
    if (!loud.result) expect(loud.result.error().message == quiet.result.error().message);
    expect(loud.log.empty() || loud.log.back() == '\n');
  }
  return 0;
}
