// What a program is run on: a packet or the bytes of its context, drawn.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "exec/call.h"
#include "exec/image.h"
#include "packet/sk_buff.h"
#include "packet/xdp_buff.h"
#include "soundness/draw.h"
#include "spec/context.h"

namespace skep::soundness {

// Whether a program of this type can be given a context here: a packet's, or one that is all numbers.
bool has_context(spec::ProgType type);

class Input {
 public:
  // Draws it and lets `call` have it.
  void draw(spec::ProgType type, exec::ContextKind kind, Draw& draw, exec::Call& call);
  // Lets `call` have what was drawn before.
  void point(spec::ProgType type, exec::ContextKind kind, exec::Call& call) noexcept;
  // All of it, what a program leaves in it included. Copying it back restores it.
  std::span<std::byte> bytes() noexcept { return std::as_writable_bytes(std::span(this, 1)); }

 private:
  static constexpr std::size_t kHeadroom = packet::kXdpHeadroom, kLongest = 128, kTailroom = 320;
  void draw_xdp(Draw& draw);
  void draw_skb(Draw& draw);

  packet::XdpBuff xdp_;
  packet::SkBuff skb_;
  alignas(8) std::array<std::byte, kHeadroom + kLongest + kTailroom> frame_{};
  alignas(8) std::array<std::byte, 8192> plain_{};
};

}  // namespace skep::soundness
