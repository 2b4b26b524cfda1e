#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include <base/error.h>
#include <base/text.h>
#include <data/delimited.h>
#include <data/endings.h>
#include <data/forms.h>

namespace data {
namespace fs = std::filesystem;
namespace {

constexpr std::array<std::string_view, 4> kFileNames = {"file", "path", "image", "filename"};
constexpr std::array<std::string_view, 2> kIdNames = {"image_id", "id"};
constexpr std::array<std::string_view, 3> kLabelNames = {"label", "class", "labels"};

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
}

// Where a row has what.
struct Columns {
  std::size_t file = 0;
  std::size_t label = 1;
  std::size_t count = 2;
  bool multi_label = false;  // said by the header
};

template <std::size_t N>
std::optional<std::size_t> find_column(const std::vector<std::string>& row,
                                       const std::array<std::string_view, N>& names) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    std::string name = trimmed(row[i]);
    for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    if (std::find(names.begin(), names.end(), name) != names.end()) return i;
  }
  return std::nullopt;
}

std::optional<Columns> read_header(const std::vector<std::string>& row) {
  auto file = find_column(row, kFileNames);
  if (!file) file = find_column(row, kIdNames);
  const auto label = find_column(row, kLabelNames);
  if (!file || !label) return std::nullopt;
  const bool plural = find_column(row, std::array<std::string_view, 1>{"labels"}) == label;
  return Columns{*file, *label, row.size(), plural};
}

// A first line that is no header must be an entry.
void check_first_entry(const std::vector<std::string>& row, const fs::path& folder,
                       const std::string& place, Endings& endings) {
  if (row.size() == 2 && endings.find(folder / row.front())) return;
  std::vector<std::string> cells;
  for (const std::string& cell : row) cells.push_back(base::in_quotes(cell));
  base::fail(place, ": neither an entry (a picture file and its label) nor a header with a column ",
             "named file, path, image, filename, image_id or id, and one named label, class or ",
             "labels; its cells are ", base::join(cells, ", "));
}

std::vector<std::string> split_labels(const std::string& text) {
  std::vector<std::string> labels;
  for (const std::string& part : base::split(text, text.find(';') != text.npos ? ';' : '|'))
    if (std::string label = trimmed(part); !label.empty()) labels.push_back(std::move(label));
  return labels;
}

}  // namespace

std::unique_ptr<Dataset> open_list(const fs::path& list, const OpenOptions& options) {
  DelimitedFile reader(list);
  const fs::path folder = list.parent_path();

  Columns columns;
  Endings endings;
  std::vector<Labelled> labelled;
  std::string missing;  // the first name that no picture has
  std::size_t found = 0;
  bool several = false;
  bool first = true;
  for (std::vector<std::string> row; reader.next(row); first = false) {
    if (first) {
      if (const auto header = read_header(row)) {
        columns = *header;
        continue;
      }
      check_first_entry(row, folder, reader.place(), endings);
    }
    if (row.size() != columns.count)
      base::fail(reader.place(), ": ", row.size(), " cells, expected ", columns.count,
                 "; cells that hold the separator belong in quotation marks");
    const std::string file = trimmed(row[columns.file]);
    if (file.empty()) base::fail(reader.place(), ": the cell of the file is empty");
    const auto path = endings.find(folder / file);
    if (path) ++found;
    if (!path && missing.empty()) missing = file;
    labelled.push_back({path.value_or(folder / file).string(), split_labels(row[columns.label])});
    several = several || labelled.back().labels.size() > 1;
  }
  if (labelled.empty()) base::fail(list.string(), ": the list has no entries");
  if (found == 0)
    base::fail(
        list.string(), ": none of its names, such as ", base::in_quotes(missing),
        ", is that of a picture, with or without an ending; names are paths from the folder ",
        "of the list on");

  const bool multi_label = several || columns.multi_label;
  if (!multi_label) {
    LeftOut unlabelled;
    std::erase_if(labelled, [&](const Labelled& entry) {
      if (entry.labels.empty()) unlabelled.add(entry.name);
      return entry.labels.empty();
    });
    unlabelled.report(list.string(), "entries without label", options);
  }
  return picture_files(classified(std::move(labelled), multi_label, list.string(), options),
                       options.transparency);
}

}  // namespace data
