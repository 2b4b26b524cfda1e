#include <algorithm>
#include <fstream>
#include <iostream>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <nlohmann/json.hpp>
#include <torch/cuda.h>

#include <apps/bench/measure.h>
#include <apps/bench/plot.h>
#include <apps/bench/report.h>
#include <apps/cli/host.h>
#include <apps/cli/interrupt.h>
#include <apps/cli/labels.h>
#include <apps/cli/output.h>
#include <apps/cli/pictures.h>
#include <apps/cli/recommended_r.h>
#include <apps/cli/run_options.h>
#include <apps/cli/text.h>
#include <apps/cli/usage_error.h>
#include <apps/command.h>
#include <vit/error.h>
#include <vit/flops.h>

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
  options.group("Settings to measure")
      .value("r", "N,N,...",
             "tokens merged in every layer (default: 0, the r that inspect recommends, half of it)")
      .value("schedules", "SPEC;SPEC",
             "other schedules, as --schedule of classify reads them: '13,-1.0;[8,0,8,4];keep=0.9'");
  cli::add_prop_attn_option(options);
  cli::add_device_options(options, "fp32, bf16, fp16, auto, or several of them between commas");
  options.value("batch", "N", "inputs that run together", "8")
      .value("seconds", "S", "measuring time for each setting", "10")
      .group("Inputs")
      .value("images", "FOLDER",
             "pictures instead of random numbers. Those in folders named like the labels of the "
             "model give its accuracy, too")
      .value("max-images", "N", "of a larger folder take that many, evenly spread", "256")
      .group("Output")
      .value("json", "FILE", "all figures as JSON; - is standard output")
      .value("csv", "FILE", "the same as CSV")
      .value("plot", "FILE", "speed-up against merge ratio as an SVG picture");
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

struct Setting {
  tome::Schedule schedule;
  std::optional<int64_t> r;  // of a constant schedule
};

// What is asked for beside r=0.
std::vector<Setting> merging_settings(const cli::Arguments& arguments) {
  std::vector<Setting> settings;
  if (arguments.has("r"))
    for (int64_t r : arguments.integers("r", 0, cli::kMaxMerged))
      if (r > 0) settings.push_back({tome::Schedule(r), r});
  if (arguments.has("schedules"))
    for (const std::string& text : cli::split(arguments.text("schedules"), ';'))
      settings.push_back({cli::parse_schedule("schedules", text), cli::parse_integer(text)});
  return settings;
}

// Half of the recommended r, and that.
std::vector<Setting> default_settings(const vit::VitConfig& config) {
  std::vector<Setting> settings;
  const int64_t most = cli::recommended_r(config);
  for (int64_t r : {most / 2, most})
    if (r > 0 && (settings.empty() || settings.back().r != r))
      settings.push_back({tome::Schedule(r), r});
  return settings;
}

std::vector<at::ScalarType> dtypes(const cli::Arguments& arguments, c10::Device device) {
  std::vector<at::ScalarType> types;
  for (const std::string& text : cli::split(arguments.text("dtype"), ',')) {
    const at::ScalarType type = cli::parse_dtype(text, device);
    if (std::find(types.begin(), types.end(), type) == types.end()) types.push_back(type);
  }
  return types;
}

// What the model is run on: all of it for the agreement, one batch for the timing.
struct Inputs {
  at::Tensor pixels;   // [M,3,H,W] float32
  at::Tensor targets;  // [M] int64, -1 where unknown; undefined if all are
  std::string description;
};

Inputs random_inputs(const vit::VitConfig& config, int64_t batch, uint64_t seed) {
  return {at::randn({batch, config.in_channels, config.image_size.height, config.image_size.width},
                    at::make_generator<at::CPUGeneratorImpl>(seed)),
          {},
          "random numbers"};
}

