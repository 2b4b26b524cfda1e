#include "eval/precision.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/ATen.h>

namespace eval {
namespace {

// Pictures of equal score, and what is found down to their place.
struct Place {
  std::size_t end;  // in the order of scores, also how many pictures there are so far
  double relevant;  // of these
  double found;     // so far
  double precision() const { return found / static_cast<double>(end); }
};

std::vector<Place> places_of(const std::vector<float>& scores, const std::vector<bool>& relevant,
                             const std::vector<std::size_t>& order) {
  std::vector<Place> places;
  double found = 0;
  for (std::size_t i = 0; i < order.size();) {
    const float score = scores[order[i]];
    double more = 0;
    for (; i < order.size() && scores[order[i]] == score; ++i) more += relevant[order[i]] ? 1 : 0;
    found += more;
    places.push_back({i, more, found});
  }
  return places;
}

}  // namespace

std::optional<AveragePrecision> average_precision(const std::vector<float>& scores,
                                                  const std::vector<bool>& relevant) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  const std::vector<Place> places = places_of(scores, relevant, order);
  if (places.empty() || places.back().found == 0) return std::nullopt;
  const double all = places.back().found;

  AveragePrecision result;
  for (const Place& place : places) result.value += place.relevant * place.precision();
  result.value /= all;

  // With weights w it is sum(w r T / C) / sum(w r): r says which pictures are relevant, T and C are
  // the weights of those found and of all, down to a picture's place. More weight for a picture
  // adds to C there and further down, for a relevant one also to T and to both sums.
  result.influence.resize(scores.size());
  double by_found = 0, by_count = 0;  // sums over the places from here down
  for (std::size_t i = places.size(); i-- > 0;) {
    const Place& place = places[i];
    const auto count = static_cast<double>(place.end);
    by_found += place.relevant / count;
    by_count += place.relevant * place.found / (count * count);
    const double gain = place.precision() - result.value + by_found;
    for (std::size_t at = i > 0 ? places[i - 1].end : 0; at < place.end; ++at)
      result.influence[order[at]] = ((relevant[order[at]] ? gain : 0) - by_count) / all;
  }
  return result;
}

Precision precision(const at::Tensor& logits, const std::vector<int64_t>& pictures,
                    const Targets& targets) {
  Precision precision;
  precision.influence.resize(pictures.size());
  const float* values = logits.const_data_ptr<float>();
  int64_t present = 0;
  for (int64_t label = 0; label < logits.size(1); ++label) {
    std::vector<float> scores;
    std::vector<bool> relevant;
    for (int64_t i : pictures) {
      const auto& shown = targets[static_cast<std::size_t>(i)];
      scores.push_back(values[i * logits.size(1) + label]);
      relevant.push_back(std::binary_search(shown.begin(), shown.end(), label));
    }
    const auto average = average_precision(scores, relevant);
    precision.average.push_back(average ? std::optional(average->value) : std::nullopt);
    if (!average) continue;
    ++present;
    precision.mean += average->value;
    for (std::size_t i = 0; i < pictures.size(); ++i)
      precision.influence[i] += average->influence[i];
  }
  if (present == 0) return precision;
  precision.mean /= static_cast<double>(present);
  for (double& influence : precision.influence) influence /= static_cast<double>(present);
  return precision;
}

Decline mean_decline(const Precision& first, const Precision& other) {
  double squares = 0;
  for (std::size_t i = 0; i < first.influence.size(); ++i) {
    const double difference = first.influence[i] - other.influence[i];
    squares += difference * difference;
  }
  const double loss = first.mean - other.mean, deviation = kNormal95 * std::sqrt(squares);
  return {loss, {std::max(-1.0, loss - deviation), std::min(1.0, loss + deviation)}};
}

}  // namespace eval
