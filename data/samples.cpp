#include "data/samples.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <unordered_map>

#include <base/error.h>
#include <base/text.h>
#include <media/image.h>
#include <media/sources.h>

namespace data {
namespace {

// Where the extension begins: at the first dot of the last part of the path.
std::size_t first_dot(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  return std::min(name.find('.', slash == std::string::npos ? 0 : slash + 1), name.size());
}

bool is_hidden(const std::string& name) {
  return name.substr(name.rfind('/') + 1).starts_with('.');
}

// What a member is for its sample.
struct Field {
  std::string name;    // ".image" of "a.image.jpg", empty of "a.jpg"
  std::string ending;  // ".jpg"
};

Field field_of(const std::string& name) {
  std::string extension = name.substr(first_dot(name));
  for (char& c : extension) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  const std::size_t last = std::min(extension.rfind('.'), extension.size());
  return {extension.substr(0, last), extension.substr(last)};
}

// Other texts beside a picture are captions and the like.
bool is_label(const Field& field) {
  constexpr std::array<std::string_view, 4> kLabels = {".label", ".labels", ".class", ".cls"};
  if (field.ending == ".cls") return true;
  if (field.ending != ".json" && field.ending != ".txt") return false;
  return field.name.empty() ||
         std::find(kLabels.begin(), kLabels.end(), field.name) != kLabels.end();
}

bool is_readable(const TarMember& member) { return media::is_image_file_name(member.name); }

struct Part {
  Field field;
  TarMember member;
};

/// A sample with what is decided when all its members are known: those of names of several parts.
struct Draft {
  Sample sample;
  std::vector<Part> pictures;
  std::vector<Part> labels;

  bool has_own_label(const Part& picture) const {
    return std::any_of(labels.begin(), labels.end(),
                       [&](const Part& label) { return label.field.name == picture.field.name; });
  }
};

void add_picture(Sample& sample, TarMember member, const std::string& shard) {
  if (sample.picture && is_readable(*sample.picture) == is_readable(member))
    base::fail(shard, ": two pictures for one sample, ", sample.picture->name, " and ",
               member.name);
  if (!sample.picture || is_readable(member)) sample.picture = std::move(member);
}

Sample finished(Draft draft) {
  Sample& sample = draft.sample;
  const bool has_picture = sample.picture.has_value();
  if (!has_picture && draft.pictures.size() == 1) {
    sample.picture = std::move(draft.pictures.front().member);
  } else {
    for (const Part& picture : draft.pictures)
      if (!has_picture || draft.has_own_label(picture))
        sample.several.push_back(picture.member.name);
  }
  for (Part& label : draft.labels)
    sample.labels.emplace_back(label.field.ending, std::move(label.member));
  return std::move(sample);
}

}  // namespace

std::vector<Sample> list_samples(const ByteSource& shard) {
  std::vector<Draft> drafts;
  std::unordered_map<std::string, std::size_t> places;
  for (TarMember& member : list_tar(shard)) {
    if (is_hidden(member.name)) continue;
    const auto [place, is_new] =
        places.emplace(member.name.substr(0, first_dot(member.name)), drafts.size());
    if (is_new) drafts.push_back({{place->first, {}, {}, {}}, {}, {}});
    Draft& draft = drafts[place->second];
    const Field field = field_of(member.name);
    const bool one_part = field.name.empty();
    if (media::is_picture_name("x" + field.ending)) {
      // Of "a.jpg" and "a.mask.png" only the first is a picture to classify.
      if (one_part)
        add_picture(draft.sample, std::move(member), shard.name());
      else
        draft.pictures.push_back({field, std::move(member)});
    } else if (is_label(field)) {
      if (one_part)
        draft.sample.labels.emplace_back(field.ending, std::move(member));
      else
        draft.labels.push_back({field, std::move(member)});
    }
  }
  std::vector<Sample> samples;
  for (Draft& draft : drafts) samples.push_back(finished(std::move(draft)));
  return samples;
}

std::string explain_dots(const Sample& sample) {
  constexpr std::size_t kShown = 3;
  std::vector<std::string> shown;
  for (const std::string& name : sample.several)
    if (shown.size() < kShown) shown.push_back(base::printable(name));
  if (sample.several.size() > kShown) shown.emplace_back("…");
  return "names of samples end at their first dot, so that " + base::join(shown, ", ") + " (" +
         std::to_string(sample.several.size()) + " pictures) belong to one sample, " +
         base::printable(sample.key) + "; use names without other dots than that of the ending";
}

}  // namespace data
