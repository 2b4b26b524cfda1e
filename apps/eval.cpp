#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <optional>

#include <ATen/core/Tensor.h>
#include <c10/core/InferenceMode.h>
#include <nlohmann/json.hpp>

#include <apps/cli/interrupt.h>
#include <apps/cli/output.h>
#include <apps/cli/progress.h>
#include <apps/cli/run_options.h>
#include <apps/cli/schedules.h>
#include <apps/cli/scores.h>
#include <apps/cli/standard_output.h>
#include <apps/cli/usage_error.h>
#include <apps/command.h>
#include <apps/eval/plot.h>
#include <apps/eval/report.h>
#include <base/error.h>
#include <base/fingerprint.h>
#include <base/json_text.h>
#include <base/table.h>
#include <base/text.h>
#include <data/by_class.h>
#include <distributed/group.h>
#include <eval/gather.h>
#include <eval/labels.h>
#include <eval/metrics.h>
#include <eval/run.h>
#include <eval/state.h>

namespace {

constexpr int64_t kMaxImages = int64_t{1} << 40;
constexpr auto kSaveEvery = std::chrono::seconds(30);

cli::Options options() {
  cli::Options options(
      "vitome eval", "[options] DATA",
      "Measures how accurate a model is on labelled pictures, and what merging tokens costs: "
      "top-1 and top-5 accuracy, the accuracy of each class, confusion, calibration, or mAP where "
      "pictures have several labels. All schedules run in one pass over the pictures; r=0 is "
      "always among them. DATA is a folder with a folder of pictures for each class, a .csv or "
      ".tsv list of files and labels, or tar shards in the WebDataset layout ('val-{00..11}.tar').",
      true);
  cli::add_model_options(options, "");
  cli::add_image_size_option(options);
  cli::add_max_patches_option(options);
  options.group("Schedules to compare");
  cli::add_schedule_options(options);
  cli::add_merge_rule_options(options);
  cli::add_device_options(options, "fp32, bf16, fp16, int8, or auto (bf16 where it is faster)");
  options.value("batch", "N", "pictures that go through the model together", "32");
  cli::add_workers_option(options);
  options.group("Data").value(
      "class-map", "FILE",
      "a .csv with two columns, a label of the data and the name or number of the class "
      "that it means");
  cli::add_activation_option(options);
  options.value("max-images", "N", "of larger data take that many, evenly spread")
      .group("Output")
      .value("json", "FILE", "all figures as JSON; - is standard output")
      .value("csv", "FILE", "a line of CSV for each schedule")
      .value("markdown", "FILE", "the tables for a document")
      .value("predictions", "FILE", "a line of CSV for each picture: what it is taken for")
      .value("plot", "FILE", "accuracy against merge ratio as an SVG picture")
      .value("confusion", "FILE", "the confusion matrix of r=0 as an SVG picture")
      .value("resume", "FILE",
             "save what is done to FILE now and then, and go on from there after an interruption");
  options.example("vitome eval test/", "the shipped model, with and without merging")
      .example(
          "vitome eval test/ --model my-vit/ --r 0,4,8 --schedules '8,-1.0;keep=0.9' --json "
          "out.json",
          "a model of your own under several schedules")
      .example("vitome eval 'val-{00..11}.tar' --model hf:ORG/NAME --dtype auto --resume val.state",
               "tar shards; the same command again goes on after an interruption")
      .example("torchrun --nproc-per-node 2 --no-python -- vitome eval val.csv --r 0,8",
               "two processes share the work; after -- torchrun takes no option for its own");
  return options;
}

// The files that are asked for; opened before the work begins.
struct Outputs {
  explicit Outputs(const cli::Arguments& arguments)
      : json(arguments, "json"),
        csv(arguments, "csv"),
        markdown(arguments, "markdown"),
        predictions(arguments, "predictions"),
        plot(arguments, "plot"),
        confusion(arguments, "confusion") {
    cli::check_one_stdout({&json, &csv, &markdown, &predictions, &plot, &confusion});
  }

