#include <algorithm>
#include <chrono>
#include <iostream>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <nlohmann/json.hpp>

#include <apps/cli/interrupt.h>
#include <apps/cli/labels.h>
#include <apps/cli/output.h>
#include <apps/cli/pictures.h>
#include <apps/cli/progress.h>
#include <apps/cli/run_options.h>
#include <apps/cli/scores.h>
#include <apps/cli/usage_error.h>
#include <apps/command.h>
#include <base/error.h>
#include <base/json_text.h>
#include <base/table.h>
#include <base/text.h>
#include <eval/labels.h>
#include <eval/score.h>

namespace {

constexpr int64_t kMaxTop = 1 << 24;

cli::Options options() {
  cli::Options options(
      "vitome classify", "[options] FILES...",
      "Says what is in pictures: the most likely classes of each with their scores, which are "
      "probabilities unless --activation or the model says otherwise. FILES are pictures, folders "
      "(with all below them), globs, or - for a list of files on standard "
      "input, one a line.",
      true);
  cli::add_model_options(options, "");
  cli::add_image_size_option(options);
  cli::add_max_patches_option(options);
  cli::add_merge_options(options);
  cli::add_device_options(options, "fp32, bf16, fp16, int8, or auto (bf16 where it is faster)");
  options.value("batch", "N", "pictures that go through the model together", "32");
  cli::add_workers_option(options);
  options.group("Output").value("top", "K", "classes shown for each picture", "5");
  cli::add_activation_option(options);
  options.value("json", "FILE", "one JSON object a line for each picture; - is standard output")
      .value("csv", "FILE", "the same as CSV, one line for each class")
      .flag("accuracy",
            "compare with the names of the folders that the pictures lie in (cat/0001.jpg) and "
            "report top-1 and top-5 accuracy")
      .flag("quiet", "no line for each picture, only failures and the summary");
  options.example("vitome classify samples/", "all pictures of a folder, with the shipped model")
      .example("vitome classify photo.jpg --top 1 --model my-vit/ --image-size 384",
               "one picture with a model of your own at another resolution")
      .example("vitome classify 'photos/*.jpg' --r 5 --json results.jsonl",
               "with token merging: five tokens fewer after every layer")
      .example("find . -name '*.png' | vitome classify - --csv -", "a list of files, result as CSV")
      .example("vitome classify test/ --accuracy --quiet --r 4",
               "accuracy on a folder with one subfolder for each class");
  return options;
}

// One class and its score.
struct Prediction {
  int64_t index = 0;
  double score = 0;
};

// What became of the pictures so far.
struct Tally {
  int64_t pictures = 0;
  int64_t failures = 0;
  int64_t labelled = 0;
  int64_t top1 = 0;
  int64_t top5 = 0;
};

// Writes results in all the forms that were asked for.
class Reporter {
 public:
  Reporter(const cli::Arguments& arguments, std::vector<std::string> labels, bool percent,
           const std::vector<cli::PictureFile>& files)
      : labels_(std::move(labels)),
        percent_(percent),
        json_(arguments, "json"),
        csv_(arguments, "csv") {
    cli::check_one_stdout({&json_, &csv_});
    stdout_taken_ = json_.is_stdout() || csv_.is_stdout();
    lines_ = !stdout_taken_ && !arguments.has("quiet");
    // One very long path shall not push all others to the right.
    constexpr std::size_t kMaxColumn = 48;
    for (const cli::PictureFile& file : files)
      column_ = std::max(column_, std::min(kMaxColumn, base::columns(file.path) + 1));
    csv_.write(base::csv_line({"file", "rank", "index", "label", "score", "error"}));
  }

