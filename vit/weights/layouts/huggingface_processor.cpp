#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <string_view>

#include <vit/weights/json_values.h>
#include <vit/weights/layouts/huggingface_processor.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

const std::vector<double> kHalf{0.5, 0.5, 0.5};
const std::vector<double> kClipMean{0.48145466, 0.4578275, 0.40821073};
const std::vector<double> kClipStd{0.26862954, 0.26130258, 0.27577711};
const std::vector<double> kImagenetMean{0.485, 0.456, 0.406};
const std::vector<double> kImagenetStd{0.229, 0.224, 0.225};

/// What a `size` says; sides that it does not speak of are 0.
struct ProcessorSize {
  Size2d sides = {};  ///< height and width
  int64_t shortest_edge = 0;
  int64_t longest_edge = 0;
  Size2d at_most = {};  ///< max_height and max_width
};

/// Defaults of one class of image processors.
struct ProcessorClass {
  const char* name;
  Interpolation resample;
  const std::vector<double>& mean;
  const std::vector<double>& std;
  ProcessorSize size = {};
  int64_t crop_size = 0;     ///< a square; 0: none
  bool center_crop = false;  ///< do_center_crop
  bool square = false;       ///< what `size` means as a plain number, else the shortest edge
  bool convert_rgb = false;  ///< do_convert_rgb
  bool crop_pct = false;     ///< has a crop_pct of its own
  bool normalize = true;     ///< do_normalize
  bool tensors = false;      ///< there is none by Pillow
  bool float_resize = false;
  int64_t patches =
      0;  ///< max_num_patches of pictures that keep their aspect; 0: has no such thing
};

using enum Interpolation;
const ProcessorClass kClasses[] = {
    {"ViTImageProcessor", bilinear, kHalf, kHalf, {.sides{224, 224}}, 0, false, true, false},
    {"DeiTImageProcessor", bicubic, kHalf, kHalf, {.sides{256, 256}}, 224, true, true, false},
    {"BitImageProcessor",
     bicubic,
     kClipMean,
     kClipStd,
     {.shortest_edge = 224},
     224,
     true,
     false,
     true},
    {"CLIPImageProcessor",
     bicubic,
     kClipMean,
     kClipStd,
     {.shortest_edge = 224},
     224,
     true,
     false,
     true},
    {"ChineseCLIPImageProcessor",
     bicubic,
     kClipMean,
     kClipStd,
     {.shortest_edge = 224},
     224,
     true,
     false,
     true},
    {"SiglipImageProcessor", bicubic, kHalf, kHalf, {.sides{224, 224}}, 0, false, false, true},
    {.name = "Siglip2ImageProcessor",
     .resample = bilinear,
     .mean = kHalf,
     .std = kHalf,
     .convert_rgb = true,
     .patches = 256},
    {"BlipImageProcessor", bicubic, kClipMean, kClipStd, {.sides{384, 384}}, 0, false, true, true},
    {"BeitImageProcessor", bicubic, kHalf, kHalf, {.sides{224, 224}}, 224, false, true, false},
    {"ConvNextImageProcessor",
     bicubic,
     kHalf,
     kHalf,
     {.shortest_edge = 384},
     0,
     false,
     false,
     false,
     true},
    {.name = "DINOv3ViTImageProcessor",
     .resample = bilinear,
     .mean = kImagenetMean,
     .std = kImagenetStd,
     .size{.sides{224, 224}},
     .square = true,
     .tensors = true,
     .float_resize = true},
    {.name = "Sapiens2ImageProcessor",
     .resample = bilinear,
     .mean = kImagenetMean,
     .std = kImagenetStd,
     .size{.sides{1024, 768}},
     .crop_size = 224,
     .square = true,
     .tensors = true},
    {.name = "Tipsv2ImageProcessor",
     .resample = bilinear,
     .mean = kHalf,
     .std = kHalf,
     .size{.sides{448, 448}},
     .square = true,
     .convert_rgb = true,
     .normalize = false,
     .tensors = true},
    {.name = "FlavaImageProcessor",
     .resample = bicubic,
     .mean = kClipMean,
     .std = kClipStd,
     .size{.sides{224, 224}},
     .crop_size = 224,
     .center_crop = true,
     .square = true},
    {.name = "OwlViTImageProcessor",
     .resample = bicubic,
     .mean = kClipMean,
     .std = kClipStd,
     .size{.sides{768, 768}},
     .crop_size = 768,
     .square = true,
     .convert_rgb = true},
    {.name = "Owlv2ImageProcessor",
     .resample = bilinear,
     .mean = kClipMean,
     .std = kClipStd,
     .size{.sides{960, 960}},
     .square = true,
     .convert_rgb = true},
    {.name = "GotOcr2ImageProcessor",
     .resample = bicubic,
     .mean = kClipMean,
     .std = kClipStd,
     .size{.sides{384, 384}},
     .square = true,
     .convert_rgb = true},
};

