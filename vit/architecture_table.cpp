#include <algorithm>
#include <utility>

#include <vit/architecture_table.h>
#include <vit/architectures/rows.h>
#include <vit/error.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

/// A name that timm had and what it is now.
struct OldName {
  const char* old;
  const char* now;
};

using enum Normalization;

#include <vit/architecture_tags.inc>

void normalize(PicturePreprocessing& preprocessing, Normalization normalization) {
  switch (normalization) {
    case half:
      preprocessing.mean = preprocessing.std = {0.5, 0.5, 0.5};
      break;
    case imagenet:
      preprocessing.mean = {0.485, 0.456, 0.406};
      preprocessing.std = {0.229, 0.224, 0.225};
      break;
    case clip:
      preprocessing.mean = {0.48145466, 0.4578275, 0.40821073};
      preprocessing.std = {0.26862954, 0.26130258, 0.27577711};
      break;
    case none:
      preprocessing.mean = {0, 0, 0};
      preprocessing.std = {1, 1, 1};
      break;
    case satellite:
      preprocessing.mean = {0.430, 0.411, 0.296};
      preprocessing.std = {0.213, 0.156, 0.143};
      break;
  }
}

/// The first of its tags is timm's default.
const PretrainedWeights& default_weights(std::string_view name) {
  const auto found = std::ranges::find(kWeights, name, &PretrainedWeights::architecture);
  if (found == std::ranges::end(kWeights))
    fail("architecture_tags.inc knows no ", name, ": run scripts/make_architecture_tags");
  return *found;
}

Architecture with_weights(Architecture row, const PretrainedWeights& weights) {
  row.weights = weights;
  row.arguments.num_classes = weights.num_classes;
  row.arguments.img_size = {weights.height, weights.width};
  return row;
}

std::vector<Architecture> make_table() {
  std::vector<Architecture> table;
  for (const auto rows :
       {vit_rows, vit_variant_rows, eva_rows, dinov3_rows, perception_encoder_rows, rope_vit_rows,
        beit_rows, relpos_rows, naflex_rows})
    for (auto& [name, arguments] : rows())
      table.push_back(with_weights({name, std::move(arguments), {}}, default_weights(name)));
  return table;
}

}  // namespace

std::span<const Architecture> architecture_table() {
  static const std::vector<Architecture> table = make_table();
  return table;
}

ModelConfig Architecture::config() const {
  ModelConfig config;
  VitConfig& c = config.vit;
  c = timm_model(arguments);
  c.architecture = name;
  c.family = family_of_architecture(name);

  // The files of SigLIP models without attention pooling are those of the models with it.
  if (arguments.timm_class == TimmClass::vision_transformer &&
      std::string_view(name).find("siglip") != std::string_view::npos)
    config.unread_tensors = {"attn_pool."};

  PicturePreprocessing& preprocessing = c.picture();
  preprocessing.interpolation = weights.bilinear ? Interpolation::bilinear : Interpolation::bicubic;
  preprocessing.crop_pct = weights.crop_pct;
  preprocessing.crop_mode = weights.squash ? CropMode::squash : CropMode::center;
  normalize(preprocessing, weights.normalization);
  return config;
}

std::string current_name(const std::string& name) {
  const auto known = std::ranges::find(kOldNames, std::string_view(name), &OldName::old);
  return known == std::ranges::end(kOldNames) ? name : known->now;
}

Architecture find_tagged_architecture(const std::string& name) {
  const Architecture& row = find_architecture(name);
  const std::string full = current_name(name);
  const auto dot = full.find('.');
  if (dot == full.npos) return row;
  const std::string_view tag = std::string_view(full).substr(dot + 1);
  std::string known;
  for (const PretrainedWeights& one : kWeights) {
    if (std::string_view(one.architecture) != row.name || !*one.tag) continue;
    if (tag == one.tag) return with_weights(row, one);
    known.append(known.empty() ? "" : ", ").append(one.tag);
  }
  fail("unknown tag \"", shortened(std::string(tag)), "\" of the architecture ", row.name, "; ",
       known.empty() ? std::string("it has none") : "known are " + known);
}

}  // namespace vit
