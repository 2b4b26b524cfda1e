#include <algorithm>
#include <filesystem>
#include <iostream>
#include <system_error>
#include <tuple>

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
#include <apps/train/options.h>
#include <base/error.h>
#include <base/json_text.h>
#include <base/text.h>
#include <data/subset.h>
#include <media/write_png.h>
#include <train/augment/contact_sheet.h>
#include <train/mimetic.h>
#include <train/model_setup.h>
#include <train/seeds.h>
#include <train/trainer.h>

namespace {

namespace fs = std::filesystem;

// The labelled data of a command line.
struct Data {
  std::shared_ptr<const data::Dataset> training;
  std::shared_ptr<const data::Dataset> validation;  // null: none
};

// Where `path` holds train/ and val/, the error says how to name both.
std::shared_ptr<const data::Dataset> open_training_data(const std::string& path,
                                                        const data::OpenOptions& options) {
  try {
    return data::open_dataset(path, options);
  } catch (const data::PartsError& error) {
    if (error.training().empty()) throw;
    const std::string other =
        error.other().empty() ? "" : " --val " + cli::shell_quoted(error.other().string());
    base::fail(error.what(), ". For training: vitome train ",
               cli::shell_quoted(error.training().string()), other);
  }
}

// `labels` are those of the model to be fine-tuned: if the data has the same classes, they stay in
// the model's order.
Data open_data(const cli::Arguments& arguments, const std::vector<std::string>& labels,
               vit::Transparency transparency, uint64_t seed,
               const std::function<void(const std::string&)>& warn) {
  if (arguments.files().size() != 1) cli::usage_error("expected one DATA to learn from");
  const std::string& path = arguments.files().front();
  Data data;
  data.training = open_training_data(path, {.on_warning = warn, .transparency = transparency});
  std::vector<std::string> names = data.training->class_names(), known = labels;
  std::sort(names.begin(), names.end());
  std::sort(known.begin(), known.end());
  if (names == known && data.training->class_names() != labels)
    data.training = data::open_dataset(path, {.class_names = labels, .transparency = transparency});
  const double share = arguments.number("val-split", 0, 0.9);
  if (arguments.has("val")) {
    if (share > 0) cli::usage_error("--val and --val-split exclude each other");
    data.validation =
        data::open_dataset(arguments.text("val"), {.class_names = data.training->class_names(),
                                                   .on_warning = warn,
                                                   .transparency = transparency});
    if (data.validation->multi_label() != data.training->multi_label())
      base::fail(arguments.text("val"),
                 ": one of training and validation data has several classes "
                 "for a picture, the other has not");
  } else if (share > 0) {
    std::tie(data.training, data.validation) =
        data::split(data.training, {.share = share, .seed = seed, .on_warning = warn});
  }
  return data;
}

vit::VisionTransformer pretrained(const cli::Arguments& arguments, uint64_t seed) {
  if (arguments.has("model-args"))
    cli::usage_error("--model brings its architecture: leave --model-args away");
  cli::ModelChoice choice;
  choice.path = cli::find_model(arguments.text("model"));
  if (arguments.has("arch")) choice.architecture = arguments.text("arch");
  choice.image_size = cli::image_size_option(arguments);
  choice.replaces_head = true;
  return choice.load({at::kFloat}, c10::kCPU, seed);
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
  const auto blocks = base::parse_integer(what);
  if (what == "backbone")
    train::freeze_backbone(model);
  else if (blocks && *blocks >= 0 && *blocks <= model->config().depth)
    train::freeze_blocks(model, *blocks);
  else
    cli::usage_error("--freeze is '", base::printable(what), "', expected 0 to ",
                     model->config().depth, " blocks, or backbone");
}

// Some pictures, evenly spread, with random views of each.
void show_augment(const std::string& file, const data::Dataset& dataset,
                  const train::Settings& settings, const vit::VisionTransformer& model) {
  constexpr int64_t kPictures = 8, kViews = 10;
  std::vector<at::Tensor> pictures;
  const int64_t count = std::min(kPictures, dataset.size());
  for (int64_t i = 0; i < count; ++i) pictures.push_back(dataset.read(i * dataset.size() / count));
  const train::Augment augment(settings.augment, model->picture_preprocessing());
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
  json["history"] = nlohmann::ordered_json::parse(train::json_text(progress))["history"];
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
  const train::Settings settings = train::settings_of(arguments, fine_tunes, device);
  const tome::Options merging = cli::merge_options(arguments);
  const auto group = distributed::group_from_environment(device);
  cli::Output json(arguments, "json");

  vit::VisionTransformer model{nullptr};
  if (fine_tunes) model = pretrained(arguments, settings.seed);
  const auto warn = [](const std::string& text) {
    std::cerr << "warning: " << base::printable(text) << "\n";
  };
  const auto warn_once = [&](const std::string& text) {
    if (group->leader()) warn(text);
  };
  const auto labels = fine_tunes ? model->labels() : std::vector<std::string>{};
  const auto transparency =
      fine_tunes ? model->picture_preprocessing().transparency : vit::Transparency::dropped;
  const Data data = open_data(arguments, labels, transparency, settings.seed, warn_once);
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
  surroundings.overwrite = arguments.has("overwrite");
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
  cli::watch_interrupts();

  train::Trainer trainer(model, *data.training, data.validation.get(), settings, surroundings,
                         group);
  const train::Outcome outcome = trainer.run();
  bar.hide();
  if (group->leader()) {
    json.write(base::json_text(result_json(trainer, output,
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
  return cli::interrupted_status();
}

}  // namespace

Command train_command() {
  return {"train", "fine-tune a model on labelled pictures, or train one", train::options, run};
}