/// The class of a model's type, by how that starts.
constexpr std::pair<std::string_view, std::string_view> kClassesOfModels[] = {
    {"deit", "DeiTImageProcessor"},        {"dinov2", "BitImageProcessor"},
    {"dinov3", "DINOv3ViTImageProcessor"}, {"sapiens2", "Sapiens2ImageProcessor"},
    {"tipsv2", "Tipsv2ImageProcessor"},    {"pixio", "BitImageProcessor"},
    {"radio", "CLIPImageProcessor"},       {"beit", "BeitImageProcessor"},
    {"data2vec", "BeitImageProcessor"},    {"internvl", "GotOcr2ImageProcessor"},
    {"flava", "FlavaImageProcessor"},      {"clip", "CLIPImageProcessor"},
    {"metaclip_2", "CLIPImageProcessor"},  {"chinese_clip", "ChineseCLIPImageProcessor"},
    {"altclip", "CLIPImageProcessor"},     {"git", "CLIPImageProcessor"},
    {"mlcd", "CLIPImageProcessor"},        {"aimv2", "CLIPImageProcessor"},
    {"owlvit", "OwlViTImageProcessor"},    {"owlv2", "Owlv2ImageProcessor"},
    {"blip", "BlipImageProcessor"},        {"siglip", "SiglipImageProcessor"},
    {"siglip2", "Siglip2ImageProcessor"},
};

const ProcessorClass& class_of_model(std::string_view type) {
  std::string_view name = "ViTImageProcessor";
  for (const auto& [start, of] : kClassesOfModels)
    if (type.starts_with(start)) name = of;
  return *std::ranges::find(kClasses, name, &ProcessorClass::name);
}

/// Whether the file says null, which is not the same as leaving the key out.
bool says_null(const JsonNode& root, std::string_view key) {
  for (const auto& [name, value] : root.members())
    if (name == key) return value.is_null();
  return false;
}

/// By the name of the class, with the endings that older and other versions give it.
const ProcessorClass& class_of(const JsonNode& root, const std::string& model_type) {
  auto node = root.find("image_processor_type");
  if (!node) node = root.find("feature_extractor_type");
  if (!node) return class_of_model(model_type);
  std::string name = node->string();
  for (const std::string_view ending : {"Fast", "Pil"})
    if (name.ends_with(ending)) name.resize(name.size() - ending.size());
  constexpr std::string_view kOld = "FeatureExtractor";
  if (name.ends_with(kOld)) name.replace(name.size() - kOld.size(), kOld.size(), "ImageProcessor");
  const auto known = std::ranges::find(kClasses, std::string_view(name), &ProcessorClass::name);
  if (known != std::ranges::end(kClasses)) return *known;
  std::string names;
  for (const ProcessorClass& one : kClasses)
    names.append(names.empty() ? "" : ", ").append(one.name);
  node->fail("\"", shortened(name), "\" is not supported, expected one of ", names);
}

/// A flag that the library takes for false where the file says null.
bool flag_of(const JsonNode& root, const char* key, bool otherwise) {
  const auto node = root.find(key);
  return node ? node->boolean() : otherwise && !says_null(root, key);
}

/// What a step needs: the class's value where the file leaves it out; null is no value.
std::optional<JsonNode> needed(const JsonNode& root, const char* key, const char* step) {
  if (says_null(root, key)) root.fail("\"", key, "\" is null, and ", step, " needs it");
  return root.find(key);
}

