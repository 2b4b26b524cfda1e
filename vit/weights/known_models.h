#pragma once

#include <optional>
#include <string>
#include <vector>

#include <vit/architecture_table.h>
#include <vit/config.h>
#include <vit/weights/state_dict.h>

namespace vit {

/// What the names of timm's classes tell of a model beyond those that timm_names() makes of them.
struct TimmTraits {
  std::optional<bool> gammas = false;  ///< layer scales are gamma_1 and gamma_2; unset: may be both
  bool biases_apart = false;           ///< q_bias and v_bias beside a packed weight
  bool qkv_apart = false;              ///< q_proj, k_proj and v_proj
  bool key_bias = true;                ///< keys have a bias, if queries have one
  bool gates_apart = false;            ///< fc1_g and fc1_x
  bool linear_embedding = false;       ///< embeds.proj

  /// Those of a file's own names, which may stand under a prefix. Layer scales of the authors of
  /// DeiT III are named like those of timm's Eva.
  static TimmTraits of_names(const StateDict& stored, bool of_authors);
  static TimmTraits of(const TimmArguments& arguments);

  /// Whether a file with these traits may be one of a model with others.
  bool may_be(const TimmTraits& other) const;
  /// Whether they are those of VisionTransformer, which every library's models have.
  bool are_usual() const;
};

/// The architectures of timm that a file may be of, by all that its names and shapes tell.
struct KnownModels {
  std::vector<const Architecture*> same;  ///< with its very shapes, the most likely one first
  std::vector<const Architecture*> kin;   ///< with its names, but other sizes
};

/// `config` is what the shapes show: where they show nothing it has the defaults. Without traits
/// the file is another library's, whose names are those of plain models.
KnownModels find_known_models(const VitConfig& config, const std::optional<TimmTraits>& traits);

/// Throws Error that asks for the architecture where models of one shape, or of its names, differ
/// in what no weight tells and no result would show: rotary positions, the place of the norms. Else
/// says what is taken of the first of several that differ in anything, a line; empty where there is
/// nothing to say.
std::string settle(const KnownModels& known, const std::optional<TimmTraits>& traits,
                   const std::string& where);

}  // namespace vit
