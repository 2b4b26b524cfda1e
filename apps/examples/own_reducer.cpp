// Token merging of one's own: neighbouring patches become one, two by two, in the middle block.
//
//   own_reducer models/cifar10-vit samples/ship.jpg

#include <exception>
#include <iostream>
#include <memory>
#include <optional>

#include <ATen/ATen.h>

#include <media/preprocess.h>
#include <vit/flops.h>
#include <vit/inference_model.h>
#include <vit/load.h>
#include <vit/scores.h>
#include <vit/token_reducer.h>

namespace {

class MergeNeighbours : public vit::TokenReducer {
 public:
  // Only the middle block is asked, and nothing but the places of the tokens decides.
  std::optional<vit::ReducerNeeds> needs(const vit::LayerTokens& at) const override {
    if (at.layer != at.depth / 2) return std::nullopt;
    return vit::ReducerNeeds{};
  }

  std::optional<int64_t> tokens_after(const vit::LayerTokens& at) const override {
    return at.tokens - pairs(at);
  }

  // Who stays, who goes, and where to; a row is the mean of its group, weighted by size.
  void group(const vit::GroupRequest& request, vit::Groups& groups) const override {
    const int64_t prefix = request.at.prefix_tokens;
    groups.count = pairs(request.at);
    groups.rows = 0;
    for (int64_t token = 0; token < request.at.tokens; ++token) {
      const int64_t patch = token - prefix;
      if (patch >= 0 && patch % 2 == 1 && patch < 2 * groups.count) {
        groups.removed[patch / 2] = token;
        groups.into[patch / 2] = groups.rows - 1;
      } else {
        groups.keep[groups.rows++] = token;
      }
    }
  }

  bool proportional_attention() const override { return true; }
  bool proportional_pooling() const override { return true; }
  bool per_sample() const override { return true; }

 private:
  static int64_t pairs(const vit::LayerTokens& at) { return (at.tokens - at.prefix_tokens) / 2; }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: own_reducer CHECKPOINT PICTURE\n";
    return 2;
  }
  try {
    vit::InferenceModel model(vit::load(argv[1]));
    const auto pixels = media::read_input(argv[2], model.preprocessing());
    const double whole = vit::gflops(model.config(), nullptr);
    model.set_reducer(std::make_shared<MergeNeighbours>());
    const double merged = vit::gflops(model.config(), model.reducer().get());

    const auto logits = model.forward(pixels.unsqueeze(0));
    const auto [score, index] = vit::scores(logits, model.score_kind()).max(-1);
    std::cout << model.labels().at(index.item<int64_t>()) << " " << score.item<float>() << ", with "
              << 100 * merged / whole << "% of the work\n";
  } catch (const std::exception& error) {
    std::cerr << "own_reducer: " << error.what() << "\n";
    return 1;
  }
}
