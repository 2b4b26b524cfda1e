#include <algorithm>
#include <array>
#include <optional>
#include <system_error>
#include <utility>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include <base/error.h>
#include <base/fingerprint.h>
#include <base/json_text.h>
#include <base/temporary_file.h>
#include <base/text.h>
#include <train/card.h>
#include <train/checkpoint.h>
#include <train/journal.h>
#include <train/loss.h>
#include <train/model_setup.h>
#include <train/seeds.h>
#include <train/settings_json.h>
#include <train/trainer.h>
#include <train/unreadable.h>
#include <vit/save.h>

namespace train {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// What a seed is for: no two draws of a run are alike.
enum Purpose : uint64_t { kOrder = 1, kView, kMix, kDrop };

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Tells one data set from another, when a run goes on.
std::string fingerprint(const data::Dataset& dataset) {
  base::Fingerprint names;
  for (int64_t i = 0; i < dataset.size(); ++i) names.add(dataset.entry(i).name);
  const nlohmann::ordered_json document = {
      {"pictures", dataset.size()}, {"classes", dataset.class_names()}, {"names", names.text()}};
  return base::json_text(document);
}

// Of the run, and of the model.
constexpr std::array kRunFiles = {"checkpoint.safetensors", "curves.svg", "log.txt", "metrics.csv"};
constexpr std::array kModelFiles = {"model.safetensors", "config.json", "README.md"};

// Removes what a run that was killed had begun to write.
void remove_leftovers(const fs::path& output) {
  for (const char* file : kRunFiles) base::remove_leftovers(output / "run" / file);
  for (const char* file : kModelFiles) base::remove_leftovers(output / file);
}

// "; the first error: …"
std::string first_error(const Unreadable& unreadable) {
  const std::string& error = unreadable.first_error();
  return "; the first error" + (error.empty() ? " is another process's" : ": " + error);
}

// Clears what an earlier run left in the folder, the model apart.
void remove_run(const fs::path& output) {
  std::error_code error;
  for (const char* file : kRunFiles) fs::remove(output / "run" / file, error);
  for (const auto& entry : fs::directory_iterator(output / "run", error))
    if (entry.path().filename().string().starts_with("events.out.tfevents."))
      fs::remove(entry.path(), error);
}

}  // namespace

Trainer::Trainer(vit::VisionTransformer model, const data::Dataset& training,
                 const data::Dataset* validation, Settings settings, Surroundings surroundings,
                 std::shared_ptr<distributed::Group> group)
    : model_(std::move(model)),
      training_(training),
      validation_(validation),
      data_(fingerprint(training)),
      settings_(std::move(settings)),
      surroundings_(std::move(surroundings)),
      group_(std::move(group)),
      augment_(settings_.augment, model_->picture_preprocessing()),
      optimizer_(parameter_groups(model_, settings_.weight_decay, settings_.layer_decay),
                 settings_.adam),
      ema_(settings_.ema > 0 ? std::make_unique<Ema>(model_, settings_.ema) : nullptr),
      stepper_(model_, optimizer_, settings_, training.multi_label(), group_),
      judged_(empty_copy(model_, at::kFloat)),
      saved_(Clock::now()),
      reported_(saved_) {
  if (settings_.batch % group_->size() != 0)
    base::fail("a batch of ", settings_.batch, " pictures cannot be dealt out evenly to ",
               group_->size(), " processes: choose a ", base::Setting{"Settings::batch"},
               " that is a multiple of their number");
  if (training_.size() < settings_.batch)
    base::fail("the training data has ", training_.size(), " pictures, less than one batch of ",
               settings_.batch, ": choose a smaller ", base::Setting{"Settings::batch"});
  if (optimizer_.parameters().empty())
    base::fail("nothing is left to learn: ", base::Setting{"Settings::freeze"},
               " leaves no parameter free");
  unreadable_ = std::make_unique<Unreadable>(training_, "training", surroundings_.on_warning);
  if (validation_)
    unreadable_validation_ =
        std::make_unique<Unreadable>(*validation_, "validation", surroundings_.on_warning);
  judged_->set_reducer(model_->reducer());
  // What it is trained for; of one class for each picture it need not be said.
  judged_->set_scores(training_.multi_label() ? std::optional(vit::ScoreKind::sigmoid)
                                              : std::nullopt);
  model_->train();
  start();
}

