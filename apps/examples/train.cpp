// Trains a small model on a folder with a folder of pictures for each class. The folder that it
// leaves is a model: three_lines reads it, and so do vitome and timm.
//
//   train photos/ flowers/

#include <exception>
#include <iostream>
#include <memory>

#include <data/dataset.h>
#include <distributed/group.h>
#include <train/model_setup.h>
#include <train/trainer.h>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: train DATA OUTPUT\n";
    return 2;
  }
  try {
    const auto pictures = data::open_dataset(argv[1]);
    auto model = train::random_model("vit_tiny_patch16_224",
                                     "img_size=32 patch_size=8 embed_dim=48 depth=3 num_heads=3",
                                     pictures->class_names(), /*seed=*/1);

    train::Settings settings;
    settings.epochs = 4;
    settings.batch = 4;
    settings.rate = {.peak = 2e-3, .warmup_epochs = 1, .epochs = 4};
    settings.augment.padding = 2;

    train::Surroundings surroundings;
    surroundings.output = argv[2];
    surroundings.overwrite = true;
    surroundings.on_line = [](const std::string& line) { std::cout << line << "\n"; };
    surroundings.on_warning = [](const std::string& text) { std::cerr << text << "\n"; };

    train::Trainer trainer(model, *pictures, nullptr, settings, surroundings,
                           distributed::group_from_environment(c10::kCPU));
    trainer.run();
  } catch (const std::exception& error) {
    std::cerr << "train: " << error.what() << "\n";
    return 1;
  }
}
