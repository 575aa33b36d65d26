// BPF_BTF_LOAD around the parser: attributes, log, what comes back. The bytes themselves are btf/'s tests.
#include "hive/testing.h"

namespace skep::hive::testing {
namespace {

using spec::AttrBtfLoad;
using spec::Command;

std::vector<std::byte> good() {
  BtfBuilder btf;
  btf.integer("int", 4);
  return btf.bytes();
}
std::vector<std::byte> bad() {
  BtfBuilder btf;
  btf.add("unknown", 31, 0, 4);
  return btf.bytes();
}
std::vector<std::byte> two_locks() {
  BtfBuilder btf;
  const std::uint32_t number = btf.integer("int", 4);
  const std::uint32_t lock = btf.add("bpf_spin_lock", 4, 1, 4, {btf.string("val"), number, 0});
  btf.add("v", 4, 2, 8, {btf.string("a"), lock, 0, btf.string("b"), lock, 32});
  return btf.bytes();
}

char log_buffer[4096];
Case with(const char* name, long expected, std::function<void(AttrBtfLoad&)> change,
          std::vector<std::byte> data = good()) {
  return {name, expected, [=](Bpf& b, Fds& f) {
            spec::Attr attr{};
            attr.btf_load.btf = address(data.data());
            attr.btf_load.btf_size = static_cast<std::uint32_t>(data.size());
            change(attr.btf_load);
            return f.keep(b(Command::BtfLoad, attr));
          }};
}

TEST(BtfLoad, Attributes) {
  judge({
      with("a BTF", 0, [](auto&) {}),
      with("unknown flags", -EINVAL, [](auto& a) { a.btf_flags = 1; }),
      with("a token flag without a token", -EBADF,
           [](auto& a) { a.btf_flags = spec::kTokenFd, a.btf_token_fd = kNoFd; }),
      with("nothing", -EINVAL, [](auto& a) { a.btf_size = 0; }),
      with("too much", -E2BIG, [](auto& a) { a.btf_size = (16U << 20) + 1; }),
      with("a bad address", -EFAULT, [](auto& a) { a.btf = 16; }),
      with("half of it", -EINVAL, [](auto& a) { a.btf_size = 30; }),
      with(
          "an unknown kind", -EINVAL, [](auto&) {}, bad()),
      with(
          "a structure with two locks", -E2BIG, [](auto&) {}, two_locks()),
      with("a level without a buffer", 0, [](auto& a) { a.btf_log_level = 1; }),
      with("a buffer without a level", -EINVAL,
           [](auto& a) { a.btf_log_buf = address(log_buffer), a.btf_log_size = sizeof log_buffer; }),
      with("a log", 0,
           [](auto& a) {
             a.btf_log_level = 1, a.btf_log_buf = address(log_buffer), a.btf_log_size = sizeof log_buffer;
           }),
      with("a log that does not fit", -ENOSPC,
           [](auto& a) { a.btf_log_level = 1, a.btf_log_buf = address(log_buffer), a.btf_log_size = 8; }),
      with("a log at a bad address", -EFAULT,
           [](auto& a) { a.btf_log_level = 1, a.btf_log_buf = 16, a.btf_log_size = 4096; }),
      with("an unknown level", -EINVAL,
           [](auto& a) {
             a.btf_log_level = 64, a.btf_log_buf = address(log_buffer), a.btf_log_size = sizeof log_buffer;
           }),
  });
}

TEST(BtfLoad, TheLogIsTheKernels) {
  if (!KernelBpf::here()) GTEST_SKIP() << "no bpf(2) here";
  for (const auto& data : {good(), bad()}) {
    std::string logs[2];
    std::uint32_t sizes[2] = {};
    HiveBpf hive;
    KernelBpf kernel;
    Bpf* both[] = {&hive, &kernel};
    for (int i = 0; i < 2; ++i) {
      Fds fds;
      char text[4096] = {};
      spec::Attr attr{};
      attr.btf_load.btf = address(data.data());
      attr.btf_load.btf_size = static_cast<std::uint32_t>(data.size());
      attr.btf_load.btf_log_level = 1;
      attr.btf_load.btf_log_buf = address(text);
      attr.btf_load.btf_log_size = sizeof text;
      fds.keep((*both[i])(Command::BtfLoad, attr));
      logs[i] = text;
      sizes[i] = attr.btf_load.btf_log_true_size;
    }
    EXPECT_EQ(logs[0], logs[1]);
    EXPECT_EQ(sizes[0], sizes[1]);
  }
}

}  // namespace
}  // namespace skep::hive::testing
