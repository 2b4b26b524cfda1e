#include "tests/support/catch.h"
#include "tests/support/data.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <eval/metrics.h>
#include <eval/records.h>
#include <eval/score.h>
#include <vit/error.h>

namespace {

// Sums of some hundred numbers in float64.
bool near(double value, double expected) { return std::abs(value - expected) < 1e-9; }

at::Tensor matrix(const nlohmann::json& rows) {
  std::vector<float> values;
  for (const auto& row : rows)
    for (const auto& value : row) values.push_back(value.get<float>());
  return at::tensor(values).reshape({static_cast<int64_t>(rows.size()), -1});
}

// Records of all pictures under schedules with these logits, put in uneven parts.
eval::Records records_of(const std::vector<at::Tensor>& logits, const eval::Targets& targets,
                         bool multi_label) {
  const int64_t pictures = logits.front().size(0);
  eval::Records records(static_cast<int64_t>(logits.size()), pictures, logits.front().size(1),
                        multi_label);
  for (int64_t begin = 0, part = 1; begin < pictures; begin += part, part += 13) {
    std::vector<int64_t> some;
    for (int64_t i = begin; i < std::min(pictures, begin + part); ++i) some.push_back(i);
    for (std::size_t s = 0; s < logits.size(); ++s)
      records.put(static_cast<int64_t>(s), some, logits[s].index_select(0, at::tensor(some)),
                  targets);
    records.finish(some);
  }
  return records;
}

}  // namespace

TEST_CASE("Figures of single labels are those of scikit-learn") {
  const auto data = test::read_json(test::data("eval/metrics.json"));
  eval::Targets targets;
  for (const auto& label : data.at("labels")) targets.push_back({label.get<int64_t>()});
  const auto records =
      records_of({matrix(data.at("logits")[0]), matrix(data.at("logits")[1])}, targets, false);
  const auto all = eval::figures(records, targets);
  REQUIRE(all.size() == 2);
  for (std::size_t s = 0; s < 2; ++s) {
    const auto& expected = data.at("expected")[s];
    const eval::Figures& figures = all[s];
    const auto check = [&](double value, const char* name) {
      INFO(name);
      CHECK(near(value, expected.at(name).get<double>()));
    };
    CHECK(figures.pictures == 200);
    check(figures.top1(), "top1");
    check(figures.top5(), "top5");
    check(figures.loss, "loss");
    check(figures.accuracy->ece, "ece");
    check(figures.agreement, "agreement");
    for (int64_t label = 0; label < 9; ++label) {
      const auto& counts = figures.accuracy->classes[static_cast<std::size_t>(label)];
      int64_t support = 0;
      for (int64_t other = 0; other < 9; ++other) {
        const int64_t count = expected.at("confusion")[label][other];
        support += count;
        const auto cell = figures.accuracy->confusion.find({label, other});
        CHECK((cell == figures.accuracy->confusion.end() ? 0 : cell->second) == count);
      }
      CHECK(counts.support == support);
      const double recall = expected.at("recall")[label];
      CHECK(near(static_cast<double>(counts.correct), recall * static_cast<double>(support)));
    }
    REQUIRE(figures.accuracy->bins.size() == 15);
    for (std::size_t i = 0; i < 15; ++i) {
      CHECK(figures.accuracy->bins[i].count == expected.at("bins")[i][0]);
      CHECK(near(figures.accuracy->bins[i].confidence, expected.at("bins")[i][1].get<double>()));
      CHECK(near(figures.accuracy->bins[i].accuracy, expected.at("bins")[i][2].get<double>()));
    }
  }
  CHECK(near(all[1].decline.value, all[0].top1() - all[1].top1()));
  CHECK(all[1].decline.interval.low < all[1].decline.value);
  CHECK(all[1].decline.interval.high > all[1].decline.value);
}

TEST_CASE("Figures of many labels are those of scikit-learn") {
  const auto data = test::read_json(test::data("eval/metrics.json")).at("multi_label");
  eval::Targets targets;
  for (const auto& shown : data.at("shown")) targets.push_back(shown.get<std::vector<int64_t>>());
  const auto records =
      records_of({matrix(data.at("logits")), matrix(data.at("other_logits"))}, targets, true);
  const auto all = eval::figures(records, targets);
  const auto& expected = data.at("expected");
  CHECK(near(all[0].precision->mean, expected.at("map").get<double>()));
  CHECK(near(all[0].loss, expected.at("loss").get<double>()));
  for (std::size_t i = 0; i < 9; ++i) {
    const auto& average = expected.at("average_precision")[i];
    REQUIRE(all[0].precision->average[i].has_value() == !average.is_null());
    if (!average.is_null()) CHECK(near(*all[0].precision->average[i], average.get<double>()));
  }
  CHECK(near(all[1].precision->mean, data.at("other_expected").at("map").get<double>()));
  CHECK(near(all[1].decline.value, all[0].precision->mean - all[1].precision->mean));
  // Slopes that come from differences of scikit-learn's figures.
  const auto deviation = data.at("loss_deviation").get<double>();
  const auto& interval = all[1].decline.interval;
  CHECK(std::abs((interval.high - interval.low) / 2 / eval::kNormal95 - deviation) < 1e-6);
  CHECK(near((interval.high + interval.low) / 2, all[1].decline.value));
  CHECK(all[0].decline.interval.high == 0);
}