int64_t pixels(const JsonNode& node) { return node.integer(1, 1 << 16); }

/// {"height": 224, "width": 224}, a list of both, a plain number.
ProcessorSize parse_size(const JsonNode& node, bool square) {
  if (node.is_array()) {
    const auto sides = node.elements();
    if (sides.size() != 2) node.fail("expected [height, width]");
    return {.sides{pixels(sides[0]), pixels(sides[1])}};
  }
  if (!node.is_object()) {
    const int64_t side = pixels(node);
    return square ? ProcessorSize{.sides{side, side}} : ProcessorSize{.shortest_edge = side};
  }
  const auto has_just = [&](std::initializer_list<const char*> keys) {
    size_t given = 0;
    for (const auto& [key, value] : node.members()) given += !value.is_null();
    return given == keys.size() &&
           std::ranges::all_of(keys, [&](const char* key) { return node.find(key).has_value(); });
  };
  if (has_just({"height", "width"}))
    return {.sides{pixels(node.at("height")), pixels(node.at("width"))}};
  if (has_just({"shortest_edge"})) return {.shortest_edge = pixels(node.at("shortest_edge"))};
  if (has_just({"shortest_edge", "longest_edge"}))
    return {.shortest_edge = pixels(node.at("shortest_edge")),
            .longest_edge = pixels(node.at("longest_edge"))};
  if (has_just({"max_height", "max_width"}))
    return {.at_most{pixels(node.at("max_height")), pixels(node.at("max_width"))}};
  node.fail("expected a number, or height and width, or shortest_edge, with longest_edge or ",
            "without, or max_height and max_width");
}

Interpolation parse_resample(const JsonNode& node) {
  // Pillow's numbers.
  constexpr Interpolation kFilters[] = {nearest, lanczos, bilinear, bicubic, box, hamming};
  return kFilters[node.integer(0, 5)];
}

std::vector<double> for_channels(double value, int64_t channels) {
  return std::vector<double>(static_cast<size_t>(std::clamp<int64_t>(channels, 1, 4096)), value);
}

/// One number for all channels, or one for each.
std::vector<double> parse_statistic(const JsonNode& node, int64_t channels) {
  return node.is_array() ? numbers(node) : for_channels(node.number(), channels);
}

/// How `size` resizes, and to what, before any crop.
void resize_to(const ProcessorSize& size, PicturePreprocessing& how) {
  how.sizes.emplace();
  if (size.shortest_edge) {
    how.crop_mode = CropMode::center;
    how.sizes->resized = {size.shortest_edge, size.shortest_edge};
    if (size.longest_edge) how.sizes->longest_side = size.longest_edge;
  } else if (size.at_most.height) {
    how.crop_mode = CropMode::border;
    how.sizes->resized = size.at_most;
  } else {
    how.crop_mode = CropMode::squash;
    how.sizes->resized = size.sides;
  }
}

/// For an input of how.input_size. A crop_pct says the same where it can.
void settle_sizes(PicturePreprocessing& how) {
  if (!how.sizes) return;
  how.sizes->input_size = how.input_size;
  const int64_t from = how.input_size.height, to = how.sizes->resized.height;
  double pct = static_cast<double>(from) / static_cast<double>(to);
  while (static_cast<int64_t>(static_cast<double>(from) / pct) < to) pct = std::nextafter(pct, 0.0);
  how.crop_pct = std::clamp(pct, 0.011, 100.0);  // the nearest that timm has a word for
  auto by_pct = how;
  by_pct.sizes.reset();
  if (!how.sizes->longest_side && by_pct.resized() == how.resized()) how = std::move(by_pct);
}

PicturePreprocessing defaults_of(const ProcessorClass& processor) {
  return {
      .interpolation = processor.resample,
      .crop_pct = 1.0,
      .rounding = processor.tensors ? Rounding::down_tensors : Rounding::down,
      .float_resize = processor.float_resize,
      .transparency = processor.convert_rgb ? Transparency::color_key_white : Transparency::dropped,
      .mean = processor.normalize ? processor.mean : std::vector<double>(processor.mean.size(), 0),
      .std = processor.normalize ? processor.std : std::vector<double>(processor.std.size(), 1)};
}

