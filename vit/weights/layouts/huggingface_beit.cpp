#include <vit/weights/json_values.h>
#include <vit/weights/layouts/huggingface_config.h>

// BEiT, Data2Vec and InternVL of the transformers library, whose tensors kHuggingfaceLayout names.

namespace vit::huggingface {
namespace {

/// The norm of a model that pools the mean of its patches stands behind the pooling.
void pool_mean(VitConfig& vit) {
  vit.head.pooling = Pooling::avg;
  vit.head.norm_before = false;
  vit.head.norm_after = true;
}

void read_relative_bias(const JsonNode& model, VitConfig& vit) {
  const bool own = flag(model, "use_relative_position_bias", false);
  const bool shared = flag(model, "use_shared_relative_position_bias", false);
  if (!own && !shared) return;
  if (own && shared)
    model.at("use_shared_relative_position_bias")
        .fail("relative position biases of each block and shared ones together are not supported");
  vit.block.attention.relative_bias.emplace().shared = shared;
  // The library takes such a table for one of as many columns as the grid has rows.
  if (const Size2d grid = vit.grid().size(); grid.height != grid.width)
    model.at("image_size")
        .fail("a grid of ", grid.height, "x", grid.width,
              " patches: the library mixes up rows and ",
              "columns of the relative position biases of one that is not square, and no such ",
              "model can be right");
}

}  // namespace

void read_beit(const Document& document, ModelConfig& config) {
  VitConfig& vit = config.vit;
  const JsonNode& model = document.model;
  vit.block.norm.eps = 1e-12;
  read_common(model, vit);
  vit.block.attention.k_bias = false;
  vit.positions.kind = flag(model, "use_absolute_position_embeddings", false)
                           ? PositionKind::learned
                           : PositionKind::none;
  read_relative_bias(model, vit);
  double scale = 0.1;
  if (const auto node = model.find("layer_scale_init_value")) scale = node->number();
  vit.block.layer_scale = scale > 0;

  const bool mean = flag(model, "use_mean_pooling", true);
  if (document.name == "BeitForMaskedImageModeling") {
    // It has a norm of its own in front of what predicts the patches.
    if (!mean)
      model.at("use_mean_pooling")
          .fail("false is not supported for ", document.name,
                ", which norms its tokens twice then; load it as BeitModel and save that");
  } else if (document.name == "Data2VecVisionModel") {
    vit.head.norm_before = !mean;
    config.unread_tensors = {"fc_norm."};  // of a pooler that it has on demand
  } else if (mean) {
    pool_mean(vit);
  }
}

void read_internvl(const Document& document, ModelConfig& config) {
  VitConfig& vit = config.vit;
  const JsonNode& model = document.model;
  set_sizes(vit, 1024, 24, 16, 4096);
  vit.set_image_size({448, 448});
  vit.patch.set_size({14, 14});
  read_common(model, vit);
  vit.block.layer_scale = true;
  vit.block.attention.set_qkv_bias(flag(model, "attention_bias", false));
  if (flag(model, "use_qk_norm", false))
    model.at("use_qk_norm").fail("true is not supported: it norms all heads of q and k together");
  if (!flag(model, "use_absolute_position_embeddings", true))
    vit.positions.kind = PositionKind::none;
  if (const auto node = model.find("norm_type"))
    vit.block.norm.kind = choose<NormKind>(
        *node, {{"layer_norm", NormKind::layer_norm}, {"rms_norm", NormKind::rms_norm}});
  vit.head.norm_before = !flag(model, "use_mean_pooling", true);
  if (vit.head.norm_before && vit.block.norm.kind == NormKind::rms_norm)
    model.at("norm_type").fail("\"rms_norm\" is not supported beside a final layer norm");
  config.sized_by_preprocessor = true;
}

}  // namespace vit::huggingface
