// The element commands of the hive: which map, and what a change means to other objects.
#include "hive/elements.h"
#include "hive/map_values.h"
#include "hive/request.h"

namespace skep::hive {
namespace {

class HiveChanges final : public Changes {
 public:
  HiveChanges(Request& request, MapObject& map) noexcept : request_(request), map_(map) {}
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