Trainer::~Trainer() = default;

fs::path Trainer::checkpoint_file() const {
  return surroundings_.output / "run" / "checkpoint.safetensors";
}

vit::StateDict Trainer::tensors() const {
  vit::StateDict all;
  const auto add = [&](const std::string& prefix, const vit::StateDict& part) {
    for (const auto& [name, tensor] : part) all[prefix + name] = tensor;
  };
  add("model.", weights_of(model_));
  add("optimizer.", optimizer_.state());
  if (ema_) add("ema.", ema_->weights());
  return all;
}

void Trainer::start() {
  if (leader()) {
    std::error_code error;
    remove_leftovers(surroundings_.output);
    if (surroundings_.overwrite) remove_run(surroundings_.output);
    const bool begun = fs::exists(checkpoint_file(), error);
    if (begun && surroundings_.resume) {
      resume();
    } else if (begun) {
      base::fail(surroundings_.output.string(),
                 " holds a training run already: ", base::Setting{"Surroundings::resume"},
                 " goes on with it, ", base::Setting{"Surroundings::overwrite"}, " begins anew");
    } else if (surroundings_.resume && surroundings_.on_warning) {
      surroundings_.on_warning("nothing to resume in " + surroundings_.output.string() +
                               ": the run begins anew");
    }
    journal_ = std::make_unique<Journal>(surroundings_.output / "run", progress_.step);
    journal_->settings(to_json(settings_).dump(1));
  }
  if (group_->size() == 1) return;
  const at::NoGradGuard no_gradient;
  std::vector<at::Tensor> all;
  for (const auto& [name, tensor] : tensors()) all.push_back(tensor.detach());
  group_->broadcast(all);
  progress_ = progress_of(
      nlohmann::ordered_json::parse(group_->all_gather(to_json(progress_).dump()).front()));
}

void Trainer::resume() {
  const fs::path file = checkpoint_file();
  Checkpoint checkpoint = read_checkpoint(file);
  const auto changed = differences(checkpoint.settings, to_json(settings_));
  if (!changed.empty())
    base::fail(file.string(), ": belongs to a run with other settings: ", base::join(changed, ", "),
               ". Give the same ones to go on; ", base::Setting{"Surroundings::overwrite"},
               " begins anew");
  if (base::json_text(checkpoint.data) != data_)
    base::fail(file.string(), ": belongs to a run with other training data; ",
               base::Setting{"Surroundings::overwrite"}, " begins anew");
  const at::NoGradGuard no_gradient;
  vit::StateDict mine = tensors();
  for (auto& [name, tensor] : mine) {
    const auto found = checkpoint.tensors.find(name);
    if (found == checkpoint.tensors.end() || found->second.sizes() != tensor.sizes())
      base::fail(file.string(), ": does not fit the model: \"", name,
                 "\" is missing or of another shape");
    tensor.detach().copy_(found->second);
  }
  if (checkpoint.tensors.size() != mine.size())
    base::fail(file.string(), ": does not fit the model: it has ", checkpoint.tensors.size(),
               " tensors, expected ", mine.size());
  progress_ = std::move(checkpoint.progress);
}

Outcome Trainer::run() {
  if (leader() && progress_.step > 0)
    line("goes on after step " + std::to_string(progress_.step) + ", in epoch " +
         std::to_string(progress_.epoch + 1));
  while (progress_.epoch < settings_.epochs) {
    if (!run_epoch() || !judge()) {
      if (leader()) save_checkpoint();
      return Outcome::interrupted;
    }
    finish_epoch();
  }
  return Outcome::finished;
}

