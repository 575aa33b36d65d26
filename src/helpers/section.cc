// Sections that the kernel is told of: what a program reads in them stays. Here every run is in one (runtime/epochs.h),
// and no other program runs on its virtual CPU, so there is nothing to do.
#include "helpers/subjects.h"

namespace skep::helpers {
namespace {

void bpf_rcu_read_lock(Call&) noexcept {}
void bpf_rcu_read_unlock(Call&) noexcept {}
void bpf_preempt_disable(Call&) noexcept {}
void bpf_preempt_enable(Call&) noexcept {}

}  // namespace

std::span<const KfuncBinding> section_bindings() noexcept {
  static constexpr KfuncBinding rows[] = {SKEP_BIND_KFUNC(bpf_rcu_read_lock), SKEP_BIND_KFUNC(bpf_rcu_read_unlock),
                                          SKEP_BIND_KFUNC(bpf_preempt_disable), SKEP_BIND_KFUNC(bpf_preempt_enable)};
  return rows;
}

}  // namespace skep::helpers