  void write(const eval::Setup& setup, const std::vector<eval::Result>& results,
             const std::function<std::string()>& predictions_text) {
    const std::vector<cli::Output*> all = {&json, &csv, &markdown, &predictions, &plot, &confusion};
    const bool table = std::none_of(all.begin(), all.end(),
                                    [](const cli::Output* output) { return output->is_stdout(); });
    if (table) std::cout << eval::table(setup, results);
    if (json) json.write(base::json_text(eval::json(setup, results), 1) + "\n");
    if (csv) csv.write(eval::csv(setup, results));
    if (markdown) markdown.write(eval::markdown(setup, results));
    if (predictions) predictions.write(predictions_text());
    if (plot) plot.write(eval::plot(setup, results));
    if (confusion) confusion.write(eval::confusion_plot(setup, results.front()));
    for (cli::Output* output : all) output->close();
    cli::flush_standard_output();
  }

  cli::Output json, csv, markdown, predictions, plot, confusion;
};

// All of them, or so many evenly spread ones.
std::vector<int64_t> chosen_entries(const cli::Arguments& arguments, int64_t total) {
  int64_t count = total;
  if (arguments.has("max-images"))
    count = std::min(count, arguments.integer("max-images", 1, kMaxImages));
  std::vector<int64_t> entries;
  for (int64_t i = 0; i < count; ++i) entries.push_back(i * total / count);
  return entries;
}

std::string predictions_csv(const eval::LabelledData& data, const eval::Records& records,
                            const std::vector<cli::Setting>& settings) {
  const auto name = [&](int64_t label) {
    return data.class_names[static_cast<std::size_t>(label)];
  };
  std::vector<std::string> header = {"file", "label"};
  std::vector<at::Tensor> predictions;
  std::vector<at::Tensor> confidences;
  for (std::size_t i = 0; i < settings.size(); ++i) {
    header.push_back(settings[i].label());
    predictions.push_back(records.prediction(static_cast<int64_t>(i)));
    if (records.multi_label()) continue;
    header.push_back(settings[i].label() + " confidence");
    confidences.push_back(records.confidence(static_cast<int64_t>(i)));
  }
  std::string text = base::csv_line(header);
  for (int64_t i = 0; i < records.pictures(); ++i) {
    if (records.status(i) != eval::Records::evaluated) continue;
    std::vector<std::string> labels;
    for (int64_t label : data.targets[static_cast<std::size_t>(i)]) labels.push_back(name(label));
    std::vector<std::string> cells = {base::inert_cell(data.dataset->entry(i).name),
                                      base::inert_cell(base::join(labels, ";"))};
    for (std::size_t s = 0; s < settings.size(); ++s) {
      cells.push_back(base::inert_cell(name(predictions[s].const_data_ptr<int32_t>()[i])));
      if (!confidences.empty())
        cells.push_back(base::fixed(confidences[s].const_data_ptr<double>()[i], 6));
    }
    text += base::csv_line(cells);
  }
  return text;
}

// All that the recorded numbers depend on.
nlohmann::ordered_json job_of(const cli::ModelChoice& choice, const eval::Setup& setup,
                              const eval::LabelledData& data,
                              const std::vector<cli::Setting>& settings,
                              eval::Partition partition) {
  base::Fingerprint content;
  for (int64_t i = 0; i < data.dataset->size(); ++i) {
    content.add(data.dataset->entry(i).name);
    for (int64_t label : data.targets[static_cast<std::size_t>(i)])
      content.add(std::to_string(label));
  }
  std::vector<std::string> schedules;
  for (const cli::Setting& setting : settings) schedules.push_back(setting.schedule.to_string());
  return {{"version", VITOME_VERSION},
          {"model", setup.model},
          {"weights", eval::file_fingerprint(choice.path)},
          {"classes", setup.class_names.size()},
          {"data", setup.data},
          {"pictures", data.dataset->size()},
          {"content", content.text()},
          {"chosen pictures", setup.asked},
          {"image size", setup.image_size},
          {"schedules", schedules},
          {"prop-attn", setup.prop_attn},
          {"merged positions", setup.merged_positions},
          {"scores", setup.scores},
          {"dtype", setup.dtype},
          {"device", setup.device},
          {"batch", setup.batch},
          {"rank", partition.rank},
          {"processes", partition.count}};
}

// Runs what waits, with a progress bar and now and then a saved state.
void work(const eval::Job& job, eval::Partition partition, eval::Records& records,
          const std::optional<eval::StateFile>& state, bool show_progress) {
  using Clock = std::chrono::steady_clock;
  const auto waiting = static_cast<int64_t>(eval::waiting_entries(job, partition, records).size());
  const int64_t before = records.finished();
  std::optional<cli::Progress> progress;
  if (show_progress) progress.emplace(waiting, "pictures");
  // The first state comes at once: a file that cannot be written shows early.
  auto saved = Clock::now() - kSaveEvery;
  eval::run(job, partition, records, [&] {
    const std::size_t failures = records.failures().size();
    if (progress)
      progress->update(records.finished() - before,
                       failures > 0 ? std::to_string(failures) + " left out" : "");
    if (state && (Clock::now() - saved >= kSaveEvery || cli::interrupted())) {
      state->save(records);
      saved = Clock::now();
    }
    return !cli::interrupted();
  });
}

// Writes all outputs. Throws base::Error if there is nothing to say.
void report(const eval::Setup& setup, const eval::Job& job,
            const std::vector<cli::Setting>& settings, const eval::LabelledData& data,
            const eval::Records& records, Outputs& outputs) {
  const int64_t finished = records.finished();
  if (finished == static_cast<int64_t>(setup.failures.size())) {
    if (setup.complete)
      base::fail(setup.data, ": no picture can be evaluated; the first: ",
                 setup.failures.empty() ? "there is none" : setup.failures.front().second);
    std::cerr << "interrupted before anything was evaluated\n";
    return;
  }
  const std::vector<eval::Figures> figures = eval::figures(records, data.targets);
  std::vector<eval::Result> results;
  for (std::size_t i = 0; i < settings.size(); ++i)
    results.push_back({settings[i], job.mergings[i], figures[i]});
  outputs.write(setup, results, [&] { return predictions_csv(data, records, settings); });
  if (!setup.complete)
    std::cerr << "interrupted: the figures are of " << finished << " of " << setup.asked
              << " pictures\n";
}

// What --activation says, or else the model.
vit::ScoreKind score_kind(std::optional<vit::ScoreKind> asked, const vit::InferenceModel& model) {
  if (asked == vit::ScoreKind::none)
    cli::usage_error(
        "--activation none leaves no probabilities to measure; expected softmax or "
        "sigmoid");
  if (!asked && model.score_kind() == vit::ScoreKind::none)
    base::fail(
        "the model's outputs are no classes (its problem_type is regression): say with "
        "--activation softmax or sigmoid how to take them as such");
  return asked.value_or(model.score_kind());
}

int run(const cli::Arguments& arguments) {
  if (arguments.files().size() != 1)
    cli::usage_error(arguments.files().empty() ? "no DATA given" : "more than one DATA given");
  const int64_t batch = arguments.integer("batch", 1, cli::kMaxBatch);
  const int64_t workers = cli::workers_option(arguments);
  const tome::Options rules = cli::merge_rules(arguments);
  cli::asked_settings(arguments);  // before the model is loaded: what is wrong shows at once
  const c10::Device device = cli::device_option(arguments);
  const vit::Precision precision = cli::parse_dtype(arguments.text("dtype"), device);
  cli::set_threads(arguments);
  const auto activation = cli::activation_option(arguments);
  const cli::ModelChoice choice = cli::model_choice(arguments);
  cli::watch_interrupts();
  const auto group = distributed::group_from_environment(c10::kCPU);
  const eval::Partition partition{group->rank(), group->size()};
  const bool leader = group->leader();
  std::optional<Outputs> outputs;
  if (leader) outputs.emplace(arguments);

  c10::InferenceMode inference;
  const vit::InferenceModel model = cli::load_classifier(choice, precision, device);
  const vit::VitConfig& config = model.config();
  const vit::ScoreKind scores = score_kind(activation, model);
  const auto note = [&](const std::string& text) {
    if (leader) std::cerr << "note: " << base::printable(text) << "\n";
  };
  std::map<std::string, std::string> class_map;
  if (arguments.has("class-map")) class_map = eval::read_class_map(arguments.text("class-map"));
  const eval::LabelledData data =
      eval::open_for_model(arguments.files().front(), model.labels(), config.head.num_classes,
                           class_map, model.picture_preprocessing().transparency, note);
  const bool multi_label = data.dataset->multi_label();
  if (multi_label && arguments.has("confusion"))
    cli::usage_error("--confusion needs data with one label for each picture");
  if (multi_label && scores == vit::ScoreKind::softmax)
    note(
        "the data has several labels for a picture, the model one class (a softmax): mAP and BCE "
        "take its logits as if each class stood alone; is it the right model?");
  const std::vector<cli::Setting> settings = cli::settings_for(arguments, config);
  const eval::Job job{*data.dataset,
                      data.targets,
                      chosen_entries(arguments, data.dataset->size()),
                      model,
                      cli::mergings(config, settings, rules),
                      precision,
                      device,
                      batch,
                      workers};

  eval::Setup setup;
  setup.model = choice.name();
  setup.data = arguments.files().front();
  setup.image_size = cli::input_size_text(config);
  setup.dtype = precision.name();
  setup.device = device.str();
  setup.num_tokens = config.num_tokens();
  setup.batch = batch;
  setup.prop_attn = rules.prop_attn;
  setup.merged_positions = arguments.text("merged-positions");
  setup.asked = static_cast<int64_t>(job.entries.size());
  setup.scores = vit::score_kind_name(scores);
  setup.class_names = data.class_names;

  eval::Records records(static_cast<int64_t>(settings.size()), data.dataset->size(),
                        config.head.num_classes, multi_label, scores);
  std::optional<eval::StateFile> state;
  if (arguments.has("resume")) {
    std::string path = arguments.text("resume");
    if (partition.count > 1)  // each process has a file of its own
      path.append(".").append(std::to_string(partition.rank));
    state.emplace(path, base::json_text(job_of(choice, setup, data, settings, partition)));
    if (state->load(records))
      note("going on after " + std::to_string(records.finished()) + " pictures");
  }
  work(job, partition, records, state, leader);
  eval::gather(*group, records);
  setup.complete = records.finished() == setup.asked;
  std::vector<int64_t> unreadable;
  for (const auto& [picture, reason] : records.failures()) {
    setup.failures.emplace_back(data.dataset->entry(picture).name, reason);
    unreadable.push_back(picture);
  }
  if (leader) {
    for (const auto& [file, reason] : setup.failures)
      std::cerr << "left out: " << base::printable(reason) << "\n";
    if (!setup.failures.empty())
      std::cerr << "left out: " << setup.failures.size() << " of " << setup.asked
                << " pictures, by class: " << data::by_class(*data.dataset, unreadable) << "\n";
    report(setup, job, settings, data, records, *outputs);
    if (!setup.complete)
      std::cerr << (state ? "the same command goes on" : "with --resume FILE it could go on")
                << "\n";
  }
  // Whoever started the processes may end all of them when one has ended.
  group->barrier();
  if (!setup.complete) return cli::interrupted_status();
  if (state) state->remove();
  return setup.failures.empty() ? 0 : 1;
}

}  // namespace

Command eval_command() {
  return {"eval", "accuracy on labelled pictures, and what merging costs", options, run};
}
