#include "spec/helper_maps.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace skep::spec {
namespace {

// One bit per map type.
template <class... Types>
constexpr std::uint64_t mask(Types... types) noexcept {
  return (... | (std::uint64_t{1} << static_cast<unsigned>(types)));
}

template <class... Ids>
constexpr auto list(Ids... ids) noexcept {
  std::array<HelperId, 8> result{};
  std::size_t n = 0;
  ((result[n++] = ids), ...);
  return result;
}

struct MapRow {
  MapType type;
  std::array<HelperId, 8> helpers;  // unspec behind the last
};
struct HelperRow {
  HelperId helper;
  std::uint64_t types;
};
struct ChangeRow {
  ProgType type;
  std::array<HelperId, 8> helpers;
};

#define HELPER_MAPS(...)
#define SOCKMAP_CHANGES(...)
#define MAP_WALKS(...)
#define MAP_HELPERS(Type, ...)       \
  MapRow{MapType::Type, [] {         \
           using enum HelperId;      \
           return list(__VA_ARGS__); \
         }()},
constexpr std::array kMaps{
#include "spec/helper_maps.def"
};
#undef MAP_HELPERS
#undef HELPER_MAPS
#define MAP_HELPERS(...)
#define HELPER_MAPS(name, ...)          \
  HelperRow{HelperId::name, [] {        \
              using enum MapType;       \
              return mask(__VA_ARGS__); \
            }()},
constexpr std::array kHelpers{
#include "spec/helper_maps.def"
};
#undef HELPER_MAPS
#undef SOCKMAP_CHANGES
#define HELPER_MAPS(...)
#define SOCKMAP_CHANGES(Type, ...)      \
  ChangeRow{ProgType::Type, [] {        \
              using enum HelperId;      \
              return list(__VA_ARGS__); \
            }()},
constexpr std::array kChanges{
#include "spec/helper_maps.def"
};
#undef SOCKMAP_CHANGES
#undef MAP_WALKS
#define SOCKMAP_CHANGES(...)
#define MAP_WALKS(...)        \
  [] {                        \
    using enum MapType;       \
    return mask(__VA_ARGS__); \
  }()
constexpr std::uint64_t kWalkable =
#include "spec/helper_maps.def"
    ;
#undef MAP_WALKS
#undef SOCKMAP_CHANGES
#undef HELPER_MAPS
#undef MAP_HELPERS

bool map_takes_helper(HelperId helper, MapType type) noexcept {
  const auto row = std::ranges::find(kMaps, type, &MapRow::type);
  return row == kMaps.end() || std::ranges::find(row->helpers, helper) != row->helpers.end();
}

}  // namespace

bool helper_takes_map(HelperId helper, MapType type) noexcept {
  if (!map_takes_helper(helper, type)) return false;
  const auto row = std::ranges::find(kHelpers, helper, &HelperRow::helper);
  return row == kHelpers.end() || (row->types & mask(type)) != 0;
}

bool may_change_sockmap(ProgType type, AttachType attach, HelperId helper) noexcept {
  const auto row = std::ranges::find(kChanges, type, &ChangeRow::type);
  if (row == kChanges.end() || (type == ProgType::Tracing && attach != AttachType::TraceIter)) return false;
  return std::ranges::find(row->helpers, helper) != row->helpers.end();
}

bool is_walkable(MapType type) noexcept { return (kWalkable & mask(type)) != 0; }

}  // namespace skep::spec
