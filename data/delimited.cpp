#include "data/delimited.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include <base/error.h>
#include <data/forms.h>

namespace data {
namespace {

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file) base::fail(path.string(), ": cannot read the file: ", std::strerror(errno));
  return text;
}

}  // namespace

DelimitedReader::DelimitedReader(std::string_view text, char separator, std::string name)
    : text_(text), separator_(separator), name_(std::move(name)) {
  if (text_.starts_with("\xEF\xBB\xBF")) position_ = 3;
}

std::string DelimitedReader::place() const { return name_ + ":" + std::to_string(row_line_); }

bool DelimitedReader::at_line_end() const {
  return text_[position_] == '\n' || text_.substr(position_, 2) == "\r\n";
}

void DelimitedReader::skip_line_end() {
  position_ += text_[position_] == '\r' ? 2 : 1;
  ++line_;
}

bool DelimitedReader::next(std::vector<std::string>& cells) {
  while (position_ < text_.size() && at_line_end()) skip_line_end();
  if (position_ == text_.size()) return false;
  row_line_ = line_;
  cells.clear();
  for (;;) {
    cells.push_back(cell());
    if (position_ == text_.size()) return true;
    if (at_line_end()) {
      skip_line_end();
      return true;
    }
    ++position_;  // the separator
  }
}

std::string DelimitedReader::cell() {
  if (position_ < text_.size() && text_[position_] == '"') return quoted_cell();
  const std::size_t begin = position_;
  while (position_ < text_.size() && text_[position_] != separator_ && !at_line_end()) ++position_;
  return std::string(text_.substr(begin, position_ - begin));
}

std::string DelimitedReader::quoted_cell() {
  std::string value;
  for (++position_;;) {
    const std::size_t quote = text_.find('"', position_);
    if (quote == std::string_view::npos)
      base::fail(place(), ": a quotation mark is opened and never closed");
    const std::string_view part = text_.substr(position_, quote - position_);
    value += part;
    line_ += std::count(part.begin(), part.end(), '\n');
    position_ = quote + 1;
    if (position_ == text_.size() || text_[position_] != '"') break;
    value += '"';
    ++position_;
  }
  if (position_ < text_.size() && text_[position_] != separator_ && !at_line_end())
    base::fail(place(),
               ": text after a closing quotation mark; quotation marks inside are doubled");
  return value;
}

DelimitedFile::DelimitedFile(const std::filesystem::path& path)
    : text_(read_text(path)),
      reader_(text_, has_extension(path, ".tsv") ? '\t' : ',', path.string()) {}

}  // namespace data