Inputs read_inputs(const std::string& folder, int64_t most, const vit::VisionTransformer& model) {
  const std::vector<cli::PictureFile> files = cli::list_pictures({folder});
  const auto total = static_cast<int64_t>(files.size());
  const int64_t count = std::min(most, total);
  std::vector<cli::PictureFile> chosen;
  for (int64_t i = 0; i < count; ++i)
    chosen.push_back(files[static_cast<std::size_t>(i * total / count)]);

  Inputs inputs;
  std::vector<at::Tensor> pixels;
  std::vector<int64_t> targets;
  const int64_t workers = cli::usable_cpus();
  cli::PictureStream stream(chosen, model->preprocessing(), workers, 4 * workers);
  while (const auto picture = stream.next()) {
    if (!picture->error.empty()) vit::fail("--images: ", picture->error);
    pixels.push_back(picture->pixels);
    targets.push_back(cli::label_of_folder(picture->path, model->labels()));
  }
  inputs.pixels = at::stack(pixels);
  inputs.targets = at::tensor(targets);
  if ((inputs.targets < 0).all().item<bool>()) inputs.targets.reset();
  inputs.description = std::to_string(count) + " pictures of " + folder;
  return inputs;
}

// Top-1 class of every input, computed batch by batch.
at::Tensor top1(const vit::VisionTransformer& model, const at::Tensor& pixels, int64_t batch,
                c10::Device device, at::ScalarType dtype) {
  std::vector<at::Tensor> classes;
  for (const at::Tensor& part : pixels.split(batch))
    classes.push_back(model->forward(part.to(device, dtype)).argmax(-1).cpu());
  return at::cat(classes);
}

double share(const at::Tensor& which) { return which.to(at::kDouble).mean().item<double>(); }

// Everything that is measured: the settings of every dtype, with the models they need.
class Bench {
 public:
  Bench(const cli::Arguments& arguments, c10::Device device)
      : device_(device),
        batch_(arguments.integer("batch", 1, cli::kMaxBatch)),
        settings_(merging_settings(arguments)) {
    setup_.seconds = arguments.number("seconds", 0.001, 86400);
    const bool prop_attn = cli::prop_attn(arguments);
    const cli::ModelChoice choice = cli::model_choice(arguments);
    const uint64_t seed = cli::seed_option(arguments);
    for (at::ScalarType dtype : dtypes(arguments, device))
      lanes_.push_back({choice.load(dtype, device, seed), dtype, {}, {}});
    const auto& config = model()->config();
    if (!arguments.has("r") && !arguments.has("schedules")) settings_ = default_settings(config);
    settings_.insert(settings_.begin(), {tome::Schedule(0), 0});
    for (Lane& lane : lanes_)
      for (const Setting& setting : settings_) {
        tome::apply(lane.model, {.r = setting.schedule, .prop_attn = prop_attn});
        lane.reducers.push_back(lane.model->reducer());
      }
    setup_.model = choice.name();
    setup_.image_size =
        std::to_string(config.image_size.height) + "x" + std::to_string(config.image_size.width);
    setup_.num_tokens = config.num_tokens();
    setup_.device = device.str();
    setup_.batch = batch_;
    setup_.threads = at::get_num_threads();
  }

  const vit::VisionTransformer& model() const { return lanes_.front().model; }
  const bench::Setup& setup() const { return setup_; }
  int64_t batch() const { return batch_; }

