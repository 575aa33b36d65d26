// What libbpf says, kept for an error message instead of going to stderr.
#pragma once

#include <string>

namespace skep::loader {

// While it lives, libbpf's warnings on this thread are collected here. Not nested.
class Log {
 public:
  Log();
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // The collected lines without libbpf's prefixes; the middle of a long log is left out.
  std::string text() const;

 private:
  std::string raw_;
};

}  // namespace skep::loader
