#include "spec/btf_rules.h"

#include <gtest/gtest.h>

namespace skep::spec {
namespace {

TEST(BtfRules, TrustOfFieldsByName) {
  EXPECT_EQ(field_trust("task_struct", "real_parent"), FieldTrust::Rcu);
  EXPECT_EQ(field_trust("socket", "sk"), FieldTrust::TrustedOrNull);
  EXPECT_EQ(field_trust("task_struct", "parent"), FieldTrust::None);
  EXPECT_EQ(field_trust("sock", "sk"), FieldTrust::None);
}

TEST(BtfRules, ArgumentsOfIterators) {
  ASSERT_TRUE(argument_rule("bpf_iter_task", 1));
  EXPECT_EQ(argument_rule("bpf_iter_task", 1)->kind, ArgumentKind::TrustedObject);
  EXPECT_EQ(argument_rule("bpf_iter_task", 1)->structure, "task_struct");
  EXPECT_FALSE(argument_rule("bpf_iter_task", 0));
  EXPECT_EQ(argument_rule("bpf_iter_bpf_map_elem", 2)->kind, ArgumentKind::ReadOnlyBuffer);
}

TEST(BtfRules, HooksContextsAndMaps) {
  EXPECT_TRUE(is_rcu_object("task_struct"));
  EXPECT_FALSE(is_rcu_object("file"));
  EXPECT_TRUE(is_untrusted_hook("bpf_lsm_task_free"));
  EXPECT_FALSE(is_untrusted_hook("bpf_lsm_file_open"));
  EXPECT_TRUE(is_boolean_hook("bpf_lsm_audit_rule_known"));
  EXPECT_EQ(kernel_context(ProgType::Xdp, "xdp_md"), "xdp_buff");
  EXPECT_EQ(kernel_context(ProgType::Xdp, "__sk_buff"), "");
  EXPECT_EQ(map_structure(MapType::Hash), "bpf_htab");
  EXPECT_EQ(map_structure(MapType::Unspec), "");
}

}  // namespace
}  // namespace skep::spec
