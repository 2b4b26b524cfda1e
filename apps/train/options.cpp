#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include <apps/cli/run_options.h>
#include <apps/cli/usage_error.h>
#include <apps/train/options.h>
#include <base/text.h>

namespace train {
namespace {

std::pair<double, double> range_option(const cli::Arguments& arguments, const std::string& name,
                                       double low, double high) {
  const auto parts = base::split(arguments.text(name), ',');
  if (parts.size() == 2) {
    const auto from = base::parse_number(parts[0]), to = base::parse_number(parts[1]);
    if (from && to && *from >= low && *from <= *to && *to <= high) return {*from, *to};
  }
  cli::usage_error("--", name, " is '", base::printable(arguments.text(name)),
                   "', expected MIN,MAX between ", low, " and ", high);
}

}  // namespace

cli::Options options() {
  cli::Options options(
      "vitome train", "DATA --output FOLDER [options]",
      "Fine-tunes a pretrained model on labelled pictures, or trains one from random weights. DATA "
      "is a folder with a folder of pictures for each class, a .csv or .tsv list, or tar shards. "
      "The output is a model folder that classify, eval and timm read, with the best model of "
      "the run, its card, and in run/ the log, curves for TensorBoard, and a checkpoint from which "
      "--resume goes on as if nothing had happened.",
      true);
  options.group("Data")
      .value("val", "DATA", "labelled pictures to choose the best epoch by")
      .value("val-split", "SHARE", "without --val: hold back that share of each class", "0");
  cli::add_workers_option(options);
  options.group("Model")
      .value("model", "MODEL",
             "fine-tune this one: a model folder, a weights file, a shipped model, hf:ORG/NAME. "
             "Its head is replaced unless it has the classes of the data")
      .value("arch", "NAME",
             "timm's name of the architecture, with random weights; with --model: that of weights "
             "without a config.json",
             "vit_tiny_patch16_224")
      .value("model-args", "ARGS",
             "what differs from --arch, as timm's arguments: 'img_size=32 patch_size=4 depth=9'");
  cli::add_image_size_option(options);
  options
      .value("init", "plain|mimetic",
             "random weights: normal, or like those of a trained model (arXiv 2305.09828), better "
             "for small data where global_pool=avg",
             "plain")
      .value("freeze", "N|backbone",
             "keep the first N blocks and the embedding as they are, or all but the head (a linear "
             "probe)",
             "0")
      .value("drop-path", "P", "stochastic depth: chance of the last block to be left out", "0");
  cli::add_merge_options(options);
  options.group("Learning; defaults (fine-tuning / from random weights)")
      .value("epochs", "N", "times to go through the data (default: 10 / 100)")
      .value("batch", "N", "pictures for each step, of all processes together", "128")
      .value("accumulate", "N", "parts in which a batch goes through the model, to save memory",
             "1")
      .value("lr", "RATE", "peak learning rate of AdamW (default: 1e-4 / 1e-3)")
      .value("min-lr", "RATE", "at the end of the cosine", "1e-6")
      .value("warmup-epochs", "E", "linear warm-up before it (default: 1 / 5)")
      .value("weight-decay", "W", "of weight matrices only", "0.05")
      .value("layer-decay", "F",
             "learning rate of each block as a share of that of the next one (default: 0.75 / 1)")
      .value("beta2", "B", "of AdamW", "0.999")
      .value("clip-grad", "NORM", "largest norm of the gradient; 0 is any", "1")
      .value("label-smoothing", "S", "share of each target spread over all classes", "0.1")
      .value("ema", "DECAY",
             "average the weights with that decay (0.9998 for long runs); the average is what is "
             "validated and kept",
             "0")
      .value("seed", "N", "of everything random", "0")
      .group("Augmentation")
      .value("scale", "MIN,MAX", "random resized crop: share of the area (default: 0.5,1 / 0.08,1)")
      .value("ratio", "MIN,MAX", "and aspect ratio", "0.75,1.3333")
      .value("interpolation", "random|model",
             "of that crop: bilinear or bicubic by chance, or always the model's", "random")
      .value("padding", "N", "instead: shift by up to N pixels (for small pictures, 4)", "0")
      .value("flip", "P", "chance of mirroring", "0.5")
      .value("color-jitter", "S", "strength for brightness, contrast and saturation", "0")
      .value("auto-augment", "POLICY", "rand-m9-n2-mstd0.5 (RandAugment) or trivial")
      .value("erasing", "P", "chance of random erasing", "0")
      .value("mixup", "ALPHA", "mix pairs of pictures; 0 is off", "0")
      .value("cutmix", "ALPHA", "paste pieces of other pictures; 0 is off", "0")
      .value("mix-prob", "P", "chance of a batch to be mixed", "1")
      .value("unmixed-epochs", "N", "no mixing in the last N epochs", "0");
  cli::add_device_options(options, "fp32, bf16 (products in bfloat16) or auto", "auto");
  options.group("Output")
      .value("output", "FOLDER", "where the model and the run go")
      .flag("resume", "go on with the run in FOLDER; give the same options as before")
      .flag("overwrite", "begin anew where FOLDER has a run")
      .value("show-augment", "FILE.png",
             "only draw some pictures and their random views, to judge the augmentation by")
      .value("save-every", "MINUTES", "between checkpoints, beside the end of each epoch", "10")
      .value("json", "FILE", "the result as JSON; - is standard output");
  options
      .example("vitome train photos/ --model my-vit/ --val-split 0.2 --output flowers/",
               "fine-tune on a folder with a folder for each class")
      .example("vitome train photos/ --model my-vit/ --freeze backbone --lr 1e-2 --output probe/",
               "linear probe")
      .example(
          "vitome train cifar10/train --val cifar10/test --arch vit_tiny_patch16_224 "
          "--model-args 'img_size=32 patch_size=4 depth=9 class_token=False global_pool=avg' "
          "--init mimetic --padding 4 --epochs 30 --output cifar/",
          "a small model from random weights")
      .example("vitome train photos/ --auto-augment rand-m9-n2-mstd0.5 --show-augment views.png",
               "look at what the model would learn from")
      .example("vitome train photos/ --model my-vit/ --r 8 --output flowers-r8/",
               "train with token merging on, which is faster, too")
      .example(
          "torchrun --nproc-per-node 2 --no-python -- vitome train photos/ --r 8 --output flowers/",
          "two processes share the work; after -- torchrun takes no option for its own");
  return options;
}

Settings settings_of(const cli::Arguments& a, bool fine_tunes, c10::Device device) {
  constexpr int64_t kMost = 1'000'000;
  Settings s;
  const auto number = [&](const char* name, double low, double high, double preset) {
    return a.has(name) ? a.number(name, low, high) : preset;
  };
  s.epochs = a.has("epochs") ? a.integer("epochs", 1, kMost) : fine_tunes ? 10 : 100;
  s.batch = a.integer("batch", 1, kMost);
  s.accumulate = a.integer("accumulate", 1, s.batch);
  s.seed = cli::seed_option(a);
  const std::string dtype = a.choice("dtype", {"fp32", "bf16", "auto"});
  s.bf16 = cli::parse_dtype(dtype, device).dtype == at::kBFloat16;
  s.rate.peak = number("lr", 0, 100, fine_tunes ? 1e-4 : 1e-3);
  s.rate.lowest = std::min(a.number("min-lr", 0, 100), s.rate.peak);
  s.rate.epochs = static_cast<double>(s.epochs);
  s.rate.warmup_epochs =
      std::min(number("warmup-epochs", 0, kMost, fine_tunes ? 1 : 5), s.rate.epochs);
  s.adam.beta2 = a.number("beta2", 0, 0.999999);
  s.weight_decay = a.number("weight-decay", 0, 100);
  s.layer_decay = number("layer-decay", 0.01, 1, fine_tunes ? 0.75 : 1);
  s.clip = a.number("clip-grad", 0, 1e9);
  s.smoothing = a.number("label-smoothing", 0, 0.99);
  s.drop_path = a.number("drop-path", 0, 0.99);
  s.ema = a.number("ema", 0, 0.9999999);
  s.freeze = a.text("freeze");
  s.schedule = a.has("schedule") ? a.text("schedule") : a.text("r");
  s.prop_attn = cli::merge_rules(a).prop_attn;

  std::tie(s.augment.min_scale, s.augment.max_scale) =
      a.has("scale") ? range_option(a, "scale", 0.001, 1)
                     : std::pair<double, double>(fine_tunes ? 0.5 : 0.08, 1.0);
  std::tie(s.augment.min_ratio, s.augment.max_ratio) = range_option(a, "ratio", 0.01, 100);
  s.augment.random_interpolation = a.choice("interpolation", {"random", "model"}) == "random";
  s.augment.padding = a.integer("padding", 0, 4096);
  s.augment.flip = a.number("flip", 0, 1);
  s.augment.color_jitter = a.number("color-jitter", 0, 1);
  s.augment.auto_augment = a.text("auto-augment");
  s.augment.erasing = a.number("erasing", 0, 1);
  s.mix.mixup = a.number("mixup", 0, 1000);
  s.mix.cutmix = a.number("cutmix", 0, 1000);
  s.mix.probability = a.number("mix-prob", 0, 1);
  s.unmixed_epochs = a.integer("unmixed-epochs", 0, kMost);
  return s;
}

}  // namespace train
