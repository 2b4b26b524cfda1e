#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include <ATen/ATen.h>

#include <vit/architecture_table.h>
#include <vit/error.h>
#include <vit/weights/infer.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

/// Looks up names and shapes.
class Shapes {
 public:
  Shapes(const StateDict& weights, const std::string& where) : weights_(weights), where_(where) {}

  bool has(const std::string& name) const { return weights_.contains(name); }

  /// Shape of a tensor that must be there with so many dims.
  at::IntArrayRef of(const std::string& name, int64_t dims) const {
    const auto found = weights_.find(name);
    if (found == weights_.end())
      fail(where_, ": no tensor \"", name,
           "\"; these are not the weights of a Vision Transformer under names of a known library: ",
           "its tensors are ", some_names());
    if (found->second.dim() != dims)
      fail(where_, ": tensor \"", name, "\" has shape ", shape_text(found->second.sizes()),
           ", expected ", dims, " dims");
    return found->second.sizes();
  }

 private:
  std::string some_names() const {
    constexpr size_t kShown = 3;
    std::string names;
    size_t count = 0;
    for (const auto& [name, tensor] : weights_) {
      if (count++ == kShown) return names + ", …";
      names += (names.empty() ? "" : ", ") + shortened(name);
    }
    return names;
  }

  const StateDict& weights_;
  const std::string& where_;
};

void infer_positions(const Shapes& shapes, std::optional<Size2d> image_size, VitConfig& config,
                     const std::string& where) {
  const Size2d patch = config.patch.size();
  if (!shapes.has("pos_embed")) {
    config.positions.kind = PositionKind::none;
    config.set_image_size({patch.height * 14, patch.width * 14});
    return;
  }
  const int64_t rows = shapes.of("pos_embed", 3)[1];
  const int64_t prefix = config.num_prefix_tokens();
  int64_t side = square_grid_side(rows, prefix);
  if (side == 0) {
    side = square_grid_side(rows, 0);
    config.positions.covers_prefix = false;
  }
  if (side == 0 && image_size) {
    config.set_image_size(*image_size);
    for (const bool for_prefix : {true, false}) {
      config.positions.covers_prefix = for_prefix;
      if (config.num_positions() == rows) return;
    }
  }
  if (side == 0) fail_not_square(where, rows, prefix, patch);
  config.set_image_size({patch.height * side, patch.width * side});
}

/// What the shapes of weights tell of a model, the image size and the classes aside: a config whose
/// other fields have their defaults.
VitConfig shape_traits(VitConfig c) {
  const VitConfig defaults;
  c.architecture = defaults.architecture;
  c.family = defaults.family;
  c.input = defaults.input;
  c.positions.resampling = defaults.positions.resampling;
  if (c.num_prefix_tokens() == 0) c.positions.covers_prefix = true;
  c.block.attention.num_heads = 1;
  c.block.mlp.activation = defaults.block.mlp.activation;
  c.block.norm.eps = defaults.block.norm.eps;
  c.head.num_classes = 0;
  c.head.bias = true;
  return c;
}

/// timm's architecture of the same shapes; one of the same image size if there are several.
std::optional<ModelConfig> same_shapes(const VitConfig& config) {
  std::optional<ModelConfig> best;
  const VitConfig traits = shape_traits(config);
  for (const auto& row : architecture_table()) {
    auto candidate = row.config();
    if (!(shape_traits(candidate.vit) == traits)) continue;
    const bool same_size = candidate.vit.image_size() == config.image_size();
    if (!best || same_size) best = std::move(candidate);
    if (same_size) break;
  }
  return best;
}

int64_t usual_heads(const VitConfig& config, const std::string& where,
                    std::vector<std::string>& assumed) {
  const int64_t dim = config.embed_dim();
  for (const auto& row : architecture_table()) {
    const auto known = row.config().vit;
    if (known.embed_dim() == dim && known.depth == config.depth &&
        known.block.mlp.hidden_dim == config.block.mlp.hidden_dim &&
        known.block.mlp.kind == config.block.mlp.kind)
      return known.block.attention.num_heads;
  }
  constexpr int64_t kUsualHeadDim = 64;
  if (dim % kUsualHeadDim)
    fail(where, ": ", dim, " channels are no multiple of the usual head size of ", kUsualHeadDim,
         "; a config.json or the name of the architecture must say how many heads there are");
  const int64_t heads = dim / kUsualHeadDim;
  assumed.push_back("how many heads its attention has is not in the weights: " +
                    std::to_string(heads) + " of " + std::to_string(kUsualHeadDim) +
                    " channels assumed; a config.json or the name of the architecture "
                    "says otherwise");
  return heads;
}

}  // namespace

int64_t count_blocks(const StateDict& weights) {
  constexpr std::string_view kPrefix = "blocks.";
  int64_t count = 0;
  for (auto item = weights.lower_bound(std::string(kPrefix)); item != weights.end(); ++item) {
    const std::string& name = item->first;
    if (!name.starts_with(kPrefix)) break;
    int64_t index = 0;
    const char* end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + kPrefix.size(), end, index);
    if (parsed.ec == std::errc() && parsed.ptr != end && *parsed.ptr == '.' && index < INT64_MAX)
      count = std::max(count, index + 1);
  }
  return count;
}

