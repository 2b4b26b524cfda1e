#include <iostream>

#include <c10/core/InferenceMode.h>

#include <apps/cli/run_options.h>
#include <apps/cli/scores.h>
#include <apps/cli/usage_error.h>
#include <apps/command.h>
#include <vit/save.h>
#include <vit/weights/layouts/timm_writer.h>

namespace {

cli::Options options() {
  cli::Options options(
      "vitome convert", "--model MODEL --output FOLDER [options]",
      "Writes a checkpoint of any kind that is understood as a folder with config.json and "
      "model.safetensors, which this program and timm read: weights of timm, transformers, "
      "torchvision, OpenCLIP or AugReg, from .safetensors, .pth, .pt, .bin or .npz.");
  options.group("Input and output")
      .value("output", "FOLDER", "where to write; made if it is not there");
  cli::add_model_options(options, "");
  cli::add_image_size_option(options);
  cli::add_max_patches_option(options);
  options.value("dtype", "TYPE", "of the weights written: fp32, bf16 or fp16", "fp32");
  options
      .example("vitome convert --model deit_small.pth --output deit-small/",
               "a training checkpoint becomes a folder that loads in milliseconds")
      .example("vitome convert --model vit-large/ --output vit-large-bf16/ --dtype bf16",
               "half the size")
      .example("vitome convert --model vit-base/ --output vit-base-384/ --image-size 384",
               "positions resampled once and for all");
  return options;
}

int run(const cli::Arguments& arguments) {
  const std::string& folder = arguments.text("output");
  if (folder.empty()) cli::usage_error("--output FOLDER is missing");
  const auto& name = arguments.choice("dtype", {"fp32", "bf16", "fp16"});
  const at::ScalarType dtype = cli::parse_dtype(name, c10::kCPU).dtype;
  const cli::ModelChoice choice = cli::model_choice(arguments);
  if (choice.path.empty()) cli::usage_error("--arch describes a weights file: name it by --model");

  c10::InferenceMode inference;
  auto model = choice.load({dtype}, c10::kCPU);
  auto not_finite = cli::not_finite_weights(model);
  if (!not_finite.empty() && dtype != at::kFloat) {
    // The file's, or only what became of them: save() refuses numbers that the type cannot hold.
    model = choice.load({at::kFloat}, c10::kCPU);
    not_finite = cli::not_finite_weights(model);
  }
  vit::save(model, folder, dtype);
  cli::warn_of_weights(choice.name(), not_finite);
  std::cout << folder << ": " << model->config().architecture << ", " << name << "\n";
  if (const auto obstacle = vit::timm_obstacle(model->config()); !obstacle.empty())
    std::cerr << "note: timm cannot build this model: " << obstacle << "\n";
  return 0;
}

}  // namespace

Command convert_command() {
  return {"convert", "any checkpoint as config.json and safetensors", options, run};
}
