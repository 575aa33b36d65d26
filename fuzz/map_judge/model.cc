#include "map_judge/model.h"

#include <cerrno>
#include <set>

namespace skep::map_judge {

namespace {

// The element was taken before it was found that its value has no place to go.
bool loses_value(const Operation& operation, const Answer& answer) {
  return answer.result == -EFAULT && (operation.flaw == Flaw::NullValue || operation.flaw == Flaw::BadValue);
}

}  // namespace

std::string Model::wrote(const Blob& key, const Blob& value, std::uint64_t flags, long result) {
  const bool takes_exist = sequence_.spec.type != spec::MapType::DevmapHash;  // which makes what is not there
  const std::uint64_t asked = flags & (spec::kNoExist | std::uint64_t{takes_exist ? spec::kExist : spec::kAny});
  const bool may_be_there = may_.contains(key);
  const bool is_there = may_be_there && !evicts_;
  switch (result) {
    case 0:
      if (asked == spec::kExist && !may_be_there) return "replaced what was not there";
      if (asked == spec::kNoExist && is_there) return "made what was there";
      may_.insert_or_assign(key, value);
      return {};
    case -EEXIST: return asked == spec::kNoExist && may_be_there ? "" : "EEXIST of what was not there";
    case -ENOENT: may_.erase(key); return asked == spec::kExist && !is_there ? "" : "ENOENT of what was there";
    default: return {};
  }
}

std::string Model::read(const Blob& key, const Answer& answer) {
  const auto found = may_.find(key);
  if (answer.result == 0) {
    if (found == may_.end()) return "found what was not there";
    return found->second == answer.data ? "" : "another value than was written";
  }
  if (answer.result != -ENOENT || found == may_.end()) return {};
  may_.erase(found);
  return evicts_ ? "" : "not found, though it was written";
}

std::string Model::erased(const Blob& key, long result) {
  if (result != 0 && result != -ENOENT) return {};
  const bool was_there = may_.erase(key) != 0;
  if (result == 0) return was_there ? "" : "deleted what was not there";
  return was_there && !evicts_ ? "ENOENT of what was there" : "";
}

std::string Model::showed(const std::vector<Element>& elements, Extent extent) {
  std::set<Blob> seen;
  for (const auto& [key, value] : elements) {
    if (!seen.insert(key).second) return "an element twice";
    const auto found = may_.find(key);
    if (found == may_.end()) return "an element that was not there";
    if (found->second != value) return "another value than was written";
  }
  if (extent == Extent::Part) return {};
  if (!evicts_) return seen.size() == may_.size() ? "" : "not all elements";
  std::erase_if(may_, [&](const auto& element) { return !seen.contains(element.first); });
  return {};
}

std::string Model::next(const Operation& operation, const Answer& answer) const {
  if (answer.result == 0) return may_.contains(answer.data) ? "" : "a key that was not there";
  if (answer.result != -ENOENT) return {};
  const bool may_be_last = !operation.from_start && may_.contains(material_.normal_key(operation.key));
  return evicts_ || may_.empty() || may_be_last ? "" : "no key, though there is one";
}

// Those before the one that failed went well.
std::string Model::changed_many(const Operation& operation, const Answer& answer) {
  // Of what was refused as a whole, the count is what was asked.
  if (answer.count > operation.count || (answer.result != 0 && answer.count == operation.count)) return {};
  const std::uint32_t tried = answer.count + (answer.result != 0 ? 1 : 0);
  for (std::uint32_t i = 0; i < tried; ++i) {
    const std::uint32_t number = operation.key == kFarKey ? kFarKey : (operation.key + i) % sequence_.keys;
    const Blob key = material_.normal_key(number);
    const long result = i < answer.count ? 0 : answer.result;
    std::string why = operation.act == Act::DeleteBatch
                          ? erased(key, result)
                          : wrote(key, material_.normal(operation.value + i), operation.flags, result);
    if (!why.empty()) return why;
  }
  return {};
}

std::string Model::judge(const Operation& operation, const Answer& answer) {
  const bool is_bloom = material_.kind().family == maps::Family::Bloom;
  const Blob key = is_bloom ? material_.normal(operation.value) : material_.normal_key(operation.key);
  const Extent extent = answer.result == -ENOENT ? Extent::All : Extent::Part;
  std::string why;
  switch (operation.act) {
    case Act::Update: return wrote(key, material_.normal(operation.value), operation.flags, answer.result);
    case Act::Lookup:
      if (is_bloom && answer.result == 0) return {};
      return read(key, answer);
    case Act::Take:
      why = read(key, answer);
      if (answer.result == 0 || loses_value(operation, answer)) may_.erase(key);
      return why;
    case Act::Delete: return erased(key, answer.result);
    case Act::NextKey: return next(operation, answer);
    case Act::Walk:
    case Act::WalkBatch: return showed(answer.elements, extent);
    case Act::LookupBatch: return showed(answer.elements, operation.goes_on ? Extent::Part : extent);
    case Act::TakeBatch:
    case Act::Drain:
      why = showed(answer.elements, operation.act == Act::Drain ? extent : Extent::Part);
      for (const Element& element : answer.elements) may_.erase(element.first);
      return why;
    case Act::UpdateBatch:
    case Act::DeleteBatch: return changed_many(operation, answer);
    case Act::Map:
    case Act::Info:
    case Act::Freeze: return {};
  }
  __builtin_unreachable();
}

}  // namespace skep::map_judge
