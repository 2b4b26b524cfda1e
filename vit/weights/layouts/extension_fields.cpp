#include <string>
#include <utility>

#include <vit/weights/json_values.h>
#include <vit/weights/layouts/names.h>
#include <vit/weights/layouts/picture_json.h>
#include <vit/weights/layouts/timm_fields.h>

namespace vit {
namespace {

constexpr Names<Pooling> kPoolings[] = {
    {"cls_avg", Pooling::cls_avg},   {"cls_dist", Pooling::cls_dist},
    {"cls_mean", Pooling::cls_mean}, {"cls_concat", Pooling::cls_concat},
    {"token", Pooling::cls},         {"avg", Pooling::avg},
    {"max", Pooling::max},           {"avgmax", Pooling::avg_max},
    {"map", Pooling::map},           {"none", Pooling::none}};
constexpr Names<AttentionPoolKind> kAttentionPools[] = {
    {"latent", AttentionPoolKind::latent}, {"raw_query", AttentionPoolKind::raw_query}};
constexpr Names<Activation> kActivations[] = {{"gelu", Activation::gelu},
                                              {"gelu_tanh", Activation::gelu_tanh},
                                              {"quick_gelu", Activation::quick_gelu},
                                              {"silu", Activation::silu}};
constexpr Names<MlpKind> kMlpKinds[] = {{"plain", MlpKind::plain},
                                        {"swiglu", MlpKind::swiglu_packed}};
constexpr Names<Resampling> kResamplings[] = {
    {"bicubic_antialias", Resampling::bicubic_antialias},
    {"bicubic", Resampling::bicubic},
    {"bilinear_antialias", Resampling::bilinear_antialias},
    {"bilinear_window", Resampling::bilinear_window},
    {"bilinear_corners_window", Resampling::bilinear_corners_window},
    {"bicubic_antialias_window", Resampling::bicubic_antialias_window}};
constexpr Names<NormKind> kNorms[] = {{"layer_norm", NormKind::layer_norm},
                                      {"rms_norm", NormKind::rms_norm}};
constexpr Names<NormPlace> kNormPlaces[] = {
    {"pre", NormPlace::pre}, {"post", NormPlace::post}, {"res_post", NormPlace::res_post}};
constexpr Names<RotaryLayout> kRotaryLayouts[] = {
    {"interleaved", RotaryLayout::interleaved},
    {"half", RotaryLayout::half},
    {"interleaved_tiled", RotaryLayout::interleaved_tiled}};
constexpr Names<RotaryCoordinates> kRotaryCoordinates[] = {
    {"index", RotaryCoordinates::index}, {"centered", RotaryCoordinates::centered}};
constexpr Names<RotaryFrequencies> kRotaryFrequencies[] = {{"axial", RotaryFrequencies::axial},
                                                           {"learned", RotaryFrequencies::learned}};
constexpr Names<RelativeBiasKind> kRelativeBiases[] = {{"table", RelativeBiasKind::table},
                                                       {"log_mlp", RelativeBiasKind::log_mlp}};

// What of a config a field is.
auto& block_norm_eps(VitConfig& c) { return c.block.norm.eps; }
auto& head_pooling(VitConfig& c) { return c.head.pooling; }
auto& pooled_tokens(VitConfig& c) { return c.head.pooled_tokens; }
auto& normalized_inside(VitConfig& c) { return c.input.normalized_inside; }
auto& attention_pool_kind(VitConfig& c) { return c.head.attention_pool.kind; }
auto& attention_pool_heads(VitConfig& c) { return c.head.attention_pool.num_heads; }
auto& attention_pool_hidden(VitConfig& c) { return c.head.attention_pool.hidden_dim; }
auto& pool_prefix(VitConfig& c) { return c.head.pool_prefix; }
auto& resampling(VitConfig& c) { return c.positions.resampling; }
auto& covers_prefix(VitConfig& c) { return c.positions.covers_prefix; }
auto& position_table(VitConfig& c) { return c.positions.table; }
auto& family(VitConfig& c) { return c.family; }
auto& head_bias(VitConfig& c) { return c.head.bias; }
auto& patch_bias(VitConfig& c) { return c.patch.bias; }
auto& patch_norm(VitConfig& c) { return c.patch.norm; }
auto& input_extent(VitConfig& c) { return c.input.extent; }
auto& patch_kernel(VitConfig& c) { return c.patch.kernel; }
auto& patch_stride(VitConfig& c) { return c.patch.stride; }
auto& cls_tokens(VitConfig& c) { return c.prefix.cls_tokens; }
auto& reg_tokens(VitConfig& c) { return c.prefix.reg_tokens; }
auto& pre_norm(VitConfig& c) { return c.pre_norm; }
auto& norm_before(VitConfig& c) { return c.head.norm_before; }
auto& norm_after(VitConfig& c) { return c.head.norm_after; }
auto& norm_kind(VitConfig& c) { return c.block.norm.kind; }
auto& norm_place(VitConfig& c) { return c.block.norm_place; }
auto& layer_scale(VitConfig& c) { return c.block.layer_scale; }
auto& mlp_layer_scale(VitConfig& c) { return c.block.mlp_layer_scale; }
auto& q_bias(VitConfig& c) { return c.block.attention.q_bias; }
auto& k_bias(VitConfig& c) { return c.block.attention.k_bias; }
auto& v_bias(VitConfig& c) { return c.block.attention.v_bias; }
auto& qk_norm(VitConfig& c) { return c.block.attention.qk_norm; }
auto& attention_norm(VitConfig& c) { return c.block.attention.norm; }
auto& proj_bias(VitConfig& c) { return c.block.attention.proj_bias; }
auto& num_kv_heads(VitConfig& c) { return c.block.attention.num_kv_heads; }
auto& mlp_kind(VitConfig& c) { return c.block.mlp.kind; }
auto& mlp_hidden(VitConfig& c) { return c.block.mlp.hidden_dim; }
auto& mlp_activation(VitConfig& c) { return c.block.mlp.activation; }
auto& mlp_norm(VitConfig& c) { return c.block.mlp.norm; }
auto& mlp_bias(VitConfig& c) { return c.block.mlp.bias; }

/// Json of the name, null if there is none.
template <typename T, std::size_t N>
OrderedJson name_json(const Names<T> (&names)[N], T value) {
  const char* name = name_of(names, value);
  return name ? OrderedJson(name) : OrderedJson(nullptr);
}

OrderedJson pair_json(int64_t rows, int64_t cols) { return OrderedJson::array({rows, cols}); }

Extent parse_extent(const JsonNode& node) {
  const auto axes = node.elements();
  if (axes.size() != 3) node.fail("expected [frames, rows, columns]");
  return {count(axes[0]), count(axes[1]), count(axes[2])};
}

OrderedJson rotary_json(const std::optional<RotaryConfig>& rotary) {
  if (!rotary) return false;
  const auto& [layout, coordinates, frequencies, axes, base, offset, rows, cols, columns_first,
               class_angles] = *rotary;
  return {{"layout", name_json(kRotaryLayouts, layout)},
          {"coordinates", name_json(kRotaryCoordinates, coordinates)},
          {"frequencies", name_json(kRotaryFrequencies, frequencies)},
          {"axes", axes},
          {"base", base},
          {"offset", offset},
          {"reference_grid", pair_json(rows, cols)},
          {"columns_first", columns_first},
          {"class_angles", class_angles}};
}

/// `false` where there are none.
std::optional<RotaryConfig> parse_rotary(const JsonNode& node) {
  if (!node.is_object() && !node.boolean()) return std::nullopt;
  RotaryConfig rotary;
  rotary.layout = choose(node.at("layout"), kRotaryLayouts);
  rotary.coordinates = choose(node.at("coordinates"), kRotaryCoordinates);
  // Not in documents of earlier versions.
  if (const auto field = node.find("frequencies"))
    rotary.frequencies = choose(*field, kRotaryFrequencies);
  if (const auto field = node.find("axes")) rotary.axes = count(*field);
  rotary.base = node.at("base").number();
  rotary.offset = node.at("offset").number();
  const Size2d grid = parse_size(node.at("reference_grid"));
  rotary.reference_rows = grid.height;
  rotary.reference_cols = grid.width;
  rotary.columns_first = node.at("columns_first").boolean();
  rotary.class_angles = flag(node, "class_angles", false);
  return rotary;
}

OrderedJson relative_bias_json(const std::optional<RelativeBiasConfig>& bias) {
  if (!bias) return false;
  const auto& [kind, grid, prefix_tokens, shared, hidden_dim] = *bias;
  return {{"kind", name_json(kRelativeBiases, kind)},
          {"grid", pair_json(grid.height, grid.width)},
          {"prefix_tokens", prefix_tokens},
          {"shared", shared},
          {"hidden_dim", hidden_dim}};
}

std::optional<RelativeBiasConfig> parse_relative_bias(const JsonNode& node) {
  if (!node.is_object() && !node.boolean()) return std::nullopt;
  RelativeBiasConfig bias;
  bias.kind = choose(node.at("kind"), kRelativeBiases);
  bias.grid = parse_size(node.at("grid"));
  bias.prefix_tokens = count(node.at("prefix_tokens"));
  bias.shared = node.at("shared").boolean();
  bias.hidden_dim = count(node.at("hidden_dim"));
  return bias;
}

/// What `get` gives of a config: a bool, a number, a text, a grid or an extent.
template <auto get>
constexpr ExtensionField own(const char* name) {
  using Value = std::decay_t<decltype(get(std::declval<VitConfig&>()))>;
  return {name,
          [](VitConfig& c, const JsonNode& node) {
            if constexpr (std::is_same_v<Value, bool>)
              get(c) = node.boolean();
            else if constexpr (std::is_same_v<Value, double>)
              get(c) = node.number();
            else if constexpr (std::is_same_v<Value, std::string>)
              get(c) = shortened(node.string());
            else if constexpr (std::is_same_v<Value, Extent>)
              get(c) = parse_extent(node);
            else if constexpr (std::is_same_v<Value, Size2d>)
              get(c) = parse_size(node);
            else
              get(c) = count(node);
          },
          [](const VitConfig& c) -> OrderedJson {
            const Value& value = get(const_cast<VitConfig&>(c));
            if constexpr (std::is_same_v<Value, Extent>)
              return OrderedJson::array({value.frames, value.rows, value.cols});
            else if constexpr (std::is_same_v<Value, Size2d>)
              return pair_json(value.height, value.width);
            else
              return value;
          }};
}

/// Likewise a value of an enumeration.
template <auto& names, auto get>
constexpr ExtensionField named(const char* name) {
  return {name, [](VitConfig& c, const JsonNode& node) { get(c) = choose(node, names); },
          [](const VitConfig& c) { return name_json(names, get(const_cast<VitConfig&>(c))); }};
}

constexpr ExtensionField kFields[] = {
    own<block_norm_eps>("norm_eps"),
    named<kPoolings, head_pooling>("global_pool"),
    own<pooled_tokens>("pooled_tokens"),
    named<kAttentionPools, attention_pool_kind>("attention_pool"),
    own<attention_pool_heads>("attention_pool_heads"),
    own<attention_pool_hidden>("attention_pool_hidden_dim"),
    own<pool_prefix>("pool_prefix"),
    named<kResamplings, resampling>("resampling"),
    {"positions",
     [](VitConfig& c, const JsonNode& node) { c.positions.kind = parse_position_kind(node); },
     [](const VitConfig& c) -> OrderedJson { return position_kind_name(c.positions.kind); }},
    own<covers_prefix>("positions_cover_prefix"),
    own<position_table>("position_table"),
    own<family>("family"),
    {"dist_token", [](VitConfig& c, const JsonNode& node) { c.prefix.dist_token = node.boolean(); },
     [](const VitConfig& c) -> OrderedJson { return c.prefix.dist_token; }},
    {"dist_head",
     [](VitConfig& c, const JsonNode& node) { c.head.token_heads = node.boolean() ? 2 : 1; },
     [](const VitConfig& c) -> OrderedJson { return c.head.token_heads == 2; }},
    own<cls_tokens>("cls_tokens"),
    own<reg_tokens>("reg_tokens"),
    own<head_bias>("head_bias"),
    own<patch_bias>("patch_bias"),
    own<patch_norm>("patch_norm"),
    own<normalized_inside>("normalized_inside"),
    own<input_extent>("input_extent"),
    own<patch_kernel>("patch_kernel"),
    own<patch_stride>("patch_stride"),
    own<pre_norm>("pre_norm"),
    own<norm_before>("norm_before_pool"),
    own<norm_after>("norm_after_pool"),
    named<kNorms, norm_kind>("norm"),
    named<kNormPlaces, norm_place>("norm_place"),
    own<layer_scale>("layer_scale"),
    own<mlp_layer_scale>("mlp_layer_scale"),
    own<q_bias>("q_bias"),
    own<k_bias>("k_bias"),
    own<v_bias>("v_bias"),
    own<qk_norm>("qk_norm"),
    own<attention_norm>("attention_norm"),
    own<proj_bias>("proj_bias"),
    own<num_kv_heads>("num_kv_heads"),
    {"kv_heads",
     [](VitConfig& c, const JsonNode& node) {
       c.kv_heads.clear();
       for (const JsonNode& heads : node.elements()) c.kv_heads.push_back(count(heads));
     },
     [](const VitConfig& c) -> OrderedJson { return c.kv_heads; }},
    named<kMlpKinds, mlp_kind>("mlp"),
    own<mlp_hidden>("mlp_hidden_dim"),
    named<kActivations, mlp_activation>("activation"),
    own<mlp_norm>("mlp_norm"),
    own<mlp_bias>("mlp_bias"),
    {"preprocessing",
     [](VitConfig& c, const JsonNode& node) { read_picture_extension(node, c.picture()); },
     [](const VitConfig& c) { return picture_extension_json(c.picture()); }},
    {"rotary",
     [](VitConfig& c, const JsonNode& node) { c.block.attention.rotary = parse_rotary(node); },
     [](const VitConfig& c) { return rotary_json(c.block.attention.rotary); }},
    {"relative_bias",
     [](VitConfig& c, const JsonNode& node) {
       c.block.attention.relative_bias = parse_relative_bias(node);
     },
     [](const VitConfig& c) { return relative_bias_json(c.block.attention.relative_bias); }},
};

}  // namespace

std::span<const ExtensionField> extension_fields() { return kFields; }

}  // namespace vit
