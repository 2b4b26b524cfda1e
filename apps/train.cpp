#include <filesystem>
#include <iostream>
#include <system_error>

#include <nlohmann/json.hpp>

#include <apps/cli/host.h>
#include <apps/cli/interrupt.h>
#include <apps/cli/model_path.h>
#include <apps/cli/output.h>
#include <apps/cli/progress.h>
#include <apps/cli/run_options.h>
#include <apps/cli/text.h>
#include <apps/cli/usage_error.h>
#include <apps/command.h>
#include <apps/data/subset.h>
#include <apps/train/augment/contact_sheet.h>
#include <apps/train/mimetic.h>
#include <apps/train/model_setup.h>
#include <apps/train/seeds.h>
#include <apps/train/trainer.h>
#include <media/write_png.h>
#include <vit/error.h>

namespace {

namespace fs = std::filesystem;

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
      .value("arch", "NAME", "without --model: timm's name of the architecture, random weights",
             "vit_tiny_patch16_224")
      .value("model-args", "ARGS",
             "what differs from --arch, as timm's arguments: 'img_size=32 patch_size=4 depth=9'");
  cli::add_image_size_option(options);
  options
      .value("init", "plain|mimetic",
             "random weights: normal, or like those of a trained model (arXiv 2305.09828), better "
             "for small data",
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
          "--model-args 'img_size=32 patch_size=4 depth=9' --padding 4 --epochs 30 "
          "--output cifar/",
          "a small model from random weights")
      .example("vitome train photos/ --auto-augment rand-m9-n2-mstd0.5 --show-augment views.png",
               "look at what the model would learn from")
      .example("vitome train photos/ --model my-vit/ --r 8 --output flowers-r8/",
               "train with token merging on, which is faster, too");
  return options;
}

std::pair<double, double> range_option(const cli::Arguments& arguments, const std::string& name,
                                       double low, double high) {
  const auto parts = cli::split(arguments.text(name), ',');
  if (parts.size() == 2) {
    const auto from = cli::parse_number(parts[0]), to = cli::parse_number(parts[1]);
    if (from && to && *from >= low && *from <= *to && *to <= high) return {*from, *to};
  }
  cli::usage_error("--", name, " is '", cli::printable(arguments.text(name)),
                   "', expected MIN,MAX between ", low, " and ", high);
}

