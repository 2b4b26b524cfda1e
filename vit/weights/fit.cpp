#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/weights/fit.h>
#include <vit/weights/infer.h>

namespace vit {
namespace {

class Comparison {
 public:
  Comparison(const StateDict& weights, const std::string& where)
      : weights_(weights), where_(where) {}

  void same(const char* what, int64_t of_config, int64_t of_weights) const {
    if (of_config != of_weights)
      fail(where_, ": the config says ", what, " ", of_config, ", but the weights have ",
           of_weights);
  }

  /// The same for one dim of a tensor, if it is there and has that dim. What is missing or has
  /// another number of dims is reported when all tensors are matched with the model.
  void dim(const char* what, int64_t of_config, const std::string& tensor, int64_t dim) const {
    const auto found = weights_.find(tensor);
    if (found != weights_.end() && found->second.dim() > dim)
      same(what, of_config, found->second.size(dim));
  }

 private:
  const StateDict& weights_;
  const std::string& where_;
};

}  // namespace

void check_config_fits(const VitConfig& config, const StateDict& weights,
                       const std::string& where) {
  const Comparison compare(weights, where);
  compare.same("depth", config.depth, count_blocks(weights));
  compare.dim("embed_dim", config.embed_dim, "patch_embed.proj.weight", 0);
  compare.dim("input channels", config.in_channels, "patch_embed.proj.weight", 1);
  compare.dim("patch height", config.patch_size.height, "patch_embed.proj.weight", 2);
  compare.dim("patch width", config.patch_size.width, "patch_embed.proj.weight", 3);
  compare.dim("MLP width", config.mlp_hidden_dim, "blocks.0.mlp.fc2.weight", 1);
  compare.dim("register tokens", config.reg_tokens, "reg_token", 1);
  compare.dim("num_classes", config.num_classes, "head.weight", 0);
}

Size2d image_size_of_weights(const VitConfig& config, Size2d wanted, const StateDict& weights,
                             const std::string& where) {
  const auto table = weights.find("pos_embed");
  if (config.positions != Positions::learned || table == weights.end() || table->second.dim() != 3)
    return config.image_size;
  const int64_t rows = table->second.size(1);
  if (rows == config.num_positions()) return config.image_size;
  const int64_t prefix_rows = config.num_positions() - config.num_patches();
  const int64_t side = square_grid_side(rows, prefix_rows);
  const int64_t wanted_patches =
      (wanted.height / config.patch_size.height) * (wanted.width / config.patch_size.width);
  if (side == 0 && rows == prefix_rows + wanted_patches) return wanted;
  if (side == 0)
    fail(where, ": the weights have ", rows, " positions, the config expects ",
         config.num_positions(), ", and they cover no square image that could be resampled");
  return {side * config.patch_size.height, side * config.patch_size.width};
}

}  // namespace vit
