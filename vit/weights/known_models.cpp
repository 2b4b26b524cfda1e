#include <algorithm>
#include <iterator>
#include <string>

#include <vit/error.h>
#include <vit/weights/known_models.h>
#include <vit/weights/layouts/packing.h>

namespace vit {
namespace {

/// What shapes and names tell of a model, the image size and the classes aside: a config whose
/// other fields have their defaults.
VitConfig shown(VitConfig c, bool knows_biases) {
  const VitConfig defaults;
  c.architecture = defaults.architecture;
  c.family = defaults.family;
  c.input = defaults.input;
  c.prefix.cls_tokens = std::min<int64_t>(c.prefix.cls_tokens, 1);
  c.positions.resampling = defaults.positions.resampling;
  if (c.positions.table != Size2d()) c.positions.table = {1, 1};
  if (c.num_prefix_tokens() == 0 || c.positions.kind == PositionKind::none)
    c.positions.covers_prefix = true;

  BlockConfig& block = c.block;
  AttentionConfig& attention = block.attention;
  attention.num_heads = 1;
  attention.num_kv_heads = 0;
  c.kv_heads.clear();
  if (!knows_biases) attention.set_qkv_bias(attention.has_qkv_bias());
  if (attention.rotary) {
    const auto frequencies = attention.rotary->frequencies;
    attention.rotary.reset();
    if (frequencies == RotaryFrequencies::learned)
      attention.rotary = RotaryConfig{.frequencies = frequencies};
  }
  if (auto& relative = attention.relative_bias) {
    relative->grid = {};
    relative->prefix_tokens = 0;
    if (relative->kind == RelativeBiasKind::table) relative->hidden_dim = 0;
  }
  block.mlp.activation = defaults.block.mlp.activation;
  block.norm.eps = defaults.block.norm.eps;
  block.norm_place = NormPlace::pre;
  if (!block.layer_scale) block.mlp_layer_scale = true;

  HeadConfig& head = c.head;
  head.num_classes = 0;
  head.bias = true;
  head.token_heads = 1;
  head.pool_prefix = false;
  if (head.pooling != Pooling::map) {
    head.pooling = Pooling::cls;
    head.attention_pool = {};
  }
  head.attention_pool.num_heads = 0;
  if (head.attention_pool.hidden_dim == 0) head.attention_pool.hidden_dim = block.mlp.hidden_dim;
  return c;
}

/// The same without sizes.
VitConfig without_sizes(VitConfig c) {
  c.block.dim = c.depth = c.block.mlp.hidden_dim = 1;
  c.head.attention_pool.hidden_dim = 0;
  c.prefix.reg_tokens = std::min<int64_t>(c.prefix.reg_tokens, 1);
  c.patch.set_size({1, 1});
  if (auto& relative = c.block.attention.relative_bias) relative->hidden_dim = 0;
  return c;
}

/// What no tensor tells and no result would show to be wrong.
struct Kind {
  std::optional<RotaryConfig> rotary;
  NormPlace norm_place;

