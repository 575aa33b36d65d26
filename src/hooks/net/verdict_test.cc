#include "hooks/net/verdict.h"

#include <gtest/gtest.h>

namespace skep::hooks::net {
namespace {

TEST(Verdict, EachValueHasItsRow) {
  struct Case {
    Hook hook;
    std::uint32_t returned;
    std::size_t bytes;
    std::string_view name;
    Fate fate;
  };
  const Case cases[] = {
      {Hook::Xdp, 0, 60, "XDP_ABORTED", Fate::Drop},
      {Hook::Xdp, 2, 60, "XDP_PASS", Fate::Pass},
      {Hook::Xdp, 4, 60, "XDP_REDIRECT", Fate::Tx},
      {Hook::Xdp, 5, 60, "no XDP action", Fate::Drop},
      {Hook::Xdp, 0xffffffff, 60, "no XDP action", Fate::Drop},
      {Hook::Tc, 0xffffffff, 60, "TC_ACT_UNSPEC", Fate::Pass},
      {Hook::Tc, 2, 60, "TC_ACT_SHOT", Fate::Drop},
      {Hook::Tc, 7, 60, "TC_ACT_REDIRECT", Fate::Tx},
      {Hook::Tc, 99, 60, "no tc action", Fate::Pass},
      {Hook::Socket, 0, 60, "dropped", Fate::Drop},
      {Hook::Socket, 59, 60, "cut", Fate::Pass},
      {Hook::Socket, 60, 60, "kept whole", Fate::Pass},
      {Hook::Socket, 0xffffffff, 60, "kept whole", Fate::Pass},
  };
  for (const Case& c : cases) {
    const Verdict& verdict = verdict_of(c.hook, c.returned, c.bytes);
    EXPECT_EQ(verdict.name, c.name) << c.returned;
    EXPECT_EQ(verdict.fate, c.fate) << c.returned;
    EXPECT_EQ(&verdicts()[index_of(verdict)], &verdict);
  }
}

TEST(Verdict, HooksAreWhatMessagesSay) {
  for (std::uint32_t number = 1; number <= 32; ++number) {
    const auto type = spec::prog_type(number);
    ASSERT_TRUE(type);
    EXPECT_EQ(hook_of(*type).has_value(), hooked_types().find(spec::name(*type)) != std::string_view::npos)
        << spec::name(*type);
  }
}

}  // namespace
}  // namespace skep::hooks::net
