#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/weights/fit.h>
#include <vit/weights/infer.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

class Comparison {
 public:
  Comparison(const StateDict& weights, const StateDict& stored, const std::string& where)
      : weights_(weights), stored_(stored), where_(where) {}

  /// Compares with one dim of a tensor, if it is there and has that dim. What is missing or has
  /// another number of dims is reported when all tensors are matched with the model.
  template <typename... Advice>
  void dim(const char* what, int64_t of_config, const std::string& tensor, int64_t dim,
           const Advice&... advice) const {
    const auto found = weights_.find(tensor);
    if (found == weights_.end() || found->second.dim() <= dim) return;
    if (const int64_t of_weights = found->second.size(dim); of_config != of_weights)
      fail(where_, ": the config says ", what, " ", of_config, ", but tensor ",
           in_quotes(name_in_file(stored_, weights_, tensor)), " has ", of_weights, advice...);
  }

 private:
  const StateDict& weights_;
  const StateDict& stored_;
  const std::string& where_;
};

// Models below these sizes are built before their tensors are matched with those of the file, and
// the faults listed; what is above them and not in the file is a mistake or an attack.
constexpr double kSmallParts = 1 << 22;  // elements: 16 MB
constexpr double kLargeParts = 1 << 26;

/// Elements of what makes up nearly all of a model.
double backbone_elements(const VitConfig& c) {
  const double dim = static_cast<double>(c.embed_dim());
  const double mlp = static_cast<double>(c.block.mlp.hidden_dim);
  const double block = dim * (4 * dim + mlp * static_cast<double>(c.block.mlp.gates() + 1));
  const double patch = dim * static_cast<double>(c.input.channels * c.patch.kernel.rows) *
                       static_cast<double>(c.patch.kernel.cols);
  return patch + block * static_cast<double>(c.depth + (c.head.pooling == Pooling::map)) +
         dim * static_cast<double>(c.prefix.reg_tokens);
}

double position_elements(VitConfig config, Size2d image_size) {
  config.set_image_size(image_size);
  return static_cast<double>(config.num_positions()) * static_cast<double>(config.embed_dim());
}

void check_number_of_parameters(const VitConfig& config, const StateDict& weights,
                                const std::string& where) {
  double elements = 0;
  for (const auto& [name, tensor] : weights) elements += static_cast<double>(tensor.numel());
  if (const double expected = backbone_elements(config); expected > elements + kSmallParts)
    fail(where, ": has ", elements / 1e6, " million numbers, the model of the config ",
         expected / 1e6, " million; is the config that of these weights?");
}

}  // namespace

void check_config_fits(const VitConfig& config, const StateDict& weights, const StateDict& stored,
                       const std::string& where) {
  const Comparison compare(weights, stored, where);
  if (const int64_t blocks = count_blocks(weights); blocks != config.depth)
    fail(where, ": the config says depth ", config.depth, ", but the weights have ", blocks,
         " blocks (\"blocks.N.…\")");
  compare.dim("embed_dim", config.embed_dim(), "patch_embed.proj.weight", 0);
  compare.dim("input channels", config.input.channels, "patch_embed.proj.weight", 1);
  compare.dim("patch height", config.patch.kernel.rows, "patch_embed.proj.weight", 2);
  compare.dim("patch width", config.patch.kernel.cols, "patch_embed.proj.weight", 3);
  compare.dim("MLP width", config.block.mlp.hidden_dim, "blocks.0.mlp.fc2.weight", 1);
  compare.dim("register tokens", config.prefix.reg_tokens, "reg_token", 1);
  compare.dim("num_classes", config.head.num_classes, "head.weight", 0,
              "; correct the config, or choose by ", base::Setting{"LoadOptions::num_classes"},
              ": a head of another number is replaced by an untrained one");
  check_number_of_parameters(config, weights, where);
}

Size2d image_size_of_weights(const VitConfig& config, Size2d wanted, const StateDict& weights,
                             const std::string& where) {
  const auto table = weights.find("pos_embed");
  if (config.positions.kind != PositionKind::learned || table == weights.end() ||
      table->second.dim() != 3)
    return config.image_size();
  const int64_t rows = table->second.size(1);
  if (rows == config.num_positions()) return config.image_size();
  const Size2d patch = config.patch.size();
  const int64_t prefix_rows = config.num_positions() - config.num_patches();
  const int64_t side = square_grid_side(rows, prefix_rows);
  const int64_t wanted_patches = config.patch.grid(Extent::of(wanted)).count();
  if (side == 0 && rows == prefix_rows + wanted_patches) return wanted;
  if (side == 0) fail_not_square(where, rows, prefix_rows, patch);
  return {side * patch.height, side * patch.width};
}

void check_positions(const VitConfig& config, Size2d wanted, const StateDict& weights,
                     const std::string& where) {
  const bool learned = config.positions.kind == PositionKind::learned;
  if (config.positions.kind == PositionKind::none) return;
  const bool has_table = learned && weights.contains("pos_embed");
  const double table = has_table ? position_elements(config, config.image_size()) : 0;
  const double limit = learned ? 16 * table + kSmallParts : kLargeParts;
  if (position_elements(config, wanted) > limit)
    fail(where, ": the config says images of ", wanted.height, "x", wanted.width, " pixels, far ",
         "more than the tensor \"pos_embed\" is made for; correct the config, or choose by ",
         base::Setting{"LoadOptions::image_size"});
}

}  // namespace vit
