// Helper calls under the checked policy: arguments against the rows of spec/helpers.def, results as new objects.
#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "exec/dynptr.h"
#include "interp/objects.h"

namespace skep::interp {
namespace {

using FailureKind = exec::Failure::Kind;
using spec::ArgBase;
using spec::ArgInfo;
using spec::ArgUse;

constexpr std::uint32_t kSpinLockBytes = 4;
constexpr std::uint32_t kOpaqueBytes = 16;  // of a timer, of a dynptr
constexpr std::uint32_t kKptrBytes = 8;

constexpr bool is_map_of_maps(spec::MapType type) {
  return type == spec::MapType::ArrayOfMaps || type == spec::MapType::HashOfMaps;
}

}  // namespace

// Bytes of memory that the argument in register `reg` points to.
std::uint64_t Objects::memory_bytes(const ArgInfo& info, unsigned reg, const std::uint64_t* r) const noexcept {
  switch (info.base) {
    case ArgBase::MapKey: return map_ ? map_->spec().key_size : 0;
    case ArgBase::MapValue: return map_ ? map_->spec().value_size : 0;
    case ArgBase::Mem: return r[reg + 1];
    case ArgBase::FixedMem: return info.bytes;
    case ArgBase::SpinLock: return kSpinLockBytes;
    case ArgBase::KptrSlot: return kKptrBytes;
    case ArgBase::Timer:
    case ArgBase::Dynptr: return kOpaqueBytes;
    case ArgBase::Stack: return 1;
    case ArgBase::None:
    case ArgBase::Scalar:
    case ArgBase::Unchecked:
    case ArgBase::Map:
    case ArgBase::Size:
    case ArgBase::AllocSize:
    case ArgBase::ConstStr:
    case ArgBase::Ctx:
    case ArgBase::Func:
    case ArgBase::RingbufMem:
    case ArgBase::SockCommon:
    case ArgBase::Socket:
    case ArgBase::AnySock:
    case ArgBase::PercpuBtf:
    case ArgBase::Btf: return 0;
  }
  return 0;
}

bool Objects::check_arguments(const spec::Helper& helper, const std::uint64_t* r) noexcept {
  map_ = nullptr;
  output_.frame = nullptr;
  for (unsigned reg = 1; reg <= helper.arg_count(); ++reg)
    if (!check_argument(helper, reg, r)) return false;
  if (helper.is(spec::HelperTrait::MovesPacket)) forget_hits();
  return true;
}

bool Objects::check_argument(const spec::Helper& helper, unsigned reg, const std::uint64_t* r) noexcept {
  const ArgInfo& info = spec::info(helper.args[reg - 1]);
  const std::uint64_t given = r[reg];
  const std::uint64_t bytes = memory_bytes(info, reg, r);
  if (given == 0 && has(info.use, ArgUse::Null) && (bytes == 0 || info.base != ArgBase::Mem)) return true;
  switch (info.base) {
    case ArgBase::None:
    case ArgBase::Scalar:
    case ArgBase::Unchecked:
    case ArgBase::Size:
    case ArgBase::AllocSize: return true;
    case ArgBase::Map:
      if (!knows_map(given)) return refuse(FailureKind::BadCall, given, 0, "a map argument is no map");
      map_ = reinterpret_cast<maps::Map*>(given);
      return true;
    case ArgBase::Mem:
    case ArgBase::MapKey:
    case ArgBase::MapValue:
    case ArgBase::FixedMem: return check_memory(info.use, given, bytes);
    case ArgBase::SpinLock:
    case ArgBase::Timer:
    case ArgBase::KptrSlot: return check_memory(ArgUse::Reads | ArgUse::Writes, given, bytes);
    case ArgBase::Dynptr:
      return check_memory(info.use, given, bytes) && (has(info.use, ArgUse::Uninit) || check_dynptr(info.use, given));
    case ArgBase::Stack: return true;  // handed on to a callback, whose own accesses are checked
    case ArgBase::ConstStr: return check_string(given);
    case ArgBase::Ctx:
      return given == reinterpret_cast<std::uint64_t>(call_.context) ||
             refuse(FailureKind::BadCall, given, 0, "a context argument is not the context");
    case ArgBase::Func:
      // Of a function that went, as nobody calls it, the address is 0.
      return given == 0 || program_->function(given) ||
             refuse(FailureKind::BadCall, given, 0, "a callback argument is no function");
    case ArgBase::RingbufMem: return check_record(given, has(info.use, ArgUse::Releases));
    case ArgBase::SockCommon:
    case ArgBase::Socket:
    case ArgBase::AnySock:
    case ArgBase::PercpuBtf:
      return refuse(FailureKind::BadCall, given, 0, "an argument is a kernel object, and there are none");
    case ArgBase::Btf:
      return (call_.sequence != nullptr && reinterpret_cast<std::uint64_t>(call_.sequence->handle()) == given) ||
             refuse(FailureKind::BadCall, given, 0, "an argument is a kernel object that is not there");
  }
  return false;
}

bool Objects::check_memory(ArgUse use, std::uint64_t address, std::uint64_t bytes) noexcept {
  if (bytes == 0) return true;
  const std::uint64_t offset = address - stack_;
  if (offset < live_) {
    if (offset % isa::kStackBytes + bytes > isa::kStackBytes || bytes > isa::kStackBytes)
      return refuse(FailureKind::OutOfBounds, address, bytes);
    for (std::uint64_t at = offset; !has(use, ArgUse::Uninit) && at < offset + bytes; ++at)
      if (!(written_[at / 64] >> (at % 64) & 1)) return refuse(FailureKind::Uninitialised, address, bytes);
    if (has(use, ArgUse::Uninit)) note_output(address);
    if (has(use, ArgUse::Writes)) mark_written(address, bytes);
    return true;
  }
  Object object;
  if (!find(address, bytes, object)) return refuse(FailureKind::OutOfBounds, address, bytes);
  if (!object.readable && has(use, ArgUse::Reads)) return refuse(FailureKind::OutOfBounds, address, bytes);
  // Memory that may be read and written by its row is only written by some helpers: those say so by Uninit.
  const bool surely_written = has(use, ArgUse::Uninit) || !has(use, ArgUse::Reads);
  if (surely_written && has(use, ArgUse::Writes) && !object.writable)
    return refuse(FailureKind::ReadOnly, address, bytes);
  return true;
}

bool Objects::check_string(std::uint64_t address) noexcept {
  Object object;
  if (address == 0 || !find(address, 1, object) || object.what != What::Value || object.writable)
    return refuse(FailureKind::BadCall, address, 0, "a constant string is not in read-only memory");
  const std::uint64_t room = object.bytes - (address - object.base);
  return std::memchr(reinterpret_cast<const void*>(address), 0, room) ||
         refuse(FailureKind::OutOfBounds, address, room + 1);
}

bool Objects::check_record(std::uint64_t address, bool released) noexcept {
  const auto end = records_.begin() + static_cast<std::ptrdiff_t>(record_count_);
  const auto record = std::find_if(records_.begin(), end, [&](const Object& known) { return known.base == address; });
  if (record == end)
    return refuse(FailureKind::BadCall, address, 0, "a record argument is no record this run has reserved");
  if (!released) return true;
  *record = *(end - 1);
  --record_count_;
  forget_hits();
  return true;
}

// That what a dynptr stands for is there: nobody may have verified that the program left it as a helper made it.
bool Objects::check_dynptr(ArgUse use, std::uint64_t address) noexcept {
  if (address == 0) return refuse(FailureKind::BadCall, address, 0, "a dynptr argument is null");
  const auto dynptr = load<exec::Dynptr>(reinterpret_cast<const std::byte*>(address));
  const auto memory = reinterpret_cast<std::uint64_t>(dynptr.begin());
  if (dynptr.data == nullptr) return true;
  if (has(use, ArgUse::Releases)) return check_record(memory, true);
  if (dynptr.size == 0) return true;
  Object object;
  const bool in_stack = memory - stack_ < live_;  // none is made over it
  if (in_stack || !find(memory, dynptr.size, object))
    return refuse(FailureKind::BadCall, memory, dynptr.size, "a dynptr argument stands for memory that is not there");
  return object.writable || dynptr.is_read_only != 0 || refuse(FailureKind::ReadOnly, memory, dynptr.size);
}

// A record that was reserved by way of a dynptr.
void Objects::take_dynptr(const ArgInfo& info, std::uint64_t address) noexcept {
  if (info.base != ArgBase::Dynptr || !has(info.use, ArgUse::Uninit) || !has(info.use, ArgUse::Ringbuf)) return;
  const auto dynptr = load<exec::Dynptr>(reinterpret_cast<const std::byte*>(address));
  if (dynptr.data == nullptr || record_count_ == kRecords) return;
  records_[record_count_++] = {
      reinterpret_cast<std::uint64_t>(dynptr.data), dynptr.size, What::Record, true, true, map_};
}

void Objects::mark_written(std::uint64_t address, std::uint64_t bytes) noexcept {
  for (std::uint64_t at = address - stack_; bytes > 0; ++at, --bytes)
    written_[at / 64] |= std::uint64_t{1} << (at % 64);
}

// The strict policy's.
void Objects::note_output(std::uint64_t address) noexcept {
  if (program_->policy() != Policy::Strict || output_.frame != nullptr) return;
  output_.frame = written_ + (address - stack_) / isa::kStackBytes * kFrameWords;
  std::copy_n(output_.frame, kFrameWords, output_.before.begin());
}

void Objects::take_result(const spec::Helper& helper, const std::uint64_t* r, std::uint64_t result) noexcept {
  const bool failed = static_cast<std::int64_t>(result) < 0;
  if (failed && output_.frame != nullptr) std::ranges::copy(output_.before, output_.frame);
  output_.frame = nullptr;
  for (unsigned reg = 1; reg <= helper.arg_count(); ++reg) take_dynptr(spec::info(helper.args[reg - 1]), r[reg]);
  if (result == 0) return;
  const spec::ResultBase base = spec::info(helper.result).base;
  if (base == spec::ResultBase::MapValue && map_) {
    if (is_map_of_maps(map_->spec().type))
      inner_[inner_count_++ % kInner] = reinterpret_cast<maps::Map*>(result);
    else
      lend(value(*map_, result));
  }
  for (unsigned reg = 1; reg <= helper.arg_count(); ++reg) {
    if (spec::info(helper.args[reg - 1]).base != ArgBase::AllocSize) continue;
    if (base == spec::ResultBase::DynptrMem) lend({result, r[reg], What::Memory, true, true, nullptr});
    if (base == spec::ResultBase::RingbufMem && record_count_ < kRecords)
      records_[record_count_++] = {result, r[reg], What::Record, true, true, map_};
  }
}

}  // namespace skep::interp
