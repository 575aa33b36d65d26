// A text as a gzip file (RFC 1952), not made smaller: for files that programs expect to be packed, a few lines long.
// Tested by: host/gzip_test.cc.
#pragma once

#include <string>
#include <string_view>

namespace skep::host {

inline constexpr std::size_t kMostGzip = 0xffff;  // bytes of text: one block

// Of `text`, which has kMostGzip bytes at most.
std::string gzip(std::string_view text);

}  // namespace skep::host
