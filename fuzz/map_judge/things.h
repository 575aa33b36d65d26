// What maps' values and keys may name by a descriptor: one table (map_judge/things.def), made anew for each side where
// it is bpf(2) that makes them, and for both together where it is not.
//
// Threads: one. Tested by: map_judge/map_judge_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "maps/kinds.h"
#include "spec/attr.h"
#include "spec/commands.h"

namespace skep::map_judge {

enum class Thing : std::uint8_t {
#define THING(Name, class, text) Name,
#include "map_judge/things.def"
#undef THING
};
enum class ThingClass : std::uint8_t { Other, Map, Prog, Event, Cgroup, Socket, Task, File };

inline constexpr std::size_t kThings = 0
#define THING(Name, class, text) +1
#include "map_judge/things.def"
#undef THING
    ;

std::string_view name(Thing thing) noexcept;
// The thing that a number stands for where a map of this kind has them: mostly one that it may take.
Thing thing_in_value(const maps::Kind& kind, std::uint32_t number) noexcept;
Thing thing_in_key(const maps::Kind& kind, std::uint32_t number) noexcept;
Thing template_of(std::uint32_t number) noexcept;  // of maps of maps

using Bpf = std::function<long(spec::Command, spec::Attr&)>;  // a value, or a negative errno

// Those that no bpf(2) makes: sockets, tasks, cgroups, files, perf events.
class SharedThings {
 public:
  SharedThings();
  ~SharedThings();
  int fd(Thing thing) const noexcept { return fds_[static_cast<std::size_t>(thing)].get(); }
  // Sockets forget which maps they were in: new ones in their place.
  void renew_sockets();
  // The socket with this cookie.
  std::optional<Thing> by_cookie(std::uint64_t cookie) const noexcept;

 private:
  Fd& at(Thing thing) noexcept { return fds_[static_cast<std::size_t>(thing)]; }
  void make_tasks();
  void make_cgroups();
  std::array<Fd, kThings> fds_;
  int child_ = -1;
  std::string cgroup_;  // where ours are
};

// All of them as one side has them.
class Things {
 public:
  Things(const Bpf& bpf, const SharedThings& shared);
  int fd(Thing thing) const noexcept;
  // The one of this class with this id; nothing when it is none of them.
  std::optional<Thing> by_id(ThingClass what, std::uint32_t id) const noexcept;
  std::optional<Thing> by_cookie(std::uint64_t cookie) const noexcept { return shared_.by_cookie(cookie); }

 private:
  struct Own {
    Fd fd;
    std::uint32_t id = 0;
  };
  void keep(const Bpf& bpf, Thing thing, long fd);
  std::array<Own, kThings> own_;
  const SharedThings& shared_;
};

}  // namespace skep::map_judge