  void prediction(const std::string& file, const std::vector<Prediction>& predictions) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    std::vector<std::string> words;
    for (const Prediction& prediction : predictions) {
      const std::string label = eval::label_name(labels_, prediction.index);
      words.push_back(
          label + " " +
          (percent_ ? base::percent(prediction.score, 1) : base::fixed(prediction.score, 4)));
      if (json_)
        list.push_back(
            {{"label", label}, {"index", prediction.index}, {"score", prediction.score}});
      if (csv_)
        csv_.write(base::csv_line({base::inert_cell(file), std::to_string(words.size()),
                                   std::to_string(prediction.index), base::inert_cell(label),
                                   base::fixed(prediction.score, 6), ""}));
    }
    if (json_) json_line({{"file", file}, {"predictions", std::move(list)}});
    if (!lines_) return;
    std::string head = base::printable(file) + ":";
    head.resize(head.size() + column_ - std::min(column_, base::columns(head)), ' ');
    std::cout << head << " " << base::join(words, ", ") << "\n";
  }

  void failure(const std::string& file, const std::string& error) {
    if (json_) json_line({{"file", file}, {"error", error}});
    if (csv_)
      csv_.write(base::csv_line({base::inert_cell(file), "", "", "", "", base::inert_cell(error)}));
    if (json_.is_stdout()) return;
    std::cout.flush();  // on a terminal all is in its order
    std::cerr << "error: " << base::printable(error) << "\n";
  }

  // A result about all pictures, where it does not disturb the others.
  void finding(const std::string& text) { (stdout_taken_ ? std::cerr : std::cout) << text << "\n"; }

  void close() {
    json_.close();
    csv_.close();
  }

 private:
  void json_line(const nlohmann::ordered_json& json) { json_.write(base::json_text(json) + "\n"); }

  std::vector<std::string> labels_;
  bool percent_;
  cli::Output json_;
  cli::Output csv_;
  bool stdout_taken_ = false;
  bool lines_ = true;
  std::size_t column_ = 0;
};

class Classifier {
 public:
  Classifier(const cli::Arguments& arguments)
      : device_(cli::device_option(arguments)),
        precision_(cli::parse_dtype(arguments.text("dtype"), device_)),
        top_(arguments.integer("top", 1, kMaxTop)),
        accuracy_(arguments.has("accuracy")) {
    const tome::Options merging = cli::merge_options(arguments);
    const auto activation = cli::activation_option(arguments);
    cli::set_threads(arguments);
    const cli::ModelChoice choice = cli::model_choice(arguments);
    model_.emplace(cli::load_classifier(choice, precision_, device_));
    scores_ = activation.value_or(model_->score_kind());
    tome::apply(*model_, merging);
    top_ = std::min(top_, model_->config().head.num_classes);
    if (accuracy_ && model_->labels().empty())
      cli::usage_error("--accuracy needs a model whose config.json has label_names");
  }

  const vit::InferenceModel& model() const { return *model_; }
  bool gives_probabilities() const { return scores_ != vit::ScoreKind::none; }

  // Reports `pictures`, the readable ones among them classified, in their order.
  void classify(const std::vector<cli::Picture>& pictures, Reporter& reporter, Tally& tally) const {
    std::vector<at::Tensor> pixels;
    for (const cli::Picture& picture : pictures)
      if (picture.error.empty()) pixels.push_back(picture.pixels.to(device_, precision_.dtype));
    at::Tensor logits, finite, values, indices;
    if (!pixels.empty()) {
      logits = model_->forward(pixels).to(at::kCPU, at::kFloat);
      finite = vit::finite_inputs(logits);
      logits.masked_fill_(finite.logical_not().unsqueeze(1), 0);
      // In the order of the logits: scores near 1 may be the same number.
      indices = std::get<1>(logits.topk(top_));
      values = vit::scores(logits, scores_).gather(1, indices);
    }
    int64_t row = -1;
    for (const cli::Picture& picture : pictures) {
      std::string error = picture.error;
      if (error.empty() && !finite.const_data_ptr<bool>()[++row])
        error = picture.path + ": " + cli::kLogitsNotFinite;
      if (error.empty()) {
        reporter.prediction(picture.path, best(values[row], indices[row]));
        if (accuracy_) judge(picture.path, logits[row], tally);
      } else {
        reporter.failure(picture.path, error);
        ++tally.failures;
      }
      ++tally.pictures;
    }
  }

