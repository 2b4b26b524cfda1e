#include <numeric>
#include <utility>

#include <train/order.h>
#include <train/seeds.h>

namespace train {

std::vector<int64_t> epoch_order(int64_t count, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  // Not std::shuffle, whose result differs from library to library.
  for (std::size_t left = order.size(); left > 1; --left) {
    const uint64_t draw = combine_seeds({seed, static_cast<uint64_t>(epoch), left});
    std::swap(order[left - 1], order[draw % left]);
  }
  return order;
}

std::vector<int64_t> Deal::entries(const std::vector<int64_t>& order, int64_t first_step) const {
  std::vector<int64_t> mine;
  for (int64_t step = first_step; step < steps(static_cast<int64_t>(order.size())); ++step) {
    const auto begin = order.begin() + step * batch + rank * share();
    mine.insert(mine.end(), begin, begin + share());
  }
  return mine;
}

}  // namespace train