  // Fills the figures of every setting; none if it was interrupted before there were any.
  std::vector<bench::Result> run(const Inputs& inputs) {
    setup_.inputs = inputs.description;
    std::vector<bench::Subject> subjects;
    for (Lane& lane : lanes_) {
      // Fewer pictures than a batch are repeated.
      const auto index = at::arange(batch_).remainder(inputs.pixels.size(0));
      lane.batch = inputs.pixels.index_select(0, index).to(device_, lane.dtype);
      for (const auto& reducer : lane.reducers)
        subjects.push_back({[&lane, reducer] { lane.model->set_reducer(reducer); },
                            [this, &lane] {
                              lane.model->forward(lane.batch);
                              if (device_.is_cuda()) torch::cuda::synchronize(device_.index());
                            }});
    }
    std::vector<bench::Timing> timings;
    {
      cli::Progress progress(100, "%");
      timings = bench::measure(subjects, setup_.seconds, progress);
    }
    if (timings.front().round_rates.empty()) return {};
    std::vector<bench::Result> results;
    for (Lane& lane : lanes_) {
      at::Tensor baseline;
      for (std::size_t i = 0; i < settings_.size(); ++i) {
        bench::Result result = counted(lane, i);
        bench::set_timing(result, timings[results.size()], batch_);
        lane.model->set_reducer(lane.reducers[i]);
        const at::Tensor classes = top1(lane.model, inputs.pixels, batch_, device_, lane.dtype);
        if (i == 0) baseline = classes;
        result.top1_agreement = share(classes == baseline);
        if (inputs.targets.defined()) {
          const at::Tensor known = inputs.targets >= 0;
          result.top1 = share((classes == inputs.targets).masked_select(known));
        }
        const bench::Result& first = i == 0 ? result : results[results.size() - i];
        result.speedup = result.throughput_median / first.throughput_median;
        result.flop_ratio = first.gflops / result.gflops;
        results.push_back(std::move(result));
      }
    }
    return results;
  }

 private:
  struct Lane {
    vit::VisionTransformer model;
    at::ScalarType dtype;
    std::vector<std::shared_ptr<const vit::TokenReducer>> reducers;  // one for each setting
    at::Tensor batch;
  };

  // What is known without running anything.
  bench::Result counted(const Lane& lane, std::size_t setting) const {
    const auto& config = lane.model->config();
    const vit::TokenReducer* reducer = lane.reducers[setting].get();
    bench::Result result;
    result.schedule = settings_[setting].schedule.to_string();
    result.r = settings_[setting].r;
    result.dtype = cli::dtype_name(lane.dtype);
    result.baseline = setting == 0;
    result.tokens = vit::tokens_per_layer(config, reducer);
    const auto all = static_cast<double>(config.num_tokens());
    result.merge_ratio = (all - static_cast<double>(result.tokens.back())) / all;
    result.gflops = vit::gflops(config, reducer);
    return result;
  }

  c10::Device device_;
  int64_t batch_;
  std::vector<Setting> settings_;
  std::vector<Lane> lanes_;
  bench::Setup setup_;
};

int run(const cli::Arguments& arguments) {
  const c10::Device device = cli::device_option(arguments);
  cli::watch_interrupts();
  cli::Output json(arguments, "json");
  cli::Output csv(arguments, "csv");
  cli::Output plot(arguments, "plot");
  cli::check_one_stdout({&json, &csv, &plot});
  cli::set_threads(arguments);
  Bench bench(arguments, device);
  c10::InferenceMode inference;
  const Inputs inputs =
      arguments.has("images")
          ? read_inputs(arguments.text("images"), arguments.integer("max-images", 1, kMaxImages),
                        bench.model())
          : random_inputs(bench.model()->config(), bench.batch(), cli::seed_option(arguments));
  const std::vector<bench::Result> results = bench.run(inputs);
  if (results.empty()) {
    std::cerr << "interrupted before anything was measured\n";
    return cli::kExitInterrupted;
  }

  if (!json.is_stdout() && !csv.is_stdout() && !plot.is_stdout())
    std::cout << bench::table(bench.setup(), results);
  if (json) json.write(cli::to_text(bench::json(bench.setup(), results), 1) + "\n");
  if (csv) csv.write(bench::csv(bench.setup(), results));
  if (plot) plot.write(bench::plot(bench.setup(), results));
  for (cli::Output* output : {&json, &csv, &plot}) output->close();
  if (!cli::interrupted()) return 0;
  std::cerr << "interrupted: the figures are from a shorter time than asked for\n";
  return cli::kExitInterrupted;
}

}  // namespace

Command bench_command() {
  return {"bench", "speed-up, latency, FLOPs and agreement against r", options, run};
}
