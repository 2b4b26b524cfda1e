#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <vit/block_config.h>
#include <vit/extent.h>
#include <vit/input_config.h>

namespace vit {

/// How the input is cut into patches, each projected to a token. `stride` is that of the kernel
/// from one patch to the next: smaller than the kernel where patches overlap.
struct PatchConfig {
  Extent kernel{1, 16, 16};
  Extent stride{1, 16, 16};
  bool bias = true;
  bool norm = false;  ///< the block's kind of norm on every patch's token, before its position

  /// Patches that fit into an input; what they leave over at the end of an axis is not looked at.
  Extent grid(Extent input) const;
  /// Patches of one frame that do not overlap.
  void set_size(Size2d size) { kernel = stride = Extent::of(size); }
  Size2d size() const { return kernel.size(); }
  bool operator==(const PatchConfig&) const = default;
};

/// Tokens in front of those of the patches. They are never merged.
struct PrefixConfig {
  int64_t cls_tokens = 1;   ///< class tokens; the first one is what "the class token" means
  bool dist_token = false;  ///< distillation token (arXiv 2012.12877), after the class token
  int64_t reg_tokens = 0;   ///< register tokens (arXiv 2309.16588), the last of the prefix

  int64_t count() const { return cls_tokens + int64_t{dist_token} + reg_tokens; }
  bool operator==(const PrefixConfig&) const = default;
};

enum class PositionKind {
  learned,    ///< a table in the checkpoint
  sincos_1d,  ///< computed, see sincos_positions_1d
  sincos_2d,  ///< computed, see sincos_positions_2d
  sincos_3d,  ///< computed, see sincos_positions_3d
  none,
};

/// How a table of learned positions is fitted to another image size.
enum class Resampling {
  bicubic_antialias,   ///< timm, and DINOv2 with registers
  bicubic,             ///< most other models of the transformers library
  bilinear_antialias,  ///< SigLIP 2, TIPSv2
  bilinear_window,  ///< C-RADIO: bilinear to a square of the longer side, of which the upper left
                    ///< part is taken
  bilinear_corners_window,   ///< likewise, with the corners of the two grids aligned
  bicubic_antialias_window,  ///< likewise bicubic with antialias (timm's NaFlex, keeping the
                             ///< aspect)
};

/// Positions that are added to the tokens. Rotary ones are AttentionConfig's, with or without
/// these beside them.
struct PositionsConfig {
  PositionKind kind = PositionKind::learned;
  bool covers_prefix = true;  ///< false: the table covers the patches only
  Resampling resampling = Resampling::bicubic_antialias;
  /// Grid of a learned table that stays as it is and is fitted to each input's grid when it is used
  /// (NaFlex, arXiv 2307.06304); 0x0: the table is of the model's own grid.
  Size2d table;

  bool computed() const { return kind != PositionKind::learned && kind != PositionKind::none; }
  bool operator==(const PositionsConfig&) const = default;
};

enum class Pooling {
  cls,         ///< the class token
  avg,         ///< mean of the patch tokens, weighted by the number of patches they stand for
  max,         ///< largest value of the patch tokens
  avg_max,     ///< mean of avg and max
  cls_avg,     ///< the features of cls and of avg one after the other (DINOv2's classifiers)
  cls_dist,    ///< mean of class and distillation token (spectrogram transformers)
  map,         ///< attention pooling with one learned query over the patch tokens
  cls_mean,    ///< mean of all class tokens (Pixio)
  cls_concat,  ///< the first HeadConfig::pooled_tokens class tokens one after the other (C-RADIO)
  none,        ///< no pooling: logits for every token
};

enum class AttentionPoolKind {
  latent,     ///< q, k and v are projected, an MLP follows (timm, SigLIP)
  raw_query,  ///< the query is used as it is, no MLP follows (AIMv2)
};

/// Attention pooling by one learned query.
struct AttentionPoolConfig {
  AttentionPoolKind kind = AttentionPoolKind::latent;
  int64_t num_heads = 0;   ///< 0: as many as the blocks have
  int64_t hidden_dim = 0;  ///< of its MLP, which is a plain one; 0: as the blocks have

  bool operator==(const AttentionPoolConfig&) const = default;
};

/// From the tokens of the last block to the logits.
struct HeadConfig {
  bool norm_before = true;  ///< the block's kind of norm on every token, before the pooling
  Pooling pooling = Pooling::cls;
  AttentionPoolConfig attention_pool;  ///< of map pooling
  int64_t pooled_tokens = 1;           ///< class tokens of cls_concat
  bool pool_prefix = false;            ///< avg, max and map pooling see the prefix tokens, too
  bool norm_after = false;             ///< a norm on what the pooling gives
  int64_t num_classes = 1000;          ///< 0: no head, the logits are the pooled features
  bool bias = true;
  /// Heads of their own for so many of the first prefix tokens, whose logits are averaged: 2 for a
  /// distilled model's class and distillation token (arXiv 2012.12877).
  int64_t token_heads = 1;

