#include "map_judge/side.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <span>
#include <thread>

#include "btf/testing_builder.h"
#include "kernel/bpf.h"
#include "spec/info.h"

namespace skep::map_judge {
namespace {

using spec::Attr, spec::Command;

constexpr std::uint64_t kNowhere = 1;  // an address that is never mapped
constexpr std::uint32_t kMostInBatch = 4096;

template <class T>
std::uint64_t address(T* of) noexcept {
  return reinterpret_cast<std::uintptr_t>(of);
}
std::uint64_t address(Blob& of) noexcept { return address(of.data()); }

std::uint64_t spoilt(std::uint64_t address, Flaw flaw, Flaw null, Flaw nowhere) noexcept {
  if (flaw == null) return 0;
  return flaw == nowhere ? kNowhere : address;
}

// The last byte of the union: no field of a command of maps.
void stray(Attr& attr) noexcept { reinterpret_cast<std::byte*>(&attr)[sizeof attr - 1] = std::byte{1}; }

Fd made(long fd) { return Fd(fd < 0 ? -1 : static_cast<int>(fd)); }

}  // namespace

Side::Side(std::unique_ptr<hive::Hive> hive, const SharedThings& shared)
    : hive_(std::move(hive)),
      call_([this](Command command, Attr& attr) { return bpf(command, attr); }),
      things_(call_, shared) {}

long Side::bpf(Command command, Attr& attr) {
  const auto number = static_cast<int>(command);
  if (hive_ == nullptr) return kernel::bpf(number, &attr, sizeof attr);
  return hive_->call(caller_, number, address(&attr), sizeof attr);
}

// Types of exactly the sizes of the map. The value starts with a lock if it is to have one.
std::uint32_t Side::types_of(const Sequence& sequence, spec::AttrMapCreate& attr) {
  using Field = btf::testing::Builder::Field;
  btf::testing::Builder builder;
  const std::uint32_t number = builder.add_int("unsigned int", 4);
  const std::uint32_t letter = builder.add_int("char", 1);
  const auto blob = [&](std::string_view name, std::uint32_t size) {
    return builder.add_struct(name, size, {Field{"bytes", builder.add_array(letter, number, size), 0}});
  };
  const spec::MapSpec& spec = sequence.spec;
  attr.btf_key_type_id = [&] {
    const maps::KeyRule rule = maps::find_kind(spec.type)->key;
    if (rule == maps::KeyRule::Index) return number;
    if (rule != maps::KeyRule::Cgroup) return blob("key", spec.key_size);
    const std::uint32_t id = builder.add_int("unsigned long", 8);
    return spec.key_size == 8 ? id
                              : builder.add_struct("key", 16, {Field{"cgroup", id, 0}, Field{"attach", number, 64}});
  }();
  if (sequence.has_lock) {
    const std::uint32_t lock = builder.add_struct("bpf_spin_lock", 4, {Field{"val", number, 0}});
    const std::uint32_t rest = builder.add_array(letter, number, spec.value_size - 4);
    attr.btf_value_type_id =
        builder.add_struct("value", spec.value_size, {Field{"lock", lock, 0}, Field{"rest", rest, 32}});
  } else {
    attr.btf_value_type_id = blob("value", spec.value_size);
  }
  const auto bytes = builder.bytes();
  Attr load{};
  load.btf_load.btf = address(bytes.data());
  load.btf_load.btf_size = static_cast<std::uint32_t>(bytes.size());
  types_ = made(bpf(Command::BtfLoad, load));
  return static_cast<std::uint32_t>(types_.get());
}

Fd Side::reopened(std::uint32_t flags) {
  spec::MapInfo info{};
  Attr attr{};
  attr.info.bpf_fd = static_cast<std::uint32_t>(map_.get());
  attr.info.info = address(&info);
  attr.info.info_len = sizeof info;
  if (bpf(Command::ObjGetInfoByFd, attr) != 0) return {};
  attr = {};
  attr.id.map_id = info.id;
  attr.id.open_flags = flags;
  return made(bpf(Command::MapGetFdById, attr));
}

long Side::create(const Sequence& sequence, const Material& material) {
  sequence_ = &sequence;
  material_ = &material;
  const spec::MapSpec& spec = sequence.spec;
  const maps::Kind& kind = material.kind();
  Attr attr{};
  attr.map_create.map_type = std::to_underlying(spec.type);
  attr.map_create.key_size = spec.key_size;
  attr.map_create.value_size = spec.value_size;
  attr.map_create.max_entries = spec.max_entries;
  attr.map_create.map_flags = spec.flags;
  attr.map_create.map_extra = spec.extra;
  if (kind.has(maps::kOuter))
    attr.map_create.inner_map_fd = static_cast<std::uint32_t>(things_.fd(template_of(sequence.inner)));
  const bool has_types = sequence.has_lock || kind.has(maps::kTyped);
  if (has_types) attr.map_create.btf_fd = types_of(sequence, attr.map_create);
  const long fd = bpf(Command::MapCreate, attr);
  map_ = made(fd);
  is_frozen_ = false;
  if (fd < 0) return fd;
  read_only_ = reopened(spec::kRdonly);
  write_only_ = reopened(spec::kWronly);
  cursor_.assign(std::max<std::size_t>(spec.key_size, 8), std::byte{});
  return 0;
}

int Side::map_fd(Flaw flaw) const noexcept {
  switch (flaw) {
    case Flaw::ClosedFd: return things_.fd(Thing::Closed);
    case Flaw::OtherFd: return things_.fd(Thing::Null);
    case Flaw::ReadOnly: return read_only_.get();
    case Flaw::WriteOnly: return write_only_.get();
    default: return map_.get();
  }
}

Answer Side::perform(const Operation& operation) {
  switch (operation.act) {
    case Act::Lookup: return element(Command::MapLookupElem, operation);
    case Act::Update: return element(Command::MapUpdateElem, operation);
    case Act::Delete: return element(Command::MapDeleteElem, operation);
    case Act::Take: return element(Command::MapLookupAndDeleteElem, operation);
    case Act::NextKey: return next_key(operation);
    case Act::Walk: return walk(operation);
    case Act::LookupBatch: return batch(Command::MapLookupBatch, operation);
    case Act::TakeBatch: return batch(Command::MapLookupAndDeleteBatch, operation);
    case Act::UpdateBatch: return batch(Command::MapUpdateBatch, operation);
    case Act::DeleteBatch: return batch(Command::MapDeleteBatch, operation);
    case Act::WalkBatch: return walk_in_batches(Command::MapLookupBatch, operation);
    case Act::Drain: return walk_in_batches(Command::MapLookupAndDeleteBatch, operation);
    case Act::Map: return mapped(operation);
    case Act::Info: return info(operation);
    case Act::Freeze: return freeze(operation);
  }
  __builtin_unreachable();
}

// A keyless map's key is null, unless that is the flaw.
Answer Side::element(Command command, const Operation& operation) {
  Blob key = material_->key(operation.key, things_);
  Blob value = material_->value(operation.value, things_);
  const bool no_key = key.empty() && operation.flaw != Flaw::BadKey;
  Attr attr{};
  attr.elem.map_fd = static_cast<std::uint32_t>(map_fd(operation.flaw));
  attr.elem.key = no_key ? 0 : spoilt(address(key), operation.flaw, Flaw::NullKey, Flaw::BadKey);
  if (command != Command::MapDeleteElem) {
    attr.elem.value = spoilt(address(value), operation.flaw, Flaw::NullValue, Flaw::BadValue);
    attr.elem.flags = operation.flags;
  }
  if (operation.flaw == Flaw::Stray) stray(attr);
  Answer answer{.result = bpf(command, attr)};
  // The storage of the task, the cgroup... is still being taken apart with an earlier map.
  for (unsigned tries = 0; answer.result == -EAGAIN && tries < 1000; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    answer.result = bpf(command, attr);
  }
  const bool reads = command == Command::MapLookupElem || command == Command::MapLookupAndDeleteElem;
  if (!reads || answer.result != 0) return answer;
  material_->normalise(value, things_);
  answer.data = std::move(value);
  return answer;
}

Answer Side::next_key(const Operation& operation) {
  Blob key = material_->key(operation.key, things_);
  Blob next(key.size());
  Attr attr{};
  attr.elem.map_fd = static_cast<std::uint32_t>(map_fd(operation.flaw));
  attr.elem.key = operation.from_start ? 0 : spoilt(address(key), operation.flaw, Flaw::NullKey, Flaw::BadKey);
  attr.elem.next_key = spoilt(address(next), operation.flaw, Flaw::NullValue, Flaw::BadValue);
  if (operation.flaw == Flaw::Stray) stray(attr);
  Answer answer{.result = bpf(Command::MapGetNextKey, attr)};
  if (answer.result == 0) answer.data = std::move(next);
  return answer;
}

// All elements, key after key. A value that cannot be read is its error.
Answer Side::walk(const Operation&) {
  Answer answer;
  Blob key(material_->key_size()), next = key;
  Attr attr{};
  attr.elem.map_fd = static_cast<std::uint32_t>(map_.get());
  for (unsigned steps = 0; steps < 2000; ++steps) {
    attr.elem.key = steps == 0 ? 0 : address(key);
    attr.elem.next_key = address(next);
    answer.result = bpf(Command::MapGetNextKey, attr);
    if (answer.result != 0) break;
    std::swap(key, next);
    Blob value(material_->value_size());
    Attr read{};
    read.elem.map_fd = attr.elem.map_fd;
    read.elem.key = address(key);
    read.elem.value = address(value);
    const long error = bpf(Command::MapLookupElem, read);
    if (error == 0)
      material_->normalise(value, things_);
    else
      value = error_as_value(error);
    answer.elements.emplace_back(key, std::move(value));
  }
  return answer;
}

void Side::take_elements(Answer& answer, const Blob& keys, const Blob& values) const {
  const std::size_t key_size = material_->key_size(), value_size = material_->value_size();
  const std::size_t room = key_size == 0 ? 0 : keys.size() / key_size;
  for (std::size_t i = 0; i < std::min<std::size_t>(answer.count, room); ++i) {
    const auto key = std::span(keys).subspan(i * key_size, key_size);
    const auto value = std::span(values).subspan(i * value_size, value_size);
    answer.elements.emplace_back(Blob(key.begin(), key.end()), Blob(value.begin(), value.end()));
    material_->normalise(answer.elements.back().second, things_);
  }
}

Answer Side::batch(Command command, const Operation& operation) {
  const bool looks = command == Command::MapLookupBatch || command == Command::MapLookupAndDeleteBatch;
  const std::uint32_t count = std::min(operation.count, kMostInBatch);
  Blob keys, values;
  for (std::uint32_t i = 0; !looks && i < count; ++i) {
    const std::uint32_t number = operation.key == kFarKey ? kFarKey : (operation.key + i) % sequence_->keys;
    std::ranges::copy(material_->key(number, things_), std::back_inserter(keys));
    std::ranges::copy(material_->value(operation.value + i, things_), std::back_inserter(values));
  }
  keys.resize(count * material_->key_size());
  values.resize(count * material_->value_size());
  Blob out(cursor_.size()), wild(cursor_.size(), std::byte{0x5a});
  Attr attr{};
  attr.batch.map_fd = static_cast<std::uint32_t>(map_fd(operation.flaw));
  attr.batch.count = count;
  attr.batch.elem_flags = operation.flags;
  attr.batch.keys = spoilt(address(keys), operation.flaw, Flaw::NullKey, Flaw::BadKey);
  if (command != Command::MapDeleteBatch)
    attr.batch.values = spoilt(address(values), operation.flaw, Flaw::NullValue, Flaw::BadValue);
  if (looks) {
    attr.batch.out_batch = operation.flaw == Flaw::NullCursor ? 0 : address(out);
    if (operation.goes_on) attr.batch.in_batch = address(operation.flaw == Flaw::WildCursor ? wild : cursor_);
  }
  if (operation.flaw == Flaw::Stray) stray(attr);
  Answer answer{.result = bpf(command, attr), .count = attr.batch.count};
  const bool was_begun = answer.result == 0 || answer.result == -ENOENT || answer.result == -ENOSPC;
  if (!looks || !was_begun) return answer;
  take_elements(answer, keys, values);
  if (answer.count != 0 && operation.flaw != Flaw::NullCursor) {
    cursor_ = out;
    answer.data = std::move(out);
  }
  return answer;
}

// Batch after batch to the end, twice as large when one is too small for what comes next.
Answer Side::walk_in_batches(Command command, const Operation& operation) {
  Operation step = operation;
  step.flaw = Flaw::None;
  step.goes_on = false;
  step.count = std::max(1U, step.count);
  Answer all;
  for (unsigned steps = 0; steps < 2000; ++steps) {
    Answer part = batch(command, step);
    all.result = part.result;
    std::ranges::move(part.elements, std::back_inserter(all.elements));
    if (part.result == -ENOSPC && step.count < kMostInBatch)
      step.count *= 2;
    else if (part.result != 0)
      break;
    step.goes_on = step.goes_on || part.count != 0;
  }
  return all;
}

// Whether Linux lets the map be mapped writable, which a hive cannot refuse.
bool Side::may_write_mapped(Flaw flaw) const noexcept {
  constexpr std::uint32_t kUnwritable = spec::kRdonlyProg | spec::kRdonly | spec::kWronly;
  return flaw == Flaw::None && !is_frozen_ && !sequence_->has_lock && (sequence_->spec.flags & kUnwritable) == 0;
}

// An array that is mapped: reads all of it, or writes one value first.
Answer Side::mapped(const Operation& operation) {
  const spec::MapSpec& spec = sequence_->spec;
  if (spec.type != spec::MapType::Array || (spec.flags & spec::kMmapable) == 0) return {};
  const std::size_t stride = round_up(spec.value_size, 8), size = stride * spec.max_entries;
  const bool writes = operation.goes_on && may_write_mapped(operation.flaw);
  void* at = ::mmap(nullptr, size, writes ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, map_fd(operation.flaw), 0);
  if (at == MAP_FAILED) return {.result = -errno};
  auto* const bytes = static_cast<std::byte*>(at);
  if (writes && operation.key < spec.max_entries)
    std::ranges::copy(material_->value(operation.value, things_), bytes + operation.key * stride);
  Answer answer{.data = Blob(bytes, bytes + size)};
  ::munmap(at, size);
  return answer;
}

Answer Side::info(const Operation& operation) {
  spec::MapInfo info{};
  Attr attr{};
  attr.info.bpf_fd = static_cast<std::uint32_t>(map_fd(operation.flaw));
  attr.info.info = spoilt(address(&info), operation.flaw, Flaw::NullValue, Flaw::BadValue);
  attr.info.info_len = sizeof info;
  Answer answer{.result = bpf(Command::ObjGetInfoByFd, attr)};
  info.id = info.btf_id = 0;
  answer.data.assign(bytes_of(info).begin(), bytes_of(info).end());
  return answer;
}

Answer Side::freeze(const Operation& operation) {
  Attr attr{};
  attr.elem.map_fd = static_cast<std::uint32_t>(map_fd(operation.flaw));
  if (operation.flaw == Flaw::Stray) stray(attr);
  const Answer answer{.result = bpf(Command::MapFreeze, attr)};
  is_frozen_ = is_frozen_ || answer.result == 0;
  return answer;
}

void Side::erase(const Blob& key) {
  Attr attr{};
  attr.elem.map_fd = static_cast<std::uint32_t>(map_.get());
  attr.elem.key = address(key.data());
  bpf(Command::MapDeleteElem, attr);
}

void Side::clear() {
  for (const Element& element : walk({}).elements) erase(element.first);
}

}  // namespace skep::map_judge
