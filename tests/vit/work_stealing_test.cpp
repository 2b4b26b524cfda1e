#include "tests/support/catch.h"

#include <atomic>
#include <thread>
#include <vector>

#include <vit/training/work_stealing.h>

using vit::kernels::Range;
using vit::training::WorkStealing;

TEST_CASE("threads do every unit of shared work once") {
  constexpr int64_t kUnits = 3000;
  const std::vector<Range> parts = {{0, 1}, {1, 2000}, {2000, 2000}, {2000, kUnits}};
  WorkStealing work(parts);
  std::vector<std::atomic<int>> done(kUnits);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < parts.size(); ++i)
    threads.emplace_back(
        [&, i] { work.run(static_cast<int64_t>(i), [&](int64_t unit) { ++done[unit]; }); });
  for (auto& thread : threads) thread.join();
  int64_t once = 0;
  for (const auto& count : done) once += count == 1;
  CHECK(once == kUnits);
}

TEST_CASE("a thread does its own part of shared work first, then what others have not begun") {
  WorkStealing work({{0, 2}, {2, 4}, {4, 6}});
  std::vector<int64_t> order;
  work.run(1, [&](int64_t unit) {
    order.push_back(unit);
    if (unit == 2) work.run(2, [&](int64_t other) { order.push_back(other); });
  });
  // The third thread came in between and did what it and the first two had left.
  CHECK(order == std::vector<int64_t>{2, 4, 5, 0, 1, 3});
  work.run(0, [&](int64_t unit) { order.push_back(unit); });
  CHECK(order.size() == 6);
}
