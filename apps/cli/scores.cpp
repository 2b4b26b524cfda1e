#include <iostream>

#include <apps/cli/scores.h>
#include <base/text.h>
#include <vit/weights/not_finite.h>

namespace cli {

const char* const kLogitsNotFinite =
    "the model computes logits that are not finite; try another --dtype, and look at its weights "
    "(vitome inspect)";

void add_activation_option(Options& options) {
  options.value("activation", "KIND",
                "how logits become scores: softmax, sigmoid or none; default: what the model's "
                "config.json says (problem_type), else softmax, for one class sigmoid");
}

std::optional<vit::ScoreKind> activation_option(const Arguments& arguments) {
  if (!arguments.has("activation")) return std::nullopt;
  const std::string& name = arguments.choice("activation", {"softmax", "sigmoid", "none"});
  return name == "softmax"   ? vit::ScoreKind::softmax
         : name == "sigmoid" ? vit::ScoreKind::sigmoid
                             : vit::ScoreKind::none;
}

std::string some_of(std::vector<std::string> names) {
  constexpr std::size_t kShown = 5;
  const std::size_t count = names.size();
  if (count > kShown) names.resize(kShown);
  for (std::string& name : names) name = base::shortened(name);
  return base::join(names, ", ") + (count > kShown ? ", …" : "");
}

std::vector<std::string> not_finite_weights(const vit::VisionTransformer& model) {
  vit::StateDict weights;
  for (const auto& item : model->named_parameters()) weights[item.key()] = item.value();
  return vit::not_finite(weights);
}

void warn_of_weights(const std::string& model, const std::vector<std::string>& not_finite) {
  if (not_finite.empty()) return;
  std::cerr << "warning: " << base::printable(model) << ": weights hold NaN or infinity ("
            << some_of(not_finite) << "): what the model computes means nothing\n";
}

}  // namespace cli
