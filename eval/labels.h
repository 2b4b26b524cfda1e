#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <data/dataset.h>
#include <eval/records.h>

namespace eval {

/// Name of a class, or "class 12" where the checkpoint does not name it.
std::string label_name(const std::vector<std::string>& labels, int64_t index);

/// Labelled data whose labels have become classes of a model.
struct LabelledData {
  std::unique_ptr<data::Dataset> dataset;
  Targets targets;                       ///< by entry
  std::vector<std::string> class_names;  ///< of all classes of the model
};

/// Opens `path` for a model of `classes` classes with these labels (as many or fewer). Where it has
/// none, numbers mean classes and other labels are taken in their order, which `note` is told.
/// Transparent pixels become what the model wants. Throws base::Error.
LabelledData open_for_model(const std::string& path, const std::vector<std::string>& labels,
                            int64_t classes, const std::map<std::string, std::string>& class_map,
                            vit::Transparency transparency,
                            const std::function<void(const std::string&)>& note);

/// Reads a .csv or .tsv file with two columns: a label of the data, and the name or number of the
/// class that it means. A first line "label,class" is passed over. Throws base::Error.
std::map<std::string, std::string> read_class_map(const std::string& path);

}  // namespace eval
