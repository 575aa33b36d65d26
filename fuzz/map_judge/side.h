// Somebody who answers bpf(2), a hive or the running kernel, with one map on which operations are done.
//
// Threads: one, which should stay on its CPU: the kernel's LRU lists are per CPU. Tested by:
// map_judge/map_judge_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "base/fd.h"
#include "hive/hive.h"
#include "map_judge/material.h"
#include "map_judge/sequence.h"
#include "map_judge/things.h"
#include "spec/attr.h"
#include "spec/commands.h"

namespace skep::map_judge {

using Element = std::pair<Blob, Blob>;  // key and value, things in place of ids

struct Answer {
  long result = 0;          // a negative errno
  std::uint32_t count = 0;  // of a batch, as it was written back
  Blob data = {};           // the value, the next key, or where a batch stopped
  std::vector<Element> elements = {};
  friend bool operator==(const Answer&, const Answer&) = default;
};

class Side {
 public:
  Side(std::unique_ptr<hive::Hive> hive, const SharedThings& shared);  // null: the kernel

  // Makes the map of a sequence: 0 or a negative errno. It goes with the next one.
  long create(const Sequence& sequence, const Material& material);
  Answer perform(const Operation& operation);
  // Takes the element out, or all of them, whatever there is.
  void erase(const Blob& key);
  void clear();

 private:
  struct Ask {
    spec::Attr attr{};
    Blob key, value, next;
  };
  long bpf(spec::Command command, spec::Attr& attr);
  Fd reopened(std::uint32_t flags);
  int map_fd(Flaw flaw) const noexcept;
  std::uint32_t types_of(const Sequence& sequence, spec::AttrMapCreate& attr);

  Answer element(spec::Command command, const Operation& operation);
  Answer next_key(const Operation& operation);
  Answer batch(spec::Command command, const Operation& operation);
  Answer walk(const Operation& operation);
  Answer walk_in_batches(spec::Command command, const Operation& operation);
  bool may_write_mapped(Flaw flaw) const noexcept;
  Answer mapped(const Operation& operation);
  Answer info(const Operation& operation);
  Answer freeze(const Operation& operation);
  void take_elements(Answer& answer, const Blob& keys, const Blob& values) const;

  std::unique_ptr<hive::Hive> hive_;
  hive::LocalCaller caller_;
  Bpf call_;
  Things things_;
  const Sequence* sequence_ = nullptr;
  const Material* material_ = nullptr;
  Fd map_, read_only_, write_only_, types_;
  bool is_frozen_ = false;
  Blob cursor_;  // of the last batch lookup
};

}  // namespace skep::map_judge