  explicit Kind(const VitConfig& c)
      : rotary(c.block.attention.rotary), norm_place(c.block.norm_place) {
    // Learned frequencies are there to be seen.
    if (rotary && rotary->frequencies == RotaryFrequencies::learned) rotary.reset();
  }
  bool is_plain() const { return !rotary && norm_place == NormPlace::pre; }
  bool operator==(const Kind&) const = default;
};

/// In which ways `other` computes something else than `chosen`: "16 heads instead of 12".
std::string differences(const VitConfig& chosen, const VitConfig& other) {
  std::string text;
  const auto add = [&](const std::string& difference) {
    text += (text.empty() ? "" : ", ") + difference;
  };
  const BlockConfig &a = chosen.block, &b = other.block;
  if (a.attention.num_heads != b.attention.num_heads)
    add(std::to_string(b.attention.num_heads) + " heads instead of " +
        std::to_string(a.attention.num_heads));
  if (a.mlp.activation != b.mlp.activation) add("another activation");
  if (a.norm.eps != b.norm.eps) add("another eps of the norms");
  if (chosen.head.pooling != other.head.pooling ||
      chosen.head.pool_prefix != other.head.pool_prefix)
    add("another pooling");
  if (chosen.head.attention_pool.num_heads != other.head.attention_pool.num_heads)
    add("other heads of the attention pool");
  if (chosen.positions.resampling != other.positions.resampling)
    add("other positions of pictures of another size");
  return text;
}

std::string names_of(const std::vector<const Architecture*>& rows) {
  constexpr size_t kShown = 4;
  std::string names;
  for (size_t i = 0; i < std::min(kShown, rows.size()); ++i)
    names += (i ? ", " : "") + std::string(rows[i]->name);
  return names + (rows.size() > kShown ? ", …" : "");
}

}  // namespace

TimmTraits TimmTraits::of_names(const StateDict& stored, bool of_authors) {
  const auto has = [&](const char* name) { return has_in_model(stored, name); };
  TimmTraits traits;
  traits.gammas = has("blocks.0.gamma_1");
  if (of_authors && *traits.gammas) traits.gammas.reset();
  traits.biases_apart = has("blocks.0.attn.q_bias");
  traits.qkv_apart = has("blocks.0.attn.q_proj.weight");
  const bool lacks_key_bias = has("blocks.0.attn.q_proj.bias") && !has("blocks.0.attn.k_proj.bias");
  traits.key_bias = !traits.biases_apart && !lacks_key_bias;
  traits.gates_apart = has("blocks.0.mlp.fc1_g.weight");
  traits.linear_embedding = has("embeds.proj.weight");
  return traits;
}

TimmTraits TimmTraits::of(const TimmArguments& arguments) {
  const bool is_eva = arguments.timm_class == TimmClass::eva;
  const bool is_beit = arguments.timm_class == TimmClass::beit;
  TimmTraits traits;
  traits.gammas =
      (is_eva || is_beit) && arguments.layer_scale && arguments.norm_place == NormPlace::pre;
  traits.qkv_apart = is_eva && !arguments.qkv_fused;
  traits.key_bias = !arguments.qkv_bias || !(is_beit || arguments.attn_type == TimmAttention::eva);
  traits.biases_apart = !traits.key_bias && !traits.qkv_apart;
  traits.gates_apart = arguments.has_gate_apart();
  traits.linear_embedding = arguments.timm_class == TimmClass::naflex;
  return traits;
}

bool TimmTraits::may_be(const TimmTraits& other) const {
  const bool same_gammas = !gammas || !other.gammas || *gammas == *other.gammas;
  return same_gammas && biases_apart == other.biases_apart && qkv_apart == other.qkv_apart &&
         key_bias == other.key_bias && gates_apart == other.gates_apart &&
         linear_embedding == other.linear_embedding;
}

bool TimmTraits::are_usual() const {
  return !gammas.value_or(false) && !biases_apart && !qkv_apart && !gates_apart &&
         !linear_embedding;
}

KnownModels find_known_models(const VitConfig& config, const std::optional<TimmTraits>& traits) {
  const bool knows_biases = traits.has_value();
  const VitConfig wanted = shown(config, knows_biases), wanted_kin = without_sizes(wanted);
  KnownModels known;
  std::vector<const Architecture*> others;
  for (const auto& row : architecture_table()) {
    const VitConfig candidate = row.config().vit;
    if (traits ? !traits->may_be(TimmTraits::of(row.arguments)) : !Kind(candidate).is_plain())
      continue;
    const VitConfig seen = shown(candidate, knows_biases);
    if (seen == wanted)
      (candidate.image_size() == config.image_size() ? known.same : others).push_back(&row);
    else if (without_sizes(seen) == wanted_kin)
      known.kin.push_back(&row);
  }
  std::ranges::copy(others, std::back_inserter(known.same));
  return known;
}

std::string settle(const KnownModels& known, const std::optional<TimmTraits>& traits,
                   const std::string& where) {
  const auto& same = known.same;
  const auto ask = [&](const std::string& what) {
    fail(where, ": ", what, "; say what it is by ", base::Setting{"LoadOptions::architecture"},
         ", or by a config.json beside the weights");
  };
  if (same.empty()) {
    if (!traits) return "";
    const auto& kin = known.kin;
    const auto odd = std::ranges::find_if(
        kin, [](const Architecture* row) { return !Kind(row->config().vit).is_plain(); });
    if (odd != kin.end())
      ask("its tensors have the names, but not the sizes, of " + names_of(kin) +
          ": nothing in them tells whether it has rotary positions, and which, or where its norms "
          "stand");
    if (kin.empty() && !traits->are_usual())
      ask("its tensors have names that no architecture of timm has together: nothing in them tells "
          "whether it has rotary positions, and which");
    return "";
  }
  const VitConfig chosen = same.front()->config().vit;
  std::string others;
  constexpr size_t kShown = 4;
  size_t count = 0;
  for (const auto* row : same) {
    const VitConfig other = row->config().vit;
    if (Kind(other) != Kind(chosen))
      ask("its tensors are those of " + names_of(same) +
          " alike, which differ in their rotary positions or in the place of their norms");
    const auto difference = differences(chosen, other);
    if (!difference.empty() && count++ < kShown)
      others += (others.empty() ? "" : "; ") + std::string(row->name) + ": " + difference;
  }
  if (others.empty()) return "";
  return std::string("nothing in the weights tells ") + same.front()->name +
         ", which is assumed, from others (" + others + (count > kShown ? "; …" : "") +
         "); a config.json or the name of the architecture says otherwise";
}

}  // namespace vit