 private:
  static std::vector<Prediction> best(const at::Tensor& scores, const at::Tensor& indices) {
    std::vector<Prediction> predictions;
    for (int64_t i = 0; i < scores.size(0); ++i)
      predictions.push_back(
          {indices.const_data_ptr<int64_t>()[i], scores.const_data_ptr<float>()[i]});
    return predictions;
  }

  void judge(const std::string& file, const at::Tensor& logits, Tally& tally) const {
    const int64_t target = cli::label_of_folder(file, model_->labels());
    if (target < 0 || target >= logits.size(0)) return;
    const int64_t rank = eval::label_rank(logits, target);
    ++tally.labelled;
    tally.top1 += rank < 1;
    tally.top5 += rank < 5;
  }

  c10::Device device_;
  vit::Precision precision_;
  int64_t top_;
  bool accuracy_;
  vit::ScoreKind scores_ = vit::ScoreKind::softmax;
  std::optional<vit::InferenceModel> model_;
};

std::string accuracy_text(const Tally& tally) {
  const auto percent = [&](int64_t count) {
    return base::percent(static_cast<double>(count) / static_cast<double>(tally.labelled), 2);
  };
  if (tally.labelled == 0) return "accuracy: no picture lies in a folder named like a label";
  return "accuracy: top-1 " + percent(tally.top1) + ", top-5 " + percent(tally.top5) + " of " +
         std::to_string(tally.labelled) + " labelled pictures";
}

int run(const cli::Arguments& arguments) {
  if (arguments.files().empty()) cli::usage_error("no FILES given");
  const int64_t batch = arguments.integer("batch", 1, cli::kMaxBatch);
  const int64_t workers = cli::workers_option(arguments);
  const Classifier classifier(arguments);
  const std::vector<cli::PictureFile> files = cli::list_pictures(arguments.files());
  if (files.empty()) base::fail("no files on standard input");
  cli::watch_interrupts();
  Reporter reporter(arguments, classifier.model().labels(), classifier.gives_probabilities(),
                    files);

  c10::InferenceMode inference;
  const auto start = std::chrono::steady_clock::now();
  cli::PictureStream stream(files, classifier.model().picture_preprocessing(), workers, 2 * batch);
  cli::Progress progress(static_cast<int64_t>(files.size()), "pictures");
  Tally tally;
  for (bool more = true; more && !cli::interrupted();) {
    std::vector<cli::Picture> pictures;
    while (more && static_cast<int64_t>(pictures.size()) < batch) {
      auto picture = stream.next();
      more = picture.has_value();
      if (more) pictures.push_back(std::move(*picture));
    }
    progress.hide();
    classifier.classify(pictures, reporter, tally);
    std::cout.flush();
    progress.update(tally.pictures);
  }
  progress.hide();
  reporter.close();

  if (arguments.has("accuracy")) reporter.finding(accuracy_text(tally));
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  const auto asked = static_cast<int64_t>(files.size());
  const bool complete = tally.pictures == asked;
  std::cerr << (complete ? "" : "interrupted: ") << tally.pictures
            << (complete ? "" : " of " + std::to_string(asked)) << " pictures, " << tally.failures
            << " failed, " << base::fixed(time.count(), 2) << " s, "
            << base::fixed(static_cast<double>(tally.pictures) / time.count(), 1)
            << " pictures/s\n";
  if (!complete) return cli::interrupted_status();
  return tally.failures > 0 ? 1 : 0;
}

}  // namespace

Command classify_command() {
  return {"classify", "what is in pictures: labels and probabilities", options, run};
}
