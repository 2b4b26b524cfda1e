#include "eval/labels.h"

#include <algorithm>
#include <utility>

#include <base/error.h>
#include <base/text.h>
#include <data/delimited.h>

namespace eval {
namespace {

bool all_numbers(const std::vector<std::string>& names) {
  return std::all_of(names.begin(), names.end(),
                     [](const std::string& name) { return base::parse_integer(name).has_value(); });
}

// "0 = cat, 1 = dog, …"
std::string numbered(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 5;
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < std::min(kShown, names.size()); ++i)
    parts.push_back(std::to_string(i) + " = " + base::printable(names[i]));
  if (names.size() > kShown) parts.emplace_back("…");
  return base::join(parts, ", ");
}

}  // namespace

std::string label_name(const std::vector<std::string>& labels, int64_t index) {
  if (index < static_cast<int64_t>(labels.size())) return labels[static_cast<std::size_t>(index)];
  return "class " + std::to_string(index);
}

LabelledData open_for_model(const std::string& path, const std::vector<std::string>& labels,
                            int64_t classes, const std::map<std::string, std::string>& class_map,
                            vit::Transparency transparency,
                            const std::function<void(const std::string&)>& note) {
  LabelledData result;
  for (int64_t i = 0; i < classes; ++i) result.class_names.push_back(label_name(labels, i));
  data::OpenOptions options;
  options.class_map = class_map;
  options.on_warning = note;
  options.transparency = transparency;
  if (!labels.empty()) options.class_names = result.class_names;
  result.dataset = data::open_dataset(path, options);

  const std::vector<std::string>& names = result.dataset->class_names();
  std::vector<int64_t> meaning(names.size());  // class of the model for each class of the data
  for (std::size_t i = 0; i < names.size(); ++i) meaning[i] = static_cast<int64_t>(i);
  if (labels.empty() && all_numbers(names)) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      meaning[i] = *base::parse_integer(names[i]);
      if (meaning[i] < 0 || meaning[i] >= classes)
        base::fail(path, ": label ", names[i], ", but the model's classes are 0 to ", classes - 1);
    }
  } else if (labels.empty()) {
    if (static_cast<int64_t>(names.size()) > classes)
      base::fail(path, ": ", names.size(), " classes, but the model has ", classes,
                 ", without labels; is it the right model?");
    note("the model has no labels; the classes of the data are taken in their order: " +
         numbered(names));
    std::copy(names.begin(), names.end(), result.class_names.begin());
  }
  for (int64_t i = 0; i < result.dataset->size(); ++i) {
    std::vector<int64_t> shown;
    for (int64_t label : result.dataset->entry(i).classes)
      shown.push_back(meaning[static_cast<std::size_t>(label)]);
    std::sort(shown.begin(), shown.end());
    result.targets.push_back(std::move(shown));
  }
  const Targets& targets = result.targets;
  const bool one_class = std::all_of(targets.begin(), targets.end(), [&](const auto& shown) {
    return shown.size() == 1 && shown == targets.front();
  });
  if (one_class)
    note("all pictures are of one class, " +
         base::printable(result.class_names[static_cast<std::size_t>(targets[0][0])]) +
         ": the accuracy is that of this class");
  return result;
}

std::map<std::string, std::string> read_class_map(const std::string& path) {
  data::DelimitedFile file(path);
  std::map<std::string, std::string> map;
  for (std::vector<std::string> row; file.next(row);) {
    if (map.empty() && row == std::vector<std::string>{"label", "class"}) continue;
    if (row.size() != 2 || row[0].empty() || row[1].empty())
      base::fail(file.place(), ": expected a label of the data and a class of the model");
    if (!map.emplace(row[0], row[1]).second)
      base::fail(file.place(), ": label '", base::printable(row[0]), "' is mapped twice");
  }
  if (map.empty()) base::fail(path, ": the class map is empty");
  return map;
}

}  // namespace eval
