#include "soak/differential.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "helpers/bodies.h"
#include "interp/interp.h"
#include "jit/program.h"
#include "runtime/bindings.h"

namespace skep::soak {
namespace {

using exec::Failure;

constexpr std::uint64_t kBudget = 20'000;        // instructions of one run
constexpr std::uint64_t kPlenty = kBudget * 64;  // for the form that stops before a block it cannot finish

std::unique_ptr<exec::Executable> compile(const std::shared_ptr<const exec::Image>& image,
                                          const exec::Bindings& bindings, Form form, std::string& obstacle) {
  const bool hardened = form == Form::Hardened;
  const jit::Options options{.hardening = {.blinding = hardened, .retpolines = hardened}};
  const auto features = form == Form::Bare ? jit::x64::Features{} : jit::x64::features();
  auto code = jit::Program::bind(image, bindings, features, options);
  if (code) return *std::move(code);
  obstacle = code.error().message;
  return nullptr;
}

}  // namespace

MapMemory::MapMemory(const maps::Map& map) {
  struct stat status{};
  if (::fstat(map.memfd(), &status) != 0) return;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, map.memfd(), 0);
  if (at != MAP_FAILED) bytes_ = {static_cast<std::byte*>(at), size};
}
MapMemory::MapMemory(MapMemory&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
MapMemory::~MapMemory() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

Differential::Differential(soundness::World& world, soundness::Trial& trial, spec::ProgType type)
    : world_(world), type_(type), context_(trial.image()->context), maps_(trial.maps().begin(), trial.maps().end()) {
  std::vector<maps::Map*> used;
  for (const soundness::WorldMap* map : maps_) {
    used.push_back(map->map.get());
    memories_.emplace_back(*map->map);
  }
  if (const soundness::WorldMap* inner = world.find("array"); inner != nullptr) memories_.emplace_back(*inner->map);
  const runtime::MapBindings bindings(used);
  auto interpreted = interp::bind(trial.image(), bindings, interp::Policy::Plain);
  auto strict = interp::bind(trial.image(), bindings, interp::Policy::Strict);
  if (!interpreted || !strict) {
    obstacle_ = (!interpreted ? interpreted : strict).error().message;
    return;
  }
  interpreted_ = *std::move(interpreted);
  strict_ = *std::move(strict);
  for (std::size_t form = 0; form < kForms && obstacle_.empty(); ++form)
    compiled_[form] = compile(trial.image(), bindings, static_cast<Form>(form), obstacle_);
}

// ---- Everything that is compared, as one piece: the input, then each map.

void Differential::save(std::vector<std::byte>& to) const {
  const auto input = std::as_bytes(std::span(&input_, 1));
  std::size_t size = input.size();
  for (const MapMemory& memory : memories_) size += memory.bytes().size();
  to.resize(size);
  std::byte* at = std::ranges::copy(input, to.data()).out;
  for (const MapMemory& memory : memories_) at = std::ranges::copy(memory.bytes(), at).out;
}

void Differential::restore(const std::vector<std::byte>& from) {
  const std::byte* at = from.data();
  const auto put = [&](std::span<std::byte> to) {
    std::memcpy(to.data(), at, to.size());
    at += to.size();
  };
  put(input_.bytes());
  for (const MapMemory& memory : memories_) put(memory.bytes());
}

// ---- Runs

Differential::Left Differential::run(const exec::Executable& code, std::uint64_t seed, std::uint64_t budget) {
  restore(start_);
  soundness::Draw draw(seed ^ 0x5eed);
  world_.set_draw(draw);
  Failure failure;
  exec::Call call(world_);
  input_.point(type_, context_, call);
  call.program = &code;
  call.budget = budget;
  call.failure = &failure;
  Left left;
  left.result = code.run(call);
  if (!call.reservations.empty() || call.allocated != nullptr) helpers::abandon(call);
  if (call.stopped) left.result = 0, left.stopped = failure.kind;
  for (const soundness::WorldMap* map : maps_) std::ranges::fill(map->map->habits(), std::byte{});
  save(left.memory);
  return left;
}

[[gnu::noinline]] Differential::Left Differential::run_with_stack_elsewhere(std::uint64_t seed) {
  std::byte room[3 * 4096 + 64];
  asm volatile("" ::"r"(room) : "memory");
  return run(*interpreted_, seed, kBudget);
}

// What is below is the stack of what comes next.
[[gnu::noinline]] void Differential::scribble_stack(std::byte with) {
  std::byte room[64 * 1024];
  std::ranges::fill(room, with);
  asm volatile("" ::"r"(room) : "memory");
}

bool Differential::depends_on_stack(std::uint64_t seed) {
  for (const auto with : {std::byte{0}, std::byte{0xff}, std::byte{0x5a}}) {
    scribble_stack(with);
    if (run(*interpreted_, seed, kBudget) != expected_) return true;
  }
  return run_with_stack_elsewhere(seed) != expected_;
}

void Differential::prepare(std::uint64_t seed) {
  if (prepared_ == seed) return;
  soundness::Draw draw(seed);
  for (const soundness::WorldMap* map : maps_) world_.refill(*map, draw);
  exec::Call call(world_);
  input_.draw(type_, context_, draw, call);
  save(start_);
  expected_ = run(*interpreted_, seed, kBudget);
  // What lies there, other than what the interpreter saw, may make compiled code run for hours.
  reads_unwritten_ = run(*strict_, seed, kBudget).stopped == Failure::Kind::Uninitialised;
  prepared_ = seed;
}

Differential::Found Differential::run(Form form, std::uint64_t seed) {
  prepare(seed);
  if (expected_.stopped == Failure::Kind::Budget) return {Outcome::Cut};
  if (reads_unwritten_) form = Form::Counting;
  const exec::Executable& code = *compiled_[static_cast<std::size_t>(form)];
  const Left got = run(code, seed, form == Form::Counting ? kPlenty : 0);
  if (got == expected_) return {};
  if (reads_unwritten_ || depends_on_stack(seed)) return {Outcome::Addresses};
  return {Outcome::Different, difference(expected_, got)};
}

std::string Differential::difference(const Left& expected, const Left& got) const {
  if (expected.stopped != got.stopped)
    return fmt::format("interpreted it was stopped for {}, compiled for {}", static_cast<int>(expected.stopped),
                       static_cast<int>(got.stopped));
  if (expected.result != got.result)
    return fmt::format("r0 is {:#x} interpreted and {:#x} compiled", expected.result, got.result);
  const auto [theirs, ours] = std::ranges::mismatch(expected.memory, got.memory);
  const std::string bytes = fmt::format("is {:#04x} interpreted and {:#04x} compiled", *theirs, *ours);
  std::size_t offset = static_cast<std::size_t>(theirs - expected.memory.begin()), which = 0;
  if (offset < sizeof input_) return fmt::format("byte {} of the packet and context {}", offset, bytes);
  for (offset -= sizeof input_; which < memories_.size() && offset >= memories_[which].bytes().size(); ++which)
    offset -= memories_[which].bytes().size();
  const bool is_named = which < maps_.size();
  return fmt::format("byte {} of map {} {}", offset, is_named ? maps_[which]->map->spec().name : "array", bytes);
}

}  // namespace skep::soak
