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

/// Whether timm puts the final norm behind such a pooling unless told otherwise.
bool norms_after(Pooling pooling) {
  return pooling == Pooling::avg || pooling == Pooling::max || pooling == Pooling::avg_max;
}

TimmDraft draft_of(const Architecture& row) {
  TimmDraft draft{.vit = row.config().vit, .mlp_ratio = row.backbone.mlp_ratio};
  const HeadConfig& head = draft.vit.head;
  draft.final_norm = head.norm_before || head.norm_after;
  // Average pooling without fc_norm is an explicit choice of an architecture.
  if (head.pooling == Pooling::avg && !head.norm_after) draft.fc_norm = false;
  return draft;
}

/// What timm's models take but only training or the way of calling them feels.
const std::set<std::string>& harmless_model_args() {
  static const std::set<std::string> names{"drop_rate",      "pos_drop_rate",  "patch_drop_rate",
                                           "proj_drop_rate", "attn_drop_rate", "drop_path_rate",
                                           "weight_init",    "fix_init",       "dynamic_img_size"};
  return names;
}

void read_model_args(const JsonNode& node, TimmDraft& draft) {
  const auto args = node.members();
  for (const auto& [name, value] : args) {
    if (harmless_model_args().contains(name)) continue;
    // Null leaves such an option alone.
    if (std::ranges::find(refused_timm_arguments(), name) != refused_timm_arguments().end()) {
      if (!value.is_null()) value.fail("is not supported");
      continue;
    }
    const auto field = std::ranges::find(timm_fields(), std::string_view(name), &TimmField::name);
    if (field == timm_fields().end())
      node.fail("the option \"", shortened(name), "\" is unknown or not supported");
    if (value.is_null()) {
      // To timm null is "no layer scale" or "as the pooling has it", else "the usual".
      if (name == "init_values") draft.vit.block.layer_scale = false;
      if (name == "fc_norm") draft.fc_norm.reset();
    } else {
      field->read(draft, value);
    }
  }
}

VitConfig finish(TimmDraft draft) {
  VitConfig& c = draft.vit;
  MlpConfig& mlp = c.block.mlp;
  if (draft.activation && mlp.kind == MlpKind::swiglu_packed)
    choose<MlpKind>(*draft.activation, {{"silu", MlpKind::swiglu_packed}});
  else if (draft.activation)
    mlp.activation = parse_timm_activation(*draft.activation);
  const Size2d image = c.image_size(), patch = c.patch.size();
  const bool whole = patch.height > 0 && patch.width > 0 && image.height % patch.height == 0 &&
                     image.width % patch.width == 0;
  if (draft.padded && !whole)
    draft.padded->fail(
        "padding an image to whole patches is not supported; choose an img_size that is a "
        "multiple of patch_size");
  mlp.hidden_dim = mlp_hidden_dim(c.embed_dim(), draft.mlp_ratio, mlp.kind);
  c.head.norm_after = draft.final_norm && draft.fc_norm.value_or(norms_after(c.head.pooling));
  c.head.norm_before = draft.final_norm && !c.head.norm_after;
  c.head.token_heads = c.prefix.dist_token && c.head.pooling == Pooling::cls ? 2 : 1;
  return std::move(c);
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
  TimmDraft draft = draft_of(row);
  VitConfig& vit = draft.vit;

  // The later ones win, as in timm: the checkpoint's config, the document, the model's arguments.
  // In older documents the checkpoint's config is the document.
  const JsonNode pretrained = root.find("pretrained_cfg").value_or(root);
  if (const auto node = pretrained.find("input_size")) {
    const auto input = parse_input_size(*node);
    vit.input.channels = input.channels;
    vit.set_image_size(input.size);
  }
  if (const auto node = pretrained.find("num_classes")) vit.head.num_classes = count(*node);
  if (const auto node = pretrained.find("global_pool"))
    vit.head.pooling = parse_timm_pooling(*node);
  if (const auto node = root.find("num_classes")) vit.head.num_classes = count(*node);
  if (const auto node = root.find("global_pool")) vit.head.pooling = parse_timm_pooling(*node);
  if (const auto node = root.find("model_args")) read_model_args(*node, draft);

  read_timm_preprocessing(pretrained, vit.input.channels, vit.picture());
  ModelConfig config;
  config.labels = read_labels(root);
  config.vit = finish(std::move(draft));
  read_family(root, config.vit);
  if (const auto node = root.find("vitome")) read_extension(*node, config.vit);
  config.scores = read_problem_type(root, config.vit.head.num_classes);
  config.unread_tensors = row.config().unread_tensors;
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
