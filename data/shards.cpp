#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include <base/error.h>
#include <base/json.h>
#include <base/text.h>
#include <data/forms.h>
#include <data/samples.h>
#include <media/failure.h>
#include <media/image.h>

namespace data {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kMaxLabelBytes = 1 << 20;
constexpr const char* kSpace = " \t\r\n";

// A picture in one of the shards.
struct Location {
  uint32_t shard = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
};

class Shards : public Dataset {
 public:
  Shards(Classified entries, std::vector<fs::path> shards, std::vector<Location> locations,
         vit::Transparency transparency)
      : Dataset(std::move(entries.entries), std::move(entries.class_names), entries.multi_label),
        shards_(std::move(shards)),
        locations_(std::move(locations)),
        transparency_(transparency) {}

  at::Tensor read(int64_t index) const override {
    const Location& location = locations_[static_cast<std::size_t>(index)];
    const std::string& name = entry(index).name;
    try {
      // Opened each time: there may be more shards than a process may have open files.
      const FileSource file(shards_[location.shard]);
      std::vector<uint8_t> bytes(location.size);
      file.read(location.offset, bytes.data(), bytes.size());
      return media::decode_image(bytes, name, transparency_);
    } catch (...) {
      base::fail(media::failure_text(name));
    }
  }

 private:
  std::vector<fs::path> shards_;
  std::vector<Location> locations_;  // by entry
  vit::Transparency transparency_;
};

std::string label_text(const nlohmann::json& value, const std::string& where) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return std::to_string(value.get<int64_t>());
  base::fail(where, ": a label must be text or a whole number");
}

// Labels as text, and whether there may be any number of them.
struct Labels {
  std::vector<std::string> texts;
  bool multi_label = false;
};

// Nothing if the document says nothing about labels.
std::optional<Labels> read_json_labels(const std::string& text, const std::string& where) {
  const nlohmann::json document = base::parse_json(text, where);
  if (!document.is_object()) return std::nullopt;
  for (const char* key : {"label", "cls", "class", "labels"}) {
    const auto value = document.find(key);
    if (value == document.end() || value->is_null()) continue;
    if (!value->is_array()) return Labels{{label_text(*value, where)}, false};
    Labels labels{{}, true};
    for (const nlohmann::json& element : *value) labels.texts.push_back(label_text(element, where));
    return labels;
  }
  return std::nullopt;
}

std::optional<Labels> read_labels(const FileSource& shard, const Sample& sample) {
  for (const std::string wanted : {".cls", ".json", ".txt"})
    for (const auto& [extension, member] : sample.labels) {
      if (extension != wanted) continue;
      const std::string where = shard.name() + ":" + member.name;
      if (member.size > kMaxLabelBytes)
        base::fail(where, ": ", member.size, " bytes are too many for labels");
      std::string text(member.size, '\0');
      shard.read(member.offset, text.data(), text.size());
      if (extension == ".json") {
        if (auto labels = read_json_labels(text, where)) return labels;
        continue;
      }
      const std::size_t begin = text.find_first_not_of(kSpace);
      if (begin == std::string::npos) continue;
      return Labels{{text.substr(begin, text.find_last_not_of(kSpace) - begin + 1)}, false};
    }
  return std::nullopt;
}

}  // namespace

std::unique_ptr<Dataset> open_shards(const std::vector<fs::path>& shards, const std::string& where,
                                     const OpenOptions& options) {
  std::vector<Labelled> labelled;
  std::vector<Location> locations;
  LeftOut without_picture;
  LeftOut without_label;
  LeftOut dotted;
  std::string dots;  // explains them
  bool multi_label = false;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const FileSource shard(shards[i]);
    for (const Sample& sample : list_samples(shard)) {
      const std::string name = shard.name() + ":" + sample.key;
      std::optional<Labels> labels;
      if (sample.picture) labels = read_labels(shard, sample);
      if (!sample.several.empty()) {
        if (dots.empty()) dots = explain_dots(sample);
        dotted.add(name);
      }
      if (!sample.picture) {
        // Members such as a README have nothing to do with any picture.
        if (sample.several.empty() && !sample.labels.empty()) without_picture.add(name);
        continue;
      }
      if (!labels) {
        without_label.add(name);
        continue;
      }
      multi_label = multi_label || labels->multi_label;
      labelled.push_back({shard.name() + ":" + sample.picture->name, std::move(labels->texts)});
      locations.push_back({static_cast<uint32_t>(i), sample.picture->offset, sample.picture->size});
    }
  }
  without_picture.report(where, "samples without picture", options);
  without_label.report(where, "pictures without label (.cls, .json or .txt)", options);
  if (labelled.empty())
    base::fail(where, ": no picture with a label", dots.empty() ? "" : ": ", dots);
  dotted.report(where, "pictures of samples that have several (" + dots + ")", options);
  return std::make_unique<Shards>(classified(std::move(labelled), multi_label, where, options),
                                  shards, std::move(locations), options.transparency);
}

}  // namespace data