/// Whether it knows of center crops at all.
bool crops(const ProcessorClass& processor) {
  return processor.name != std::string_view("GotOcr2ImageProcessor") && !processor.patches;
}

bool resizes_in_its_own_way(const ProcessorClass& processor) {
  return processor.name == std::string_view("Owlv2ImageProcessor");
}

/// Nothing happens to a picture that has the size already.
void take_one_size(PicturePreprocessing& how) {
  how.crop_mode = CropMode::none;
  how.crop = false;
  how.sizes.reset();
  how.crop_pct = 1;
}

/// What only one class does, or does otherwise. Those that do not know a key pass over it.
void read_peculiarities(const JsonNode& root, const ProcessorClass& processor,
                        PicturePreprocessing& how, std::vector<std::string>& assumed) {
  const std::string_view name = processor.name;
  if (name == "GotOcr2ImageProcessor" && flag_of(root, "crop_to_patches", false))
    root.at("crop_to_patches").fail("true is not supported: it makes several pictures of one");
  if (name == "Sapiens2ImageProcessor" && flag_of(root, "do_pad", false) &&
      how.crop_mode == CropMode::squash)
    how.crop_mode = CropMode::border;
  if (how.float_resize && how.crop_mode != CropMode::none && how.interpolation != bilinear &&
      how.interpolation != bicubic)
    root.at("resample").fail("expected 2 (bilinear) or 3 (bicubic) for a resize of floats");
  if (!resizes_in_its_own_way(processor) || how.crop_mode == CropMode::none) return;
  const Size2d size = how.resized();
  take_one_size(how);
  assumed.push_back(std::string(name) + " pads, blurs and resizes pictures in a way of its own, " +
                    "which is not supported: only pictures of " + std::to_string(size.height) +
                    "x" + std::to_string(size.width) + " pixels are taken");
}

/// Of a picture that keeps its aspect; where it gets one size after all, that is not cropped.
void resize_to_patches(int64_t max_patches, Size2d patch, PicturePreprocessing& how) {
  how.max_patches = max_patches;
  how.patch = patch;
  how.crop_mode = CropMode::squash;
  how.crop = true;
}

void read_patches(const JsonNode& root, const ProcessorClass& processor, Size2d patch,
                  PicturePreprocessing& how) {
  if (!flag_of(root, "do_resize", true))
    root.at("do_resize").fail("false is not supported: pictures are made of whole patches");
  constexpr int64_t kDefault = 16;
  const auto side = root.find("patch_size");
  const int64_t own = side ? pixels(*side) : kDefault;
  if (patch != Size2d{own, own})
    (side ? *side : root)
        .fail("pictures are cut into patches of ", own, "x", own,
              " pixels, but the model's are of ", patch.height, "x", patch.width);
  const auto most = root.find("max_num_patches");
  resize_to_patches(most ? most->integer(1, 1 << 16) : processor.patches, patch, how);
  if (const auto node = needed(root, "resample", "do_resize"))
    how.interpolation = parse_resample(*node);
}

/// ConvNext's resize holds a crop of its own.
void resize_as_convnext(const JsonNode& root, const ProcessorSize& size,
                        PicturePreprocessing& how) {
  if (!size.shortest_edge) root.fail("\"size\" has no shortest_edge");
  how.sizes->longest_side.reset();
  constexpr int64_t kSquashedFrom = 384;
  double pct = 224.0 / 256.0;
  if (const auto node = root.find("crop_pct")) {
    pct = node->number();
    if (!(pct > 0.01 && pct <= 100)) node->fail("expected a number above 0.01 and at most 100");
  }
  const int64_t side = size.shortest_edge;
  const auto resized =
      side < kSquashedFrom ? static_cast<int64_t>(static_cast<double>(side) / pct) : side;
  how.crop_mode = side < kSquashedFrom ? CropMode::center : CropMode::squash;
  how.sizes->resized = {resized, resized};
  how.input_size = {side, side};
}

}  // namespace

