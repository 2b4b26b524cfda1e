#include <algorithm>
#include <chrono>
#include <cmath>

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

}  // namespace

std::vector<Timing> measure(const std::vector<Subject>& subjects, double seconds,
                            cli::Progress& progress) {
  for (const Subject& subject : subjects) {
    subject.prepare();
    for (int i = 0; i < kWarmUpBatches && !cli::interrupted(); ++i) subject.run();
  }
  std::vector<Timing> timings(subjects.size());
  const double planned = seconds * static_cast<double>(subjects.size());
  double spent = 0;
  for (int round = 0; !cli::interrupted() && (round < kMinRounds || spent < planned); ++round) {
    for (std::size_t i = 0; i < subjects.size(); ++i) {
      const std::size_t turn = round % 2 == 0 ? i : subjects.size() - 1 - i;
      spent += run_slice(subjects[turn], seconds / kRounds, timings[turn]);
    }
    progress.update(std::llround(std::min(1.0, spent / planned) * 100));
  }
  return timings;
}

double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const double position = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return std::lerp(values[below], values[above], position - static_cast<double>(below));
}

}  // namespace bench
