// What is in a picture: weights to logits in three lines, and Token Merging in one more.
//
//   three_lines models/cifar10-vit samples/ship.jpg

#include <exception>
#include <iostream>

#include <ATen/ATen.h>

#include <media/preprocess.h>
#include <tome/tome.h>
#include <vit/inference_model.h>
#include <vit/load.h>
#include <vit/scores.h>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: three_lines CHECKPOINT PICTURE\n";
    return 2;
  }
  try {
    vit::InferenceModel model(vit::load(argv[1]));
    tome::apply(model, {.r = 4});
    auto pixels = media::read_input(argv[2], model.preprocessing());
    auto logits = model.forward(pixels.unsqueeze(0));

    auto [score, index] = vit::scores(logits, model.score_kind()).max(-1);
    std::cout << model.labels().at(index.item<int64_t>()) << " " << score.item<float>() << "\n";
  } catch (const std::exception& error) {
    std::cerr << "three_lines: " << error.what() << "\n";
    return 1;
  }
}
