#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <vit/config.h>

namespace vit {

/// Classes of timm's models. They take other arguments, and mean other things by some.
enum class TimmClass {
  vision_transformer,
  distilled,  ///< VisionTransformerDistilled
  eva,
  beit,
  naflex,  ///< NaFlexVit
  relpos,  ///< VisionTransformerRelPos
};

/// How timm's blocks form queries, keys and values.
enum class TimmAttention {
  standard,  ///< VisionTransformer's
  eva,       ///< keys have no bias
  rope,      ///< keys have one, and may be fewer than queries
};

enum class TimmMlp {
  plain,
  glu,     ///< SwiGLU in one tensor, whose mlp_ratio counts gate and value
  swiglu,  ///< SwiGLU whose mlp_ratio counts the value alone
};

enum class TimmRope {
  cat,     ///< "axial" to NaFlexVit
  mixed,   ///< learned frequencies
  dinov3,  ///< centered coordinates
};

enum class TimmRelPos { mlp, bias };

/// What the constructors of timm's models are given, under timm's names (those of
/// VisionTransformer where they differ). Defaults are VisionTransformer's.
struct TimmArguments {
  TimmClass timm_class = TimmClass::vision_transformer;
  Size2d img_size{224, 224};
  Size2d patch_size{16, 16};
  int64_t in_chans = 3;
  int64_t num_classes = 1000;
  Pooling global_pool = Pooling::cls;
  int64_t embed_dim = 768;
  int64_t depth = 12;
  int64_t num_heads = 12;
  std::vector<int64_t> num_kv_heads =
      {};  ///< one for all blocks, or one for each; empty: num_heads

  TimmAttention attn_type = TimmAttention::standard;
  bool qkv_bias = true;
  bool qkv_fused = true;  ///< q, k and v lie in one tensor
  bool qk_norm = false;
  bool scale_attn_norm = false;
  bool proj_bias = true;  ///< of the MLP, too

  double mlp_ratio = 4;
  TimmMlp mlp_layer = TimmMlp::plain;
  int64_t swiglu_align_to = 0;  ///< the hidden width is rounded up to a multiple; 0: it is not
  bool scale_mlp_norm = false;
  Activation act_layer = Activation::gelu;

  NormConfig norm_layer = {};
  bool embed_norm = false;  ///< norm_layer on every patch
  NormPlace norm_place = NormPlace::pre;
  bool layer_scale = false;  ///< init_values is not None
  bool attn_only_layer_scale = false;

  bool class_token = true;
  int64_t reg_tokens = 0;
  PositionKind pos_embed = PositionKind::learned;
  bool no_embed_class = false;
  bool pre_norm = false;
  bool final_norm = true;
  std::optional<bool> fc_norm = {};                ///< unset: as the pooling has it
  std::optional<bool> post_transformer_norm = {};  ///< Eva's; unset: where there is no fc_norm

  bool pool_include_prefix = false;
  int64_t attn_pool_num_heads = 0;  ///< 0: num_heads
  std::optional<double> attn_pool_mlp_ratio = {};

  bool rope = false;
  TimmRope rope_type = TimmRope::cat;
  double rope_temperature = 10000;
  double rope_grid_offset = 0;
  bool rope_xy = false;  ///< columns before rows
  bool rope_rotate_half = false;
  Size2d ref_feat_shape = {};  ///< 0x0: none

  bool rel_pos = false;  ///< relative position biases, in each block or
  bool shared_rel_pos = false;
  TimmRelPos rel_pos_type = TimmRelPos::mlp;  ///< of VisionTransformerRelPos
  int64_t rel_pos_dim = 0;                    ///< 0: as timm has it

  // NaFlexVit's table of positions.
  Size2d pos_embed_grid_size{16, 16};  ///< 0x0: that of img_size
  bool pos_embed_bilinear = false;     ///< else bicubic
  bool pos_embed_ar_preserving = false;
  bool pos_embed_antialias = true;
  bool pos_embed_align_corners = false;
  bool pos_embed_factorized = false;

  /// Gate and value of a SwiGLU lie in two tensors, fc1_g and fc1_x.
  bool has_gate_apart() const;
  /// Keys and values of block i.
  int64_t kv_heads(int64_t i) const;

  bool operator==(const TimmArguments&) const = default;
};

/// The model that timm builds of these. Name, family and preprocessing are left as they are by
/// default.
VitConfig timm_model(const TimmArguments& arguments);

/// Arguments from which timm builds this model, or one that is near it where timm has none such.
/// What has no part in the model, as whether q, k and v lie in one tensor, is as in `like`, and so
/// is what arguments in a config.json cannot say.
TimmArguments timm_arguments(const VitConfig& config, const TimmArguments& like);

/// Hidden channels of an MLP, as columns of fc2.
int64_t mlp_hidden_dim(int64_t embed_dim, double mlp_ratio, TimmMlp mlp, int64_t align_to = 0);

}  // namespace vit