train::Settings settings_of(const cli::Arguments& a, bool fine_tunes, c10::Device device) {
  constexpr int64_t kMost = 1'000'000;
  train::Settings s;
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
  s.prop_attn = cli::prop_attn(a);

  std::tie(s.augment.min_scale, s.augment.max_scale) =
      a.has("scale") ? range_option(a, "scale", 0.001, 1)
                     : std::pair<double, double>(fine_tunes ? 0.5 : 0.08, 1.0);
  std::tie(s.augment.min_ratio, s.augment.max_ratio) = range_option(a, "ratio", 0.01, 100);
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

// The labelled data of a command line.
struct Data {
  std::shared_ptr<const data::Dataset> training;
  std::shared_ptr<const data::Dataset> validation;  // null: none
};

// `labels` are those of the model to be fine-tuned: if the data has the same classes, they stay in
// the model's order.
Data open_data(const cli::Arguments& arguments, const std::vector<std::string>& labels,
               uint64_t seed, const std::function<void(const std::string&)>& warn) {
  if (arguments.files().size() != 1) cli::usage_error("expected one DATA to learn from");
  const std::string& path = arguments.files().front();
  Data data;
  data.training = data::open_dataset(path, {.on_warning = warn});
  std::vector<std::string> names = data.training->class_names(), known = labels;
  std::sort(names.begin(), names.end());
  std::sort(known.begin(), known.end());
  if (names == known && data.training->class_names() != labels)
    data.training = data::open_dataset(path, {.class_names = labels});
  const double share = arguments.number("val-split", 0, 0.9);
  if (arguments.has("val")) {
    if (share > 0) cli::usage_error("--val and --val-split exclude each other");
    data.validation = data::open_dataset(
        arguments.text("val"), {.class_names = data.training->class_names(), .on_warning = warn});
    if (data.validation->multi_label() != data.training->multi_label())
      vit::fail(arguments.text("val"),
                ": one of training and validation data has several classes "
                "for a picture, the other has not");
  } else if (share > 0) {
    std::tie(data.training, data.validation) = data::split(data.training, share, seed);
  }
  return data;
}

vit::VisionTransformer pretrained(const cli::Arguments& arguments, uint64_t seed) {
  if (arguments.has("model-args") || arguments.has("arch"))
    cli::usage_error("--model brings its architecture: leave --arch and --model-args away");
  cli::ModelChoice choice;
  choice.path = cli::find_model(arguments.text("model"));
  choice.image_size = cli::image_size_option(arguments);
  return choice.load({at::kFloat}, c10::kCPU, seed, /*keep_parameters=*/true);
}

vit::VisionTransformer random_model(const cli::Arguments& arguments,
                                    const std::vector<std::string>& classes, uint64_t seed) {
  std::string model_args = arguments.text("model-args");
  if (const auto size = cli::image_size_option(arguments))
    model_args +=
        " img_size=[" + std::to_string(size->height) + "," + std::to_string(size->width) + "]";
  auto model = train::random_model(arguments.text("arch"), model_args, classes, seed);
  if (arguments.choice("init", {"plain", "mimetic"}) == "mimetic")
    train::mimetic_init(model, train::combine_seeds({seed, 1}));
  return model;
}

void freeze(vit::VisionTransformer& model, const std::string& what) {
  const auto blocks = cli::parse_integer(what);
  if (what == "backbone")
    train::freeze_backbone(model);
  else if (blocks && *blocks >= 0 && *blocks <= model->config().depth)
    train::freeze_blocks(model, *blocks);
  else
    cli::usage_error("--freeze is '", cli::printable(what), "', expected 0 to ",
                     model->config().depth, " blocks, or backbone");
}

// Clears what an earlier run left in the folder, the model apart.
void remove_run(const fs::path& output) {
  std::error_code error;
  for (const char* file : {"checkpoint.safetensors", "curves.svg", "log.txt", "metrics.csv"})
    fs::remove(output / "run" / file, error);
  for (const auto& entry : fs::directory_iterator(output / "run", error))
    if (entry.path().filename().string().starts_with("events.out.tfevents."))
      fs::remove(entry.path(), error);
}

// Some pictures, evenly spread, with random views of each.
void show_augment(const std::string& file, const data::Dataset& dataset,
                  const train::Settings& settings, const vit::VisionTransformer& model) {
  constexpr int64_t kPictures = 8, kViews = 10;
  std::vector<at::Tensor> pictures;
  const int64_t count = std::min(kPictures, dataset.size());
  for (int64_t i = 0; i < count; ++i) pictures.push_back(dataset.read(i * dataset.size() / count));
  const train::Augment augment(settings.augment, model->preprocessing());
  media::write_png(file, train::contact_sheet(pictures, augment, kViews, settings.seed));
  std::cout << file << ": " << count << " pictures as evaluation sees them, and " << kViews
            << " random views of each\n";
}

nlohmann::ordered_json result_json(const train::Trainer& trainer, const std::string& output,
                                   const std::string& score) {
  const train::Progress& progress = trainer.progress();
  nlohmann::ordered_json json{{"model", output},
                              {"epochs", progress.epoch},
                              {"steps", progress.step},
                              {"best_epoch", progress.best_epoch}};
  if (!score.empty()) json[score] = progress.best_score;
  json["history"] = train::to_json(progress)["history"];
  return json;
}

int run(const cli::Arguments& arguments) {
  const std::string& output = arguments.text("output");
  const bool shows_only = arguments.has("show-augment");
  if (output.empty() && !shows_only) cli::usage_error("--output FOLDER is missing");
  if (arguments.has("resume") && arguments.has("overwrite"))
    cli::usage_error("--resume and --overwrite exclude each other");
  const c10::Device device = cli::device_option(arguments);
  cli::set_threads(arguments);
  cli::keep_freed_memory();
  const bool fine_tunes = arguments.has("model");
  const train::Settings settings = settings_of(arguments, fine_tunes, device);
  const tome::Options merging = cli::merge_options(arguments);
  const auto group = distributed::group_from_environment(device);
  cli::Output json(arguments, "json");

  vit::VisionTransformer model{nullptr};
  if (fine_tunes) model = pretrained(arguments, settings.seed);
  const auto warn = [](const std::string& text) {
    std::cerr << "warning: " << cli::printable(text) << "\n";
  };
  const auto warn_once = [&](const std::string& text) {
    if (group->leader()) warn(text);
  };
  const Data data = open_data(arguments, fine_tunes ? model->labels() : std::vector<std::string>{},
                              settings.seed, warn_once);
  const std::vector<std::string>& classes = data.training->class_names();
  model = fine_tunes ? train::with_classes(model, classes, settings.seed)
                     : random_model(arguments, classes, settings.seed);
  if (shows_only) {
    show_augment(arguments.text("show-augment"), *data.training, settings, model);
    return 0;
  }
  freeze(model, settings.freeze);
  model->to(device);
  model->set_drop_path(settings.drop_path);
  tome::apply(model, merging);

  cli::Progress bar(0, "pictures");
  int64_t shown = 0;
  train::Surroundings surroundings;
  surroundings.command = arguments.command_line();
  surroundings.data = std::to_string(data.training->size()) + " pictures of " +
                      std::to_string(classes.size()) + " classes from `" +
                      arguments.files().front() + "`";
  surroundings.output = output;
  surroundings.resume = arguments.has("resume");
  surroundings.checkpoint_every =
      std::chrono::seconds(static_cast<int64_t>(60 * arguments.number("save-every", 0, 1e6)));
  surroundings.workers = cli::workers_option(arguments);
  surroundings.stopped = cli::interrupted;
  surroundings.on_warning = [&](const std::string& text) {
    bar.hide();
    warn(text);
  };
  surroundings.on_progress = [&](int64_t done, int64_t total, const std::string& note) {
    bar.set_total(total);
    if (done < shown) bar.restart(0);
    if (shown == 0) bar.restart(done);  // a run that goes on in the middle of an epoch
    shown = done;
    bar.update(done, note);
  };
  surroundings.on_line = [&](const std::string& text) {
    bar.hide();
    std::cout << text << std::endl;
  };
  if (group->leader() && arguments.has("overwrite")) remove_run(output);
  cli::watch_interrupts();

  train::Trainer trainer(model, *data.training, data.validation.get(), settings, surroundings,
                         group);
  const train::Outcome outcome = trainer.run();
  bar.hide();
  if (group->leader()) {
    json.write(cli::to_text(result_json(trainer, output,
                                        !data.validation                 ? ""
                                        : data.validation->multi_label() ? "map"
                                                                         : "top1"),
                            1) +
               "\n");
    json.close();
  }
  if (outcome == train::Outcome::finished) return 0;
  if (group->leader())
    std::cerr << "interrupted after " << trainer.progress().step
              << " steps; the same command with --resume goes on\n";
  return cli::kExitInterrupted;
}

}  // namespace

Command train_command() {
  return {"train", "fine-tune a model on labelled pictures, or train one", options, run};
}
