#include "soak/kernel_sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <vector>

#include "base/cpus.h"
#include "base/fd.h"
#include "btf/ext.h"
#include "hive/hive.h"
#include "isa/op.h"
#include "kernel/bpf.h"
#include "soundness/draw.h"
#include "spec/attr.h"
#include "spec/commands.h"
#include "spec/helpers.h"
#include "spec/uapi.h"
#include "verifier/testing_maps.h"
#include "verifier/testing_prototypes.h"

namespace skep::soak {
namespace {

namespace testing = verifier::testing;
using soundness::Draw;
using spec::Command;
using spec::HelperId;
using spec::MapType;

constexpr std::size_t kLargestPacket = 128, kRoom = 4096;

// Whose result depends on the arguments and the maps alone.
constexpr std::array kHelpers = {HelperId::map_lookup_elem,
                                 HelperId::map_update_elem,
                                 HelperId::map_delete_elem,
                                 HelperId::skb_store_bytes,
                                 HelperId::l3_csum_replace,
                                 HelperId::l4_csum_replace,
                                 HelperId::skb_load_bytes,
                                 HelperId::csum_diff,
                                 HelperId::xdp_adjust_head,
                                 HelperId::xdp_adjust_tail,
                                 HelperId::strtol,
                                 HelperId::strtoul,
                                 HelperId::loop,
                                 HelperId::strncmp};

const testing::MapShape* shape_of(std::string_view name) {
  const auto* found = std::ranges::find(testing::kMapShapes, name, &testing::MapShape::name);
  return found == std::end(testing::kMapShapes) ? nullptr : found;
}

bool is_plain(const testing::MapShape& shape) {
  const bool plain = shape.type == MapType::Array || shape.type == MapType::Hash || shape.type == MapType::LpmTrie;
  return plain && shape.content == testing::MapContent::Data && (shape.flags & ~std::uint32_t{spec::kNoPrealloc}) == 0;
}

// The kernel's test runs have a socket behind the packet, ours have none.
bool may_ask_for_socket(const judge::Program& program, const isa::Insn& insn) {
  constexpr std::int16_t kSocket = 168;  // offsetof(struct __sk_buff, sk)
  return program.type != spec::ProgType::Xdp && isa::decode(insn) == isa::Op::Load64 && insn.off == kSocket;
}

// Two bytes from the upper half of a field: Linux and skep differ where the field has no more (docs/differences.md).
bool may_read_upper_half(const judge::Program& program, const isa::Insn& insn) {
  const isa::Op op = isa::decode(insn);
  const bool loads = isa::form(op) == isa::Form::Load || isa::form(op) == isa::Form::LoadSx;
  return program.type != spec::ProgType::Xdp && loads && isa::access_bytes(op) == 2 && insn.off % 4 == 2;
}

bool fits(const judge::Program& program) {
  using enum spec::ProgType;
  if (program.type != Xdp && program.type != SchedCls && program.type != SocketFilter) return false;
  for (const judge::MapName& map : program.maps)
    if (const auto* shape = shape_of(map.name); shape == nullptr || !is_plain(*shape)) return false;
  return std::ranges::all_of(program.insns, [&](const isa::Insn& insn) {
    const isa::Op op = isa::decode(insn);
    if (op == isa::Op::CallKfunc || op == isa::Op::LdBtfId || may_ask_for_socket(program, insn) ||
        may_read_upper_half(program, insn))
      return false;
    return op != isa::Op::CallHelper ||
           std::ranges::find(kHelpers, HelperId{static_cast<std::uint32_t>(insn.imm)}) != kHelpers.end();
  });
}

template <class T>
std::uint64_t address(T* of) {
  return reinterpret_cast<std::uintptr_t>(of);
}

// Who loads into hives.
class Modest final : public hive::LocalCaller {
 public:
  hive::Privilege privilege() const noexcept override { return {.perfmon = false, .sys_admin = false}; }
};

// Somebody who answers bpf(2), with a program and its maps.
class Side {
 public:
  explicit Side(std::unique_ptr<hive::Hive> hive) : hive_(std::move(hive)) {}  // null: the kernel

  bool load(const judge::Program& program, const testing::FunctionTypes& types);
  void unload() {
    program_.reset();
    maps_.clear();
  }
  // Some elements drawn.
  void fill(Draw draw);

