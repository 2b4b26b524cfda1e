#include "data/labels.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>

#include <base/error.h>
#include <base/text.h>
#include <data/wordnet.h>

namespace data {
namespace {

constexpr std::size_t kShown = 5;  // names in a message
constexpr int64_t kUnknown = -1;
constexpr int64_t kSeveral = -2;

using Names = std::vector<std::string>;
using Lookup = std::unordered_map<std::string, int64_t>;

// "'a', 'b', 'c', … (12 in all)"
std::string some(const Names& names) {
  Names shown;
  for (const std::string& name : names)
    if (shown.size() < kShown) shown.push_back(base::printable(name).insert(0, 1, '\'') + '\'');
  if (names.size() > kShown) shown.push_back("… (" + std::to_string(names.size()) + " in all)");
  return base::join(shown, ", ");
}

// Capital letters and underscores do not count, nor do further names after a comma.
std::string folded(std::string_view name) {
  std::string text(name.substr(0, name.find(',')));
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_') c = ' ';
  }
  return text;
}

template <typename Key>
Lookup lookup(const Names& names, Key key) {
  Lookup indices;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto [place, is_new] = indices.emplace(key(names[i]), static_cast<int64_t>(i));
    if (!is_new) place->second = kSeveral;
  }
  return indices;
}

template <typename Key>
std::vector<int64_t> by_name(const Names& labels, const Names& class_names, Key key) {
  const Lookup names = lookup(class_names, key);
  std::vector<int64_t> indices;
  for (const std::string& label : labels) {
    const auto found = names.find(key(label));
    indices.push_back(found == names.end() ? kUnknown : found->second);
  }
  return indices;
}

std::vector<int64_t> by_number(const Names& labels, int64_t classes) {
  std::vector<int64_t> indices;
  for (const std::string& label : labels) {
    const auto number = base::parse_integer(label);
    indices.push_back(number && *number >= 0 && *number < classes ? *number : kUnknown);
  }
  return indices;
}

std::vector<int64_t> by_wordnet(const Names& labels) {
  std::vector<int64_t> indices;
  for (const std::string& label : labels) indices.push_back(imagenet_class(label).value_or(-1));
  return indices;
}

bool all_found(const std::vector<int64_t>& indices) {
  return std::all_of(indices.begin(), indices.end(), [](int64_t index) { return index >= 0; });
}

[[noreturn]] void fail_unknown(const Names& labels, const std::vector<int64_t>& indices,
                               const Names& class_names, const std::string& where) {
  Names unknown;
  Names several;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (indices[i] == kUnknown) unknown.push_back(labels[i]);
    if (indices[i] == kSeveral) several.push_back(labels[i]);
  }
  if (unknown.empty())
    base::fail(where, ": several classes of the model have the name ", some(several),
               "; label the data by the numbers of the classes, or map its labels to numbers");
  constexpr std::string_view kSplits[] = {"train", "val", "valid", "validation", "test"};
  const bool splits = std::all_of(unknown.begin(), unknown.end(), [&](const std::string& label) {
    return std::find(std::begin(kSplits), std::end(kSplits), label) != std::end(kSplits);
  });
  base::fail(where, ": ",
             unknown.size() == labels.size() ? "no label of the data is among the model's classes"
                                             : "labels that are not among the model's classes",
             ": ", some(unknown), "; the model's are ", some(class_names),
             splits ? ". These look like parts of a data set: name the folder of one of them"
                    : ". Rename them, or map them to the model's classes");
}

}  // namespace

std::vector<int64_t> match_labels(const Names& labels, const Names& class_names,
                                  const std::string& where) {
  std::vector<int64_t> indices =
      by_name(labels, class_names, [](const std::string& name) { return name; });
  if (all_found(indices)) return indices;
  indices = by_number(labels, static_cast<int64_t>(class_names.size()));
  if (all_found(indices)) return indices;
  if (class_names.size() == kImagenetClasses) {
    indices = by_wordnet(labels);
    if (all_found(indices)) return indices;
  }
  indices = by_name(labels, class_names, folded);
  if (!all_found(indices)) fail_unknown(labels, indices, class_names, where);
  return indices;
}

std::vector<std::string> sorted_labels(Names labels) {
  const bool numbers = std::all_of(labels.begin(), labels.end(), [](const std::string& label) {
    return base::parse_integer(label).has_value();
  });
  std::sort(labels.begin(), labels.end(), [&](const std::string& a, const std::string& b) {
    if (!numbers) return a < b;
    const int64_t first = *base::parse_integer(a);
    const int64_t second = *base::parse_integer(b);
    return first != second ? first < second : a < b;
  });
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
  return labels;
}

Classified classified(std::vector<Labelled> labelled, bool multi_label, const std::string& where,
                      const OpenOptions& options) {
  Lookup indices;  // of every label that there is
  for (Labelled& entry : labelled)
    for (std::string& label : entry.labels) {
      const auto renamed = options.class_map.find(label);
      if (renamed != options.class_map.end()) label = renamed->second;
      indices.emplace(label, kUnknown);
    }
  Names labels;
  for (const auto& [label, index] : indices) labels.push_back(label);
  labels = sorted_labels(std::move(labels));

  Classified result;
  result.multi_label = multi_label;
  result.class_names = options.class_names;
  if (result.class_names.empty()) {
    if (labels.size() < 2)
      base::fail(where, ": ", labels.empty() ? "nothing has a label" : "all is of one class, ",
                 some(labels), "; two classes are needed at least");
    result.class_names = labels;
  }
  const std::vector<int64_t> found = match_labels(labels, result.class_names, where);
  for (std::size_t i = 0; i < labels.size(); ++i) indices[labels[i]] = found[i];

  for (Labelled& entry : labelled) {
    std::vector<int64_t> classes;
    for (const std::string& label : entry.labels) classes.push_back(indices.at(label));
    std::sort(classes.begin(), classes.end());
    classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
    result.entries.push_back({std::move(entry.name), std::move(classes)});
  }
  return result;
}

void LeftOut::add(const std::string& name) {
  ++count_;
  if (some_.size() < kShown) some_.push_back(base::printable(name));
}

void LeftOut::report(const std::string& path, const std::string& what,
                     const OpenOptions& options) const {
  if (count_ == 0 || !options.on_warning) return;
  options.on_warning(path + ": left out, " + std::to_string(count_) + " " + what + ": " +
                     base::join(some_, ", ") +
                     (count_ > static_cast<int64_t>(some_.size()) ? ", …" : ""));
}

}  // namespace data
