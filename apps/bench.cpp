#include <algorithm>
#include <iostream>
#include <optional>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <nlohmann/json.hpp>

#include <apps/bench/plot.h>
#include <apps/bench/report.h>
#include <apps/bench/sweep.h>
#include <apps/cli/host.h>
#include <apps/cli/interrupt.h>
#include <apps/cli/labels.h>
#include <apps/cli/output.h>
#include <apps/cli/pictures.h>
#include <apps/cli/run_options.h>
#include <apps/cli/schedules.h>
#include <apps/cli/scores.h>
#include <apps/cli/usage_error.h>
#include <apps/command.h>
#include <base/cpus.h>
#include <base/error.h>
#include <base/json_text.h>
#include <base/text.h>

namespace {

cli::Options options() {
  cli::Options options(
      "vitome bench", "[options]",
      "Measures how much faster a model gets by merging tokens: throughput, latency, FLOPs and "
      "agreement of the top-1 class with the unmerged model, for a list of r. All settings are "
      "timed by turns, so that a machine whose speed drifts does not favour any; r=0 is measured "
      "in any case. No other work should run meanwhile.");
  cli::add_model_options(options, "; without --model: random weights");
  cli::add_seed_option(options);
  cli::add_image_size_option(options);
  cli::add_max_patches_option(options);
  options.group("Settings to measure");
  cli::add_schedule_options(options);
  cli::add_merge_rule_options(options);
  cli::add_device_options(options,
                          "fp32, bf16, fp16, int8, auto, or several of them between commas");
  options.value("batch", "N", "inputs that run together", "8")
      .value("seconds", "S", "measuring time for each setting", "10")
      .flag("training",
            "time training steps instead: forward pass, cross-entropy and backward pass; bf16 is "
            "autocast over fp32 weights")
      .flag("on-request",
            "measure by turns with another program: wait for a line on standard input before each "
            "round, give each setting --seconds in it, answer with a line of JSON; the input's end "
            "is the end")
      .group("Inputs")
      .value("images", "FOLDER",
             "pictures instead of random numbers. Those in folders named like the labels of the "
             "model give its accuracy, too")
      .value("max-images", "N", "of a larger folder take that many, evenly spread", "256")
      .group("Output")
      .value("json", "FILE", "all figures as JSON; - is standard output")
      .value("csv", "FILE", "the same as CSV")
      .value("plot", "FILE", "speed-up against merge ratio as an SVG picture");
  options.example("vitome bench --training --batch 128 --dtype bf16 --r 0,4",
                  "how fast the shipped model learns, with and without merging");
  options.example("vitome bench", "the shipped model with and without merging")
      .example(
          "vitome bench --arch vit_base_patch16_224 --batch 8 --threads 2 --dtype fp32,bf16 "
          "--r 0,4,8,13,16",
          "ViT-B/16 with random weights in two dtypes")
      .example("vitome bench --model my-vit/ --r 0,8 --schedules '8,-1.0;8,1.0' --json out.json",
               "constant, decreasing and increasing schedules compared")
      .example("vitome bench --images test/ --max-images 1000 --r 0,2,4,6 --plot speed.svg",
               "speed and accuracy on labelled pictures, with a plot");
  return options;
}

constexpr int64_t kMaxImages = 1 << 20;

std::vector<vit::Precision> precisions(const cli::Arguments& arguments, c10::Device device) {
  std::vector<vit::Precision> types;
  for (const std::string& text : base::split(arguments.text("dtype"), ',')) {
    const vit::Precision type = cli::parse_dtype(text, device);
    if (std::find(types.begin(), types.end(), type) == types.end()) types.push_back(type);
  }
  return types;
}

bench::Inputs random_inputs(const vit::VitConfig& config, int64_t batch, uint64_t seed) {
  const at::Tensor pixels = at::randn(
      {batch, config.input.channels, config.image_size().height, config.image_size().width},
      at::make_generator<at::CPUGeneratorImpl>(seed));
  return {pixels.unbind(0), {}, "random numbers"};
}

bench::Inputs read_inputs(const std::string& folder, int64_t most, const vit::VitConfig& config,
                          const std::vector<std::string>& labels) {
  const std::vector<cli::PictureFile> files = cli::list_pictures({folder});
  const auto total = static_cast<int64_t>(files.size());
  const int64_t count = std::min(most, total);
  std::vector<cli::PictureFile> chosen;
  for (int64_t i = 0; i < count; ++i)
    chosen.push_back(files[static_cast<std::size_t>(i * total / count)]);

  bench::Inputs inputs;
  std::vector<int64_t> targets;
  const int64_t workers = base::usable_cpus();
  cli::PictureStream stream(chosen, config.picture_for_input(), workers, 4 * workers);
  while (const auto picture = stream.next()) {
    if (!picture->error.empty()) {
      std::cerr << "left out: " << base::printable(picture->error) << "\n";
      continue;
    }
    inputs.pictures.push_back(picture->pixels);
    targets.push_back(cli::label_of_folder(picture->path, labels));
  }
  if (inputs.pictures.empty()) base::fail("--images: no picture in ", folder, " can be read");
  inputs.targets = at::tensor(targets);
  if ((inputs.targets < 0).all().item<bool>()) inputs.targets.reset();
  inputs.description = std::to_string(inputs.pictures.size()) + " pictures of " + folder;
  return inputs;
}

// The weights stay in float32 for training.
bench::Lane lane(const cli::ModelChoice& choice, vit::Precision precision, c10::Device device,
                 uint64_t seed, bool training) {
  if (training && (precision.int8 || precision.dtype == at::kHalf))
    cli::usage_error("--training computes in fp32 or bf16, not in ", precision.name());
  auto model = choice.load(training ? vit::Precision{at::kFloat} : precision, device, seed);
  cli::warn_of_weights(choice.name() + " in " + precision.name(), cli::not_finite_weights(model));
  if (!training) return {precision, vit::InferenceModel(std::move(model))};
  for (auto& parameter : model->parameters()) parameter.requires_grad_(true);
  return {precision, model};
}

// Tells of inputs whose logits mean nothing; whether there are any.
bool report_failures(const std::vector<bench::Result>& results, int64_t inputs) {
  bool any = false;
  for (const bench::Result& result : results) {
    if (result.not_finite == 0) continue;
    any = true;
    std::cerr << "error: " << bench::label(result) << " in " << result.dtype << ": for "
              << result.not_finite << " of " << inputs << " inputs " << cli::kLogitsNotFinite
              << "\n";
  }
  return any;
}

bench::Setup setup_of(const std::string& model, const vit::VitConfig& config, c10::Device device) {
  bench::Setup setup;
  setup.model = model;
  setup.image_size = cli::input_size_text(config);
  setup.num_tokens = config.num_tokens();
  setup.device = device.str();
  setup.threads = at::get_num_threads();
  return setup;
}

int run(const cli::Arguments& arguments) {
  const int64_t batch = arguments.integer("batch", 1, cli::kMaxBatch);
  const int64_t max_images = arguments.integer("max-images", 1, kMaxImages);
  const double seconds = arguments.number("seconds", 0.001, 86400);
  const tome::Options rules = cli::merge_rules(arguments);
  const uint64_t seed = cli::seed_option(arguments);
  cli::asked_settings(arguments);  // before the model is loaded: what is wrong shows at once
  const c10::Device device = cli::device_option(arguments);
  cli::set_threads(arguments);
  const cli::ModelChoice choice = cli::model_choice(arguments);
  cli::watch_interrupts();
  cli::Output json(arguments, "json");
  cli::Output csv(arguments, "csv");
  cli::Output plot(arguments, "plot");
  cli::check_one_stdout({&json, &csv, &plot});
  const bool on_request = arguments.has("on-request"), training = arguments.has("training");
  const bool writes_to_stdout = json.is_stdout() || csv.is_stdout() || plot.is_stdout();
  if (on_request && writes_to_stdout)
    cli::usage_error("--on-request answers on standard output: let other output go to files");

  std::vector<bench::Lane> lanes;
  for (const vit::Precision& precision : precisions(arguments, device))
    lanes.push_back(lane(choice, precision, device, seed, training));
  const vit::VitConfig& config = lanes.front().config();
  const std::vector<cli::Setting> settings = cli::settings_for(arguments, config);

  if (training && config.head.num_classes == 0)
    base::fail("--training: the model has no classes; --num-classes gives it some");
  std::optional<c10::InferenceMode> inference;
  if (!training) inference.emplace();
  const bench::Inputs inputs =
      arguments.has("images")
          ? read_inputs(arguments.text("images"), max_images, config, lanes.front().labels())
          : random_inputs(config, batch, seed);
  bench::Setup setup = setup_of(choice.name(), config, device);
  setup.batch = batch;
  setup.seconds = seconds;
  setup.on_request = on_request;
  setup.training = training;
  if (training) cli::keep_freed_memory();
  setup.inputs = inputs.description;
  const std::vector<bench::Result> results =
      bench::sweep(lanes, settings, rules, inputs, setup, device);
  if (results.empty()) {
    std::cerr << (cli::interrupted() ? "interrupted before anything was measured\n"
                                     : "nothing was requested on standard input\n");
    return cli::interrupted() ? cli::interrupted_status() : 1;
  }

  if (!writes_to_stdout && !on_request) std::cout << bench::table(setup, results);
  if (json) json.write(base::json_text(bench::json(setup, results), 1) + "\n");
  if (csv) csv.write(bench::csv(setup, results));
  if (plot) plot.write(bench::plot(setup, results));
  for (cli::Output* output : {&json, &csv, &plot}) output->close();
  const bool failed = report_failures(results, static_cast<int64_t>(inputs.pictures.size()));
  if (!cli::interrupted()) return failed ? 1 : 0;
  std::cerr << "interrupted: the figures are from a shorter time than asked for\n";
  return cli::interrupted_status();
}

}  // namespace

Command bench_command() {
  return {"bench", "speed-up, latency, FLOPs and agreement against r", options, run};
}
