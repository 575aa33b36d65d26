// What the relocations of an image mean in this process: maps by their ids, helpers by theirs.
#pragma once

#include <span>
#include <vector>

#include "exec/executable.h"

namespace skep::runtime {

class MapBindings final : public exec::Bindings {
 public:
  // Maps that the program may name; they must outlive what is bound with this.
  explicit MapBindings(std::span<maps::Map* const> maps, exec::KnownTables known = {},
                       exec::ClockReader reader = nullptr)
      : maps_(maps.begin(), maps.end()), known_(known), clock_(reader) {}

  maps::Map* map(spec::MapId id) const override;
  exec::HelperBody helper(std::uint32_t id) const noexcept override;
  exec::HelperBody kfunc(std::uint32_t row) const noexcept override;
  exec::KnownTables known() const noexcept override { return known_; }
  exec::ClockReader clock() const noexcept override { return clock_; }

 private:
  std::vector<maps::Map*> maps_;  // 64 at most: a search is as good as an index
  exec::KnownTables known_;
  exec::ClockReader clock_;
};

}  // namespace skep::runtime
