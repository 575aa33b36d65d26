#include "btf/check.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/errno.h"

namespace skep::btf {
namespace {

struct Section {
  std::uint64_t offset, length;
};

}  // namespace

std::unexpected<Error> Checker::refuse(int code, std::string text) {
  log_.write(text);
  while (text.ends_with('\n')) text.pop_back();
  return fail(code, "BTF refused: " + text);
}

std::unexpected<Error> Checker::refuse(const Type& type, std::string_view message, int code) {
  return refuse(code, fmt::format("{} {}\n", describe(type), message));
}

// Once types are looked at together, the log names the structure before the member.
std::unexpected<Error> Checker::refuse_member(const Type& composite, std::uint32_t i, std::string_view message,
                                              std::uint32_t type) {
  if (!visits_.empty()) log_.line(describe(composite));
  return refuse(EINVAL, fmt::format("{} {}\n", describe_member(composite, i, type), message));
}

std::unexpected<Error> Checker::refuse_variable(const Type& section, std::uint32_t i, std::string_view message) {
  if (!visits_.empty()) log_.line(describe(section));
  return refuse(EINVAL, fmt::format("{} {}\n", describe_variable(section.variable(i)), message));
}

Result<> Checker::check() {
  TRY_VOID(header());
  TRY_VOID(sections());
  TRY_VOID(strings());
  TRY_VOID(types_alone());
  TRY_VOID(types_together());
  TRY_VOID(tags_first());
  index_names();
  return {};
}

Result<> Checker::header() {
  const Bytes bytes = btf_.bytes();
  if (bytes.size() > kMaxBytes)
    return fail(E2BIG, fmt::format("BTF of {} bytes; at most 16 MiB are allowed", bytes.size()));
  constexpr std::size_t kLengthAt = offsetof(RawHeader, hdr_len);
  if (bytes.size() < kLengthAt + sizeof(std::uint32_t)) return refuse(EINVAL, "hdr_len not found");
  const auto length = load<std::uint32_t>(bytes.data() + kLengthAt);
  if (bytes.size() < length) return refuse(EINVAL, "btf_header not found");
  for (std::size_t i = sizeof(RawHeader); i < length; ++i)
    if (bytes[i] != std::byte{0}) return refuse(E2BIG, "Unsupported btf_header");
  std::memcpy(&header_, bytes.data(), std::min<std::size_t>(length, sizeof header_));

  if (log_.wanted()) {
    log_.line(fmt::format("magic: 0x{:x}\nversion: {}\nflags: 0x{:x}\nhdr_len: {}", header_.magic, header_.version,
                          header_.flags, header_.hdr_len));
    log_.line(fmt::format("type_off: {}\ntype_len: {}\nstr_off: {}\nstr_len: {}\nbtf_total_size: {}", header_.type_off,
                          header_.type_len, header_.str_off, header_.str_len, bytes.size()));
  }
  if (header_.magic != kMagic) return refuse(EINVAL, "Invalid magic");
  if (header_.version != 1) return refuse(kNotSupported, "Unsupported version");
  if (header_.flags != 0) return refuse(kNotSupported, "Unsupported flags");
  if (bytes.size() == length) return refuse(EINVAL, "No data");
  return {};
}

// The two sections fill the rest of the bytes, in either order, without gap or overlap.
Result<> Checker::sections() {
  const std::uint64_t expected = btf_.bytes().size() - header_.hdr_len;
  std::array in_order{Section{header_.str_off, header_.str_len}, Section{header_.type_off, header_.type_len}};
  // The kernel compares by the sign of the difference, and this decides which of two errors it finds first.
  const std::uint32_t apart = header_.str_off - header_.type_off;
  if (static_cast<std::int32_t>(apart) > 0) std::swap(in_order[0], in_order[1]);
  std::uint64_t total = 0;
  for (const Section& section : in_order) {
    if (expected < section.offset) return refuse(EINVAL, "Invalid section offset");
    if (total < section.offset) return refuse(EINVAL, "Unsupported section found");
    if (total > section.offset) return refuse(EINVAL, "Section overlap found");
    if (expected - total < section.length) return refuse(EINVAL, "Total section length too long");
    total += section.length;
  }
  if (expected != total) return refuse(EINVAL, "Unsupported section found");
  return {};
}

Result<> Checker::strings() {
  const Bytes bytes = btf_.bytes();
  const std::size_t start = std::size_t{header_.hdr_len} + header_.str_off;
  if (start + header_.str_len != bytes.size()) return refuse(EINVAL, "String section is not at the end");
  const Bytes section = bytes.subspan(start);
  if (section.empty() || section.size() - 1 > kMaxNameOffset || section.front() != std::byte{0} ||
      section.back() != std::byte{0}) {
    return refuse(EINVAL, "Invalid string section");
  }
  btf_.strings_ = start;
  btf_.string_bytes_ = section.size();
  return {};
}

Result<> Checker::types_alone() {
  if (header_.type_off % 4 != 0) return refuse(EINVAL, "Unaligned type_off");
  if (header_.type_len == 0) return refuse(EINVAL, "No type found");
  const Bytes section = btf_.bytes().subspan(std::size_t{header_.hdr_len} + header_.type_off, header_.type_len);
  btf_.offsets_.assign(1, 0);
  for (std::size_t at = 0; at < section.size();) {
    const auto id = static_cast<std::uint32_t>(btf_.offsets_.size());
    const Bytes rest = section.subspan(at);
    if (rest.size() < sizeof(RawType))
      return refuse(EINVAL, fmt::format("[{}] meta_left:{} meta_needed:{}", id, rest.size(), sizeof(RawType)));
    TRY(const std::size_t bytes, meta(id, load<RawType>(rest.data()), rest));
    if (id > kMaxTypeId) return refuse(E2BIG, fmt::format("Exceeded max num of types {}", kMaxTypeId));
    at += bytes;
  }
  return {};
}

// In a chain of modifiers all type tags come first. Each chain is followed once: what lies behind a type is remembered.
Result<> Checker::tags_first() {
  enum class Chain : std::uint8_t { Unknown, None, TagsFirst, TagLater };
  std::vector<Chain> chains(btf_.offsets_.size(), Chain::Unknown);
  std::vector<std::uint32_t> path;
  for (std::uint32_t id = 1; id <= btf_.count(); ++id) {
    path.clear();
    std::uint32_t at = id;
    while (btf_.has(at) && chains[at] == Chain::Unknown && is_modifier(btf_.type(at).kind())) {
      path.push_back(at);
      at = btf_.type(at).type();
    }
    Chain behind = btf_.has(at) && is_modifier(btf_.type(at).kind()) ? chains[at] : Chain::None;
    for (std::size_t i = path.size(); i-- > 0;) {
      const bool tag = btf_.type(path[i]).kind() == Kind::TypeTag;
      if (tag && behind != Chain::TagLater) behind = Chain::TagsFirst;
      if (!tag && behind != Chain::None) behind = Chain::TagLater;
      chains[path[i]] = behind;
    }
    if (chains[id] == Chain::TagLater) return refuse(EINVAL, "Type tags don't precede modifiers");
  }
  return {};
}

void Checker::index_names() {
  btf_.by_name_.reserve(btf_.offsets_.size());
  for (std::uint32_t id = 1; id <= btf_.count(); ++id) {
    const std::string_view name = btf_.type(id).name();
    if (!name.empty()) btf_.by_name_.emplace(name, id);
  }
}

Result<Btf> Btf::parse(Bytes bytes, std::string* log, Rules rules) {
  Btf btf;
  btf.bytes_.assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(std::min(bytes.size(), kMaxBytes + 1)));
  TRY_VOID(Checker(btf, log, rules).check());
  return btf;
}

}  // namespace skep::btf
