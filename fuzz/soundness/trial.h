// One generated program: verified, bound for the checked interpreter, and run on drawn inputs.
//
// It is bound twice: with the facts that engines rely on, and with what the walk claims where registers are live and
// precise (verifier/explore/explored.h), for which it is verified again with a checkpoint at every prune point.
// Programs whose loader may look into the kernel may read stack they have not written; that is no violation. Tested by:
// soundness/soundness_test.cc.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "exec/executable.h"
#include "exec/failure.h"
#include "judge/program.h"
#include "soundness/input.h"
#include "soundness/world.h"
#include "spec/facts.h"

namespace skep::soundness {

enum class Claims : std::uint8_t { Facts, Explored };
inline constexpr Claims kAllClaims[] = {Claims::Facts, Claims::Explored};

class Trial {
 public:
  enum class Start : std::uint8_t {
    Ready,
    Rejected,  // by the verifier
    NotHere,   // it names a map, or has a context, that there is none of
    NoEngine,  // accepted, but no engine can run it
  };
  Trial(World& world, const judge::Program& program, std::span<const Claims> about = kAllClaims);

  Start start() const noexcept { return start_; }
  const std::string& obstacle() const noexcept { return obstacle_; }  // why it is not ready
  // One run on the input of this seed; what was wrong, if anything.
  std::optional<exec::Failure> run(Claims claims, std::uint64_t seed);

  // How many registers are claimed something about, over all instructions.
  std::size_t claims(Claims claims) const { return accepted(claims).facts->claims.size(); }
  // What was accepted and lowered, and the maps it is bound to: for other engines.
  const std::shared_ptr<const exec::Image>& image() const { return accepted(Claims::Facts).image; }
  const exec::Executable& checked() const { return *accepted(Claims::Facts).code; }
  std::span<const WorldMap* const> maps() const { return maps_; }

  // The claims are taken from elsewhere: for tests of the comparison itself.
  const spec::Facts& facts(Claims claims) const { return *accepted(claims).facts; }
  bool replace_facts(Claims claims, spec::Facts facts);

 private:
  struct Accepted {
    std::vector<isa::Insn> insns;  // maps by id
    std::shared_ptr<const spec::Facts> facts;
    std::shared_ptr<const exec::Image> image;
    std::unique_ptr<exec::Executable> code;
  };
  Accepted& accepted(Claims claims) { return accepted_[static_cast<std::size_t>(claims)]; }
  const Accepted& accepted(Claims claims) const { return accepted_[static_cast<std::size_t>(claims)]; }
  Start stop(Start why, std::string obstacle);
  Start find_maps(const judge::Program& program);
  Start verify(const judge::Program& program, Claims claims);
  void name_maps(Accepted& accepted, std::span<const std::uint32_t> origins) const;
  bool bind(Accepted& accepted);

  World& world_;
  spec::ProgType type_;
  spec::AttachType attach_;
  Start start_ = Start::Ready;
  std::string obstacle_;
  std::vector<const WorldMap*> maps_;
  std::vector<spec::MapView> views_;
  std::vector<spec::MapUse> uses_;
  std::array<Accepted, 2> accepted_;
  Input input_;
};

}  // namespace skep::soundness
