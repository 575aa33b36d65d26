#include "spec/prog_rules.h"

#include <algorithm>
#include <array>

namespace skep::spec {
namespace {

// An end of a range; Any leaves it open.
struct End {
  bool open;
  std::int32_t value = 0;
  constexpr End(std::int32_t number) : open(false), value(number) {}  // NOLINT: the table's numbers
  constexpr explicit End() : open(true) {}
};
constexpr End Any{};

constexpr ReturnRange range(End min, End max) noexcept {
  ReturnRange made;
  if (!min.open) made.min = min.value;
  if (!max.open) made.max = max.value;
  return made;
}

struct Row {
  ProgType type;
  TestRun test_run;
  ReturnRange returns;
};

constexpr std::array kRows{
#define PROG_RULE(Type, run, min, max) Row{ProgType::Type, TestRun::run, range(min, max)},
#define RETURN_RULE(...)
#define PACKET_RULE(...)
#define PLAIN_CONTEXT(...)
#include "spec/prog_rules.def"
#undef PROG_RULE
#undef RETURN_RULE
#undef PACKET_RULE
#undef PLAIN_CONTEXT
};

struct AttachRow {
  ProgType type;
  ReturnRange returns;
  std::uint64_t attach_types;  // one bit each
};

template <class... Types>
constexpr std::uint64_t mask(Types... types) noexcept {
  return (... | (std::uint64_t{1} << static_cast<unsigned>(types)));
}

constexpr std::array kAttachRows{
#define PROG_RULE(...)
#define RETURN_RULE(Type, min, max, ...)          \
  AttachRow{ProgType::Type, range(min, max), [] { \
              using enum AttachType;              \
              return mask(__VA_ARGS__);           \
            }()},
#define PACKET_RULE(...)
#define PLAIN_CONTEXT(...)
#include "spec/prog_rules.def"
#undef PROG_RULE
#undef RETURN_RULE
#undef PACKET_RULE
#undef PLAIN_CONTEXT
};

}  // namespace

PacketRights packet_rights(ProgType type) noexcept {
  switch (type) {
#define PROG_RULE(...)
#define RETURN_RULE(...)
#define PACKET_RULE(Type, rights) \
  case ProgType::Type: return PacketRights::rights;
#define PLAIN_CONTEXT(...)
#include "spec/prog_rules.def"
#undef PROG_RULE
#undef RETURN_RULE
#undef PACKET_RULE
#undef PLAIN_CONTEXT
    default: return PacketRights::None;
  }
}

bool has_plain_context(ProgType type) noexcept {
  switch (type) {
#define PROG_RULE(...)
#define RETURN_RULE(...)
#define PACKET_RULE(...)
#define PLAIN_CONTEXT(Type) case ProgType::Type:
#include "spec/prog_rules.def"
#undef PROG_RULE
#undef RETURN_RULE
#undef PACKET_RULE
#undef PLAIN_CONTEXT
    return true;
    default: return false;
  }
}

TestRun test_run(ProgType type) noexcept {
  const auto row = std::ranges::find(kRows, type, &Row::type);
  return row == kRows.end() ? TestRun::None : row->test_run;
}

ReturnRange return_range(ProgType type, AttachType attach) noexcept {
  for (const AttachRow& row : kAttachRows) {
    if (row.type == type && (row.attach_types & mask(attach)) != 0) return row.returns;
  }
  const auto row = std::ranges::find(kRows, type, &Row::type);
  return row == kRows.end() ? ReturnRange{} : row->returns;
}

}  // namespace skep::spec
