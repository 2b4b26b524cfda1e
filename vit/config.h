#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace vit {

/// Height and width in pixels, tokens or whatever the name says.
struct Size2d {
  int64_t height = 0;
  int64_t width = 0;
  bool operator==(const Size2d&) const = default;
};

enum class Activation { gelu, gelu_tanh, quick_gelu };

enum class MlpKind {
  plain,          ///< fc2(act(fc1(x)))
  swiglu_packed,  ///< fc2(silu(g) * v) with g, v the halves of fc1(x)
};

enum class Positions {
  learned,    ///< a table in the checkpoint
  sincos_1d,  ///< computed, see sincos_positions_1d
  sincos_2d,  ///< computed, see sincos_positions_2d
  none,
};

/// How a table of learned positions is fitted to another image size.
enum class Resampling {
  bicubic_antialias,  ///< timm, and DINOv2 with registers
  bicubic,            ///< the other models of the transformers library
};

enum class Pooling {
  cls,      ///< the class token; with a distillation token two heads are averaged
  avg,      ///< mean of the patch tokens, weighted by the number of patches they stand for
  max,      ///< largest value of the patch tokens
  avg_max,  ///< mean of avg and max
  cls_avg,  ///< the features of cls and of avg one after the other (DINOv2's classifiers)
  map,      ///< attention pooling with one learned query over the patch tokens
  none,     ///< no pooling: logits for every token
};

/// Architecture of a Vision Transformer (arXiv 2010.11929 and its descendants). The defaults are
/// ViT-B/16 at 224 with an ImageNet-1k head.
struct VitConfig {
  std::string architecture = "vit_base_patch16_224";  ///< timm's name, for display
  std::string family = "vit";  ///< what it descends from: "deit", "dinov2", "clip", …; for display
  Size2d image_size{224, 224};  ///< pixels; what the patches leave over at the right and the
                                ///< bottom is not looked at
  Size2d patch_size{16, 16};    ///< pixels
  int64_t in_channels = 3;
  int64_t embed_dim = 768;
  int64_t depth = 12;
  int64_t num_heads = 12;
  int64_t mlp_hidden_dim = 3072;  ///< columns of fc2
  int64_t num_classes = 1000;     ///< 0: no head, the logits are the pooled features

  bool cls_token = true;
  bool dist_token = false;           ///< distillation token (arXiv 2012.12877)
  bool dist_head = true;             ///< it has a head of its own, averaged with the class token's
  int64_t reg_tokens = 0;            ///< register tokens (arXiv 2309.16588)
  bool positions_for_prefix = true;  ///< false: the table covers the patches only
  Positions positions = Positions::learned;
  Resampling resampling = Resampling::bicubic_antialias;
  bool patch_bias = true;
  bool pre_norm = false;  ///< a norm between the embedding and the blocks (CLIP)
  bool qkv_bias = true;
  bool qk_norm = false;      ///< LayerNorm on q and k of every head
  bool layer_scale = false;  ///< learned per-channel scale on both branches of a block
  MlpKind mlp = MlpKind::plain;
  Activation activation = Activation::gelu;
  double norm_eps = 1e-6;
  bool final_norm = true;
  bool fc_norm = false;  ///< the final norm follows the pooling instead of preceding it
  Pooling pooling = Pooling::cls;
  bool pool_prefix = false;  ///< avg, max and map pooling see the prefix tokens, too
  bool head_bias = true;

  /// Class, distillation and register tokens in front of the patches.
  int64_t num_prefix_tokens() const;
  /// Patches along height and width.
  Size2d grid() const;
  int64_t num_patches() const;
  /// Tokens at the input of block 0.
  int64_t num_tokens() const { return num_prefix_tokens() + num_patches(); }
  int64_t head_dim() const { return embed_dim / num_heads; }
  /// Features that the head reads.
  int64_t pooled_dim() const { return pooling == Pooling::cls_avg ? 2 * embed_dim : embed_dim; }
  /// Whether class and distillation token are classified each and averaged.
  bool averages_two_heads() const { return pooling == Pooling::cls && dist_token && dist_head; }
  /// Rows of the position table.
  int64_t num_positions() const;
  /// Tokens that avg, max and map pooling leave out.
  int64_t num_unpooled_tokens() const { return pool_prefix ? 0 : num_prefix_tokens(); }

  /// Throws Error if patches do not cover an image of this size exactly.
  void check_covers(Size2d image) const;

  /// Throws Error where the fields contradict each other or cannot be right, naming the field.
  void validate() const;
};

enum class Interpolation { bilinear, bicubic };

enum class CropMode {
  center,  ///< the shorter side becomes size / crop_pct
  squash,  ///< both sides become size / crop_pct, whatever the aspect
};

/// How a checkpoint wants its pictures: resized, cropped, scaled to [0, 1] and normalised.
struct Preprocessing {
  Size2d input_size{224, 224};  ///< pixels, what the model sees
  Interpolation interpolation = Interpolation::bicubic;
  double crop_pct = 0.9;
  CropMode crop_mode = CropMode::center;
  std::vector<double> mean{0.5, 0.5, 0.5};
  std::vector<double> std{0.5, 0.5, 0.5};

  /// Throws Error for values that cannot be used with `channels` input channels.
  void validate(int64_t channels) const;
};

/// Everything a config.json says about a checkpoint.
struct ModelConfig {
  VitConfig vit;
  Preprocessing preprocessing;
  std::vector<std::string> labels;  ///< by class index; may be shorter than the head, or empty
};

}  // namespace vit
