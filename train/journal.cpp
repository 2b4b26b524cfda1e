#include <chrono>
#include <ctime>
#include <system_error>

#include <base/error.h>
#include <base/table.h>
#include <base/temporary_file.h>
#include <base/text.h>
#include <train/curves.h>
#include <train/journal.h>

namespace train {
namespace {

namespace fs = std::filesystem;

fs::path made(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) base::fail(folder.string(), ": cannot be made: ", error.message());
  return folder;
}

std::string now() {
  const std::time_t time = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string metrics_csv(const Progress& progress, bool validated) {
  std::string text = base::csv_line(
      {"epoch", "loss", "validation_loss", "score", "lr", "pictures", "unreadable", "seconds"});
  for (const EpochResult& row : progress.history)
    text += base::csv_line({std::to_string(row.epoch), base::fixed(row.loss, 6),
                            validated ? base::fixed(row.validation_loss, 6) : "",
                            validated ? base::fixed(row.score, 6) : "", base::fixed(row.rate, 9),
                            std::to_string(row.pictures), std::to_string(row.unreadable),
                            base::fixed(row.seconds, 1)});
  return text;
}

}  // namespace

Journal::Journal(const fs::path& folder, int64_t done)
    : folder_(made(folder)),
      log_(folder / "log.txt", std::ios::app),
      events_(folder, done > 0 ? done + 1 : 0) {
  if (!log_) base::fail((folder / "log.txt").string(), ": cannot be written");
}

void Journal::line(const std::string& text) {
  log_ << now() << " " << text << std::endl;
  if (!log_) base::fail((folder_ / "log.txt").string(), ": writing failed; is the disk full?");
}

void Journal::step(int64_t step, double loss, double rate, double norm,
                   double pictures_per_second) {
  events_.scalar("train/loss", step, loss);
  events_.scalar("train/lr", step, rate);
  events_.scalar("train/gradient_norm", step, norm);
  events_.scalar("train/pictures_per_second", step, pictures_per_second);
}

void Journal::epoch(const Progress& progress, const std::string& score) {
  const bool validated = !score.empty();
  const EpochResult& row = progress.history.back();
  events_.scalar("epoch/loss", row.epoch, row.loss);
  if (validated) {
    events_.scalar("epoch/validation_loss", row.epoch, row.validation_loss);
    events_.scalar("epoch/score", row.epoch, row.score);
  }
  events_.flush();
  base::replace_file(folder_ / "metrics.csv", metrics_csv(progress, validated));
  base::replace_file(folder_ / "curves.svg", curves_svg(progress.history, score));
}

void Journal::settings(const std::string& json) {
  events_.text("settings", 0, "```\n" + json + "\n```");
}

}  // namespace train
