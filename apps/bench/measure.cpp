#include <algorithm>
#include <chrono>
#include <cmath>
#include <istream>
#include <ostream>
#include <string>

#include <nlohmann/json.hpp>

#include <apps/bench/measure.h>
#include <apps/cli/interrupt.h>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWarmUpBatches = 2;
constexpr int kRounds = 20;    // that the measuring time is cut into
constexpr int kMinRounds = 3;  // however short it is

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Runs batches until `seconds` have passed; at least one.
double run_slice(const Subject& subject, double seconds, Timing& timing) {
  subject.prepare();
  double total = 0;
  int64_t batches = 0;
  do {
    const auto start = Clock::now();
    subject.run();
    timing.batch_seconds.push_back(seconds_since(start));
    total += timing.batch_seconds.back();
    ++batches;
  } while (total < seconds);
  timing.round_rates.push_back(static_cast<double>(batches) / total);
  return total;
}

// Gives the subjects their time round by round, forwards and backwards alternately.
class Rounds {
 public:
  /// Warms all subjects up.
  explicit Rounds(const std::vector<Subject>& subjects)
      : subjects_(subjects), timings_(subjects.size()) {
    for (const Subject& subject : subjects) {
      subject.prepare();
      for (int i = 0; i < kWarmUpBatches && !cli::interrupted(); ++i) subject.run();
    }
  }

  /// One round with `seconds` for each; returns how many it took in all.
  double run(double seconds) {
    double spent = 0;
    const bool forwards = timings_.front().round_rates.size() % 2 == 0;
    for (std::size_t i = 0; i < subjects_.size(); ++i) {
      const std::size_t turn = forwards ? i : subjects_.size() - 1 - i;
      spent += run_slice(subjects_[turn], seconds, timings_[turn]);
    }
    return spent;
  }

  const std::vector<Timing>& timings() const { return timings_; }

 private:
  const std::vector<Subject>& subjects_;
  std::vector<Timing> timings_;
};

}  // namespace

std::vector<Timing> measure(const std::vector<Subject>& subjects, double seconds,
                            cli::Progress& progress) {
  Rounds rounds(subjects);
  const double planned = seconds * static_cast<double>(subjects.size());
  double spent = 0;
  for (int round = 0; !cli::interrupted() && (round < kMinRounds || spent < planned); ++round) {
    spent += rounds.run(seconds / kRounds);
    progress.update(std::llround(std::min(1.0, spent / planned) * 100));
  }
  return rounds.timings();
}

std::vector<Timing> measure_on_request(const std::vector<Subject>& subjects, double seconds,
                                       int64_t batch, std::istream& requests,
                                       std::ostream& answers) {
  Rounds rounds(subjects);
  for (std::string line; !cli::interrupted() && std::getline(requests, line);) {
    rounds.run(seconds);
    nlohmann::json throughput = nlohmann::json::array();
    for (const Timing& timing : rounds.timings())
      throughput.push_back(timing.round_rates.back() * static_cast<double>(batch));
    answers << nlohmann::json{{"throughput", throughput}} << std::endl;
  }
  return rounds.timings();
}

double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const double position = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return std::lerp(values[below], values[above], position - static_cast<double>(below));
}

}  // namespace bench
