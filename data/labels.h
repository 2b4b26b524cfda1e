#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <data/dataset.h>

namespace data {

/// An entry as the data describes it: its labels are still text.
struct Labelled {
  std::string name;
  std::vector<std::string> labels;
};

/// What a Dataset is made of.
struct Classified {
  std::vector<Entry> entries;  ///< in the order of the labelled
  std::vector<std::string> class_names;
  bool multi_label = false;
};

/// Looks all labels up, as OpenOptions says; the labels of an entry become ascending and unique.
/// Where no class names are given there must be two classes at least. Throws base::Error that
/// begins with `where`.
Classified classified(std::vector<Labelled> labelled, bool multi_label, const std::string& where,
                      const OpenOptions& options);

/// Index of the class that each of `labels` means, the first of these that holds for all of them:
/// names of `class_names`; numbers of classes; WordNet ids (n01440764), if there are 1,000 classes;
/// names but for capital letters, underscores and what follows a comma. Throws base::Error that
/// begins with `where` and lists some labels and some names.
std::vector<int64_t> match_labels(const std::vector<std::string>& labels,
                                  const std::vector<std::string>& class_names,
                                  const std::string& where);

/// Sorted, by value if all are whole numbers, each once.
std::vector<std::string> sorted_labels(std::vector<std::string> labels);

/// Counts what is left out for one reason, so that a million of them make one line.
class LeftOut {
 public:
  void add(const std::string& name);

  /// "path: 12 entries without label are left out: a, b, c, …" where `what` is "entries without
  /// label"; nothing if there are none.
  void report(const std::string& path, const std::string& what, const OpenOptions& options) const;

 private:
  std::vector<std::string> some_;
  int64_t count_ = 0;
};

}  // namespace data
