#include <algorithm>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <vit/error.h>
#include <vit/init.h>
#include <vit/weights/assign.h>
#include <vit/weights/shape.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

/// Tensors that checkpoints carry beside those of the model.
bool is_harmless_extra(const std::string& name, const std::vector<std::string>& unread_tensors) {
  // Stood for masked patches while DINOv2 and others were trained; timm drops it too.
  if (name == "mask_token") return true;
  return std::ranges::any_of(unread_tensors,
                             [&](const std::string& start) { return name.starts_with(start); });
}

bool is_of_head(const std::string& name) {
  return name.starts_with("head.") || name.starts_with("head_dist.");
}

/// Faults of one kind, the first few of them by name.
class Faults {
 public:
  explicit Faults(const char* kind) : kind_(kind) {}

  void add(const std::string& fault) {
    constexpr size_t kShown = 8;
    if (count_++ < kShown)
      names_ += (names_.empty() ? "" : ", ") + fault;
    else if (count_ == kShown + 1)
      names_ += ", …";
  }
  bool empty() const { return count_ == 0; }
  std::string text() const {
    return empty() ? ""
                   : "\n  " + std::string(kind_) + " (" + std::to_string(count_) + "): " + names_;
  }

 private:
  const char* kind_;
  size_t count_ = 0;
  std::string names_;
};

}  // namespace

void assign_weights(VisionTransformerImpl& model, StateDict weights,
                    const std::vector<std::string>& unread_tensors, bool new_head,
                    const LoadOptions& options, const std::string& where) {
  const auto parameters = model.named_parameters();
  const auto buffers = model.named_buffers();  // computed positions: a file may have them or not
  Faults missing("missing"), unexpected("unexpected"), mis_shaped("mis-shaped"),
      not_floating("not floating-point");

  std::vector<std::pair<at::Tensor, std::string>> assignments;
  for (const auto& [name, tensor] : weights) {
    const auto* target = parameters.find(name);
    if (!target) target = buffers.find(name);
    if (!target) {
      if (!is_harmless_extra(name, unread_tensors)) unexpected.add(shortened(name));
    } else if (target->sizes() != tensor.sizes()) {
      mis_shaped.add(name + " is " + shape_text(tensor.sizes()) + ", expected " +
                     shape_text(target->sizes()));
    } else if (!is_type_of_weights(tensor.scalar_type())) {
      not_floating.add(name + " is " + at::toString(tensor.scalar_type()));
    } else {
      assignments.emplace_back(*target, name);
    }
  }
  std::vector<std::string> to_init;
  for (const auto& parameter : parameters) {
    const std::string& name = parameter.key();
    if (weights.contains(name)) continue;
    to_init.push_back(name);
    if (!(new_head && is_of_head(name))) missing.add(name);
  }

  const bool incomplete = !missing.empty() || !unexpected.empty();
  if (!mis_shaped.empty() || !not_floating.empty() || (options.strict && incomplete))
    fail(where, ": the tensors do not fit the model ", model.config().architecture, ":",
         missing.text(), unexpected.text(), mis_shaped.text(), not_floating.text());

  auto generator = at::make_generator<at::CPUGeneratorImpl>(/*seed=*/0);
  for (const auto& name : to_init) init_parameter(name, parameters[name], generator);
  for (auto& [target, name] : assignments) {
    const auto node = weights.extract(name);
    target.set_data(node.mapped().to(options.device, options.precision.dtype).contiguous());
  }
  model.to(options.device, options.precision.dtype);  // what the file did not have
}

}  // namespace vit
