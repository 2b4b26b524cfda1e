#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace base {

/// Rows of text printed in aligned columns: the first ones to the left, the others to the right.
class Table {
 public:
  explicit Table(std::size_t left_columns) : left_columns_(left_columns) {}

  /// All rows have as many cells as the first one.
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::size_t left_columns_;
};

/// A cell of a CSV file for a text from elsewhere, such as a file's name: where a spreadsheet would
/// take it for a formula, because it begins with = + - @ or a control character, with ' before it.
std::string inert_cell(const std::string& text);

/// One line of a CSV file (RFC 4180), with its line end.
std::string csv_line(const std::vector<std::string>& cells);

}  // namespace base