StepInput Trainer::input_of(data::Batch& batch) {
  unreadable_->add(batch.unreadable, batch.errors);
  StepInput input;
  input.unreadable = static_cast<int64_t>(batch.errors.size());
  if (!batch.pixels.defined()) return input;
  input.pixels = std::move(batch.pixels);
  input.targets = targets(training_.classes_of(batch.entries),
                          static_cast<int64_t>(training_.class_names().size()), settings_.smoothing,
                          training_.multi_label());
  const bool mixes = settings_.mix.mixup > 0 || settings_.mix.cutmix > 0;
  if (mixes && progress_.epoch < settings_.epochs - settings_.unmixed_epochs)
    mix_batch(input.pixels, input.targets, settings_.mix,
              combine_seeds({settings_.seed, kMix, static_cast<uint64_t>(progress_.step),
                             static_cast<uint64_t>(group_->rank())}));
  return input;
}

bool Trainer::run_epoch() {
  const Deal deal = this->deal();
  const int64_t steps = steps_per_epoch();
  const auto epoch = static_cast<uint64_t>(progress_.epoch);
  const auto order =
      epoch_order(training_.size(), combine_seeds({settings_.seed, kOrder}), progress_.epoch);
  const auto view = [&](const at::Tensor& rgb, int64_t index) {
    return augment_(rgb,
                    combine_seeds({settings_.seed, kView, epoch, static_cast<uint64_t>(index)}));
  };
  data::BatchStream stream(training_, deal.entries(order, progress_.step_in_epoch), view,
                           {.batch = deal.share(), .workers = surroundings_.workers});
  progress_.current.epoch = progress_.epoch + 1;
  auto begun = Clock::now();
  while (auto batch = stream.next()) {
    const double done = static_cast<double>(progress_.step + 1) / static_cast<double>(steps);
    const double rate = settings_.rate.at(done);
    const StepResult result =
        stepper_.run(input_of(*batch), rate,
                     combine_seeds({settings_.seed, kDrop, static_cast<uint64_t>(progress_.step),
                                    static_cast<uint64_t>(group_->rank())}),
                     surroundings_.stopped());
    ++progress_.step;
    ++progress_.step_in_epoch;
    if (ema_) ema_->update(progress_.step);
    note(result, rate, seconds_since(begun));
    begun = Clock::now();
    if (result.stop) return false;
    if (leader() && Clock::now() - saved_ > surroundings_.checkpoint_every) save_checkpoint();
  }
  if (progress_.current.pictures == 0)
    base::fail("none of the training pictures can be read", first_error(*unreadable_));
  if (progress_.current.unreadable > 0) unreadable_->report(*group_);
  return true;
}

void Trainer::note(const StepResult& result, double rate, double seconds) {
  EpochResult& current = progress_.current;
  current.pictures += result.pictures;
  current.unreadable += result.unreadable;
  current.loss += result.loss;
  current.rate = rate;
  current.seconds += seconds;
  if (!leader() || result.pictures == 0) return;
  const auto pictures = static_cast<double>(result.pictures);
  constexpr int64_t kCurveSteps = 10;  // a point of the curves for so many steps
  if (progress_.step % kCurveSteps == 0)
    journal_->step(progress_.step, result.loss / pictures, rate, result.norm, pictures / seconds);
  if (Clock::now() - reported_ > surroundings_.report_every) report();
  if (surroundings_.on_progress)
    surroundings_.on_progress(
        progress_.step_in_epoch * settings_.batch, steps_per_epoch() * settings_.batch,
        "epoch " + std::to_string(current.epoch) + "/" + std::to_string(settings_.epochs) +
            ", loss " + base::fixed(current.loss / static_cast<double>(current.pictures), 3));
}

void Trainer::line(const std::string& text) {
  journal_->line(text);
  if (surroundings_.on_line) surroundings_.on_line(text);
  reported_ = Clock::now();
}

