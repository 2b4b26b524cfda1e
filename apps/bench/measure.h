#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <vector>

#include <apps/cli/progress.h>

namespace bench {

/// One thing to time, next to others.
struct Subject {
  std::function<void()> prepare;  ///< before each slice of its time, not measured
  std::function<void()> run;      ///< one batch, finished when it returns
};

/// Wall-clock times of one subject.
struct Timing {
  std::vector<double> batch_seconds;  ///< of every batch
  std::vector<double> round_rates;    ///< batches per second, one for each round
};

/// Times all subjects by turns: after a warm-up, every round gives each of them a slice of its
/// time, forwards and backwards alternately, so that a machine which speeds up or slows down does
/// so for all. Stops when they have had `seconds` each on average, or after the round in which
/// an interrupt comes; there are no rounds at all if that is during the warm-up.
std::vector<Timing> measure(const std::vector<Subject>& subjects, double seconds,
                            cli::Progress& progress);

/// Times all subjects by turns with what other programs do: after a warm-up, each line of
/// `requests` is answered by a round of `seconds` for each subject and a line of JSON,
/// {"throughput": [inputs per second of every subject]}. Ends with the requests.
std::vector<Timing> measure_on_request(const std::vector<Subject>& subjects, double seconds,
                                       int64_t batch, std::istream& requests,
                                       std::ostream& answers);

/// Value below which that share (0 to 1) of the values lies, interpolated; `values` is not empty.
double percentile(std::vector<double> values, double share);

}  // namespace bench
