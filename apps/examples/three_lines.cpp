// From a checkpoint to logits in three lines, one of which merges tokens.
//
//   three_lines models/cifar10-vit

#include <exception>
#include <iostream>

#include <ATen/ATen.h>

#include <tome/tome.h>
#include <vit/load.h>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: three_lines CHECKPOINT\n";
    return 2;
  }
  try {
    at::NoGradGuard no_grad;
    auto model = vit::load(argv[1]);
    tome::apply(model, {.r = 4});

    const auto [height, width] = model->config().image_size;
    auto pixels = at::randn({1, model->config().in_channels, height, width});
    auto logits = model->forward(pixels);

    auto [score, index] = logits.softmax(-1).max(-1);
    std::cout << "noise looks like class " << index.item<int64_t>() << " of " << logits.size(1)
              << " (probability " << score.item<float>() << ")\n";
  } catch (const std::exception& error) {
    std::cerr << "three_lines: " << error.what() << "\n";
    return 1;
  }
}