void Trainer::report() {
  const EpochResult& current = progress_.current;
  const auto pictures = static_cast<double>(current.pictures);
  line("epoch " + std::to_string(current.epoch) + "/" + std::to_string(settings_.epochs) +
       "  step " + std::to_string(progress_.step_in_epoch) + "/" +
       std::to_string(steps_per_epoch()) + "  loss " + base::fixed(current.loss / pictures, 4) +
       "  lr " + base::fixed(current.rate, 6) + "  " + pace(pictures / current.seconds));
}

// "157 pictures/s  1:05:10 left", of the whole run.
std::string Trainer::pace(double pictures_per_second) const {
  std::string text = base::fixed(pictures_per_second, 0) + " pictures/s";
  const int64_t steps = settings_.epochs * steps_per_epoch() - progress_.step;
  if (steps > 0)
    text += "  " +
            base::clock_text(static_cast<double>(steps * settings_.batch) / pictures_per_second) +
            " left";
  return text;
}

bool Trainer::judge() {
  copy_weights(ema_ ? ema_->weights() : weights_of(model_), judged_);
  if (!validation_) return true;
  const auto validation = validate(judged_, *validation_,
                                   {.batch = std::max<int64_t>(settings_.batch / group_->size(), 1),
                                    .workers = surroundings_.workers,
                                    .stopped = surroundings_.stopped},
                                   *group_);
  if (!validation) return false;
  unreadable_validation_->add(validation->unreadable, validation->errors);
  if (validation->pictures == 0)
    base::fail("none of the validation pictures can be read", first_error(*unreadable_validation_));
  if (validation->pictures < validation_->size()) unreadable_validation_->report(*group_);
  progress_.current.validation_loss = validation->loss;
  progress_.current.score = validation->score;
  return true;
}

bool Trainer::is_best(const EpochResult& row) const {
  if (!validation_ || progress_.best_epoch == 0) return true;
  if (row.score != progress_.best_score) return row.score > progress_.best_score;
  const auto best = static_cast<std::size_t>(progress_.best_epoch - 1);
  return row.validation_loss < progress_.history[best].validation_loss;
}

void Trainer::finish_epoch() {
  EpochResult row = std::exchange(progress_.current, {});
  row.loss /= static_cast<double>(row.pictures);
  ++progress_.epoch;
  progress_.step_in_epoch = 0;
  const bool better = is_best(row);
  progress_.history.push_back(row);
  if (better) {
    progress_.best_epoch = row.epoch;
    progress_.best_score = row.score;
  }
  if (leader()) record(row, better);
}

std::string Trainer::score_name() const {
  return !validation_ ? "" : training_.multi_label() ? "mAP" : "top-1";
}

void Trainer::record(const EpochResult& row, bool better) {
  std::string text = "epoch " + std::to_string(row.epoch) + "/" + std::to_string(settings_.epochs) +
                     "  loss " + base::fixed(row.loss, 4);
  if (validation_)
    text += "  validation loss " + base::fixed(row.validation_loss, 4) + "  " + score_name() + " " +
            base::percent(row.score, 2) + (better ? " (best)" : "");
  text += "  lr " + base::fixed(row.rate, 6) + "  " +
          pace(static_cast<double>(row.pictures) / row.seconds);
  if (row.unreadable > 0) text += "  " + std::to_string(row.unreadable) + " unreadable";
  line(text);
  journal_->epoch(progress_, score_name());
  if (better) save_model(judged_);
  save_checkpoint();
}

void Trainer::save_model(const vit::VisionTransformer& model) {
  vit::save(model, surroundings_.output);
  const std::string text = model_card(
      fs::absolute(surroundings_.output / "").parent_path().filename().string(), model, progress_,
      to_json(settings_), {surroundings_.data, surroundings_.command, score_name()});
  base::replace_file(surroundings_.output / "README.md", text);
}

void Trainer::save_checkpoint() {
  write_checkpoint(checkpoint_file(), {tensors(), progress_, to_json(settings_),
                                       nlohmann::ordered_json::parse(data_)});
  saved_ = Clock::now();
}

}  // namespace train
