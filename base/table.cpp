#include <algorithm>

#include <base/table.h>
#include <base/text.h>

namespace base {

std::string Table::text() const {
  std::vector<std::size_t> widths(rows_.empty() ? 0 : rows_.front().size());
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - columns(row[i]), ' ');
      if (i > 0) line += "  ";
      line += i < left_columns_ ? row[i] + padding : padding + row[i];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

std::string inert_cell(const std::string& text) {
  const bool formula = !text.empty() && (text.find_first_of("=+-@") == 0 ||
                                         static_cast<unsigned char>(text.front()) < ' ');
  return formula ? "'" + text : text;
}

std::string csv_line(const std::vector<std::string>& cells) {
  std::vector<std::string> quoted;
  for (const std::string& cell : cells) {
    // Where lists are separated by semicolons, spreadsheets split at these, too.
    if (cell.find_first_of(",;\t\"\r\n") == std::string::npos) {
      quoted.push_back(cell);
      continue;
    }
    std::string text = "\"";
    for (char c : cell) text += c == '"' ? "\"\"" : std::string(1, c);
    quoted.push_back(text + '"');
  }
  return join(quoted, ",") + "\n";
}

}  // namespace base
