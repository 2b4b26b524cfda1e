#pragma once

#include <cstdint>
#include <vector>

namespace train {

/// The entries 0 … count - 1 in the order of an epoch: a shuffle that depends on its arguments
/// alone.
std::vector<int64_t> epoch_order(int64_t count, uint64_t seed, int64_t epoch);

/// How the entries of an epoch are dealt out. A step learns from `batch` entries, of which each of
/// `processes` processes takes an equal, consecutive share; what does not fill a step is left out.
struct Deal {
  int64_t batch = 128;  ///< a multiple of processes
  int64_t rank = 0;
  int64_t processes = 1;

  int64_t share() const { return batch / processes; }
  int64_t steps(int64_t entries) const { return entries / batch; }
  /// What this process reads from step `first_step` of the epoch on: share() entries for each step.
  std::vector<int64_t> entries(const std::vector<int64_t>& order, int64_t first_step) const;
};

}  // namespace train
