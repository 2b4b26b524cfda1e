#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include <vit/weights/json_values.h>
#include <vit/weights/layouts/names.h>
#include <vit/weights/layouts/picture_json.h>

namespace vit {
namespace {

using Json = nlohmann::ordered_json;

constexpr Names<Interpolation> kInterpolations[] = {
    {"nearest", Interpolation::nearest},   {"box", Interpolation::box},
    {"bilinear", Interpolation::bilinear}, {"hamming", Interpolation::hamming},
    {"bicubic", Interpolation::bicubic},   {"lanczos", Interpolation::lanczos}};
constexpr Names<CropMode> kTimmCropModes[] = {
    {"center", CropMode::center}, {"squash", CropMode::squash}, {"border", CropMode::border}};
constexpr Names<CropMode> kCropModes[] = {{"center", CropMode::center},
                                          {"squash", CropMode::squash},
                                          {"border", CropMode::border},
                                          {"none", CropMode::none}};
constexpr Names<Rounding> kRoundings[] = {{"half_even", Rounding::half_even},
                                          {"down", Rounding::down},
                                          {"down_tensors", Rounding::down_tensors}};
constexpr Names<Transparency> kTransparencies[] = {
    {"dropped", Transparency::dropped}, {"color_key_white", Transparency::color_key_white}};

/// A text that says something.
std::optional<JsonNode> text_of(const JsonNode& cfg, const char* key) {
  auto node = cfg.find(key);
  return node && node->is_string() && node->string().empty() ? std::nullopt : node;
}

/// Values for each channel; one stands for all.
std::optional<std::vector<double>> per_channel(const JsonNode& cfg, const char* key,
                                               int64_t channels) {
  const auto node = cfg.find(key);
  if (!node) return std::nullopt;
  std::vector<double> values = numbers(*node);
  if (values.empty()) return std::nullopt;
  if (values.size() == 1 && channels > 1 && channels <= 4096)
    values.resize(static_cast<size_t>(channels), values[0]);
  return values;
}

Json pair_json(Size2d size) { return Json::array({size.height, size.width}); }

Size2d parse_pair(const JsonNode& node) {
  const auto sides = node.elements();
  if (sides.size() != 2) node.fail("expected [height, width]");
  return {count(sides[0]), count(sides[1])};
}

}  // namespace

void read_timm_preprocessing(const JsonNode& cfg, int64_t channels, PicturePreprocessing& how) {
  how = {.input_size = how.input_size, .crop_pct = 0.875};
  how.mean = per_channel(cfg, "mean", channels).value_or(std::vector{0.485, 0.456, 0.406});
  how.std = per_channel(cfg, "std", channels).value_or(std::vector{0.229, 0.224, 0.225});
  if (const auto node = cfg.find("crop_pct"))
    if (const double pct = node->number(); pct != 0) how.crop_pct = pct;
  if (const auto node = text_of(cfg, "crop_mode")) how.crop_mode = choose(*node, kTimmCropModes);
  if (const auto node = text_of(cfg, "interpolation"))
    how.interpolation = choose(*node, kInterpolations);
  if (how.crop_mode == CropMode::border)
    for (const double mean : how.mean)
      how.fill.push_back(std::clamp(std::lrint(255 * mean), 0L, 255L));
}

Json timm_preprocessing_json(const PicturePreprocessing& how) {
  return {{"interpolation", name_of(kInterpolations, how.interpolation)},
          {"crop_pct", how.crop_pct},
          {"crop_mode", name_of(kTimmCropModes, how.crop_mode, "center")},
          {"mean", how.mean},
          {"std", how.std}};
}

Json picture_extension_json(const PicturePreprocessing& how) {
  Json json{{"input_size", pair_json(how.input_size)},
            {"crop_mode", name_of(kCropModes, how.crop_mode)},
            {"crop", how.crop},
            {"rounding", name_of(kRoundings, how.rounding)},
            {"float_resize", how.float_resize},
            {"fill", how.fill},
            {"transparency", name_of(kTransparencies, how.transparency)},
            {"rescale", how.rescale}};
  if (how.max_patches) {
    json["max_patches"] = how.max_patches;
    json["patch"] = pair_json(how.patch);
  }
  if (const auto& sizes = how.sizes) {
    json["sizes"] = {{"input_size", pair_json(sizes->input_size)},
                     {"resized", pair_json(sizes->resized)}};
    if (sizes->longest_side) json["sizes"]["longest_side"] = *sizes->longest_side;
  }
  return json;
}

void read_picture_extension(const JsonNode& node, PicturePreprocessing& how) {
  how.input_size = parse_pair(node.at("input_size"));
  how.crop_mode = choose(node.at("crop_mode"), kCropModes);
  how.crop = node.at("crop").boolean();
  how.rounding = choose(node.at("rounding"), kRoundings);
  how.float_resize = flag(node, "float_resize", false);  // not in documents of earlier versions
  how.fill.clear();
  for (const JsonNode& level : node.at("fill").elements()) how.fill.push_back(count(level));
  how.transparency = choose(node.at("transparency"), kTransparencies);
  how.rescale = node.at("rescale").number();
  const auto most = node.find("max_patches");
  how.max_patches = most ? count(*most) : 0;
  how.patch = most ? parse_pair(node.at("patch")) : Size2d();
  how.sizes.reset();
  if (const auto sizes = node.find("sizes")) {
    how.sizes = {parse_pair(sizes->at("input_size")), parse_pair(sizes->at("resized"))};
    if (const auto longest = sizes->find("longest_side")) how.sizes->longest_side = count(*longest);
  }
}

}  // namespace vit
