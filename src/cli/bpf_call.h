// bpf(2) of whoever holds the objects, a hive or the kernel: a value or a negative errno.
#pragma once

#include <functional>

#include "spec/attr.h"

namespace skep::cli {

using BpfCall = std::function<long(int command, spec::Attr& attr)>;

}  // namespace skep::cli
