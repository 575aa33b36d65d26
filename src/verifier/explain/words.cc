#include "verifier/explain/words.h"

#include <fmt/format.h>

#include <limits>

#include "verifier/explain/facts.h"

namespace skep::verifier {
namespace {

template <class T>
constexpr T kLowest = std::numeric_limits<T>::min();
template <class T>
constexpr T kHighest = std::numeric_limits<T>::max();

// "a number from -3 to 7", "a number of at least 0"; empty when nothing is known.
template <class Bounds>
std::string range_of(const Bounds& bounds) {
  using Signed = decltype(bounds.smin);
  using Unsigned = decltype(bounds.umax);
  if (bounds.umax != kHighest<Unsigned> && bounds.umax <= static_cast<Unsigned>(kHighest<Signed>))
    return fmt::format("from {} to {}", bounds.umin, bounds.umax);
  if (bounds.smin != kLowest<Signed> && bounds.smax != kHighest<Signed>)
    return fmt::format("from {} to {}", bounds.smin, bounds.smax);
  if (bounds.smax != kHighest<Signed>) return fmt::format("of at most {}, which may be negative", bounds.smax);
  if (bounds.smin != kLowest<Signed>) return fmt::format("of at least {}", bounds.smin);
  if (bounds.umax != kHighest<Unsigned>) return fmt::format("of at most {} without sign", bounds.umax);
  if (bounds.umin != 0) return fmt::format("of at least {} without sign", bounds.umin);
  return "";
}

std::string of_map(const Register& value, const Walk& walk, bool key) {
  const spec::MapSpec& map = walk.map(value.map).spec;
  return fmt::format("a {} of map {} ({})", key ? "key" : "value", map.name.empty() ? "?" : map.name,
                     bytes(key ? map.key_size : map.value_size));
}

std::string packet(const Register& value) {
  if (value.range == kAtPacketEnd || value.range == kBeyondPacketEnd) return "packet data at or behind its end";
  if (value.range == 0) return "packet data, nothing of it proven to be there";
  return fmt::format("packet data, {} of it proven to be there", bytes(value.range));
}

std::string target(const Register& value, const Walk& walk) {
  switch (value.kind) {
    case Kind::Context: return "the program's context";
    case Kind::MapPointer: {
      const std::string& name = walk.map(value.map).spec.name;
      return fmt::format("map {} itself", name.empty() ? "?" : name);
    }
    case Kind::MapValue: return of_map(value, walk, false);
    case Kind::MapKey: return of_map(value, walk, true);
    case Kind::Stack: return "the stack";
    case Kind::Packet: return packet(value);
    case Kind::PacketMeta: return "the packet's metadata";
    case Kind::PacketEnd: return "the end of the packet";
    case Kind::FlowKeys: return "flow keys";
    case Kind::Socket:
    case Kind::SockCommon:
    case Kind::TcpSock:
    case Kind::XdpSock: return "a socket";
    case Kind::Btf: return fmt::format("a kernel object, struct {}", walk.names.btf_type(value.btf, value.btf_type));
    case Kind::Memory: return fmt::format("memory of {}", bytes(value.memory_size));
    case Kind::Function: return "a function";
    case Kind::Unset:
    case Kind::Scalar:
    case Kind::TpBuffer:
    case Kind::Arena:
    case Kind::Buffer:
    case Kind::Dynptr:
    case Kind::Iterator: break;
  }
  return fmt::format("a pointer ({})", value.type_name());
}

std::string offset(const Register& value) {
  if (value.kind == Kind::Stack) return value.is_fixed() ? fmt::format(" at fp{:+}", value.offset) : " at some offset";
  if (value.kind == Kind::MapPointer || (value.is_fixed() && value.offset == 0)) return "";
  std::string text = value.offset != 0 ? fmt::format(", {} behind its start", bytes(value.offset)) : "";
  if (!value.is_fixed()) text += fmt::format(", plus {}", describe(value.number));
  return text;
}

}  // namespace

std::string describe(const Scalar64& number) {
  if (number.is_constant()) return fmt::format("the number {}", static_cast<std::int64_t>(number.value()));
  if (const std::string range = range_of(number.full); !range.empty()) return "a number " + range;
  if (const std::string range = range_of(number.half); !range.empty())
    return "a number whose lower 32 bits are one " + range;
  return "any number";
}

std::string describe(const Register& value, const Walk& walk) {
  if (value.kind == Kind::Unset) return "without a value: never written on this path, or lost";
  if (value.is_scalar()) return describe(value.number);
  return target(value, walk) + offset(value) + (value.may_be_null() ? ", or NULL" : "");
}

}  // namespace skep::verifier
