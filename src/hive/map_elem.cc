// The element commands of the hive: which map, and what keys, values and changes mean to other objects.
#include "base/errno.h"
#include "hive/elements.h"
#include "hive/map_values.h"
#include "hive/owners.h"
#include "hive/request.h"
#include "hive/sockets.h"

namespace skep::hive {
namespace {

class HiveChanges final : public Changes {
 public:
  HiveChanges(Request& request, MapObject& map) noexcept : request_(request), map_(map) {}
  std::size_t key_bytes(const ElementMap&) const noexcept override { return hive::key_bytes(map_); }
  int find_key(const ElementMap&, Buffer& key) noexcept override {
    return is_owned(map_) ? find_owner(request_, map_, key) : 0;
  }
  void before_reading(const ElementMap&, const std::byte* key) noexcept override {
    if (holds_sockets(map_)) drop_closed_socket(request_.hive, map_, key);
  }
  int before_walking(const ElementMap&, const std::byte* from) noexcept override {
    if (is_owned(map_)) return -kNotSupported;
    if (from == nullptr && holds_sockets(map_)) drop_closed_sockets(request_.hive, map_);
    return 0;
  }
  int write(const ElementMap&, const std::byte* key, std::byte* value, std::uint64_t flags) noexcept override {
    return write_value(request_, map_, key, value, flags);
  }
  int erase(const ElementMap&, const std::byte* key) noexcept override {
    return delete_value(request_.hive, map_, key);
  }

 private:
  Request& request_;
  MapObject& map_;
};

long run(Request& request, spec::Command command) {
  const spec::AttrElem& attr = request.attr.elem;
  if (!known_element_flags(command, attr)) return -EINVAL;
  const Found<MapObject> found = find_map(request.hive, request.caller, static_cast<int>(attr.map_fd));
  if (!found.object) return -found.error;
  HiveChanges changes(request, *found.object);
  return element_command(command, attr, request.caller, found.object->elements(found.access), changes);
}

}  // namespace

long map_lookup_elem(Request& request) { return run(request, spec::Command::MapLookupElem); }
long map_update_elem(Request& request) { return run(request, spec::Command::MapUpdateElem); }
long map_delete_elem(Request& request) { return run(request, spec::Command::MapDeleteElem); }
long map_get_next_key(Request& request) { return run(request, spec::Command::MapGetNextKey); }
long map_lookup_and_delete_elem(Request& request) { return run(request, spec::Command::MapLookupAndDeleteElem); }

}  // namespace skep::hive