  struct Said {
    long error = 0;
    std::uint32_t value = 0;
    std::vector<std::byte> packet;
    std::vector<std::map<std::vector<std::byte>, std::vector<std::byte>>> maps;  // by key
    friend bool operator==(const Said&, const Said&) = default;
  };
  Said run(std::span<const std::byte> packet);

 private:
  struct Map {
    const testing::MapShape* shape;
    Fd fd;
  };

  long bpf(Command command, spec::Attr& attr) {
    if (hive_ == nullptr) return kernel::bpf(static_cast<int>(command), &attr, sizeof attr);
    Modest caller;
    return hive_->call(caller, static_cast<int>(command), address(&attr), sizeof attr);
  }
  Fd made(Command command, spec::Attr& attr) {
    const long fd = bpf(command, attr);
    return Fd(fd < 0 ? -1 : static_cast<int>(fd));
  }
  int map(const testing::MapShape& shape);
  auto elements(const Map& map) -> std::map<std::vector<std::byte>, std::vector<std::byte>>;

  std::unique_ptr<hive::Hive> hive_;
  std::vector<Map> maps_;
  Fd types_, program_;
};

int Side::map(const testing::MapShape& shape) {
  const auto known = std::ranges::find(maps_, &shape, &Map::shape);
  if (known != maps_.end()) return known->fd.get();
  spec::Attr attr{};
  attr.map_create.map_type = static_cast<std::uint32_t>(shape.type);
  attr.map_create.key_size = shape.key_size;
  attr.map_create.value_size = shape.value_size;
  attr.map_create.max_entries = shape.max_entries;
  attr.map_create.map_flags = shape.flags;
  maps_.push_back({&shape, made(Command::MapCreate, attr)});
  return maps_.back().fd.get();
}

bool Side::load(const judge::Program& program, const testing::FunctionTypes& types) {
  std::vector<isa::Insn> insns = program.insns;
  for (const judge::MapName& name : program.maps) insns[name.insn].imm = map(*shape_of(name.name));
  std::vector<btf::FuncInfo> functions;
  for (const judge::FunctionStart& function : program.functions)
    functions.push_back({static_cast<std::uint32_t>(function.insn), types.id_of(function.name)});
  if (!functions.empty() && !types_) {
    spec::Attr attr{};
    attr.btf_load.btf = address(types.bytes().data());
    attr.btf_load.btf_size = static_cast<std::uint32_t>(types.bytes().size());
    types_ = made(Command::BtfLoad, attr);
  }
  spec::Attr attr{};
  attr.prog_load.prog_type = static_cast<std::uint32_t>(program.type);
  attr.prog_load.insn_cnt = static_cast<std::uint32_t>(insns.size());
  attr.prog_load.insns = address(insns.data());
  attr.prog_load.license = address("GPL");
  attr.prog_load.prog_flags = program.flags;
  if (!functions.empty()) {
    attr.prog_load.prog_btf_fd = static_cast<std::uint32_t>(types_.get());
    attr.prog_load.func_info = address(functions.data());
    attr.prog_load.func_info_rec_size = sizeof(btf::FuncInfo);
    attr.prog_load.func_info_cnt = static_cast<std::uint32_t>(functions.size());
  }
  program_ = made(Command::ProgLoad, attr);
  return bool(program_);
}

void Side::fill(Draw draw) {
  for (const Map& map : maps_)
    for (int i = 0; i < 4; ++i) {
      std::vector<std::byte> key(map.shape->key_size), value(map.shape->value_size);
      const auto index = static_cast<std::uint32_t>(draw.below(map.shape->max_entries));
      const std::uint32_t first = map.shape->type == MapType::LpmTrie
                                      ? static_cast<std::uint32_t>(draw.below(8 * (map.shape->key_size - 4) + 1))
                                      : index;
      std::memcpy(key.data(), &first, std::min(key.size(), sizeof first));
      draw.fill(value);
      spec::Attr attr{};
      attr.elem.map_fd = static_cast<std::uint32_t>(map.fd.get());
      attr.elem.key = address(key.data());
      attr.elem.value = address(value.data());
      bpf(Command::MapUpdateElem, attr);
    }
}

auto Side::elements(const Map& map) -> std::map<std::vector<std::byte>, std::vector<std::byte>> {
  std::map<std::vector<std::byte>, std::vector<std::byte>> found;
  std::vector<std::byte> key(map.shape->key_size), next(key.size()), value(map.shape->value_size);
  spec::Attr attr{};
  attr.elem.map_fd = static_cast<std::uint32_t>(map.fd.get());
  for (bool first = true;; first = false) {
    attr.elem.key = first ? 0 : address(key.data());
    attr.elem.value = address(next.data());
    if (bpf(Command::MapGetNextKey, attr) != 0 || found.size() > map.shape->max_entries) return found;
    key = next;
    attr.elem.key = address(key.data());
    attr.elem.value = address(value.data());
    if (bpf(Command::MapLookupElem, attr) == 0) found[key] = value;
  }
}

Side::Said Side::run(std::span<const std::byte> packet) {
  Said said;
  said.packet.resize(kRoom);
  spec::Attr attr{};
  attr.test.prog_fd = static_cast<std::uint32_t>(program_.get());
  attr.test.data_in = address(packet.data());
  attr.test.data_size_in = static_cast<std::uint32_t>(packet.size());
  attr.test.data_out = address(said.packet.data());
  attr.test.data_size_out = kRoom;
  said.error = bpf(Command::ProgTestRun, attr);
  said.value = attr.test.retval;
  said.packet.resize(said.error == 0 ? std::min<std::size_t>(attr.test.data_size_out, kRoom) : 0);
  for (const Map& map : maps_) said.maps.push_back(elements(map));
  return said;
}

std::string difference(const Side::Said& ours, const Side::Said& theirs) {
  if (ours.error != theirs.error) return fmt::format("the run ends with {} here, {} there", ours.error, theirs.error);
  if (ours.value != theirs.value) return fmt::format("it returns {:#x} here, {:#x} there", ours.value, theirs.value);
  if (ours.packet != theirs.packet) return "the packets differ";
  return "maps differ";
}

}  // namespace

struct KernelSample::Sides {
  testing::FunctionTypes types{judge::prototypes()};
  std::vector<Side> all;  // compiled, interpreted, the kernel
};

KernelSample::KernelSample() {
  if (obstacle_ = kernel::why_unavailable(); !obstacle_.empty()) return;
  stay_on_this_cpu();  // what is kept for each CPU must be the same everywhere
  sides_ = std::make_unique<Sides>();
  for (const hive::Engine engine : {hive::Engine::Jit, hive::Engine::Interp}) {
    auto hive = hive::Hive::create({.engine = engine, .budget = 1 << 20});
    if (!hive) {
      obstacle_ = hive.error().message;
      return;
    }
    sides_->all.emplace_back(*std::move(hive));
  }
  sides_->all.emplace_back(nullptr);
}
KernelSample::~KernelSample() = default;

KernelSample::Found KernelSample::run(const judge::Program& program, std::uint64_t seed, unsigned inputs) {
  if (!obstacle_.empty() || !fits(program)) return {};
  Draw draw(seed);
  const std::uint64_t filling = draw();
  Found found{.outcome = Outcome::Same};
  for (Side& side : sides_->all) {
    if (!side.load(program, sides_->types)) found.outcome = Outcome::Unfit;
    side.fill(Draw(filling));
  }
  std::array<std::byte, kLargestPacket> bytes{};
  for (unsigned i = 0; i < inputs && found.outcome == Outcome::Same; ++i) {
    const auto packet = std::span(bytes).first(14 + draw.below(kLargestPacket - 13));
    draw.fill(packet);
    const Side::Said compiled = sides_->all[0].run(packet), interpreted = sides_->all[1].run(packet);
    if (compiled.error == -ETIMEDOUT) {  // it would run too long
      found.outcome = Outcome::Unfit;
      break;
    }
    const Side::Said kernels = sides_->all[2].run(packet);
    ++found.runs;
    if (compiled == interpreted && compiled == kernels) continue;
    found.outcome = Outcome::Different;
    found.what = compiled != interpreted ? "compiled and interpreted: " + difference(compiled, interpreted)
                                         : difference(compiled, kernels);
  }
  for (Side& side : sides_->all) side.unload();
  return found;
}

}  // namespace skep::soak