TEST_CASE("Influence is how average precision grows with a picture's weight") {
  // As many pictures of each kind as its weight says: two of the first one, and so on.
  const std::vector<float> scores = {0.9F, 0.8F, 0.8F, 0.5F, 0.2F};
  const std::vector<bool> relevant = {true, false, true, false, true};
  const auto average = [&](std::size_t more, std::size_t copies) {
    std::vector<float> all_scores;
    std::vector<bool> all_relevant;
    for (std::size_t i = 0; i < scores.size(); ++i)
      for (std::size_t j = 0; j < copies + (i == more ? 1 : 0); ++j) {
        all_scores.push_back(scores[i]);
        all_relevant.push_back(relevant[i]);
      }
    return eval::average_precision(all_scores, all_relevant)->value;
  };
  const auto found = eval::average_precision(scores, relevant);
  constexpr std::size_t kCopies = 2000;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double slope = (average(i, kCopies) - found->value) * kCopies;
    CHECK(std::abs(found->influence[i] - slope) < 1e-3);
  }
}

TEST_CASE("Average precision by hand") {
  using eval::average_precision;
  // Found at places 1 and 3: (1/1 + 2/3) / 2.
  CHECK(near(average_precision({0.9F, 0.8F, 0.7F, 0.6F}, {true, false, true, false})->value,
             5.0 / 6));
  // The two in the middle share a place: (1 of 1 + 1 of 3 at a precision of 2/3) / 2.
  CHECK(near(average_precision({0.9F, 0.5F, 0.5F, 0.1F}, {true, false, true, false})->value,
             5.0 / 6));
  CHECK(near(average_precision({1.0F, 2.0F}, {true, false})->value, 0.5));
  CHECK_FALSE(average_precision({1.0F, 2.0F}, {false, false}).has_value());
}

TEST_CASE("The interval of an accuracy loss holds for few changes, too") {
  // (10.5 - 4.5) / 102 -+ 1.959964 sqrt(15 - 6^2 / 102) / 102
  const auto usual = eval::paired_interval(10, 4, 100);
  CHECK(near(usual.low, -0.014716387037129495));
  CHECK(near(usual.high, 0.1323634458606589));
  const auto none = eval::paired_interval(0, 0, 1000);
  CHECK(near(none.low, -none.high));
  CHECK(near(none.high, 0.001956051880778497));  // 1.959964 / 1002
  const auto all = eval::paired_interval(3, 0, 3);
  CHECK(all.high <= 1);
  CHECK(all.low > 0);
}

TEST_CASE("Of equally likely classes the first one counts, as in argmax") {
  const at::Tensor logits = at::tensor({1.0F, 3.0F, 3.0F, 0.0F});
  CHECK(eval::label_rank(logits, 1) == 0);
  CHECK(eval::label_rank(logits, 2) == 1);
  CHECK(eval::label_rank(logits, 0) == 2);
  CHECK(eval::label_rank(logits, 3) == 3);
  const auto scores = eval::score(logits.unsqueeze(0), at::tensor({int64_t{2}}));
  CHECK(scores.prediction.item<int>() == 1);
  CHECK(scores.rank.item<int>() == 1);
}

TEST_CASE("Logits that are not finite are an error") {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    CHECK_THROWS_AS(eval::score(at::tensor({0.0F, bad}).unsqueeze(0), at::tensor({int64_t{0}})),
                    vit::Error);
}

TEST_CASE("Single labels are scored by sigmoids where the model has them") {
  const at::Tensor logits = at::tensor({0.5F, -1.0F, 2.0F}).unsqueeze(0);
  const auto entropy = [](double logit, bool is) {
    return std::log1p(std::exp(is ? -logit : logit));
  };
  const auto scores = eval::score(logits, at::tensor({int64_t{0}}), vit::ScoreKind::sigmoid);
  CHECK(scores.prediction.item<int>() == 2);
  CHECK(scores.rank.item<int>() == 1);
  CHECK(near(scores.confidence.item<double>(), 1 / (1 + std::exp(-2.0))));
  CHECK(near(scores.loss.item<double>(),
             (entropy(0.5, true) + entropy(-1, false) + entropy(2, false)) / 3));
  CHECK_THROWS_WITH(eval::score(logits, at::tensor({int64_t{0}}), vit::ScoreKind::none),
                    Catch::ContainsSubstring("Records::scores"));
}

TEST_CASE("Pictures that wait or cannot be read do not count") {
  eval::Records records(1, 4, 2, false);
  const eval::Targets targets = {{0}, {1}, {1}, {0}};
  records.put(0, {2}, at::tensor({0.0F, 1.0F}).unsqueeze(0), targets);
  records.finish({2});
  records.fail(1, "1.png: damaged");
  CHECK(records.finished() == 2);
  const auto figures = eval::figures(records, targets).front();
  CHECK(figures.pictures == 1);
  CHECK(figures.top1() == 1);
  CHECK(figures.accuracy->classes[0].support == 0);
}
