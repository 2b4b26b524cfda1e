#include <algorithm>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/weights/infer.h>
#include <vit/weights/json_values.h>
#include <vit/weights/layouts/huggingface_config.h>
#include <vit/weights/layouts/key_rules.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/layouts/presets.h>
#include <vit/weights/shape.h>

namespace vit {
namespace {

// C-RADIO of the transformers library: the names in files, which are its authors', then those in
// memory.
constexpr KeyRule kRadio[] = {
    {"radio_model.input_conditioner", "input_conditioner"},
    {"radio_model.model.patch_generator.embedder", "patch_embed.proj"},
    {"radio_model.model.patch_generator.pos_embed", "pos_embed"},
    {"radio_model.model.patch_generator.cls_token.token", "cls_token"},
    {"radio_model.model.patch_generator.video_embedder", ""},
    {"radio_model.summary_idxs", "summary_idxs"},
    {"radio_model.model.blocks.*.layer_scale1.lambda1", "blocks.*.ls1.gamma"},
    {"radio_model.model.blocks.*.layer_scale2.lambda1", "blocks.*.ls2.gamma"},
    {"radio_model.model.blocks.*.mlp.gate_proj", "blocks.*.mlp.gate"},
    {"radio_model.model.blocks.*.mlp.up_proj", "blocks.*.mlp.up"},
    {"radio_model.model.blocks.*.mlp.down_proj", "blocks.*.mlp.fc2"},
    {"radio_model.model.blocks.*", "blocks.*"},
    {"embeddings.patch_projection", "patch_embed.proj"},
    {"embeddings.position_embedding", "pos_embed"},
    {"embeddings.cls_register_token", "cls_token"},
    {"embeddings.video_patch_projection", ""},
    {"encoder.layer.*.attention.q_proj", "blocks.*.attn.q"},
    {"encoder.layer.*.attention.k_proj", "blocks.*.attn.k"},
    {"encoder.layer.*.attention.v_proj", "blocks.*.attn.v"},
    {"encoder.layer.*.attention.o_proj", "blocks.*.attn.proj"},
    {"encoder.layer.*.layer_scale1.lambda1", "blocks.*.ls1.gamma"},
    {"encoder.layer.*.layer_scale2.lambda1", "blocks.*.ls2.gamma"},
    {"encoder.layer.*.mlp.gate_proj", "blocks.*.mlp.gate"},
    {"encoder.layer.*.mlp.up_proj", "blocks.*.mlp.up"},
    {"encoder.layer.*.mlp.down_proj", "blocks.*.mlp.fc2"},
    {"encoder.layer.*", "blocks.*"},
};

bool detect(const StateDict& weights) {
  return has_in_model(weights, "radio_model.model.patch_generator.embedder.weight") ||
         has_in_model(weights, "embeddings.patch_projection.weight");
}

/// [D, channels * rows * columns] -> [D, channels, rows, columns] of square patches.
at::Tensor as_convolution(const at::Tensor& linear, int64_t channels, const std::string& where) {
  const int64_t columns = linear.size(1);
  const int64_t side = columns % channels ? 0 : square_grid_side(columns / channels, 0);
  if (side == 0)
    fail(where, ": the patch embedding has shape ", shape_text(linear.sizes()),
         ", expected the pixels of a square patch of ", channels, " channels");
  return linear.view({linear.size(0), channels, side, side});
}

/// The class tokens that the library's summary is made of are the first ones in every model.
void check_summary(const at::Tensor& indices, const std::string& where) {
  const auto expected = at::arange(indices.numel(), at::kLong);
  if (indices.dim() != 1 || indices.scalar_type() != at::kLong || !at::equal(indices, expected))
    fail(where,
         ": \"summary_idxs\" are not the first class tokens, which is all that is supported");
}

/// The library takes a layer scale that a file lacks for one.
void fill_layer_scale(StateDict& weights) {
  StateDict ones;
  for (const auto& [name, tensor] : weights) {
    constexpr std::string_view kNorm = ".norm1.weight";
    if (!name.starts_with("blocks.") || !name.ends_with(kNorm)) continue;
    const std::string stem = name.substr(0, name.size() - kNorm.size());
    for (const char* scale : {".ls1.gamma", ".ls2.gamma"})
      if (!weights.contains(stem + scale)) ones.emplace(stem + scale, at::ones_like(tensor));
  }
  weights.merge(ones);
}

StateDict to_timm(const StateDict& weights, const std::string& where) {
  auto renamed = rename_and_pack(without_model_prefix(weights, where), kRadio, where);
  if (const auto indices = take(renamed, "summary_idxs"); indices.defined())
    check_summary(indices, where);
  const auto mean = renamed.find("input_conditioner.norm_mean");
  constexpr int64_t kColours = 3;
  const int64_t channels =
      mean != renamed.end() && mean->second.dim() > 0 ? mean->second.size(0) : kColours;
  auto& patches = renamed.at("patch_embed.proj.weight");
  if (patches.dim() == 2 && channels > 0) patches = as_convolution(patches, channels, where);
  fill_layer_scale(renamed);
  return renamed;
}

/// The file has class tokens and registers in one tensor.
void split_prefix(const VitConfig& config, StateDict& weights) {
  const auto tokens = weights.find("cls_token");
  const int64_t classes = config.prefix.cls_tokens;
  if (tokens == weights.end() || tokens->second.dim() != 3 || config.prefix.reg_tokens == 0 ||
      tokens->second.size(1) != config.num_prefix_tokens())
    return;
  weights["reg_token"] = tokens->second.slice(1, classes).contiguous();
  tokens->second = tokens->second.slice(1, 0, classes).contiguous();
}

void set_radio(VitConfig& vit) {
  vit.family = "radio";
  vit.input.normalized_inside = true;
  vit.patch.bias = false;
  vit.positions.covers_prefix = false;
  vit.positions.resampling = Resampling::bilinear_window;
  vit.block.layer_scale = true;
  vit.head.norm_before = false;
  vit.head.pooling = Pooling::cls_concat;
}

void apply_defaults(const StateDict& stored, VitConfig& config) {
  const Size2d table = config.grid().size();
  set_radio(config);
  config.positions.table = table;
  for (const char* name : {"radio_model.summary_idxs", "summary_idxs"})
    if (const at::Tensor* indices = find_in_model(stored, name))
      config.head.pooled_tokens =
          std::clamp<int64_t>(indices->numel(), 1, std::max<int64_t>(1, config.prefix.cls_tokens));
  prepare_as_huggingface(config, config.family);
}

}  // namespace

void huggingface::read_radio(const Document& document, ModelConfig& config) {
  VitConfig& vit = config.vit;
  const JsonNode& model = document.model;
  set_radio(vit);
  set_sizes(vit, 1280, 32, 16, 5120);
  vit.prefix = {.cls_tokens = 3, .reg_tokens = 7};
  optional_count(model, "num_cls_tokens", vit.prefix.cls_tokens);
  optional_count(model, "num_registers", vit.prefix.reg_tokens);
  read_common(model, vit);
  read_mlp_ratio(model, vit);

  int64_t largest = 2048;
  optional_count(model, "max_img_size", largest);
  const Size2d patch = vit.patch.size();
  if (patch.height < 1 || patch.width < 1 || largest < std::max(patch.height, patch.width))
    model.at("patch_size")
        .fail("patches of ", patch.height, "x", patch.width, " pixels for pictures of ", largest,
              " at most");
  vit.positions.table = {largest / patch.height, largest / patch.width};

  vit.head.pooled_tokens = 2;
  if (const auto node = model.find("summary_idxs")) {
    vit.head.pooled_tokens = 0;
    for (const JsonNode& index : node->elements())
      if (count(index) != vit.head.pooled_tokens++)
        index.fail("only the first class tokens are supported, in their order");
  }
  if (vit.head.pooled_tokens < 1 || vit.head.pooled_tokens > vit.prefix.cls_tokens)
    model.at(model.find("summary_idxs") ? "summary_idxs" : "num_cls_tokens")
        .fail("a summary of ", vit.head.pooled_tokens, " class tokens of ", vit.prefix.cls_tokens);
  config.sized_by_preprocessor = true;
}

const Layout kHuggingfaceRadioLayout{"huggingface_radio",
                                     "transformers",
                                     detect,
                                     to_timm,
                                     apply_defaults,
                                     nullptr,
                                     nullptr,
                                     [](std::string_view name) { return has_rule(name, kRadio); },
                                     split_prefix};

}  // namespace vit
