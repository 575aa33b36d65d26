// Expected texts and lengths were read off Linux 6.18's bpf_snprintf and bpf_trace_vprintk.
#include "helpers/format.h"

#include <string>

#include "helpers/testing_run.h"

#include <sys/mman.h>

namespace skep::helpers::testing {
namespace {

const char kHello[] = "hello";
const unsigned char kIp[16] = {192, 168, 0, 1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
const std::uint64_t s = reg(static_cast<const char*>(kHello)), ip = reg(static_cast<const unsigned char*>(kIp));
const std::uint64_t m1 = ~std::uint64_t{0};

std::string print(std::string_view format, std::vector<std::uint64_t> arguments) {
  char text[128];
  const std::int64_t length = format_text(text, format, arguments);
  return length < 0 ? "error " + std::to_string(length) : std::string(text);
}

struct Row {
  std::string_view format;
  std::vector<std::uint64_t> arguments;
  std::string expected;
};
class Format : public ::testing::TestWithParam<Row> {};
TEST_P(Format, Prints) { EXPECT_EQ(print(GetParam().format, GetParam().arguments), GetParam().expected); }
INSTANTIATE_TEST_SUITE_P(
    Rows, Format,
    ::testing::Values(
        Row{"%d|%5d|%-5d|%05d", {m1, 42, 42, std::uint64_t(-42)}, "-1|   42|42   |-0042"},
        Row{"%+d|% d|%u", {7, 7, m1}, "+7| 7|4294967295"},
        Row{"%x|%X|%08x|%lx", {0xabc, 0xabc, 0xabc, 0x123456789ab}, "abc|ABC|00000abc|123456789ab"},
        Row{"%s|%8s|%-8s|", {s, s, s}, "hello|   hello|hello   |"}, Row{"%3s", {s}, "hello"},
        Row{"%c|%3c|%-3c|", {'a', 'b', 'c'}, "a|  b|c  |"}, Row{"%pI4 %pi4", {ip, ip}, "192.168.0.1 192.168.000.001"},
        Row{"%pI6", {ip}, "c0a8:0001:0506:0708:090a:0b0c:0d0e:0f10"},
        Row{"%pi6", {ip}, "c0a8000105060708090a0b0c0d0e0f10"},
        Row{"%px|%20px|%-20px|",
            {0x1234, 0x1234, 0x1234},
            "0000000000001234|                1234|1234                |"},
        Row{"%p %pK", {0, 0}, "0000000000000000 0000000000000000"},
        Row{"%pks|%10pks|%pus", {s, s, s}, "hello|hello|hello"},
        Row{"%ps %pS %pB", {0x1234, 0x1234, 0x1234}, "0x1234 0x1234 0x1234"},
        Row{"%lld %llu %ld %lu %li",
            {m1, m1, m1, m1, std::uint64_t(-5)},
            "-1 18446744073709551615 -1 18446744073709551615 -5"},
        Row{"%%%d%%", {1}, "%1%"}, Row{"%s|%pI4|%pI6", {1, 1, 1}, "|0.0.0.0|0000:0000:0000:0000:0000:0000:0000:0000"},
        Row{"%pxabc %d", {0x12, 3}, "0000000000000012 3"},
        Row{"%pI6c %d", {ip, 3}, "c0a8:0001:0506:0708:090a:0b0c:0d0e:0f10 3"}, Row{"%20pI4|", {ip}, "192.168.0.1|"},
        Row{"%d", {1, 2}, "1"},
        Row{"%+x|%010d|%-010d|", {5, std::uint64_t(-3), std::uint64_t(-3)}, "5|-000000003|-3        |"},
        Row{"%00000d|%0-5d|%-+5d|", {1, 2, 3}, "1|2    |+3   |"}, Row{"%li %i", {1, 2}, "1 2"},
        Row{"a\nb\t%d", {3}, "a\nb\t3"}, Row{"%d\x80", {1}, "1\x80"}, Row{"%-+ 0d", {1}, "+1"},
        Row{"%05px|%-5px|", {0xffff888119dafd38, 1}, "ffff888119dafd38|1    |"}, Row{"plain", {}, "plain"},
        Row{"", {1}, ""}, Row{"%pBx", {0x12}, "0x12"}, Row{"%8pS|%-8pS|", {1, 2}, "     0x1|0x2     |"},
        Row{"%lld", {std::uint64_t{1} << 63}, "-9223372036854775808"}));

INSTANTIATE_TEST_SUITE_P(
    Errors, Format,
    ::testing::Values(Row{"%#x", {1}, "error -22"}, Row{"%hd", {1}, "error -22"}, Row{"%n", {1}, "error -22"},
                      Row{"%.3d", {1}, "error -22"}, Row{"%", {1}, "error -22"}, Row{"%5", {1}, "error -22"},
                      Row{"%pI5", {1}, "error -22"}, Row{"%sx", {s}, "error -22"}, Row{"%d %d", {1}, "error -22"},
                      Row{"%5%", {1}, "error -22"}, Row{"%lc", {1}, "error -22"}, Row{"a\x01", {1}, "error -22"},
                      Row{"%p%", {1}, "error -22"}, Row{"%\x80", {1}, "error -22"}, Row{"%s\x80", {s}, "error -22"},
                      Row{"%p\x80", {1}, "error -22"}, Row{"%px%", {1}, "error -22"}, Row{"a\x7f", {1}, "error -22"},
                      Row{"%pe", {1}, "error -22"}, Row{"%ll", {1}, "error -22"}, Row{"%llld", {1}, "error -22"},
                      Row{"%pksx", {s}, "error -22"}, Row{"%pd", {1}, "error -22"}, Row{"%d", {}, "error -22"}));

TEST(FormatText, ArgumentsFill512Bytes) {
  const std::string longer(599, 'A');
  const std::uint64_t big = reg(longer.data());
  EXPECT_EQ(format_text({}, "%s", std::array{big}), 511);
  EXPECT_EQ(format_text({}, "%s%s", std::array{big, big}), -ENOSPC);
  EXPECT_EQ(format_text({}, "%s%d", std::array{big, std::uint64_t{1}}), -ENOSPC);
  EXPECT_EQ(format_text({}, "%s%pI4", std::array{big, ip}), -ENOSPC);
  EXPECT_EQ(format_text({}, "%s%c", std::array{big, std::uint64_t{'c'}}), -ENOSPC);
  EXPECT_EQ(format_text({}, "%s%%", std::array{big}), 512);
}

TEST(FormatText, WidthsAreBoundedAndCostNothing) {
  EXPECT_EQ(format_text({}, "%99999999d", std::array{std::uint64_t{1}}), 8388607);
  EXPECT_EQ(format_text({}, "%99999999999d", std::array{std::uint64_t{1}}), 8388607);
  EXPECT_EQ(format_text({}, "%4294967295d|", std::array{std::uint64_t{1}}), 2);  // wraps to -1
}

TEST(FormatText, CutsLikeSnprintf) {
  char text[4] = {'#', '#', '#', '#'};
  EXPECT_EQ(format_text(std::span(text).first(3), "%s", std::array{s}), 5);
  EXPECT_STREQ(text, "he");
  EXPECT_EQ(text[3], '#');
  EXPECT_EQ(format_text(std::span(text).first(0), "%s", std::array{s}), 5);
  EXPECT_EQ(text[0], 'h');
  EXPECT_EQ(format_text(text, "%d", {}), -EINVAL);
  EXPECT_STREQ(text, "he");
}

TEST(FormatText, HashedPointersAreShortAndStable) {
  const std::string once = print("%p", {0xffff888119dafd38});
  EXPECT_EQ(once.size(), 16U);
  EXPECT_TRUE(once.starts_with("00000000"));
  EXPECT_EQ(print("%p", {0xffff888119dafd38}), once);
  EXPECT_NE(print("%p", {0xffff888119dafd39}), once);
  EXPECT_EQ(print("%p", {std::uint64_t(-22)}), "ffffffffffffffea");  // an error is no secret
}

TEST(FormatText, StringsMayEndAtUnmappedMemory) {
  void* const page = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  auto* const end = static_cast<char*>(page) + 4096;
  std::memcpy(end - 4, "end", 4);
  ASSERT_EQ(::munmap(end, 4096), 0);
  EXPECT_EQ(print("%s", {reg(end - 4)}), "end");
  end[-1] = '!';
  EXPECT_EQ(print("[%s]", {reg(end - 4)}), "[]");
  EXPECT_EQ(print("%pI4|%pI6", {reg(end - 4), reg(end - 4)}), "101.110.100.33|0000:0000:0000:0000:0000:0000:0000:0000");
  ::munmap(page, 4096);
}

struct Print : ::testing::Test {
  TestHost host;
  exec::Call call{host};
};

TEST_F(Print, TracePrintk) {
  const char format[] = "a %d b %d";
  EXPECT_EQ(invoke(call, HelperId::trace_printk, format, sizeof format, 1, 2, 3), 7);
  EXPECT_EQ(host.traced, "a 1 b 2");
  EXPECT_EQ(invoke(call, HelperId::trace_printk, format, sizeof format - 1, 1, 2, 3), -EINVAL);  // no NUL
  const char four[] = "%d%d%d%d";
  EXPECT_EQ(invoke(call, HelperId::trace_printk, four, sizeof four, 1, 2, 3), -EINVAL);
  EXPECT_EQ(host.traced, "a 1 b 2");
}

TEST_F(Print, TraceLinesAreCutAt1023) {
  const char format[] = "%2000d";
  EXPECT_EQ(invoke(call, HelperId::trace_printk, format, sizeof format, 1, 2, 3), 2000);
  EXPECT_EQ(host.traced, std::string(1023, ' '));
}

TEST_F(Print, TraceVprintk) {
  const char format[] = "%d %d %d %d";
  const std::uint64_t data[13] = {1, 2, 3, 4};
  EXPECT_EQ(invoke(call, HelperId::trace_vprintk, format, sizeof format, data, 96), 7);
  EXPECT_EQ(host.traced, "1 2 3 4");
  EXPECT_EQ(invoke(call, HelperId::trace_vprintk, format, sizeof format, data, 104), -EINVAL);
  EXPECT_EQ(invoke(call, HelperId::trace_vprintk, format, sizeof format, data, 33), -EINVAL);
  EXPECT_EQ(invoke(call, HelperId::trace_vprintk, format, sizeof format, nullptr, 32), -EINVAL);
}

TEST_F(Print, Snprintf) {
  char text[8] = {};
  const std::uint64_t data[] = {12345678};
  EXPECT_EQ(invoke(call, HelperId::snprintf, text, sizeof text, "%d", data, 8), 9);
  EXPECT_STREQ(text, "1234567");
  EXPECT_EQ(invoke(call, HelperId::snprintf, nullptr, 0, "%d", data, 8), 9);
  EXPECT_EQ(invoke(call, HelperId::snprintf, text, sizeof text, "%d", nullptr, 0), -EINVAL);
  EXPECT_EQ(invoke(call, HelperId::snprintf, text, sizeof text, "%d", data, 7), -EINVAL);
}

// The same formats through the kernel's bpf_trace_vprintk: their lengths and errors.
TEST(FormatKernel, LengthsAgree) {
  if (!no_kernel().empty()) GTEST_SKIP() << no_kernel();
  Steps steps;
  for (const std::string_view format : {"%d",        "%5d|%-7d|%07d",
                                        "%u %x %X",  "%ld %lld %llu %lx",
                                        "%c%5c%-5c", "%pI4|%pi4",
                                        "%pI6|%pi6", "%s|%9s",
                                        "%ps|%pB",   "%pks",
                                        "%px|%20px", "%hd",
                                        "%.3d",      "%p%",
                                        "%sx",       "%5%",
                                        "%",         "%%",
                                        "%99999d",   "%+d|% d",
                                        "%-+ 0d",    "%d%d%d%d%d",
                                        "%pI4x%d",   "%#x",
                                        "a\x01"}) {
    Buffer text(format.size() + 1);
    std::memcpy(text.data(), format.data(), format.size());
    const Buffer data = packet::testing::hex("0100000000000000 ffffffffffffffff 1700000000000000 9cffffffffffffff");
    const auto size = static_cast<std::int64_t>(text.size());
    steps.push_back({HelperId::trace_vprintk, {in(text), num(size), in(data), num(32)}});
  }
  const Input input{.packet = packet::testing::ipv4_tcp()};
  EXPECT_EQ(run_here(steps, input).results, run_in_kernel(steps, input).results);
}

}  // namespace
}  // namespace skep::helpers::testing
