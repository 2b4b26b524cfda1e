#include <cmath>
#include <map>
#include <utility>

#include <base/text.h>
#include <train/parameter_groups.h>

namespace train {
namespace {

bool decays(const std::string& name, const at::Tensor& parameter) {
  for (const char* part : {"pos_embed", "cls_token", "dist_token", "reg_token", "latent"})
    if (name.find(part) != std::string::npos) return false;
  return parameter.dim() > 1;
}

}  // namespace

int64_t layer_of(const std::string& name, int64_t blocks) {
  if (name.starts_with("blocks.")) {
    const auto index = base::parse_integer(base::split(name, '.')[1]);
    TORCH_CHECK(index, "layer_of: ", name, " has no number");
    return *index + 1;
  }
  for (const char* first :
       {"patch_embed.", "pos_embed", "cls_token", "dist_token", "reg_token", "norm_pre."})
    if (name.starts_with(first)) return 0;
  return blocks + 1;
}

std::vector<ParameterGroup> parameter_groups(const vit::VisionTransformer& model,
                                             double weight_decay, double layer_decay) {
  const int64_t blocks = model->config().depth;
  std::map<std::pair<int64_t, bool>, ParameterGroup> groups;
  for (const auto& item : model->named_parameters()) {
    const at::Tensor& parameter = item.value();
    if (!parameter.requires_grad()) continue;
    const int64_t layer = layer_of(item.key(), blocks);
    const bool decay = decays(item.key(), parameter);
    ParameterGroup& group = groups[{layer_decay == 1 ? 0 : layer, decay}];
    group.weight_decay = decay ? weight_decay : 0;
    group.rate = std::pow(layer_decay, static_cast<double>(blocks + 1 - layer));
    group.names.push_back(item.key());
    group.parameters.push_back(parameter);
  }
  std::vector<ParameterGroup> list;
  for (auto& [key, group] : groups) list.push_back(std::move(group));
  return list;
}

void freeze_blocks(vit::VisionTransformer& model, int64_t blocks) {
  for (auto& item : model->named_parameters())
    item.value().requires_grad_(blocks == 0 ||
                                layer_of(item.key(), model->config().depth) > blocks);
}

void freeze_backbone(vit::VisionTransformer& model) {
  for (auto& item : model->named_parameters())
    item.value().requires_grad_(item.key().starts_with("head"));
}

}  // namespace train
