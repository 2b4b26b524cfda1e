#pragma once

#include <span>
#include <string>
#include <string_view>

#include <vit/extent.h>
#include <vit/weights/layouts/key_rules.h>
#include <vit/weights/state_dict.h>

// What the layouts have in common on the way to timm's names.

namespace vit {

/// A tensor that may be under a prefix that models (not their heads) stand under unless they were
/// saved alone: "vit.", "backbone." and so on; null if it is not there.
const at::Tensor* find_in_model(const StateDict& weights, const std::string& name);

/// Whether it is.
bool has_in_model(const StateDict& weights, const std::string& name);

/// The prefix of that kind at the end of another: "vit." of "model.vit."; empty if there is none.
std::string_view model_prefix_of(std::string_view prefix);

/// All names without those prefixes. Throws Error if two tensors get the same name.
StateDict without_model_prefix(const StateDict& weights, const std::string& where);

/// Packs blocks.N.attn.{q,k,v} into blocks.N.attn.qkv and blocks.N.mlp.{gate,up} into
/// blocks.N.mlp.fc1. Where some of the three have a bias, zeros stand for that of the others.
/// Throws Error if the parts of one do not fit each other.
void pack_branches(StateDict& weights, const std::string& where);

/// Renames by the rules and drops registers of which there are none; then gives tokens and tables
/// their batch dim, packs the branches and splits attn_pool.qkv as timm has them.
StateDict rename_and_pack(const StateDict& weights, std::span<const KeyRule> rules,
                          const std::string& where);

/// Takes a tensor out of a state dict; undefined if it is not there.
at::Tensor take(StateDict& weights, const std::string& name);

/// A patch embedding that is linear over (row, column, channel), [dim, rows * columns * channels],
/// becomes the convolution that it is, [dim, channels, rows, columns]. Throws Error if it is not of
/// such patches.
void shape_patch_embedding(StateDict& weights, int64_t channels, Size2d kernel,
                           const std::string& where);

/// The table of DINOv2 has an entry for the class token but none for the registers between it and
/// the patches. Adding it to the class token itself leaves a table of the patches alone.
void fold_class_position(StateDict& weights);

}  // namespace vit
