// The surroundings in which generated programs run: one map of each shape they name, the helpers' real bodies, a host
// whose clock and random numbers are drawn. Nothing of the kernel's is needed.
//
// Maps of data only: those whose values have locks, timers or references to kernel objects are not there, nor are kinds
// of maps that this library does not make. One World a thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exec/quiet_host.h"
#include "maps/domain.h"
#include "maps/map.h"
#include "soundness/draw.h"
#include "spec/verify.h"

namespace skep::soundness {

struct WorldMap {
  std::unique_ptr<maps::Map> map;
  spec::MapSpec inner;
  spec::MapView inner_view;
  spec::MapView view;
  bool is_filled_anew = false;  // before each run
};

class World final : public exec::QuietHost {
 public:
  World();

  // Null when there is no such map here.
  const WorldMap* find(std::string_view name) const;
  // Some elements of `map` get drawn values, others go.
  void refill(const WorldMap& map, Draw& draw);
  void set_draw(Draw& draw) noexcept { draw_ = &draw; }
  unsigned cpus() const noexcept { return domain_->cpus(); }

  std::uint64_t now(exec::Clock) noexcept override { return (*draw_)() >> 4; }
  std::uint32_t random() noexcept override { return static_cast<std::uint32_t>((*draw_)()); }
  std::uint64_t pid_tgid() noexcept override { return 0x1234'0000'1235; }
  maps::Map* map(maps::Reference reference) noexcept override;

 private:
  void add(std::size_t shape);

  std::unique_ptr<maps::Domain> domain_;
  std::map<std::string, WorldMap, std::less<>> maps_;
  std::vector<maps::Map*> by_id_;  // ids count from 1
  Draw own_{0};
  Draw* draw_ = &own_;
};

}  // namespace skep::soundness
