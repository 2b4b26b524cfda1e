#include <algorithm>
#include <string>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/limits.h>
#include <vit/weights/infer.h>
#include <vit/weights/layouts/key_rules.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/layouts/timm_names.h>
#include <vit/weights/shape.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

constexpr KeyRule kTimm[] = {
    // Eva and Beit.
    {"blocks.*.gamma_1", "blocks.*.ls1.gamma"},
    {"blocks.*.gamma_2", "blocks.*.ls2.gamma"},
    {"blocks.*.attn.q_bias", "blocks.*.attn.q.bias"},
    {"blocks.*.attn.k_bias", "blocks.*.attn.k.bias"},
    {"blocks.*.attn.v_bias", "blocks.*.attn.v.bias"},
    {"blocks.*.attn.q_proj", "blocks.*.attn.q"},
    {"blocks.*.attn.k_proj", "blocks.*.attn.k"},
    {"blocks.*.attn.v_proj", "blocks.*.attn.v"},
    {"blocks.*.mlp.fc1_g", "blocks.*.mlp.gate"},
    {"blocks.*.mlp.fc1_x", "blocks.*.mlp.up"},
    // VisionTransformerRelPos.
    {"blocks.*.attn.rel_pos.relative_position_bias_table",
     "blocks.*.attn.relative_position_bias_table"},
    {"shared_rel_pos.relative_position_bias_table", "rel_pos_bias.relative_position_bias_table"},
    // NaFlexVit.
    {"embeds.cls_token", "cls_token"},
    {"embeds.reg_token", "reg_token"},
    {"embeds.pos_embed", "pos_embed"},
    {"embeds.proj", "patch_embed.proj"},
    {"embeds.norm", "patch_embed.norm"},
    // Older versions saved what follows from the size of the grid.
    {"blocks.*.attn.relative_position_index", ""},
    {"rel_pos_bias.relative_position_index", ""},
    {"blocks.*.attn.rel_pos.relative_position_index", ""},
    {"blocks.*.attn.rel_pos.rel_coords_log", ""},
    {"shared_rel_pos.relative_position_index", ""},
    {"shared_rel_pos.rel_coords_log", ""},
};

/// [1, rows, columns, dim] -> [1, rows * columns, dim]. A factorised table has a vector for each
/// row and one for each column; theirs are the sums.
void flatten_table(StateDict& weights, const std::string& where) {
  const auto rows = take(weights, "embeds.pos_embed_y"), cols = take(weights, "embeds.pos_embed_x");
  if (rows.defined() || cols.defined()) {
    const auto is_table = [](const at::Tensor& t) {
      return t.defined() && t.dim() == 3 && t.size(0) == 1 && t.numel() > 0 &&
             is_type_of_weights(t.scalar_type());
    };
    if (!is_table(rows) || !is_table(cols) || rows.size(2) != cols.size(2) ||
        rows.size(1) > kMaxTokens / cols.size(1))
      fail(where,
           ": \"embeds.pos_embed_y\" and \"embeds.pos_embed_x\" are no tables of rows and of "
           "columns of one width");
    weights["pos_embed"] = (rows.unsqueeze(2) + cols.unsqueeze(1)).flatten(1, 2);
  }
  const auto table = weights.find("pos_embed");
  // Dims that are too large are reported when shapes are compared with the model's.
  if (table != weights.end() && table->second.dim() == 4 &&
      std::ranges::max(table->second.sizes()) <= kMaxTokens)
    table->second = table->second.flatten(1, 2);
}

/// rope.freqs [2, depth, heads, angles] -> blocks.N.attn.freqs [2, heads, angles].
void share_out_frequencies(StateDict& weights, const std::string& where) {
  const auto freqs = take(weights, "rope.freqs");
  if (!freqs.defined()) return;
  const int64_t depth = count_blocks(weights);
  if (freqs.dim() != 4 || freqs.size(0) != 2 || freqs.size(1) != depth || depth > kMaxDepth)
    fail(where, ": \"rope.freqs\" has shape ", shape_text(freqs.sizes()), ", expected [2, ", depth,
         ", heads, angles] for the ", depth, " blocks");
  for (int64_t i = 0; i < depth; ++i)
    weights["blocks." + std::to_string(i) + ".attn.freqs"] = freqs.select(1, i);
}

}  // namespace

StateDict timm_names(const StateDict& weights, const std::string& where) {
  auto renamed = rename_keys(weights, kTimm, where);
  flatten_table(renamed, where);
  share_out_frequencies(renamed, where);
  pack_branches(renamed, where);
  return renamed;
}

}  // namespace vit
