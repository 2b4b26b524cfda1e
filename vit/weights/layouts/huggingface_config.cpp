#include <algorithm>
#include <span>
#include <string_view>

#include <vit/refused.h>
#include <vit/weights/json_values.h>
#include <vit/weights/layouts/huggingface_config.h>
#include <vit/weights/layouts/presets.h>
#include <vit/weights/layouts/problem_type.h>

namespace vit::huggingface {
namespace {

/// A class of the library that saves models of some types.
struct Class {
  std::string_view name;
  Head head = Head::none;
  bool does_more = false;  ///< than its encoder of pictures, which is all that is read
};

constexpr bool kDoesMore = true;
constexpr Class kVit[] = {
    {"ViTModel"}, {"ViTForMaskedImageModeling"}, {"ViTForImageClassification", Head::classes}};
constexpr Class kMae[] = {{"ViTMAEModel"}, {"ViTMAEForPreTraining"}};
constexpr Class kMsn[] = {{"ViTMSNModel"}, {"ViTMSNForImageClassification", Head::classes}};
constexpr Class kIJepa[] = {{"IJepaModel"}, {"IJepaForImageClassification", Head::classes}};
constexpr Class kDeit[] = {{"DeiTModel"},
                           {"DeiTForMaskedImageModeling"},
                           {"DeiTForImageClassification", Head::classes},
                           {"DeiTForImageClassificationWithTeacher", Head::classes_with_teacher}};
constexpr Class kDinov2[] = {
    {"Dinov2Model"}, {"Dinov2Backbone"}, {"Dinov2ForImageClassification", Head::classes}};
constexpr Class kDinov2Registers[] = {{"Dinov2WithRegistersModel"},
                                      {"Dinov2WithRegistersBackbone"},
                                      {"Dinov2WithRegistersForImageClassification", Head::classes}};
constexpr Class kDinov3[] = {{"DINOv3ViTModel"}, {"DINOv3ViTBackbone"}};
constexpr Class kSapiens2[] = {{"Sapiens2Model"}, {"Sapiens2Backbone"}};
constexpr Class kTipsv2[] = {{"Tipsv2VisionModel"}, {"Tipsv2VisionBackbone"}, {"Tipsv2Model"}};
constexpr Class kPixio[] = {{"PixioModel"}};
constexpr Class kRadio[] = {{"RadioModel"}};
constexpr Class kBeit[] = {
    {"BeitModel"}, {"BeitForMaskedImageModeling"}, {"BeitForImageClassification", Head::classes}};
constexpr Class kData2Vec[] = {{"Data2VecVisionModel"},
                               {"Data2VecVisionForImageClassification", Head::classes}};
constexpr Class kInternVl[] = {{"InternVLVisionModel"},
                               {"InternVLModel", Head::none, kDoesMore},
                               {"InternVLForConditionalGeneration", Head::none, kDoesMore}};
constexpr Class kFlava[] = {{"FlavaImageModel"},
                            {"FlavaModel", Head::none, kDoesMore},
                            {"FlavaForPreTraining", Head::none, kDoesMore}};
constexpr Class kClip[] = {{"CLIPVisionModel"},
                           {"CLIPVisionModelWithProjection", Head::projection},
                           {"CLIPModel", Head::projection},
                           {"CLIPForImageClassification", Head::classes}};
constexpr Class kMetaClip2[] = {{"MetaClip2VisionModel"},
                                {"MetaClip2VisionModelWithProjection", Head::projection},
                                {"MetaClip2Model", Head::projection},
                                {"MetaClip2ForImageClassification", Head::classes}};
constexpr Class kChineseClip[] = {{"ChineseCLIPVisionModel"},
                                  {"ChineseCLIPModel", Head::projection}};
constexpr Class kAltClip[] = {{"AltCLIPVisionModel"}, {"AltCLIPModel", Head::projection}};
constexpr Class kGit[] = {{"GitVisionModel"},
                          {"GitModel", Head::none, kDoesMore},
                          {"GitForCausalLM", Head::none, kDoesMore}};
constexpr Class kOwlVit[] = {{"OwlViTVisionModel"},
                             {"OwlViTModel", Head::projection},
                             {"OwlViTForObjectDetection", Head::projection, kDoesMore}};
constexpr Class kOwlV2[] = {{"Owlv2VisionModel"},
                            {"Owlv2Model", Head::projection},
                            {"Owlv2ForObjectDetection", Head::projection, kDoesMore}};
constexpr Class kMlcd[] = {{"MLCDVisionModel"}};
constexpr Class kBlip[] = {{"BlipVisionModel"},
                           {"BlipModel", Head::projection},
                           {"BlipForConditionalGeneration", Head::none, kDoesMore},
                           {"BlipForQuestionAnswering", Head::none, kDoesMore},
                           {"BlipForImageTextRetrieval", Head::none, kDoesMore}};
constexpr Class kBlip2[] = {{"Blip2VisionModel"},
                            {"Blip2Model", Head::none, kDoesMore},
                            {"Blip2ForConditionalGeneration", Head::none, kDoesMore},
                            {"Blip2ForImageTextRetrieval", Head::none, kDoesMore},
                            {"Blip2VisionModelWithProjection", Head::none, kDoesMore}};
constexpr Class kSiglip[] = {
    {"SiglipVisionModel"}, {"SiglipModel"}, {"SiglipForImageClassification", Head::classes}};
constexpr Class kSiglip2[] = {
    {"Siglip2VisionModel"}, {"Siglip2Model"}, {"Siglip2ForImageClassification", Head::classes}};
constexpr Class kAimv2[] = {{"Aimv2VisionModel"}, {"Aimv2Model", Head::projection}};

/// What the library calls "model_type".
struct Type {
  std::string_view name;
  const char* family;  ///< for display
  const char* part;    ///< of the document that describes the encoder of pictures; null: all of it
  Reader read;
  std::span<const Class> classes;
};

constexpr const char* kVision = "vision_config";
constexpr Type kTypes[] = {
    {"vit", "vit", nullptr, read_vit, kVit},
    {"vit_mae", "mae", nullptr, read_vit, kMae},
    {"vit_msn", "msn", nullptr, read_vit, kMsn},
    {"ijepa", "ijepa", nullptr, read_vit, kIJepa},
    {"deit", "deit", nullptr, read_deit, kDeit},
    {"dinov2", "dinov2", nullptr, read_dinov2, kDinov2},
    {"dinov2_with_registers", "dinov2", nullptr, read_dinov2, kDinov2Registers},
    {"dinov3_vit", "dinov3", nullptr, read_dinov3, kDinov3},
    {"sapiens2", "sapiens2", nullptr, read_sapiens2, kSapiens2},
    {"tipsv2_vision_model", "tipsv2", nullptr, read_dinov2, kTipsv2},
    {"tipsv2", "tipsv2", kVision, read_dinov2, kTipsv2},
    {"pixio", "pixio", nullptr, read_pixio, kPixio},
    {"radio", "radio", nullptr, read_radio, kRadio},
    {"beit", "beit", nullptr, read_beit, kBeit},
    {"data2vec-vision", "data2vec", nullptr, read_beit, kData2Vec},
    {"internvl_vision", "internvl", nullptr, read_internvl, kInternVl},
    {"internvl", "internvl", kVision, read_internvl, kInternVl},
    {"flava_image_model", "flava", nullptr, read_vit, kFlava},
    {"flava", "flava", "image_config", read_vit, kFlava},
    {"clip_vision_model", "clip", nullptr, read_clip, kClip},
    {"clip", "clip", kVision, read_clip, kClip},
    {"metaclip_2_vision_model", "metaclip_2", nullptr, read_clip, kMetaClip2},
    {"metaclip_2", "metaclip_2", kVision, read_clip, kMetaClip2},
    {"chinese_clip_vision_model", "chinese_clip", nullptr, read_clip, kChineseClip},
    {"chinese_clip", "chinese_clip", kVision, read_clip, kChineseClip},
    {"altclip_vision_model", "altclip", nullptr, read_clip, kAltClip},
    {"altclip", "altclip", kVision, read_clip, kAltClip},
    {"git_vision_model", "git", nullptr, read_clip, kGit},
    {"git", "git", kVision, read_clip, kGit},
    {"owlvit_vision_model", "owlvit", nullptr, read_clip, kOwlVit},
    {"owlvit", "owlvit", kVision, read_clip, kOwlVit},
    {"owlv2_vision_model", "owlv2", nullptr, read_clip, kOwlV2},
    {"owlv2", "owlv2", kVision, read_clip, kOwlV2},
    {"mlcd_vision_model", "mlcd", nullptr, read_mlcd, kMlcd},
    {"blip_vision_model", "blip", nullptr, read_blip, kBlip},
    {"blip", "blip", kVision, read_blip, kBlip},
    {"blip_2_vision_model", "blip_2", nullptr, read_blip, kBlip2},
    {"blip-2", "blip_2", kVision, read_blip, kBlip2},
    {"siglip_vision_model", "siglip", nullptr, read_siglip, kSiglip},
    {"siglip", "siglip", kVision, read_siglip, kSiglip},
    {"siglip2_vision_model", "siglip2", nullptr, read_siglip2, kSiglip2},
    {"siglip2", "siglip2", kVision, read_siglip2, kSiglip2},
    {"aimv2_vision_model", "aimv2", nullptr, read_aimv2, kAimv2},
    {"aimv2", "aimv2", kVision, read_aimv2, kAimv2},
};

const Type& find_type(const JsonNode& node) {
  const std::string& name = node.string();
  const auto known = std::ranges::find(kTypes, std::string_view(name), &Type::name);
  if (known != std::ranges::end(kTypes)) return *known;
  if (const char* what = what_is_model_type(name))
    node.fail("\"", shortened(name), "\" is ", what, ", which cannot be run here");
  std::string names;
  std::string_view last;
  for (const Type& type : kTypes)
    if (last != type.family) names.append(last.empty() ? "" : ", ").append(last = type.family);
  node.fail("\"", shortened(name), "\" is not supported; supported are the encoders of ", names);
}

Class find_class(const JsonNode& root, const JsonNode& model_type, const Type& type) {
  const auto names = root.find("architectures");
  // Where nothing names the class, labels are there for a classifier alone.
  if (!names) return {{}, root.find("id2label") ? Head::classes : Head::none};
  const auto list = names->elements();
  if (list.size() != 1) names->fail("expected the name of one class");
  const std::string& name = list[0].string();
  std::string known;
  for (const Class& one : type.classes) {
    if (one.name == name) return one;
    known.append(known.empty() ? "" : ", ").append(one.name);
  }
  model_type.fail("the class \"", shortened(name), "\" is not supported; supported are ", known);
}

Activation read_activation(const JsonNode& node) {
  return choose<Activation>(node, {{"gelu", Activation::gelu},
                                   {"gelu_python", Activation::gelu},
                                   {"quick_gelu", Activation::quick_gelu},
                                   {"gelu_pytorch_tanh", Activation::gelu_tanh},
                                   {"gelu_new", Activation::gelu_tanh},
                                   {"gelu_fast", Activation::gelu_tanh},
                                   {"silu", Activation::silu},
                                   {"swish", Activation::silu}});
}

/// id2label names the classes and is all that says how many there are.
void read_labels(const JsonNode& root, ModelConfig& config) {
  const auto names = root.find("id2label");
  constexpr int64_t kLibraryDefault = 2;
  if (!names) {
    config.vit.head.num_classes = kLibraryDefault;
    optional_count(root, "num_labels", config.vit.head.num_classes);
    return;
  }
  const auto members = names->members();
  config.vit.head.num_classes = static_cast<int64_t>(members.size());
  config.labels.resize(members.size());
  bool generic = true;
  for (const auto& [key, name] : members) {
    const int64_t index = parse_index(key, *names);
    if (index >= config.vit.head.num_classes)
      names->fail("class ", index, " of ", members.size(), ": the numbers have gaps");
    config.labels[static_cast<size_t>(index)] = name.string();
    generic = generic && name.string() == "LABEL_" + key;
  }
  // "LABEL_7" is what the library writes where nobody gave names.
  if (generic) config.labels.clear();
}

}  // namespace

void optional_count(const JsonNode& node, const char* key, int64_t& value) {
  if (const auto found = node.find(key)) value = count(*found);
}

void set_sizes(VitConfig& vit, int64_t dim, int64_t depth, int64_t heads, int64_t hidden_dim) {
  vit.block.dim = dim;
  vit.depth = depth;
  vit.block.attention.num_heads = heads;
  vit.block.mlp.hidden_dim = hidden_dim;
}

void read_common(const JsonNode& node, VitConfig& vit) {
  BlockConfig& block = vit.block;
  if (const auto found = node.find("image_size")) vit.set_image_size(parse_size(*found));
  if (const auto found = node.find("patch_size")) vit.patch.set_size(parse_size(*found));
  optional_count(node, "num_channels", vit.input.channels);
  optional_count(node, "hidden_size", block.dim);
  optional_count(node, "num_hidden_layers", vit.depth);
  optional_count(node, "num_attention_heads", block.attention.num_heads);
  optional_count(node, "intermediate_size", block.mlp.hidden_dim);
  if (const auto found = node.find("hidden_act"); found && block.mlp.kind == MlpKind::plain)
    block.mlp.activation = read_activation(*found);
  if (const auto found = node.find("layer_norm_eps")) block.norm.eps = found->number();
  if (const auto found = node.find("qkv_bias")) block.attention.set_qkv_bias(found->boolean());
}

void read_mlp_ratio(const JsonNode& node, VitConfig& vit) {
  MlpConfig& mlp = vit.block.mlp;
  double ratio = 4;
  if (const auto found = node.find("mlp_ratio")) ratio = found->number();
  if (!(ratio > 0 && ratio <= 1000)) node.fail("mlp_ratio is ", ratio, ", expected 0 to 1000");
  mlp.hidden_dim = static_cast<int64_t>(static_cast<double>(vit.embed_dim()) * ratio);
  if (flag(node, "use_swiglu_ffn", false)) {
    mlp.kind = MlpKind::swiglu_packed;
    mlp.hidden_dim = (mlp.hidden_dim * 2 / 3 + 7) / 8 * 8;
  }
}

void set_gated(const JsonNode& node, const char* otherwise, MlpConfig& mlp) {
  const auto found = node.find("hidden_act");
  const std::string act = found ? found->string() : otherwise;
  if (act != "silu" && act != "swish")
    (found ? *found : node)
        .fail("a gated MLP with hidden_act \"", shortened(act),
              "\" is not supported, expected \"silu\"");
  mlp.kind = MlpKind::swiglu_packed;
}

void read_projection(const Document& document, HeadConfig& head) {
  head.num_classes = 512;
  head.bias = false;
  optional_count(document.model, "projection_dim", head.num_classes);
  optional_count(document.root, "projection_dim", head.num_classes);
}

bool wrote(const JsonNode& root) {
  const auto type = root.find("model_type");
  return type && type->string() != "timm_wrapper";
}

ModelConfig read_config(const JsonNode& root) {
  const auto model_type = root.at("model_type");
  const Type& type = find_type(model_type);
  const Class one = find_class(root, model_type, type);
  const Document document{root, type.part ? root.at(type.part) : root, std::string(type.name),
                          std::string(one.name), one.head};

  ModelConfig config;
  config.vit.head.num_classes = 0;
  config.vit.positions.resampling = Resampling::bicubic;
  type.read(document, config);
  if (config.vit.positions.kind == PositionKind::none) {
    // Where there are none, their other fields say nothing.
    config.vit.positions = {};
    config.vit.positions.kind = PositionKind::none;
  }
  config.vit.fit_relative_bias();
  if (one.head == Head::classes || one.head == Head::classes_with_teacher)
    read_labels(root, config);
  config.scores = read_problem_type(root, config.vit.head.num_classes);
  config.vit.architecture = type.name;
  config.vit.family = type.family;
  prepare_as_huggingface(config.vit, config.vit.architecture);
  if (one.does_more)
    config.assumed.push_back("a " + std::string(one.name) +
                             " does more with pictures: its encoder of them is all that is read");
  return config;
}

}  // namespace vit::huggingface
