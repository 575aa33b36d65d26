#include "loader/btf_check.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skep::loader {
namespace {

enum class Kind : std::uint8_t {
#define BTF_KIND(id, Name, ...) Name = id,
#include "loader/btf_kinds.def"
#undef BTF_KIND
};
enum class LastWord : std::uint8_t { Nothing, Size, Contains, Refers };

struct KindRow {
  std::string_view name;
  std::uint32_t fixed = 0, each = 0;
  LastWord last = LastWord::Nothing;
};
constexpr std::array<KindRow, 20> kKinds = {{
    {"void"},
#define BTF_KIND(id, Name, fixed, each, last) {#Name, fixed, each, LastWord::last},
#include "loader/btf_kinds.def"
#undef BTF_KIND
}};

struct Header {
  std::uint16_t magic;
  std::uint8_t version, flags;
  std::uint32_t bytes, types_at, types_bytes, strings_at, strings_bytes;
};
static_assert(sizeof(Header) == 24);

struct Common {
  std::uint32_t name, info, last;
};
constexpr std::uint32_t kMaxTypes = 0xfffff;

struct Type {
  Common common{};
  Bytes tail;  // what follows the common part

  std::uint32_t kind() const { return common.info >> 24 & 0x1f; }
  bool is(Kind k) const { return kind() == static_cast<std::uint32_t>(k); }
  std::uint32_t vlen() const { return common.info & 0xffff; }
  // Word `word` of entry `entry` behind the fixed part.
  std::uint32_t word(std::uint32_t entry, std::uint32_t word) const {
    return load<std::uint32_t>(tail.data() + kKinds[kind()].fixed + std::size_t{entry} * kKinds[kind()].each +
                               std::size_t{word} * 4);
  }
};

class Checker {
 public:
  explicit Checker(Bytes btf) : btf_(btf) {}

  Result<> run() {
    TRY_VOID(read_header());
    TRY_VOID(read_types());
    for (std::uint32_t id = 1; id < types_.size(); ++id) TRY_VOID(check(id));
    return check_cycles();
  }

 private:
  static std::unexpected<Error> bad(std::string message) { return fail(ENOEXEC, std::move(message)); }
  std::unexpected<Error> bad_type(std::uint32_t id, std::string_view what) const {
    return bad(fmt::format("type {} ({}): {}", id, kKinds[types_[id].kind()].name, what));
  }

  Result<> read_header() {
    if (btf_.size() < sizeof(Header)) return bad(fmt::format("{} bytes, less than a header", btf_.size()));
    const auto h = load<Header>(btf_.data());
    if (h.magic != 0xeb9f || h.version != 1)
      return bad(fmt::format("magic {:04x} version {}, expected eb9f and 1", h.magic, h.version));
    if (h.bytes < sizeof(Header) || h.bytes > btf_.size()) return bad(fmt::format("a header of {} bytes", h.bytes));
    const Bytes rest = btf_.subspan(h.bytes);
    const auto part = [&](std::uint32_t at, std::uint32_t bytes) -> std::optional<Bytes> {
      if (at > rest.size() || bytes > rest.size() - at) return std::nullopt;
      return rest.subspan(at, bytes);
    };
    const auto types = part(h.types_at, h.types_bytes), strings = part(h.strings_at, h.strings_bytes);
    if (!types || !strings || h.types_at % 4 != 0) return bad("types or strings lie outside of it");
    if (strings->empty() || strings->front() != std::byte{} || strings->back() != std::byte{})
      return bad("strings do not begin and end with a NUL");
    type_bytes_ = *types;
    string_bytes_ = strings->size();
    return {};
  }

  Result<> read_types() {
    types_.push_back({});
    for (Bytes rest = type_bytes_; !rest.empty();) {
      const std::size_t id = types_.size();
      if (rest.size() < sizeof(Common)) return bad(fmt::format("type {} is cut off", id));
      if (id > kMaxTypes) return bad("too many types");
      Type type{.common = load<Common>(rest.data()), .tail = rest.subspan(sizeof(Common))};
      if (type.kind() == 0 || type.kind() >= kKinds.size())
        return bad(fmt::format("type {} is of kind {}, which is unknown", id, type.kind()));
      const KindRow& row = kKinds[type.kind()];
      const std::size_t size = row.fixed + std::size_t{row.each} * type.vlen();
      if (size > type.tail.size()) return bad(fmt::format("type {} is cut off", id));
      type.tail = type.tail.first(size);
      types_.push_back(type);
      rest = rest.subspan(sizeof(Common) + size);
    }
    return {};
  }

