#include "spec/kfuncs.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "btf/btf.h"
#include "spec/testing_load.h"

namespace skep::spec {
namespace {

Result<btf::Btf> kernel_types() {
  std::ifstream file("/sys/kernel/btf/vmlinux", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  return btf::Btf::parse(std::as_bytes(std::span(bytes)), nullptr, {.attribute_tags = true});
}

TEST(Kfuncs, AreFoundByName) {
  ASSERT_NE(find_kfunc("bpf_iter_num_new"), nullptr);
  EXPECT_TRUE(find_kfunc("bpf_iter_num_new")->is(KfuncTrait::IterNew));
  EXPECT_TRUE(find_kfunc("bpf_task_release")->takes_trusted());
  EXPECT_EQ(find_kfunc("bpf_iter_num"), nullptr);
  EXPECT_EQ(find_kfunc("zzz"), nullptr);
}

TEST(Kfuncs, DependOnTypeAndAttachment) {
  const auto allowed = [](std::string_view name, ProgType type, AttachType attach = AttachType::CgroupInetIngress) {
    return kfunc_allowed(*find_kfunc(name), type, attach);
  };
  EXPECT_TRUE(allowed("bpf_rcu_read_lock", ProgType::SocketFilter));
  EXPECT_TRUE(allowed("bpf_task_acquire", ProgType::Tracepoint));
  EXPECT_FALSE(allowed("bpf_task_acquire", ProgType::RawTracepoint));
  EXPECT_FALSE(allowed("bpf_sock_destroy", ProgType::Tracing, AttachType::TraceFentry));
  EXPECT_TRUE(allowed("bpf_sock_destroy", ProgType::Tracing, AttachType::TraceIter));
  EXPECT_FALSE(allowed("bpf_session_cookie", ProgType::Kprobe));
}

TEST(Kfuncs, IteratorsAreAsLargeAsTheKernels) {
  const auto kernel = kernel_types();
  if (!kernel) GTEST_SKIP() << "the running kernel has no BTF";
  std::size_t found = 0;
  for (const Kfunc& kfunc : kfuncs()) {
    if (!kfunc.is_iterator()) continue;
    const auto id = kernel->find(kfunc.name.substr(0, kfunc.name.rfind('_')), btf::Kind::Struct);
    if (!id) continue;  // not configured
    EXPECT_EQ(kernel->size_of(*id), kfunc.iterator_bytes) << kfunc.name;
    ++found;
  }
  EXPECT_GE(found, 6U);  // numbers and bits
}

// Whoever may call a function here may call it there; newer kernels allow some to more types.
TEST(Kfuncs, TheRunningKernelAllowsThem) {
  SKEP_NEEDS_KERNEL_BPF();
  const auto kernel = kernel_types();
  ASSERT_TRUE(kernel);
  constexpr ProgType kTypes[] = {ProgType::SocketFilter,  ProgType::SchedCls,   ProgType::SchedAct,
                                 ProgType::Xdp,           ProgType::Tracepoint, ProgType::PerfEvent,
                                 ProgType::CgroupSkb,     ProgType::LwtXmit,    ProgType::Kprobe,
                                 ProgType::RawTracepoint, ProgType::SockOps};
  unsigned allowed = 0, refused = 0;
  for (const Kfunc& kfunc : kfuncs()) {
    const auto id = kernel->find(kfunc.name, btf::Kind::Func);
    if (!id) continue;  // of another release, or not configured
    for (const ProgType type : kTypes) {
      const testing::Program program{
          type, {}, {{.code = 0x85, .src = 2, .imm = static_cast<std::int32_t>(*id)}, {.code = 0xb7}, {.code = 0x95}}};
      const std::string log = testing::load_into_kernel(program).log;
      const bool is_refused = log.contains("is not allowed");
      refused += is_refused;
      if (!kfunc_allowed(kfunc, type, AttachType::CgroupInetIngress)) continue;
      if (kfunc.name == "bpf_verify_pkcs7_signature") continue;  // newer kernels leave it to security hooks
      ++allowed;
      EXPECT_FALSE(is_refused) << kfunc.name << " " << name(type) << "\n" << log;
    }
  }
  EXPECT_GT(allowed, 400U);
  EXPECT_GT(refused, 100U);
}

}  // namespace
}  // namespace skep::spec
