// A helper's row in spec/ computes the C++ signature of its body, and an adapter from registers to it.
//
//   argument kind                 parameter
//   Any, Unchecked, AllocSize     an integer or enumeration: the register's low bits
//   ConstMap                      maps::Map&
//   MapKey, MapValue, FixedMem    const std::byte*; std::byte* when the helper writes it
//   Mem with its Size             Bytes; MutableBytes when the helper writes it (data() is null for NULL)
//   ConstStr                      const char*
//   Ctx                           packet::XdpBuff& or packet::SkBuff&, or Context when several kinds of program call it
//   SpinLock                      std::uint32_t&
//   Func                          Function
//   Dynptr                        exec::Dynptr&
//   Stack, RingbufMem, sockets, objects of the kernel's    std::byte*
// The first parameter is exec::Call&. The result is an integer (sign-extended when signed), std::byte* where the
// row says memory, void where it says so. A program whose context is of another kind than the body wants gets -EINVAL.
#pragma once

#include <array>
#include <cerrno>
#include <concepts>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/bytes.h"
#include "exec/call.h"
#include "exec/dynptr.h"
#include "exec/executable.h"
#include "maps/map.h"
#include "packet/sk_buff.h"
#include "packet/xdp_buff.h"
#include "spec/helpers.h"

namespace skep::helpers {

using exec::Call;

// A context of any kind; call.program says which. May be null where the row allows it.
struct Context {
  void* address;
};
// A function of the program, for Call::callback.
enum class Function : std::uint64_t {};

struct Binding {
  spec::HelperId id;
  exec::HelperBody body;
};

namespace detail {

using spec::ArgBase;
using spec::ArgUse;

template <class T>
struct Signature;
template <class R, class... P>
struct Signature<R (*)(Call&, P...) noexcept> {
  using Result = R;
  static constexpr std::size_t count = sizeof...(P);
  template <std::size_t I>
  using Parameter = std::tuple_element_t<I, std::tuple<P...>>;
};

constexpr bool is_pair(ArgBase base) noexcept { return base == ArgBase::Mem; }

// For each parameter the register (0 to 4) it starts at.
struct Layout {
  std::array<std::size_t, spec::kMaxHelperArgs> at{};
  std::size_t count = 0;
};
constexpr Layout layout(const spec::Helper& helper) noexcept {
  Layout result;
  for (std::size_t arg = 0; arg < helper.arg_count(); ++arg) {
    result.at[result.count++] = arg;
    if (is_pair(spec::info(helper.args[arg]).base)) ++arg;  // its Size
  }
  return result;
}

template <class P>
concept Number = std::integral<P> || std::is_enum_v<P>;

// Whether a parameter of type P may receive an argument of this kind.
template <class P>
constexpr bool fits(const spec::ArgInfo& arg) noexcept {
  const bool writes = has(arg.use, ArgUse::Writes);
  constexpr bool writer = std::same_as<P, std::byte*>;
  constexpr bool reader = std::same_as<P, const std::byte*>;
  switch (arg.base) {
    case ArgBase::Scalar:
    case ArgBase::Unchecked:
    case ArgBase::AllocSize: return Number<P> && !std::same_as<P, Function>;
    case ArgBase::Map: return std::same_as<P, maps::Map&>;
    case ArgBase::MapKey:
    case ArgBase::MapValue:
    case ArgBase::FixedMem: return writes ? writer : reader;
    case ArgBase::Mem: return writes ? std::same_as<P, MutableBytes> : std::same_as<P, Bytes>;
    case ArgBase::ConstStr: return std::same_as<P, const char*>;
    case ArgBase::Ctx:
      return std::same_as<P, Context> || std::same_as<P, packet::XdpBuff&> || std::same_as<P, packet::SkBuff&>;
    case ArgBase::SpinLock: return std::same_as<P, std::uint32_t&>;
    case ArgBase::Func: return std::same_as<P, Function>;
    case ArgBase::Dynptr: return std::same_as<P, exec::Dynptr&>;
    case ArgBase::Stack:
    case ArgBase::SockCommon:
    case ArgBase::Socket:
    case ArgBase::AnySock:
    case ArgBase::Btf:
    case ArgBase::RingbufMem: return writer;
    case ArgBase::None:
    case ArgBase::Size:
    case ArgBase::Timer:
    case ArgBase::KptrSlot:
    case ArgBase::PercpuBtf: return false;
  }
  return false;
}

template <class R>
constexpr bool result_fits(spec::ResultBase result) noexcept {
  switch (result) {
    case spec::ResultBase::Integer: return std::integral<R>;
    case spec::ResultBase::Void: return std::is_void_v<R>;
    case spec::ResultBase::MapValue:
    case spec::ResultBase::Socket:
    case spec::ResultBase::TcpSock:
    case spec::ResultBase::SockCommon:
    case spec::ResultBase::DynptrMem:
    case spec::ResultBase::RingbufMem: return std::same_as<R, std::byte*>;
    case spec::ResultBase::MemOrBtf:
    case spec::ResultBase::Btf: return false;
  }
  return false;
}

// The kind of context a parameter needs.
template <class P>
constexpr bool accepts(exec::ContextKind kind) noexcept {
  if constexpr (std::same_as<P, packet::XdpBuff&>) return kind == exec::ContextKind::XdpBuff;
  if constexpr (std::same_as<P, packet::SkBuff&>) return kind == exec::ContextKind::SkBuff;
  return true;
}

using Registers = std::array<std::uint64_t, spec::kMaxHelperArgs>;

template <class P>
P argument(const Registers& r, std::size_t at) noexcept {
  if constexpr (Number<P>)
    return static_cast<P>(r[at]);
  else if constexpr (std::same_as<P, Bytes> || std::same_as<P, MutableBytes>)
    return {reinterpret_cast<typename P::pointer>(r[at]), r[at + 1]};
  else if constexpr (std::same_as<P, Context>)
    return {reinterpret_cast<void*>(r[at])};
  else if constexpr (std::is_reference_v<P>)
    return *reinterpret_cast<std::remove_reference_t<P>*>(r[at]);
  else
    return reinterpret_cast<P>(r[at]);
}

// A result as it is in r0.
template <class R>
std::uint64_t value(R result) noexcept {
  if constexpr (std::is_pointer_v<R>)
    return reinterpret_cast<std::uint64_t>(result);
  else if constexpr (std::is_signed_v<R>)
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(result));
  else
    return static_cast<std::uint64_t>(result);
}

}  // namespace detail