int64_t square_grid_side(int64_t positions, int64_t prefix) {
  const int64_t patches = positions - prefix;
  constexpr int64_t kMaxPatches = int64_t{1} << 40;
  if (patches <= 0 || patches > kMaxPatches) return 0;
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(patches))));
  return side * side == patches ? side : 0;
}

void fail_not_square(const std::string& where, int64_t positions, int64_t prefix,
                     Size2d patch_size) {
  const int64_t patches = positions - prefix;
  std::string proposal;
  constexpr int64_t kMaxPatches = 1 << 20;  // more are no image's
  if (patches > 0 && patches <= kMaxPatches) {
    // The nearest to a square.
    int64_t rows = static_cast<int64_t>(std::sqrt(static_cast<double>(patches)));
    while (patches % rows) --rows;
    const auto size = [&](int64_t height, int64_t width) {
      return std::to_string(height * patch_size.height) + "x" +
             std::to_string(width * patch_size.width);
    };
    if (rows > 1)
      proposal = ", perhaps " + size(rows, patches / rows) + " or " + size(patches / rows, rows);
  }
  fail(where, ": ", positions, " positions with ", prefix,
       " prefix tokens cover no square image; say which size the weights are for by ",
       base::Setting{"LoadOptions::image_size"}, proposal, ", or by a config.json");
}

ModelConfig infer_config(const StateDict& weights, const std::string& where,
                         std::optional<Size2d> image_size) {
  const Shapes shapes(weights, where);
  ModelConfig config;
  VitConfig& c = config.vit;

  const auto patches = shapes.of("patch_embed.proj.weight", 4);
  // Tensors without elements may claim any dims, and what follows multiplies them.
  constexpr int64_t kMaxPatchDim = 1 << 16;
  if (*std::min_element(patches.begin(), patches.end()) < 1 ||
      *std::max_element(patches.begin(), patches.end()) > kMaxPatchDim)
    fail(where, ": a patch embedding of shape ", shape_text(patches), " cannot be right");
  BlockConfig& block = c.block;
  block.dim = patches[0];
  c.input.channels = patches[1];
  c.patch.set_size({patches[2], patches[3]});
  c.patch.bias = shapes.has("patch_embed.proj.bias");
  c.depth = count_blocks(weights);
  MlpConfig& mlp = block.mlp;
  const int64_t mlp_rows = shapes.of("blocks.0.mlp.fc1.weight", 2)[0];
  mlp.hidden_dim = shapes.of("blocks.0.mlp.fc2.weight", 2)[1];
  mlp.kind = mlp_rows - mlp.hidden_dim == mlp.hidden_dim ? MlpKind::swiglu_packed : MlpKind::plain;
  block.attention.set_qkv_bias(shapes.has("blocks.0.attn.qkv.bias"));
  block.attention.qk_norm = shapes.has("blocks.0.attn.q_norm.weight");
  block.layer_scale = shapes.has("blocks.0.ls1.gamma");
  c.pre_norm = shapes.has("norm_pre.weight");
  block.norm.eps = c.pre_norm ? 1e-5 : 1e-6;  // CLIP's, and that of all others

  c.prefix.cls_tokens = shapes.has("cls_token") ? shapes.of("cls_token", 3)[1] : 0;
  c.prefix.dist_token = shapes.has("dist_token");
  c.prefix.reg_tokens = shapes.has("reg_token") ? shapes.of("reg_token", 3)[1] : 0;
  infer_positions(shapes, image_size, c, where);

  HeadConfig& head = c.head;
  head.norm_after = shapes.has("fc_norm.weight");
  head.norm_before = !head.norm_after && shapes.has("norm.weight");
  head.pooling = shapes.has("attn_pool.latent")            ? Pooling::map
                 : head.norm_after || !c.prefix.cls_tokens ? Pooling::avg
                                                           : Pooling::cls;
  head.num_classes = 0;
  if (shapes.has("head.weight")) {
    const auto weight = shapes.of("head.weight", 2);
    head.num_classes = weight[0];
    head.bias = shapes.has("head.bias");
    if (weight[1] == 2 * block.dim && head.pooling == Pooling::cls) head.pooling = Pooling::cls_avg;
  }
  if (head.pooling == Pooling::cls && shapes.has("head_dist.weight")) head.token_heads = 2;

  PicturePreprocessing& preprocessing = c.picture();
  if (const auto known = same_shapes(c)) {
    c.architecture = known->vit.architecture;
    block.attention.num_heads = known->vit.block.attention.num_heads;
    mlp.activation = known->vit.block.mlp.activation;
    block.norm.eps = known->vit.block.norm.eps;
    preprocessing = known->vit.picture();
    preprocessing.input_size = c.image_size();
    config.unread_tensors = known->unread_tensors;
  } else {
    c.architecture = "vit";
    block.attention.num_heads =
        block.attention.qk_norm
            ? block.dim / std::max<int64_t>(1, shapes.of("blocks.0.attn.q_norm.weight", 1)[0])
            : usual_heads(c, where, config.assumed);
  }
  if (c.input.channels != 3) {
    preprocessing.mean.assign(static_cast<size_t>(c.input.channels), 0.5);
    preprocessing.std.assign(static_cast<size_t>(c.input.channels), 0.5);
  }
  try {
    c.validate();
  } catch (const Error& error) {
    fail(where, ": inferred from the shapes: ", error.what());
  }
  return config;
}

}  // namespace vit
