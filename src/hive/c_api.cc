// The C API of include/skep/skep.h.
#include "skep/skep.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include "hive/c_api.h"
#include "hive/hive.h"
#include "hive/request.h"
#include "spec/attr.h"
#include "spec/commands.h"

namespace {

using skep::hive::Hive;

skep::hive::Engine engine_of(std::uint32_t engine) noexcept {
  using skep::hive::Engine;
  return engine == SKEP_ENGINE_JIT ? Engine::Jit : engine == SKEP_ENGINE_INTERP ? Engine::Interp : Engine::Checked;
}

// The caller's structure as one of ours: shorter ones are filled up with zeros.
skep::Result<skep_hive_options> read(const skep_hive_options& given) {
  skep_hive_options ours{};
  const auto* from = reinterpret_cast<const std::byte*>(&given);
  if (given.size < sizeof given.size) return skep::fail(EINVAL, "size is not set");
  const auto more = std::span(from, given.size).subspan(std::min<std::size_t>(given.size, sizeof ours));
  if (std::ranges::any_of(more, [](std::byte b) { return b != std::byte{0}; }))
    return skep::fail(E2BIG, "options that this version does not know are set");
  std::memcpy(&ours, from, std::min<std::size_t>(given.size, sizeof ours));
  return ours;
}

skep::Result<skep::hive::Options> options_of(const skep_hive_options& given) {
  constexpr std::uint32_t kFlags = SKEP_JIT_RETPOLINES | SKEP_JIT_NO_BARRIERS;
  TRY(const skep_hive_options ours, read(given));
  if (ours.engine > SKEP_ENGINE_JIT) return skep::fail(EINVAL, "engine is none of enum skep_engine");
  if (ours.jit_harden > 2) return skep::fail(EINVAL, "jit_harden is 0, 1 or 2");
  if ((ours.jit_flags & ~kFlags) != 0) return skep::fail(EINVAL, "jit_flags has bits that are no SKEP_JIT_*");
  skep::hive::Options options{.engine = engine_of(ours.engine)};
  options.harden = skep::hive::Harden{static_cast<std::uint8_t>(ours.jit_harden)};
  options.jit.hardening.retpolines = (ours.jit_flags & SKEP_JIT_RETPOLINES) != 0;
  options.jit.hardening.barriers = (ours.jit_flags & SKEP_JIT_NO_BARRIERS) == 0;
  TRY(options.jit.tools, skep::jit::tools_of(ours.jit_tools != nullptr ? ours.jit_tools : ""));
  return options;
}

skep_hive* made(skep::Result<skep::hive::Options> options) {
  auto hive = options ? Hive::create(*options) : std::unexpected(options.error());
  if (hive) return new skep_hive{std::move(*hive)};
  errno = static_cast<int>(-skep::hive::refuse(std::move(hive.error())));
  return nullptr;
}

}  // namespace

extern "C" {

skep_hive* skep_hive_new(enum skep_engine engine) { return made(skep::hive::Options{.engine = engine_of(engine)}); }

skep_hive* skep_hive_open(const skep_hive_options* options) { return made(options_of(*options)); }

void skep_hive_free(skep_hive* hive) { delete hive; }

long skep_bpf(skep_hive* hive, int cmd, void* attr, uint32_t size) {
  skep::hive::LocalCaller caller;
  return skep::hive::libc_result(hive->hive->call(caller, cmd, reinterpret_cast<std::uintptr_t>(attr), size));
}

const char* skep_last_error(void) { return Hive::last_error().c_str(); }

const char* skep_last_failure(void) {
  thread_local std::string text;
  const skep::exec::Failure& failure = Hive::last_failure();
  text = failure.kind == skep::exec::Failure::Kind::None ? std::string() : failure.text();
  return text.c_str();
}

int skep_run_bytes(skep_hive* hive, int prog_fd, const void* packet, uint32_t size, void* out, uint32_t* out_size,
                   uint32_t* result) {
  const bool wants_packet = out != nullptr && out_size != nullptr && *out_size != 0;
  skep::spec::Attr attr{};
  attr.test.prog_fd = static_cast<std::uint32_t>(prog_fd);
  attr.test.data_in = reinterpret_cast<std::uintptr_t>(packet);
  attr.test.data_size_in = size;
  attr.test.data_out = wants_packet ? reinterpret_cast<std::uintptr_t>(out) : 0;
  attr.test.data_size_out = wants_packet ? *out_size : 0;
  const long code = skep_bpf(hive, static_cast<int>(skep::spec::Command::ProgTestRun), &attr, sizeof attr);
  if (out_size != nullptr) *out_size = attr.test.data_size_out;
  if (result != nullptr) *result = attr.test.retval;
  return static_cast<int>(code);
}

int skep_owns(int fd) { return Hive::owns(fd) ? 1 : 0; }

}  // extern "C"
