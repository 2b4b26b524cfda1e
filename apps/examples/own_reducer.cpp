// Token merging of one's own: neighbouring patches become one, two by two, in the middle block.
//
//   own_reducer models/cifar10-vit samples/ship.jpg

#include <exception>
#include <iostream>
#include <memory>

#include <ATen/ATen.h>

#include <media/image.h>
#include <media/preprocess.h>
#include <vit/flops.h>
#include <vit/load.h>
#include <vit/token_reducer.h>

namespace {

class MergeNeighbours : public vit::TokenReducer {
 public:
  int64_t tokens_after(int64_t layer, int64_t depth, int64_t tokens,
                       int64_t prefix_tokens) const override {
    return layer == depth / 2 ? tokens - (tokens - prefix_tokens) / 2 : tokens;
  }

  // What fused kernels ask for, one sample at a time: who stays, who goes, and where to.
  bool forms_groups() const override { return true; }
  void group(const vit::GroupRequest& request, const vit::TokenGroups& groups) const override {
    const int64_t pairs = (request.tokens - request.prefix_tokens) / 2;
    int64_t row = 0;
    for (int64_t token = 0; token < request.tokens; ++token) {
      const int64_t patch = token - request.prefix_tokens;
      if (patch >= 0 && patch % 2 == 1 && patch < 2 * pairs) {
        groups.removed[patch / 2] = token;
        groups.into[patch / 2] = row - 1;
      } else {
        groups.keep[row++] = token;
      }
    }
  }

  // The same for whole batches where there are no fused kernels: means weighted by size.
  void reduce(vit::TokenState& state, const at::Tensor&) const override {
    const int64_t prefix = state.prefix_tokens, tokens = state.tokens.size(1);
    const int64_t pairs = (tokens - prefix) / 2;
    if (!state.size.defined()) state.size = at::ones({state.tokens.size(0), tokens});
    const auto merge = [&](const at::Tensor& rows) {  // sums of pairs of rows [B, tokens, …]
      const at::Tensor paired = rows.narrow(1, prefix, 2 * pairs);
      return at::cat({rows.narrow(1, 0, prefix), paired.unflatten(1, {pairs, 2}).sum(2),
                      rows.narrow(1, prefix + 2 * pairs, tokens - prefix - 2 * pairs)},
                     1);
    };
    const at::Tensor size = state.size.to(state.tokens.options()).unsqueeze(2);
    const at::Tensor sums = merge(state.tokens * size);
    state.size = merge(state.size);
    state.tokens = sums / state.size.to(sums.options()).unsqueeze(2);
    if (state.source.defined()) state.source = merge(state.source);
  }

  bool proportional_attention() const override { return true; }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: own_reducer CHECKPOINT PICTURE\n";
    return 2;
  }
  try {
    at::NoGradGuard no_grad;
    auto model = vit::load(argv[1]);
    const auto pixels = media::preprocess(media::read_image(argv[2]), model->preprocessing());
    const double whole = vit::gflops(model->config(), nullptr);
    model->set_reducer(std::make_shared<MergeNeighbours>());
    const double merged = vit::gflops(model->config(), model->reducer().get());

    const auto [probability, index] = model->forward(pixels.unsqueeze(0)).softmax(-1).max(-1);
    std::cout << model->labels().at(index.item<int64_t>()) << " " << probability.item<float>()
              << ", with " << 100 * merged / whole << "% of the work\n";
  } catch (const std::exception& error) {
    std::cerr << "own_reducer: " << error.what() << "\n";
    return 1;
  }
}