  bool operator==(const HeadConfig&) const = default;
};

/// Architecture of a Vision Transformer (arXiv 2010.11929 and its descendants). The defaults are
/// ViT-B/16 at 224 with an ImageNet-1k head.
struct VitConfig {
  std::string architecture = "vit_base_patch16_224";  ///< timm's name, for display
  std::string family = "vit";  ///< what it descends from: "deit", "dinov2", "clip", …; for display
  InputConfig input;
  PatchConfig patch;
  PrefixConfig prefix;
  PositionsConfig positions;
  bool pre_norm = false;  ///< a norm between the embedding and the blocks (CLIP)
  BlockConfig block;
  /// AttentionConfig::num_kv_heads of each block, where they differ; empty: they are `block`'s.
  std::vector<int64_t> kv_heads = {};
  int64_t depth = 12;
  HeadConfig head;

  /// That of one block.
  BlockConfig block_at(int64_t index) const;
  int64_t embed_dim() const { return block.dim; }
  /// Class, distillation and register tokens in front of the patches.
  int64_t num_prefix_tokens() const { return prefix.count(); }
  /// Patches along every axis.
  Extent grid() const { return patch.grid(input.extent); }
  int64_t num_patches() const { return grid().count(); }
  /// Tokens at the input of block 0.
  int64_t num_tokens() const { return num_prefix_tokens() + num_patches(); }
  /// Features that the head reads.
  int64_t pooled_dim() const;
  /// Rows of the position table.
  int64_t num_positions() const;
  /// Tokens that avg, max and map pooling leave out.
  int64_t num_unpooled_tokens() const { return head.pool_prefix ? 0 : num_prefix_tokens(); }

  /// Rows and columns of the input. Of a model that takes pictures of any size they say how large
  /// one is that is counted with.
  Size2d image_size() const { return input.extent.size(); }
  /// Whether the model takes pictures of any size that its patches divide: its position table is
  /// fitted to each of them (PositionsConfig::table), or it has rotary positions alone.
  bool takes_any_size() const;
  /// Pictures of any aspect with at most so many patches, which `image_size` becomes the largest
  /// square of; see PicturePreprocessing::max_patches. Throws Error if the model takes one size
  /// only.
  void set_max_patches(int64_t max_patches);
  /// Changes them, here, in the preprocessing and in the relative position bias. Pictures of any
  /// aspect stay such.
  void set_image_size(Size2d size);
  /// Gives a relative position bias, if there is one, the grid and the prefix of this config.
  void fit_relative_bias();
  /// Preprocessing of a model that takes pictures. Throws Error if it takes anything else.
  PicturePreprocessing& picture();
  const PicturePreprocessing& picture() const { return picture_preprocessing(input.preprocessing); }

  /// The same. Throws Error, too, where a checkpoint's preprocessor gives pictures of another size
  /// than its model takes.
  const PicturePreprocessing& picture_for_input() const;

  /// Throws Error if patches do not cover an image of this size exactly.
  void check_covers(Size2d image) const;

  /// Throws Error where the fields contradict each other or cannot be right, naming the field.
  void validate() const;

  bool operator==(const VitConfig&) const = default;
};

/// How logits become the scores of classes; see scores().
enum class ScoreKind {
  softmax,  ///< every input is of one class: probabilities of them all, which add up to 1
  sigmoid,  ///< it may be of any number of classes: a probability for each of them
  none,     ///< the logits themselves (regression)
};

/// Everything the files of a checkpoint say about it, but for the weights.
struct ModelConfig {
  VitConfig vit;
  std::vector<std::string> labels;  ///< by class index; may be shorter than the head, or empty
  /// As the checkpoint has it; unset where it does not say.
  std::optional<ScoreKind> scores = {};

  /// What `scores` says, or else a softmax; a sigmoid where there is one class only, as in the
  /// transformers library.
  ScoreKind score_kind() const {
    return scores.value_or(vit.head.num_classes == 1 ? ScoreKind::sigmoid : ScoreKind::softmax);
  }

  /// Starts of the names of tensors that the checkpoint's library does not read in such a model
  /// and its files hold all the same.
  std::vector<std::string> unread_tensors = {};
  /// What neither files nor weights say and was taken to be as usual, a line each.
  std::vector<std::string> assumed = {};
  /// The image size is what a preprocessor's file says, if there is one, not what the config says.
  bool sized_by_preprocessor = false;
};

}  // namespace vit
