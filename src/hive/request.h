// One bpf(2) call on its way through the hive: who asks, what for, and the ways to answer.
//
// Every command is a function `long name(Request&)`, in a file by subject; call.cc has the table of them. They return
// what bpf(2) returns: a descriptor, a count, 0, or a negative errno. refuse() does the last and leaves a sentence
// for Hive::last_error().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "hive/buffer.h"
#include "hive/state.h"
#include "spec/attr.h"
#include "spec/commands.h"

namespace skep::hive {

struct Request {
  State& hive;
  Caller& caller;
  spec::Attr attr;
  std::uint64_t attr_address;  // of the caller's own
  std::uint32_t attr_bytes;    // as the caller gave them
};

// Hive::call.
long call(State& hive, Caller& caller, int cmd, std::uint64_t attr, std::uint32_t size) noexcept;

// Leaves `message` as the reason of this thread's last failure and returns -code.
long refuse(int code, std::string message);
long refuse(Error error);

// Copies an object out; false: EFAULT.
template <class T>
bool copy_out(Request& request, std::uint64_t address, const T& value) noexcept {
  return request.caller.copy_out(address, bytes_of(value));
}
// Writes a field of the caller's attribute. False when its address is bad.
template <class T>
bool answer(Request& request, std::size_t field_offset, const T& value) noexcept {
  return request.caller.copy_out(request.attr_address + field_offset, bytes_of(value));
}

// A structure of the caller's of `size` bytes may be longer than the `known` ones if zeros follow: 0, E2BIG (also when
// it is longer than a page), EFAULT.
int check_tail(Caller& caller, std::uint64_t address, std::uint32_t size, std::size_t known) noexcept;

// What a descriptor of the caller is. A null reference comes with the errno bpf(2) then returns: EBADF for no
// descriptor, EINVAL for one of something else.
template <class T>
struct Found {
  Ref<T> object;
  int error = 0;
  Access access = Access::ReadWrite;
};
Found<MapObject> find_map(State& hive, Caller& caller, int fd) noexcept;
Found<ProgObject> find_prog(State& hive, Caller& caller, int fd) noexcept;
Found<BtfObject> find_btf(State& hive, Caller& caller, int fd) noexcept;
Found<LinkObject> find_link(State& hive, Caller& caller, int fd) noexcept;

// Gives the caller a descriptor of a program, BTF or link, or of a map; a negative errno otherwise.
long install(Request& request, Object& object);
long install_map(Request& request, MapObject& map, Access access);

// An object name of bpf(2): up to 15 characters of [A-Za-z0-9_.] and a NUL; what follows is ignored. EINVAL if it is
// none.
Result<std::string> object_name(const char (&text)[spec::kObjNameBytes]);

// Commands, by file.
long map_create(Request& request);
long map_freeze(Request& request);
long map_lookup_elem(Request& request);
long map_update_elem(Request& request);
long map_delete_elem(Request& request);
long map_get_next_key(Request& request);
long map_lookup_and_delete_elem(Request& request);
long map_lookup_batch(Request& request);
long map_lookup_and_delete_batch(Request& request);
long map_update_batch(Request& request);
long map_delete_batch(Request& request);
long prog_load(Request& request);
long prog_test_run(Request& request);
long prog_bind_map(Request& request);
long btf_load(Request& request);
long obj_get_info_by_fd(Request& request);
long prog_get_next_id(Request& request);
long map_get_next_id(Request& request);
long btf_get_next_id(Request& request);
long link_get_next_id(Request& request);
long prog_get_fd_by_id(Request& request);
long map_get_fd_by_id(Request& request);
long btf_get_fd_by_id(Request& request);
long link_get_fd_by_id(Request& request);
long enable_stats(Request& request);
long obj_pin(Request& request);
long obj_get(Request& request);
long prog_attach(Request& request);
long prog_detach(Request& request);
long prog_query(Request& request);
long raw_tracepoint_open(Request& request);
long task_fd_query(Request& request);
long link_create(Request& request);
long link_update(Request& request);
long link_detach(Request& request);
long iter_create(Request& request);
long token_create(Request& request);

}  // namespace skep::hive
