#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include <ATen/ATen.h>

#include <vit/architecture_table.h>
#include <vit/error.h>
#include <vit/limits.h>
#include <vit/weights/infer.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

/// Looks up names and shapes.
class Shapes {
 public:
  Shapes(const StateDict& weights, const std::string& where) : weights_(weights), where_(where) {}

  bool has(const std::string& name) const { return weights_.contains(name); }

  /// Dims of a tensor; 0 if it is not there.
  int64_t dims(const std::string& name) const {
    const auto found = weights_.find(name);
    return found == weights_.end() ? 0 : found->second.dim();
  }

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

/// Side of the square grid whose displacements a table of relative position biases has; 0 if it is
/// of no square or there is none.
int64_t side_of_relative_bias(const Shapes& shapes, int64_t prefix) {
  for (const std::string owner : {"blocks.0.attn.", "rel_pos_bias."})
    if (const auto name = owner + "relative_position_bias_table"; shapes.has(name)) {
      const int64_t side = square_grid_side(shapes.of(name, 2)[0], prefix ? 3 : 0);
      return side % 2 ? (side + 1) / 2 : 0;
    }
  return 0;
}

void infer_positions(const Shapes& shapes, std::optional<Size2d> image_size, bool keeps_table,
                     VitConfig& config, const std::string& where) {
  const Size2d patch = config.patch.size();
  if (!shapes.has("pos_embed")) {
    config.positions.kind = PositionKind::none;
    const auto& relative = config.block.attention.relative_bias;
    constexpr int64_t kUsualSide = 14;
    int64_t side = kUsualSide;
    if (relative && relative->kind == RelativeBiasKind::table) {
      side = side_of_relative_bias(shapes, config.num_prefix_tokens());
      if (side == 0 && image_size) return config.set_image_size(*image_size);
      if (side == 0)
        fail(where,
             ": its table of relative position biases is for no square image; say which size "
             "the weights are for by ",
             base::Setting{"LoadOptions::image_size"}, ", or by a config.json");
    }
    config.set_image_size({patch.height * side, patch.width * side});
    return;
  }
  const int64_t rows = shapes.of("pos_embed", 3)[1];
  const int64_t prefix = config.num_prefix_tokens();
  int64_t side = keeps_table ? 0 : square_grid_side(rows, prefix);
  if (side == 0) {
    side = square_grid_side(rows, 0);
    config.positions.covers_prefix = false;
  }
  if (side == 0 && keeps_table)
    fail(where, ": its table of ", rows,
         " positions is for no square grid; say which by a config.json");
  if (side == 0 && image_size) {
    config.set_image_size(*image_size);
    for (const bool for_prefix : {true, false}) {
      config.positions.covers_prefix = for_prefix;
      if (config.num_positions() == rows) return;
    }
  }
  if (side == 0) fail_not_square(where, rows, prefix, patch);
  config.set_image_size({patch.height * side, patch.width * side});
  if (keeps_table) config.positions.table = {side, side};
}

/// Heads that known models of such blocks have; the usual size of a head if there are none.
int64_t usual_heads(const VitConfig& config, const std::string& where,
                    std::vector<std::string>& assumed) {
  const int64_t dim = config.embed_dim();
  std::vector<int64_t> known_heads;
  for (const auto& row : architecture_table()) {
    const auto known = row.config().vit;
    if (known.embed_dim() == dim && known.depth == config.depth &&
        known.block.mlp.hidden_dim == config.block.mlp.hidden_dim &&
        known.block.mlp.kind == config.block.mlp.kind &&
        std::ranges::find(known_heads, known.block.attention.num_heads) == known_heads.end())
      known_heads.push_back(known.block.attention.num_heads);
  }
  if (known_heads.size() == 1) return known_heads.front();
  constexpr int64_t kUsualHeadDim = 64;
  if (known_heads.empty() && dim % kUsualHeadDim)
    fail(where, ": ", dim, " channels are no multiple of the usual head size of ", kUsualHeadDim,
         "; a config.json or the name of the architecture must say how many heads there are");
  const int64_t heads = known_heads.empty() ? dim / kUsualHeadDim : known_heads.front();
  assumed.push_back("how many heads its attention has is not in the weights: " +
                    std::to_string(heads) + " of " + std::to_string(dim / heads) +
                    " channels assumed; a config.json or the name of the architecture "
                    "says otherwise");
  return heads;
}

void infer_patches(const Shapes& shapes, VitConfig& c, const std::string& where) {
  const std::string name = "patch_embed.proj.weight";
  const bool is_linear = shapes.dims(name) == 2;
  const auto patches = shapes.of(name, is_linear ? 2 : 4);
  // Tensors without elements may claim any dims, and what follows multiplies them.
  constexpr int64_t kMaxPatchDim = 1 << 16;
  if (*std::min_element(patches.begin(), patches.end()) < 1 ||
      *std::max_element(patches.begin(), patches.end()) > kMaxPatchDim)
    fail(where, ": a patch embedding of shape ", shape_text(patches), " cannot be right");
  c.block.dim = patches[0];
  c.patch.bias = shapes.has("patch_embed.proj.bias");
  c.patch.norm = shapes.has("patch_embed.norm.weight");
  if (!is_linear) {
    c.input.channels = patches[1];
    c.patch.set_size({patches[2], patches[3]});
    return;
  }
  for (const int64_t channels : {3, 1}) {
    const int64_t side = patches[1] % channels ? 0 : square_grid_side(patches[1] / channels, 0);
    if (side == 0) continue;
    c.input.channels = channels;
    c.patch.set_size({side, side});
    return;
  }
  fail(where, ": a linear patch embedding of shape ", shape_text(patches),
       " is of no square patches of 3 channels or of one; say what it is by ",
       base::Setting{"LoadOptions::architecture"}, ", or by a config.json");
}

/// Heads, as far as any tensor has them; 0 where none has.
int64_t shown_heads(const Shapes& shapes, int64_t dim) {
  const std::string attention = "blocks.0.attn.";
  if (shapes.has(attention + "freqs")) return shapes.of(attention + "freqs", 3)[1];
  for (const auto& owner : {attention, std::string("rel_pos_bias.")})
    if (const auto name = owner + "relative_position_bias_table"; shapes.has(name))
      return shapes.of(name, 2)[1];
  for (const auto& owner : {attention + "rel_pos.", std::string("shared_rel_pos.")})
    if (const auto name = owner + "mlp.fc2.weight"; shapes.has(name)) return shapes.of(name, 2)[0];
  if (shapes.has(attention + "q_norm.weight"))
    return dim / std::max<int64_t>(1, shapes.of(attention + "q_norm.weight", 1)[0]);
  return 0;
}

/// Its grid is found with the positions.
std::optional<RelativeBiasConfig> infer_relative_bias(const Shapes& shapes) {
  const std::string table = "relative_position_bias_table", mlp = "mlp.fc1.weight";
  RelativeBiasConfig bias;
  bias.shared = shapes.has("rel_pos_bias." + table) || shapes.has("shared_rel_pos." + mlp);
  if (shapes.has("rel_pos_bias." + table) || shapes.has("blocks.0.attn." + table)) return bias;
  const std::string owner = bias.shared ? "shared_rel_pos." : "blocks.0.attn.rel_pos.";
  if (!shapes.has(owner + mlp)) return std::nullopt;
  bias.kind = RelativeBiasKind::log_mlp;
  bias.hidden_dim = shapes.of(owner + mlp, 2)[0];
  return bias;
}

/// Of how many heads the keys of each block are, where a norm tells the size of a head.
void infer_kv_heads(const Shapes& shapes, VitConfig& c) {
  if (!c.block.attention.qk_norm) return;
  const int64_t head_dim = shapes.of("blocks.0.attn.q_norm.weight", 1)[0];
  if (head_dim < 1) return;
  std::vector<int64_t> kv_heads;
  for (int64_t i = 0; i < std::min(c.depth, kMaxDepth); ++i) {
    const int64_t rows = shapes.of("blocks." + std::to_string(i) + ".attn.qkv.weight", 2)[0];
    kv_heads.push_back((rows - c.block.dim) / 2 / head_dim);
  }
  if (kv_heads.empty()) return;
  const bool all_alike = std::ranges::count(kv_heads, kv_heads[0]) == std::ssize(kv_heads);
  if (!all_alike)
    c.kv_heads = std::move(kv_heads);
  else if (kv_heads[0] != c.block.attention.num_heads)
    c.block.attention.num_kv_heads = kv_heads[0];
}

void infer_block(const Shapes& shapes, const std::optional<TimmTraits>& traits, VitConfig& c) {
  BlockConfig& block = c.block;
  const std::string first = "blocks.0.";
  MlpConfig& mlp = block.mlp;
  const int64_t mlp_rows = shapes.of(first + "mlp.fc1.weight", 2)[0];
  mlp.hidden_dim = shapes.of(first + "mlp.fc2.weight", 2)[1];
  mlp.kind = mlp_rows - mlp.hidden_dim == mlp.hidden_dim ? MlpKind::swiglu_packed : MlpKind::plain;
  mlp.norm = shapes.has(first + "mlp.norm.weight");
  mlp.bias = shapes.has(first + "mlp.fc2.bias");
  AttentionConfig& attention = block.attention;
  attention.set_qkv_bias(shapes.has(first + "attn.qkv.bias"));
  if (traits && !traits->key_bias) attention.k_bias = false;
  attention.qk_norm = shapes.has(first + "attn.q_norm.weight");
  attention.norm = shapes.has(first + "attn.norm.weight");
  attention.proj_bias = shapes.has(first + "attn.proj.bias");
  attention.relative_bias = infer_relative_bias(shapes);
  if (shapes.has(first + "attn.freqs"))
    attention.rotary =
        RotaryConfig{.frequencies = RotaryFrequencies::learned, .columns_first = true};
  block.layer_scale = shapes.has(first + "ls1.gamma");
  block.mlp_layer_scale = !block.layer_scale || shapes.has(first + "ls2.gamma");
  if (shapes.has(first + "norm1.weight") && !shapes.has(first + "norm1.bias"))
    block.norm.kind = NormKind::rms_norm;
}

void infer_head(const Shapes& shapes, VitConfig& c) {
  HeadConfig& head = c.head;
  head.norm_after = shapes.has("fc_norm.weight");
  head.norm_before = shapes.has("norm.weight");
  head.pooling = shapes.has("attn_pool.latent")            ? Pooling::map
                 : head.norm_after || !c.prefix.cls_tokens ? Pooling::avg
                                                           : Pooling::cls;
  if (head.pooling == Pooling::map && !shapes.has("attn_pool.q.weight"))
    head.attention_pool.kind = AttentionPoolKind::raw_query;
  else if (head.pooling == Pooling::map)
    if (const int64_t own = shapes.of("attn_pool.mlp.fc1.weight", 2)[0];
        own != c.block.mlp.hidden_dim)
      head.attention_pool.hidden_dim = own;
  head.num_classes = 0;
  if (shapes.has("head.weight")) {
    const auto weight = shapes.of("head.weight", 2);
    head.num_classes = weight[0];
    head.bias = shapes.has("head.bias");
    if (weight[1] == 2 * c.block.dim && head.pooling == Pooling::cls)
      head.pooling = Pooling::cls_avg;
  }
  if (head.pooling == Pooling::cls && shapes.has("head_dist.weight")) head.token_heads = 2;
}

/// Takes what the shapes do not show from a known model of the same shapes.
void take_from(const Architecture& row, ModelConfig& config) {
  ModelConfig known = row.config();
  VitConfig& c = config.vit;
  c.architecture = known.vit.architecture;
  c.family = known.vit.family;
  // Without positions nothing tells the size of the pictures, nor does a table for all of them.
  const auto& biases = c.block.attention.relative_bias;
  const bool has_size =
      c.positions.kind != PositionKind::none || (biases && biases->kind == RelativeBiasKind::table);
  if (!has_size || c.positions.table != Size2d()) c.set_image_size(known.vit.image_size());
  const Size2d image_size = c.image_size();
  c.positions.resampling = known.vit.positions.resampling;
  auto relative = c.block.attention.relative_bias;
  c.block = known.vit.block;
  c.block.attention.relative_bias = relative;
  c.kv_heads = known.vit.kv_heads;
  HeadConfig head = known.vit.head;
  head.num_classes = c.head.num_classes;
  head.bias = c.head.bias;
  if (c.head.pooling == Pooling::cls_avg) head.pooling = Pooling::cls_avg;
  head.token_heads = c.head.token_heads;
  c.head = head;
  c.picture() = known.vit.picture();
  c.picture().input_size = image_size;
  config.unread_tensors = std::move(known.unread_tensors);
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
                         std::optional<Size2d> image_size,
                         const std::optional<TimmTraits>& traits) {
  const Shapes shapes(weights, where);
  ModelConfig config;
  VitConfig& c = config.vit;

  infer_patches(shapes, c, where);
  c.depth = count_blocks(weights);
  infer_block(shapes, traits, c);
  c.pre_norm = shapes.has("norm_pre.weight");
  c.block.norm.eps = c.pre_norm ? 1e-5 : 1e-6;  // CLIP's, and that of all others
  c.input.normalized_inside = shapes.has("input_conditioner.norm_mean");
  c.prefix.cls_tokens = shapes.has("cls_token") ? shapes.of("cls_token", 3)[1] : 0;
  c.prefix.dist_token = shapes.has("dist_token");
  c.prefix.reg_tokens = shapes.has("reg_token") ? shapes.of("reg_token", 3)[1] : 0;
  infer_positions(shapes, image_size, traits && traits->linear_embedding, c, where);
  infer_head(shapes, c);

  const auto known = find_known_models(c, traits);
  if (const auto line = settle(known, traits, where); !line.empty()) config.assumed.push_back(line);
  AttentionConfig& attention = c.block.attention;
  if (!known.same.empty()) {
    take_from(*known.same.front(), config);
  } else {
    c.architecture = "vit";
    attention.num_heads = shown_heads(shapes, c.block.dim);
    if (attention.num_heads == 0) attention.num_heads = usual_heads(c, where, config.assumed);
    infer_kv_heads(shapes, c);
  }
  c.fit_relative_bias();
  PicturePreprocessing& preprocessing = c.picture();
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
