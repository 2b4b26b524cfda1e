#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include <data/batches.h>
#include <data/dataset.h>
#include <distributed/group.h>
#include <train/adamw.h>
#include <train/ema.h>
#include <train/order.h>
#include <train/progress.h>
#include <train/settings.h>
#include <train/step.h>
#include <train/validate.h>
#include <vit/vision_transformer.h>
#include <vit/weights/state_dict.h>

namespace train {

/// What a run needs beside its settings, none of which changes what it learns.
struct Surroundings {
  std::string command;           ///< that started the run, for the model card
  std::string data;              ///< what it learns from, for the model card
  std::filesystem::path output;  ///< folder of the model; the run's own files are in output/run
  bool resume = false;           ///< go on with the run in `output`
  bool overwrite = false;        ///< begin anew where `output` holds a run
  std::chrono::seconds checkpoint_every{600};  ///< beside the end of each epoch
  std::chrono::seconds report_every{60};       ///< a line within an epoch
  int64_t workers = 2;
  std::function<bool()> stopped = [] { return false; };
  /// Gets the pictures of the epoch that are learnt and all of them, and a word on the loss.
  std::function<void(int64_t done, int64_t total, const std::string& note)> on_progress;
  std::function<void(const std::string&)> on_line;  ///< gets what goes into the log
  std::function<void(const std::string&)> on_warning;
};

class Journal;
class Unreadable;

enum class Outcome { finished, interrupted };

/// Trains a model: epochs of steps, validation and the best model after each, checkpoints from
/// which a run goes on as if it had never stopped.
class Trainer {
 public:
  /// `validation` may be null: then the last model counts as the best. All must outlive the
  /// trainer. Throws base::Error for settings that do not fit the data or the processes, and for a
  /// resume of another run.
  Trainer(vit::VisionTransformer model, const data::Dataset& training,
          const data::Dataset* validation, Settings settings, Surroundings surroundings,
          std::shared_ptr<distributed::Group> group);

  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Throws base::Error where training cannot go on; the last checkpoint then stays as it is.
  Outcome run();

  const Progress& progress() const { return progress_; }

 private:
  bool leader() const { return group_->leader(); }
  std::filesystem::path checkpoint_file() const;
  Deal deal() const { return {settings_.batch, group_->rank(), group_->size()}; }
  int64_t steps_per_epoch() const { return deal().steps(training_.size()); }
  vit::StateDict tensors() const;
  void start();
  void resume();
  bool run_epoch();  // false: stopped before its end
  bool is_best(const EpochResult& row) const;
  void finish_epoch();
  std::string score_name() const;  // empty without validation
  void record(const EpochResult& row, bool better);
  bool judge();
  void save_model(const vit::VisionTransformer& model);
  void save_checkpoint();
  StepInput input_of(data::Batch& batch);
  void note(const StepResult& result, double rate, double seconds);
  void report();
  std::string pace(double pictures_per_second) const;
  void line(const std::string& text);

  vit::VisionTransformer model_;
  const data::Dataset& training_;
  const data::Dataset* validation_;
  std::string data_;  // tells the training data from others
  Settings settings_;
  Surroundings surroundings_;
  std::shared_ptr<distributed::Group> group_;

  Augment augment_;
  AdamW optimizer_;
  std::unique_ptr<Ema> ema_;
  Stepper stepper_;
  vit::VisionTransformer judged_;     // what is validated and shipped: the average, if there is one
  std::unique_ptr<Journal> journal_;  // of the leader
  Progress progress_;
  std::unique_ptr<Unreadable> unreadable_, unreadable_validation_;
  std::chrono::steady_clock::time_point saved_, reported_;
};

}  // namespace train
