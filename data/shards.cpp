#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <base/error.h>
#include <base/json.h>
#include <base/text.h>
#include <data/forms.h>
#include <data/tar.h>
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
  Shards(Classified entries, std::vector<fs::path> shards, std::vector<Location> locations)
      : Dataset(std::move(entries.entries), std::move(entries.class_names), entries.multi_label),
        shards_(std::move(shards)),
        locations_(std::move(locations)) {}

  at::Tensor read(int64_t index) const override {
    const Location& location = locations_[static_cast<std::size_t>(index)];
    const std::string& name = entry(index).name;
    try {
      // Opened each time: there may be more shards than a process may have open files.
      const FileSource file(shards_[location.shard]);
      std::vector<uint8_t> bytes(location.size);
      file.read(location.offset, bytes.data(), bytes.size());
      return media::decode_image(bytes, name);
    } catch (...) {
      base::fail(media::failure_text(name));
    }
  }

 private:
  std::vector<fs::path> shards_;
  std::vector<Location> locations_;  // by entry
};

// Members of a shard that share a name up to the first dot.
struct Sample {
  std::string key;
  std::optional<TarMember> picture;
  std::vector<std::pair<std::string, TarMember>> labels;  // by extension
};

// Where the extension begins: at the first dot of the last part of the path.
std::size_t first_dot(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  return std::min(name.find('.', slash == std::string::npos ? 0 : slash + 1), name.size());
}

bool is_hidden(const std::string& name) {
  return name.substr(name.rfind('/') + 1).starts_with('.');
}

std::vector<Sample> samples(const FileSource& shard) {
  std::vector<Sample> samples;
  std::unordered_map<std::string, std::size_t> places;
  for (TarMember& member : list_tar(shard)) {
    if (is_hidden(member.name)) continue;
    const std::size_t dot = first_dot(member.name);
    const auto [place, is_new] = places.emplace(member.name.substr(0, dot), samples.size());
    if (is_new) samples.push_back({place->first, {}, {}});
    Sample& sample = samples[place->second];
    std::string extension = member.name.substr(dot);
    for (char& c : extension) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    // Of "a.jpg" and "a.mask.png" only the first is a picture to classify.
    if (extension.rfind('.') == 0 && media::is_image_file_name("x" + extension)) {
      if (sample.picture)
        base::fail(shard.name(), ": two pictures for one sample, ", sample.picture->name, " and ",
                   member.name);
      sample.picture = std::move(member);
    } else if (extension == ".cls" || extension == ".json" || extension == ".txt") {
      sample.labels.emplace_back(std::move(extension), std::move(member));
    }
  }
  return samples;
}

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
  bool multi_label = false;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const FileSource shard(shards[i]);
    for (const Sample& sample : samples(shard)) {
      const std::string name = shard.name() + ":" + sample.key;
      std::optional<Labels> labels;
      if (sample.picture) labels = read_labels(shard, sample);
      if (!sample.picture) {
        // Members such as a README have nothing to do with any picture.
        if (!sample.labels.empty()) without_picture.add(name);
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
  if (labelled.empty()) base::fail(where, ": no picture with a label");
  return std::make_unique<Shards>(classified(std::move(labelled), multi_label, where, options),
                                  shards, std::move(locations));
}

}  // namespace data