  bool exists(std::uint32_t id) const { return id < types_.size(); }
  bool named(std::uint32_t offset) const { return offset < string_bytes_; }

  Result<> check(std::uint32_t id) const {
    const Type& type = types_[id];
    const LastWord last = kKinds[type.kind()].last;
    if (!named(type.common.name)) return bad_type(id, "its name is outside of the strings");
    if (last != LastWord::Nothing && last != LastWord::Size && !exists(type.common.last))
      return bad_type(id, "refers to a type that is not there");
    if (type.is(Kind::Func) && !types_[type.common.last].is(Kind::FuncProto))
      return bad_type(id, "is no function's type");
    if (type.is(Kind::Array) &&
        (!exists(load<std::uint32_t>(type.tail.data())) || !exists(load<std::uint32_t>(type.tail.data() + 4)))) {
      return bad_type(id, "refers to a type that is not there");
    }
    for (std::uint32_t i = 0; i < type.vlen(); ++i) TRY_VOID(check_entry(id, type, i));
    return {};
  }

  Result<> check_entry(std::uint32_t id, const Type& type, std::uint32_t i) const {
    switch (static_cast<Kind>(type.kind())) {
      case Kind::Struct:
      case Kind::Union:
      case Kind::FuncProto:
        if (!named(type.word(i, 0)) || !exists(type.word(i, 1)))
          return bad_type(id, fmt::format("entry {} has no such name or type", i));
        return {};
      case Kind::Enum:
      case Kind::Enum64:
        return named(type.word(i, 0)) ? Result<>{} : bad_type(id, fmt::format("entry {} has no such name", i));
      case Kind::Datasec:
        if (!exists(type.word(i, 0)) ||
            !(types_[type.word(i, 0)].is(Kind::Var) || types_[type.word(i, 0)].is(Kind::Func))) {
          return bad_type(id, fmt::format("entry {} is no variable", i));
        }
        return {};
      case Kind::Int:
      case Kind::Ptr:
      case Kind::Array:
      case Kind::Fwd:
      case Kind::Typedef:
      case Kind::Volatile:
      case Kind::Const:
      case Kind::Restrict:
      case Kind::Func:
      case Kind::Var:
      case Kind::Float:
      case Kind::DeclTag:
      case Kind::TypeTag: return {};
    }
    return {};
  }

  // The i-th type that `type` contains by value; 0 (void) when there are no more.
  std::optional<std::uint32_t> contained(const Type& type, std::uint32_t i) const {
    if (type.kind() == 0) return std::nullopt;
    if (type.is(Kind::Struct) || type.is(Kind::Union))
      return i < type.vlen() ? std::optional(type.word(i, 1)) : std::nullopt;
    if (i > 0) return std::nullopt;
    if (type.is(Kind::Array)) return load<std::uint32_t>(type.tail.data());
    return kKinds[type.kind()].last == LastWord::Contains ? std::optional(type.common.last) : std::nullopt;
  }

  // Depth first with a stack of its own, so that a hostile chain costs memory and not the program's stack.
  Result<> check_cycles() const {
    enum class Mark : std::uint8_t { New, Open, Done };
    struct Frame {
      std::uint32_t id, next;
    };
    std::vector<Mark> marks(types_.size(), Mark::New);
    std::vector<Frame> stack;
    for (std::uint32_t root = 1; root < types_.size(); ++root) {
      if (marks[root] == Mark::New) stack.push_back({root, 0});
      while (!stack.empty()) {
        auto& [id, next] = stack.back();
        marks[id] = Mark::Open;
        const std::optional<std::uint32_t> child = contained(types_[id], next++);
        if (!child) {
          marks[id] = Mark::Done;
          stack.pop_back();
        } else if (marks[*child] == Mark::Open) {
          return bad_type(*child, "contains itself");
        } else if (marks[*child] == Mark::New) {
          if (stack.size() > 512) return bad_type(*child, "is nested too deeply");
          stack.push_back({*child, 0});
        }
      }
    }
    return {};
  }

  Bytes btf_, type_bytes_;
  std::size_t string_bytes_ = 0;
  std::vector<Type> types_;
};

}  // namespace

Result<> check_btf(Bytes btf) { return Checker(btf).run(); }

}  // namespace skep::loader
