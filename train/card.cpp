#include <sstream>

#include <nlohmann/json.hpp>

#include <base/text.h>
#include <train/card.h>

namespace train {
namespace {

std::string percent(double share) { return base::fixed(100 * share, 2) + " %"; }

std::string classes_text(const std::vector<std::string>& labels) {
  constexpr std::size_t kShown = 50;
  std::vector<std::string> shown(
      labels.begin(),
      labels.begin() + static_cast<std::ptrdiff_t>(std::min(labels.size(), kShown)));
  if (labels.size() > kShown) shown.push_back("…");
  return std::to_string(labels.size()) + ": " + base::join(shown, ", ");
}

std::string scores_text(vit::ScoreKind kind) {
  switch (kind) {
    case vit::ScoreKind::softmax:
      return "softmax of the logits: each picture is of one class";
    case vit::ScoreKind::sigmoid:
      return "sigmoid of each logit: a picture shows any number of classes";
    case vit::ScoreKind::none:
      break;
  }
  return "the logits themselves";
}

}  // namespace

std::string model_card(const std::string& name, const vit::VisionTransformer& model,
                       const Progress& progress, const nlohmann::ordered_json& settings,
                       const CardNotes& notes) {
  const vit::VitConfig& config = model->config();
  int64_t parameters = 0;
  for (const auto& parameter : model->parameters()) parameters += parameter.numel();
  double seconds = 0;
  for (const EpochResult& epoch : progress.history) seconds += epoch.seconds;

  std::ostringstream text;
  text << "# " << name << "\n\n"
       << "A Vision Transformer for pictures of "
       << base::size_text(config.image_size().height, config.image_size().width)
       << " pixels, trained with `vitome train`.\n\n"
       << "| | |\n|---|---|\n"
       << "| classes | " << classes_text(model->labels()) << " |\n"
       << "| scores | " << scores_text(model->score_kind()) << " |\n"
       << "| architecture | " << config.depth << " blocks of width " << config.embed_dim() << ", "
       << config.block.attention.num_heads << " heads, patches of "
       << base::size_text(config.patch.size().height, config.patch.size().width) << ", "
       << config.num_tokens() << " tokens |\n"
       << "| parameters | " << base::fixed(static_cast<double>(parameters) / 1e6, 1)
       << " million |\n"
       << "| files | `model.safetensors` (timm's key names), `config.json` (timm-style) |\n\n"
       << "## Training\n\n"
       << "Data: " << notes.data << ". " << progress.history.size() << " epochs, "
       << base::fixed(seconds / 60, 0) << " minutes of training. The command:\n\n```sh\n"
       << notes.command << "\n```\n\nAll settings:\n\n| | |\n|---|---|\n";
  for (const auto& [key, value] : settings.items())
    text << "| " << key << " | " << (value.is_string() ? value.get<std::string>() : value.dump())
         << " |\n";
  if (!notes.score.empty())
    text << "\n## Accuracy\n\n"
         << notes.score << " " << percent(progress.best_score)
         << " on the validation data, after epoch " << progress.best_epoch
         << ", the best one. `run/metrics.csv` has all epochs.\n";
  return text.str();
}

}  // namespace train
