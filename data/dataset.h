#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include <base/error.h>
#include <vit/input_config.h>

namespace data {

/// One labelled picture of a data set.
struct Entry {
  std::string name;              ///< for people and result files: a path, or "shard.tar:member"
  std::vector<int64_t> classes;  ///< indices into class_names(); exactly one unless multi_label()
};

/// Labelled pictures that can be read in any order, by many threads at once.
class Dataset {
 public:
  virtual ~Dataset() = default;

  int64_t size() const { return static_cast<int64_t>(entries_.size()); }
  const Entry& entry(int64_t index) const { return entries_[static_cast<std::size_t>(index)]; }
  /// Entry::classes of several entries.
  std::vector<const std::vector<int64_t>*> classes_of(const std::vector<int64_t>& indices) const {
    std::vector<const std::vector<int64_t>*> classes;
    for (const int64_t index : indices) classes.push_back(&entry(index).classes);
    return classes;
  }
  const std::vector<std::string>& class_names() const { return class_names_; }

  /// Whether an entry may show any number of classes, none included.
  bool multi_label() const { return multi_label_; }

  /// The picture of an entry as uint8 [height, width, 3], RGB. Throws base::Error naming the entry
  /// and the reason.
  virtual at::Tensor read(int64_t index) const = 0;

 protected:
  Dataset(std::vector<Entry> entries, std::vector<std::string> class_names, bool multi_label)
      : entries_(std::move(entries)),
        class_names_(std::move(class_names)),
        multi_label_(multi_label) {}

 private:
  std::vector<Entry> entries_;
  std::vector<std::string> class_names_;
  bool multi_label_;
};

/// A path is that of the parts of a data set, train/ and val/ for example, where one of them is to
/// be named.
class VITOME_API PartsError : public base::Error {
 public:
  PartsError(const std::string& message, std::filesystem::path training,
             std::filesystem::path other);

  /// The part to learn from, and one to measure by; each empty if there is none.
  const std::filesystem::path& training() const { return training_; }
  const std::filesystem::path& other() const { return other_; }

 private:
  std::filesystem::path training_;
  std::filesystem::path other_;
};

struct OpenOptions {
  /// Classes in the order of a model's outputs: labels of the data are looked up here, and a label
  /// that is not among them is an error that lists some of both. Numbers of classes and WordNet ids
  /// do as well, see docs/data.md. Empty: the labels that the data uses, sorted (numbers by value).
  std::vector<std::string> class_names = {};
  /// Gets a line of text for what is left out (a folder without pictures, an entry without label).
  std::function<void(const std::string&)> on_warning = {};
  /// Labels of the data that mean another one: the name of a class, or its number.
  std::map<std::string, std::string> class_map = {};
  /// What the pictures' transparent pixels become, as a model's PicturePreprocessing has it.
  vit::Transparency transparency = vit::Transparency::dropped;
};

/// Opens labelled data, whatever form it has:
/// - a folder with a folder of pictures for each class;
/// - a .csv or .tsv list of files and labels, see docs/data.md;
/// - tar shards in the WebDataset layout: one .tar, a pattern such as "train-{000..012}.tar", or a
///   folder of .tar files.
/// What is a picture by its name becomes an entry, whether or not it can be read: that shows when
/// it is, and is told with its name.
///
/// Throws base::Error that names what is wrong: nothing there, no pictures, one class only where
/// `class_names` is empty, unknown labels; PartsError for a folder of parts.
std::unique_ptr<Dataset> open_dataset(const std::string& path, const OpenOptions& options = {});

}  // namespace data
