#include "data/delimited.h"

#include <algorithm>
#include <utility>

#include <base/error.h>
#include <base/input_file.h>
#include <data/listing.h>

namespace data {
namespace {

// What separates the cells of the first line: where spreadsheets write decimal commas, they
// separate by semicolons.
char separator_of(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of("\r\n"), text.size()));
  bool quoted = false;
  std::size_t end = 0;
  for (; end < text.size() && (quoted || text[end] != '\n'); ++end)
    if (text[end] == '"') quoted = !quoted;
  const std::string_view line = text.substr(0, end);
  for (const char separator : {',', ';', '\t'}) {
    quoted = false;
    for (const char c : line) {
      if (c == '"') quoted = !quoted;
      if (!quoted && c == separator) return separator;
    }
  }
  return ',';
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
    : text_(base::read_whole(path)),
      reader_(text_, has_extension(path, ".tsv") ? '\t' : separator_of(text_), path.string()) {}

}  // namespace data
