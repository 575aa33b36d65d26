#include "spec/types.h"

#include <array>

namespace skep::spec {
namespace {

template <class T>
struct Row {
  T type;
  std::string_view text;
};

constexpr std::array kMapTypes{
#define MAP_TYPE_ROW(id, Name, text) Row{MapType::Name, #text},
#include "spec/map_types.def"
#undef MAP_TYPE_ROW
};

constexpr std::array kProgTypes{
#define PROG_TYPE_ROW(id, Name, text) Row{ProgType::Name, #text},
#include "spec/prog_types.def"
#undef PROG_TYPE_ROW
};

constexpr std::array kAttachTypes{
#define ATTACH_TYPE(id, Name, text) Row{AttachType::Name, #text},
#include "spec/attach_types.def"
#undef ATTACH_TYPE
};

constexpr std::array kLinkTypes{
#define LINK_TYPE(id, Name, text) Row{LinkType::Name, #text},
#include "spec/link_types.def"
#undef LINK_TYPE
};

template <class T>
std::string_view name_in(const auto& rows, T type) noexcept {
  for (const Row<T>& row : rows)
    if (row.type == type) return row.text;
  return "unknown";
}

template <class T>
std::optional<T> find(const auto& rows, auto same) noexcept {
  for (const Row<T>& row : rows)
    if (same(row)) return row.type;
  return std::nullopt;
}

}  // namespace

std::string_view name(MapType type) noexcept { return name_in(kMapTypes, type); }
std::string_view name(ProgType type) noexcept { return name_in(kProgTypes, type); }

std::string_view name(AttachType type) noexcept { return name_in(kAttachTypes, type); }
std::string_view name(LinkType type) noexcept { return name_in(kLinkTypes, type); }

std::optional<MapType> map_type(std::uint32_t number) noexcept {
  return find<MapType>(kMapTypes, [&](const auto& row) { return static_cast<std::uint32_t>(row.type) == number; });
}
std::optional<ProgType> prog_type(std::uint32_t number) noexcept {
  return find<ProgType>(kProgTypes, [&](const auto& row) { return static_cast<std::uint32_t>(row.type) == number; });
}
std::optional<MapType> map_type(std::string_view text) noexcept {
  return find<MapType>(kMapTypes, [&](const auto& row) { return row.text == text; });
}
std::optional<ProgType> prog_type(std::string_view text) noexcept {
  return find<ProgType>(kProgTypes, [&](const auto& row) { return row.text == text; });
}
std::optional<AttachType> attach_type(std::uint32_t number) noexcept {
  return find<AttachType>(kAttachTypes,
                          [&](const auto& row) { return static_cast<std::uint32_t>(row.type) == number; });
}
std::optional<AttachType> attach_type(std::string_view text) noexcept {
  return find<AttachType>(kAttachTypes, [&](const auto& row) { return row.text == text; });
}
std::optional<LinkType> link_type(std::uint32_t number) noexcept {
  return find<LinkType>(kLinkTypes, [&](const auto& row) { return static_cast<std::uint32_t>(row.type) == number; });
}

}  // namespace skep::spec
