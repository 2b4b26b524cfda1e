#include <span>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <vit/weights/layouts/key_rules.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/layouts/timm_state_dict.h>

namespace vit {
namespace {

constexpr KeyRule kEva[] = {
    {"blocks.*.ls1.gamma", "blocks.*.gamma_1"},
    {"blocks.*.ls2.gamma", "blocks.*.gamma_2"},
};
constexpr KeyRule kRelPos[] = {
    {"blocks.*.attn.relative_position_bias_table",
     "blocks.*.attn.rel_pos.relative_position_bias_table"},
    {"rel_pos_bias.relative_position_bias_table", "shared_rel_pos.relative_position_bias_table"},
};
constexpr KeyRule kNaflex[] = {
    {"cls_token", "embeds.cls_token"},   {"reg_token", "embeds.reg_token"},
    {"pos_embed", "embeds.pos_embed"},   {"patch_embed.proj", "embeds.proj"},
    {"patch_embed.norm", "embeds.norm"},
};

std::span<const KeyRule> rules_of(const TimmArguments& arguments) {
  switch (arguments.timm_class) {
    case TimmClass::eva:
    case TimmClass::beit:
      return kEva;
    case TimmClass::relpos:
      return kRelPos;
    case TimmClass::naflex:
      return kNaflex;
    case TimmClass::vision_transformer:
    case TimmClass::distilled:
      break;
  }
  return {};
}

/// Queries, keys and values of a block as Eva and Beit have them: biases without that of the keys,
/// or each of the three in tensors of its own.
void unpack_attention(StateDict& weights, const std::string& stem, const AttentionConfig& attention,
                      const TimmArguments& arguments) {
  const bool is_eva =
      arguments.timm_class == TimmClass::beit ||
      (arguments.timm_class == TimmClass::eva && arguments.attn_type == TimmAttention::eva);
  const bool is_apart = arguments.timm_class == TimmClass::eva && !arguments.qkv_fused;
  const bool loses_key_bias = is_eva && attention.k_bias;
  const int64_t groups = attention.num_heads + 2 * attention.kv_heads();
  const auto parts_of = [&](const at::Tensor& packed) {
    const int64_t keys = packed.size(0) / groups * attention.kv_heads();
    return packed.split_with_sizes({packed.size(0) - 2 * keys, keys, keys});
  };
  if (is_apart) {
    const auto parts = parts_of(take(weights, stem + "qkv.weight"));
    weights[stem + "q_proj.weight"] = parts[0];
    weights[stem + "k_proj.weight"] = parts[1];
    weights[stem + "v_proj.weight"] = parts[2];
  }
  if ((!is_apart && !is_eva) || (!is_apart && loses_key_bias) ||
      !weights.contains(stem + "qkv.bias"))
    return;
  const auto parts = parts_of(take(weights, stem + "qkv.bias"));
  weights[stem + (is_apart ? "q_proj.bias" : "q_bias")] = parts[0];
  weights[stem + (is_apart ? "v_proj.bias" : "v_bias")] = parts[2];
  if (is_apart && (!is_eva || loses_key_bias)) weights[stem + "k_proj.bias"] = parts[1];
}

void unpack_gates(StateDict& weights, const std::string& stem) {
  for (const std::string kind : {"weight", "bias"})
    if (const auto packed = take(weights, stem + "fc1." + kind); packed.defined()) {
      const auto halves = packed.chunk(2);
      weights[stem + "fc1_g." + kind] = halves[0];
      weights[stem + "fc1_x." + kind] = halves[1];
    }
}

/// blocks.N.attn.freqs [2, heads, angles] -> rope.freqs [2, depth, heads, angles].
void collect_frequencies(StateDict& weights, int64_t depth) {
  std::vector<at::Tensor> freqs;
  for (int64_t i = 0; i < depth; ++i)
    if (auto own = take(weights, "blocks." + std::to_string(i) + ".attn.freqs"); own.defined())
      freqs.push_back(std::move(own));
  if (!freqs.empty()) weights["rope.freqs"] = at::stack(freqs, 1);
}

/// The linear patch embedding and the table with its grid.
void spread_embedding(StateDict& weights, Size2d table) {
  if (const auto found = weights.find("patch_embed.proj.weight"); found != weights.end())
    found->second = found->second.permute({0, 2, 3, 1}).flatten(1).contiguous();
  if (const auto found = weights.find("pos_embed");
      found != weights.end() && found->second.size(1) == table.height * table.width)
    found->second = found->second.view({1, table.height, table.width, -1});
}

}  // namespace

StateDict timm_state_dict(const StateDict& weights, const VitConfig& config,
                          const TimmArguments& arguments) {
  StateDict theirs = weights;
  const bool splits_gates =
      config.block.mlp.kind == MlpKind::swiglu_packed && arguments.has_gate_apart();
  for (int64_t i = 0; i < config.depth; ++i) {
    const std::string block = "blocks." + std::to_string(i) + ".";
    unpack_attention(theirs, block + "attn.", config.block_at(i).attention, arguments);
    if (splits_gates) unpack_gates(theirs, block + "mlp.");
  }
  if (arguments.timm_class == TimmClass::eva) collect_frequencies(theirs, config.depth);
  if (arguments.timm_class == TimmClass::naflex) spread_embedding(theirs, config.positions.table);
  return rename_keys(theirs, rules_of(arguments), "save");
}

}  // namespace vit
