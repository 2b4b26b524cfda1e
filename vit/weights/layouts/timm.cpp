#include <algorithm>
#include <set>

#include <vit/architecture_table.h>
#include <vit/refused.h>
#include <vit/weights/json_values.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/layouts/picture_json.h>
#include <vit/weights/layouts/problem_type.h>
#include <vit/weights/layouts/timm.h>
#include <vit/weights/layouts/timm_fields.h>
#include <vit/weights/layouts/timm_names.h>

namespace vit {
namespace {

/// [channels, height, width]
struct InputSize {
  int64_t channels;
  Size2d size;
};

InputSize parse_input_size(const JsonNode& node) {
  const auto dims = node.elements();
  if (dims.size() != 3) node.fail("expected [channels, height, width]");
  return {count(dims[0]), {count(dims[1]), count(dims[2])}};
}

/// What timm's models take but only training or the way of calling them feels.
const std::set<std::string>& harmless_model_args() {
  static const std::set<std::string> names{"drop_rate",
                                           "pos_drop_rate",
                                           "patch_drop_rate",
                                           "proj_drop_rate",
                                           "attn_drop_rate",
                                           "drop_path_rate",
                                           "weight_init",
                                           "fix_init",
                                           "head_init_scale",
                                           "dynamic_img_size",
                                           "rope_shift_coords",
                                           "rope_jitter_coords",
                                           "rope_rescale_coords",
                                           "use_key_only_attn_mask",
                                           "enable_patch_interpolator",
                                           "embed_proj_type"};
  return names;
}

void read_model_args(const JsonNode& node, TimmDraft& draft) {
  const unsigned own_class = class_bit(draft.arguments.timm_class);
  const auto args = node.members();
  for (const auto& arg : args) {
    const std::string& name = arg.first;
    const JsonNode& value = arg.second;
    if (harmless_model_args().contains(name)) continue;
    const auto field = std::ranges::find_if(timm_fields(), [&](const TimmField& f) {
      return f.name == name && (f.classes & own_class);
    });
    if (field != timm_fields().end()) {
      if (!value.is_null())
        field->read(draft, value);
      else if (field->read_null)
        field->read_null(draft);
      continue;
    }
    if (std::ranges::find(refused_timm_arguments(), name) == refused_timm_arguments().end())
      node.fail("the option \"", shortened(name), "\" is unknown or not supported");
    // Null leaves such an option alone.
    if (!value.is_null()) value.fail("is not supported");
  }
}

/// Heads of keys and values, of which there may be fewer than of queries.
void check_kv_heads(const TimmArguments& a, const JsonNode& node) {
  if (a.num_kv_heads.size() > 1 && static_cast<int64_t>(a.num_kv_heads.size()) != a.depth)
    node.fail("has ", a.num_kv_heads.size(), " values, expected one for each of ", a.depth,
              " blocks");
  for (const int64_t heads : a.num_kv_heads) {
    if (heads < 1 || a.num_heads % heads)
      node.fail(heads, " heads of keys do not divide ", a.num_heads, " heads of queries");
    if (heads != a.num_heads && a.attn_type == TimmAttention::eva)
      node.fail("attention of type \"eva\" has as many heads of keys as of queries, ", a.num_heads);
  }
}

/// How a table of positions is resized.
void check_resampling(const TimmArguments& a, const JsonNode& node) {
  if (a.pos_embed != PositionKind::learned) return;
  const bool window = a.pos_embed_ar_preserving;
  const bool known = a.pos_embed_factorized ? window
                     : a.pos_embed_align_corners
                         ? window && a.pos_embed_bilinear && !a.pos_embed_antialias
                     : window ? a.pos_embed_bilinear != a.pos_embed_antialias
                              : a.pos_embed_antialias || !a.pos_embed_bilinear;
  if (!known) node.fail("the positions of this model are resized in a way that is not supported");
}

/// What depends on several options, each named where it stands.
void check_draft(TimmDraft& draft) {
  TimmArguments& a = draft.arguments;
  if (draft.kv_heads) check_kv_heads(a, *draft.kv_heads);
  if (draft.positions) check_resampling(a, *draft.positions);
  const bool is_vit = a.timm_class != TimmClass::naflex;  // NaFlexVit's SwiGLU has its own
  if (draft.activation && a.mlp_layer != TimmMlp::plain && is_vit)
    choose<MlpKind>(*draft.activation, {{"silu", MlpKind::swiglu_packed}});
  else if (draft.activation)
    a.act_layer = parse_timm_activation(*draft.activation);
  if (draft.patch_norm) {
    const auto kind = choose<NormKind>(
        *draft.patch_norm, {{"layernorm", NormKind::layer_norm}, {"rmsnorm", NormKind::rms_norm}});
    if (kind != a.norm_layer.kind)
      draft.patch_norm->fail("only the norm of the blocks is supported for patches");
  }
  const Size2d image = a.img_size, patch = a.patch_size;
  const bool whole = patch.height > 0 && patch.width > 0 && image.height % patch.height == 0 &&
                     image.width % patch.width == 0;
  if (draft.padded && !whole)
    draft.padded->fail(
        "padding an image to whole patches is not supported; choose an img_size that is a "
        "multiple of patch_size");
}

/// What contradicts itself whatever option said it last.
void check_arguments(const TimmArguments& a, const JsonNode& root) {
  if (a.rel_pos && a.shared_rel_pos)
    root.fail("relative position biases of each block beside shared ones are not supported");
  if (!a.rope) return;
  if (a.rope_type == TimmRope::dinov3 && a.rope_grid_offset != 0)
    root.fail("rope_grid_offset is ", a.rope_grid_offset,
              ", but centered rotary positions have no offset");
  if (a.rope_type == TimmRope::mixed && a.rope_rotate_half)
    root.fail("rope_rotate_half with learned rotary frequencies is not supported");
  if (a.rope_type == TimmRope::mixed && !a.rope_xy)
    root.fail("rope_grid_indexing \"ij\" with learned rotary frequencies is not supported");
}

/// `label_names`: a list, or an object from class index to name where there are gaps;
/// `label_descriptions`: an object from name to a longer text, which is the better label.
std::vector<std::string> read_labels(const JsonNode& root) {
  constexpr int64_t kMaxClasses = 1 << 17;
  std::vector<std::string> labels;
  const auto put = [&](int64_t index, const std::string& name) {
    if (index >= kMaxClasses) return;
    if (static_cast<size_t>(index) >= labels.size()) labels.resize(static_cast<size_t>(index) + 1);
    labels[static_cast<size_t>(index)] = name;
  };
  const auto names = root.find("label_names");
  const auto descriptions = root.find("label_descriptions");
  if (names && names->is_array()) {
    int64_t index = 0;
    for (const auto& element : names->elements()) put(index++, element.string());
  } else if (names) {
    for (const auto& [index, name] : names->members())
      put(parse_index(index, *names), name.string());
  } else if (descriptions) {
    // Without a list the names order the classes, as the synsets of ImageNet do.
    int64_t index = 0;
    for (const auto& [name, description] : descriptions->members()) put(index++, name);
  }
  if (descriptions)
    for (auto& label : labels)
      if (const auto description = descriptions->find(label)) label = description->string();
  return labels;
}

const Architecture& read_architecture(const JsonNode& root) {
  const auto name = root.find("architecture");
  if (!name) root.fail("\"architecture\" is missing: nothing says what the model is");
  const std::string& text = name->string();
  try {
    return find_architecture(text);
  } catch (const Error& error) {
    root.fail(error.what());
  }
}

/// What a checkpoint was trained as, by the tag of its name: "vit_base_patch16_224.mae". Tells
/// where the architecture is a plain ViT.
void read_family(const JsonNode& root, VitConfig& vit) {
  if (vit.family != "vit") return;
  const std::string& name = root.at("architecture").string();
  std::string tag = name.find('.') == name.npos ? "" : name.substr(name.find('.') + 1);
  if (const auto pretrained = root.find("pretrained_cfg"); pretrained && tag.empty())
    if (const auto node = pretrained->find("tag"); node && node->is_string()) tag = node->string();
  if (const char* family = family_of_tag(tag)) vit.family = family;
}

/// What timm has no word for, as timm_config_text() writes it.
void read_extension(const JsonNode& node, VitConfig& vit) {
  for (const ExtensionField& field : extension_fields())
    if (const auto value = node.find(field.name)) field.read(vit, *value);
}

}  // namespace

ModelConfig read_timm_config(const JsonNode& root) {
  const Architecture& row = read_architecture(root);
  TimmDraft draft{.arguments = row.arguments};
  TimmArguments& arguments = draft.arguments;

  // The later ones win, as in timm: the checkpoint's config, the document, the model's arguments.
  // In older documents the checkpoint's config is the document.
  const JsonNode pretrained = root.find("pretrained_cfg").value_or(root);
  if (const auto node = pretrained.find("input_size")) {
    const auto input = parse_input_size(*node);
    arguments.in_chans = input.channels;
    arguments.img_size = input.size;
  }
  for (const JsonNode& place : {pretrained, root}) {
    if (const auto node = place.find("num_classes")) arguments.num_classes = count(*node);
    if (const auto node = place.find("global_pool"))
      arguments.global_pool = parse_timm_pooling(*node);
  }
  if (const auto node = root.find("model_args")) read_model_args(*node, draft);
  check_draft(draft);
  check_arguments(arguments, root);

  ModelConfig config = row.config();
  VitConfig& vit = config.vit;
  const std::string family = vit.family;
  vit = timm_model(arguments);
  vit.architecture = row.name;
  vit.family = family;
  read_timm_preprocessing(pretrained, vit.input.channels, vit.picture());
  config.labels = read_labels(root);
  read_family(root, vit);
  if (const auto node = root.find("vitome")) read_extension(*node, vit);
  config.scores = read_problem_type(root, vit.head.num_classes);
  return config;
}

const Layout kTimmLayout{"timm",
                         "timm",
                         [](const StateDict&) { return true; },
                         timm_names,
                         [](const StateDict&, VitConfig&) {},
                         [](const JsonNode&) { return true; },
                         read_timm_config};

}  // namespace vit