PicturePreprocessing huggingface_preprocessing(const std::string& model_type, Size2d image_size,
                                               Size2d patch) {
  const ProcessorClass& processor = class_of_model(model_type);
  PicturePreprocessing how = defaults_of(processor);
  if (processor.patches) {
    how.input_size = image_size;
    resize_to_patches(processor.patches, patch, how);
    return how;
  }
  resize_to(processor.size, how);
  how.input_size = processor.center_crop ? Size2d{processor.crop_size, processor.crop_size}
                                         : processor.size.sides;
  settle_sizes(how);
  if (resizes_in_its_own_way(processor)) take_one_size(how);
  how.input_size = image_size;
  return how;
}

void read_huggingface_processor(const JsonNode& root, ModelConfig& config) {
  const ProcessorClass& processor = class_of(root, config.vit.architecture);
  const int64_t channels = config.vit.input.channels;
  PicturePreprocessing how = defaults_of(processor);
  how.transparency = flag_of(root, "do_convert_rgb", processor.convert_rgb)
                         ? Transparency::color_key_white
                         : Transparency::dropped;
  how.input_size = config.vit.image_size();
  how.crop = false;

  ProcessorSize size = processor.size;
  if (processor.patches) {
    read_patches(root, processor, config.vit.patch.size(), how);
  } else if (flag_of(root, "do_resize", true)) {
    if (const auto node = needed(root, "size", "do_resize"))
      size = parse_size(*node, flag_of(root, "default_to_square", processor.square));
    else if (flag_of(root, "use_square_size", false) && size.shortest_edge)
      size = {.sides{size.shortest_edge, size.shortest_edge}};
    if (const auto node = needed(root, "resample", "do_resize"))
      how.interpolation = parse_resample(*node);
    resize_to(size, how);
    if (processor.crop_pct) resize_as_convnext(root, size, how);
    how.crop = processor.crop_pct;
    if (how.crop_mode == CropMode::squash) how.input_size = how.sizes->resized;
    // Any picture that the sides say nothing of: the smallest that comes of it, a square.
    if (how.crop_mode != CropMode::squash && config.sized_by_preprocessor && !how.crop)
      how.input_size = how.sizes->resized;
  } else {
    how.crop_mode = CropMode::none;
  }
  if (crops(processor) && flag_of(root, "do_center_crop", processor.center_crop)) {
    if (how.crop) root.at("do_center_crop").fail("is not supported after this class's own crop");
    const auto node = needed(root, "crop_size", "do_center_crop");
    Size2d cropped{processor.crop_size, processor.crop_size};
    if (node) cropped = parse_size(*node, true).sides;
    if (cropped.height < 1)
      (node ? *node : root).fail("do_center_crop needs a crop_size of height and width");
    how.input_size = cropped;
    how.crop = true;
  }
  if (how.crop_mode == CropMode::squash) how.crop = true;  // as large as the input at least
  if (flag_of(root, "do_pad", false) && root.find("pad_size"))
    root.at("pad_size").fail("is not supported");
  settle_sizes(how);
  read_peculiarities(root, processor, how, config.assumed);

  how.rescale = 1.0;
  if (flag_of(root, "do_rescale", true)) {
    how.rescale = 1.0 / 255.0;
    if (const auto node = needed(root, "rescale_factor", "do_rescale"))
      how.rescale = node->number();
  }
  if (flag_of(root, "do_normalize", processor.normalize)) {
    how.mean = processor.mean;
    how.std = processor.std;
    if (const auto node = needed(root, "image_mean", "do_normalize"))
      how.mean = parse_statistic(*node, channels);
    if (const auto node = needed(root, "image_std", "do_normalize"))
      how.std = parse_statistic(*node, channels);
  } else {
    how.mean = for_channels(0.0, channels);
    how.std = for_channels(1.0, channels);
  }

  // Others take pictures of one size alone; where this is another one, that shows at the first.
  if (config.sized_by_preprocessor) config.vit.set_image_size(how.input_size);
  config.vit.picture() = std::move(how);
}

}  // namespace vit
