#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace data {

/// Reads rows of cells between separators (RFC 4180): a cell in quotation marks may hold
/// separators, line ends and doubled quotation marks. Lines end with LF or CR LF; empty ones and a
/// byte order mark are left out.
class DelimitedReader {
 public:
  /// `text` must live as long as the reader; `name` begins error messages.
  DelimitedReader(std::string_view text, char separator, std::string name);

  /// The next row; false after the last one. Throws base::Error for quotation marks that do not
  /// match.
  bool next(std::vector<std::string>& cells);

  /// Where the row that next() gave begins: "list.csv:12".
  std::string place() const;

 private:
  std::string cell();
  std::string quoted_cell();
  bool at_line_end() const;
  void skip_line_end();

  std::string_view text_;
  char separator_;
  std::string name_;
  std::size_t position_ = 0;
  int64_t line_ = 1;  // of position_
  int64_t row_line_ = 0;
};

/// The rows of a .tsv file (tabs) or another one, whose first line tells what separates: commas if
/// there are any outside of quotation marks, else semicolons or tabs. Throws base::Error if it
/// cannot be read.
class DelimitedFile {
 public:
  explicit DelimitedFile(const std::filesystem::path& path);
  DelimitedFile(const DelimitedFile&) = delete;
  DelimitedFile& operator=(const DelimitedFile&) = delete;

  bool next(std::vector<std::string>& cells) { return reader_.next(cells); }
  std::string place() const { return reader_.place(); }

 private:
  std::string text_;
  DelimitedReader reader_;
};

}  // namespace data
