#include <iterator>
#include <string>

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

/// Tables of relative position biases, of which each block has one or all together.
constexpr const char* kRelativeTables[] = {"blocks.0.attn.relative_position_bias_table",
                                           "rel_pos_bias.relative_position_bias_table"};

const at::Tensor* relative_table(const StateDict& weights) {
  for (const char* name : kRelativeTables)
    if (const auto found = weights.find(name); found != weights.end() && found->second.dim() == 2)
      return &found->second;
  return nullptr;
}

void compare_heads(const Comparison& compare, const VitConfig& config) {
  const BlockConfig& block = config.block;
  const int64_t heads = block.attention.num_heads;
  compare.dim("heads of", heads, "blocks.0.attn.freqs", 1);
  for (const char* name : kRelativeTables) compare.dim("heads of", heads, name, 1);
  compare.dim("heads of", heads, "blocks.0.attn.rel_pos.mlp.fc2.weight", 0);
  compare.dim("heads of", heads, "shared_rel_pos.mlp.fc2.weight", 0);
  if (heads < 1 || block.dim % heads) return;  // which VitConfig::validate() tells
  compare.dim("channels of a head", block.head_dim(), "blocks.0.attn.q_norm.weight", 0);
  const bool has_all = config.kv_heads.empty() || std::ssize(config.kv_heads) == config.depth;
  for (int64_t i = 0; has_all && i < config.depth; ++i) {
    const int64_t kv_heads = config.block_at(i).attention.kv_heads();
    if (kv_heads < 1 || kv_heads > heads) return;
    compare.dim("rows of queries, keys and values, by its num_heads and num_kv_heads,",
                (heads + 2 * kv_heads) * block.head_dim(),
                "blocks." + std::to_string(i) + ".attn.qkv.weight", 0);
  }
}

/// The grid of a table that is fitted to each picture, which timm's files show.
void compare_table(const VitConfig& config, const StateDict& stored, const std::string& where) {
  const auto found = stored.find("embeds.pos_embed");
  const Size2d table = config.positions.table;
  if (found == stored.end() || found->second.dim() != 4 || table == Size2d()) return;
  const auto& shape = found->second.sizes();
  if (shape[1] != table.height || shape[2] != table.width)
    fail(where, ": the config says positions of a grid of ", table.height, "x", table.width,
         ", but tensor \"embeds.pos_embed\" has ", shape[1], "x", shape[2]);
}

/// Elements of a block's relative position biases for images of a size.
double relative_elements(VitConfig config, Size2d image_size) {
  const Size2d grid = config.patch.grid(Extent::of(image_size)).size();
  return 4.0 * static_cast<double>(grid.height) * static_cast<double>(grid.width) *
         static_cast<double>(config.block.attention.num_heads);
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
  compare_heads(compare, config);
  compare_table(config, stored, where);
  compare.dim("class tokens", config.prefix.cls_tokens, "cls_token", 1);
  compare.dim("register tokens", config.prefix.reg_tokens, "reg_token", 1);
  compare.dim("num_classes", config.head.num_classes, "head.weight", 0,
              "; correct the config, or choose by ", base::Setting{"LoadOptions::num_classes"},
              ": a head of another number is replaced by an untrained one");
  check_number_of_parameters(config, weights, where);
}

namespace {

/// That for which a table of relative position biases is made.
Size2d image_size_of_relative_bias(const VitConfig& config, Size2d wanted, const at::Tensor& table,
                                   const std::string& where) {
  const int64_t entries = table.size(0), more = config.num_prefix_tokens() ? 3 : 0;
  const auto fits = [&](Size2d image) {
    const Size2d grid = config.patch.grid(Extent::of(image)).size();
    return entries == (2 * grid.height - 1) * (2 * grid.width - 1) + more;
  };
  if (fits(config.image_size())) return config.image_size();
  const int64_t across = square_grid_side(entries, more);
  if (across % 2 == 0) {
    if (fits(wanted)) return wanted;
    fail(where, ": ", entries, " relative position biases with ", more,
         " of a class token are of no square image; say which size the weights are for by ",
         base::Setting{"LoadOptions::image_size"}, ", or by a config.json");
  }
  const Size2d patch = config.patch.size();
  return {(across + 1) / 2 * patch.height, (across + 1) / 2 * patch.width};
}

}  // namespace

Size2d image_size_of_weights(const VitConfig& config, Size2d wanted, const StateDict& weights,
                             const std::string& where) {
  const bool has_own_grid =
      config.positions.kind == PositionKind::learned && config.positions.table == Size2d();
  const auto table = weights.find("pos_embed");
  if (!has_own_grid || table == weights.end() || table->second.dim() != 3) {
    const auto* relative = config.block.attention.relative_bias ? relative_table(weights) : nullptr;
    if (!relative || config.patch.size().height < 1 || config.patch.size().width < 1)
      return config.image_size();
    return image_size_of_relative_bias(config, wanted, *relative, where);
  }
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
  if (const auto& relative = config.block.attention.relative_bias;
      relative && relative->kind == RelativeBiasKind::table &&
      relative_elements(config, wanted) >
          16 * relative_elements(config, config.image_size()) + kSmallParts)
    fail(where, ": the config says images of ", wanted.height, "x", wanted.width, " pixels, far ",
         "more than the relative position biases are made for; correct the config, or choose by ",
         base::Setting{"LoadOptions::image_size"});
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
