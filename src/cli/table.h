// Text in columns: the first to the left, the others to the right.
#pragma once

#include <string>
#include <vector>

namespace skep::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  // Lines with two blanks between columns, each ended by a newline.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// "1 234 567": digits in groups of three.
std::string grouped(unsigned long long number);
// "12.3 %" of a whole.
std::string share(unsigned long long part, unsigned long long whole);

}  // namespace skep::cli