template <spec::HelperId id, auto body>
struct Adapter {
  using Signature = detail::Signature<decltype(body)>;
  using Result = typename Signature::Result;
  static constexpr const spec::Helper& row = spec::helper(id);
  static constexpr detail::Layout layout = detail::layout(row);
  using Indices = std::make_index_sequence<Signature::count>;

  static constexpr bool parameters_fit() noexcept {
    if constexpr (Signature::count != layout.count)
      return false;
    else
      return []<std::size_t... I>(std::index_sequence<I...>) {
        return (detail::fits<typename Signature::template Parameter<I>>(spec::info(row.args[layout.at[I]])) && ...);
      }(Indices{});
  }
  static_assert(parameters_fit(), "the body's parameters are not those of its row in spec/helpers.def");
  static_assert(detail::result_fits<Result>(spec::info(row.result).base), "nor is its result");

  static std::uint64_t call(Call& call, std::uint64_t r1, std::uint64_t r2, std::uint64_t r3, std::uint64_t r4,
                            std::uint64_t r5) noexcept {
    const detail::Registers r{r1, r2, r3, r4, r5};
    return [&]<std::size_t... I>(std::index_sequence<I...>) noexcept -> std::uint64_t {
      if (!(right_context<typename Signature::template Parameter<I>>(call) && ...)) return error(-EINVAL);
      if constexpr (std::is_void_v<Result>) {
        body(call, detail::argument<typename Signature::template Parameter<I>>(r, layout.at[I])...);
        return 0;
      } else {
        return detail::value(
            body(call, detail::argument<typename Signature::template Parameter<I>>(r, layout.at[I])...));
      }
    }(Indices{});
  }

 private:
  template <class P>
  static bool right_context(const Call& call) noexcept {
    if constexpr (std::same_as<P, packet::XdpBuff&> || std::same_as<P, packet::SkBuff&>)
      return call.program == nullptr || detail::accepts<P>(call.program->image().context);
    else
      return true;
  }
  static constexpr std::uint64_t error(std::int64_t code) noexcept { return static_cast<std::uint64_t>(code); }
};

// A row of a subject's table: binds function `name` to helper `name`.
#define SKEP_BIND(name) \
  Binding { spec::HelperId::name, &Adapter<spec::HelperId::name, &name>::call }

// A kernel function: no row says what its parameters are, so they are the registers in their order.
struct KfuncBinding {
  std::string_view name;
  exec::HelperBody body;
};

template <auto body>
struct KfuncAdapter {
  using Signature = detail::Signature<decltype(body)>;
  using Result = typename Signature::Result;

  static std::uint64_t call(Call& call, std::uint64_t r1, std::uint64_t r2, std::uint64_t r3, std::uint64_t r4,
                            std::uint64_t r5) noexcept {
    const detail::Registers r{r1, r2, r3, r4, r5};
    return [&]<std::size_t... I>(std::index_sequence<I...>) noexcept -> std::uint64_t {
      if constexpr (std::is_void_v<Result>) {
        body(call, detail::argument<typename Signature::template Parameter<I>>(r, I)...);
        return 0;
      } else {
        return detail::value(body(call, detail::argument<typename Signature::template Parameter<I>>(r, I)...));
      }
    }(std::make_index_sequence<Signature::count>{});
  }
};

#define SKEP_BIND_KFUNC(function) \
  KfuncBinding { #function, &KfuncAdapter<&function>::call }

}  // namespace skep::helpers
