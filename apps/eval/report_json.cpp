#include <nlohmann/json.hpp>

#include <apps/eval/report.h>

namespace eval {
namespace {

using Json = nlohmann::ordered_json;

Json calibration(const std::vector<Bin>& bins) {
  Json list = Json::array();
  for (std::size_t i = 0; i < bins.size(); ++i) {
    const auto edge = [&](std::size_t at) {
      return static_cast<double>(at) / static_cast<double>(bins.size());
    };
    const Bin& bin = bins[i];
    list.push_back({{"low", edge(i)},
                    {"high", edge(i + 1)},
                    {"count", bin.count},
                    {"confidence", bin.count > 0 ? Json(bin.confidence) : Json()},
                    {"accuracy", bin.count > 0 ? Json(bin.accuracy) : Json()}});
  }
  return list;
}

// Classes that no picture shows and none is taken for are left out.
Json per_class(const Setup& setup, const Accuracy& accuracy) {
  Json list = Json::array();
  for (std::size_t i = 0; i < accuracy.classes.size(); ++i) {
    const ClassCounts& counts = accuracy.classes[i];
    if (counts.support == 0 && counts.predicted == 0) continue;
    const auto share = [&](int64_t of) {
      return of > 0 ? Json(static_cast<double>(counts.correct) / static_cast<double>(of)) : Json();
    };
    list.push_back({{"label", setup.class_names[i]},
                    {"index", i},
                    {"pictures", counts.support},
                    {"correct", counts.correct},
                    {"predicted", counts.predicted},
                    {"accuracy", share(counts.support)},
                    {"precision", share(counts.predicted)}});
  }
  return list;
}

Json per_class(const Setup& setup, const Precision& precision) {
  Json list = Json::array();
  for (std::size_t i = 0; i < precision.average.size(); ++i)
    if (precision.average[i])
      list.push_back({{"label", setup.class_names[i]},
                      {"index", i},
                      {"average_precision", *precision.average[i]}});
  return list;
}

Json decline(const Figures& figures) {
  const auto& [value, interval] = figures.decline;
  return {{"value", value}, {"low", interval.low}, {"high", interval.high}};
}

Json result_json(const Setup& setup, const Result& result) {
  const Figures& figures = result.figures;
  Json entry = {{"r", result.setting.r ? Json(*result.setting.r) : Json()},
                {"schedule", result.setting.schedule.to_string()},
                {"tokens", result.merging.tokens},
                {"merge_ratio", result.merging.merge_ratio},
                {"gflops", result.merging.gflops},
                {"pictures", figures.pictures}};
  if (figures.precision) {
    entry["map"] = figures.precision->mean;
    entry["loss"] = figures.loss;
    entry["agreement"] = figures.agreement;
    entry["map_loss"] = decline(figures);
    entry["per_class"] = per_class(setup, *figures.precision);
    return entry;
  }
  const Accuracy& accuracy = *figures.accuracy;
  entry["top1"] = figures.top1();
  entry["top5"] = figures.top5();
  entry["loss"] = figures.loss;
  entry["ece"] = accuracy.ece;
  entry["agreement"] = figures.agreement;
  Json& loss = entry["accuracy_loss"] = decline(figures);
  loss["lost"] = accuracy.lost;
  loss["gained"] = accuracy.gained;
  entry["calibration"] = calibration(accuracy.bins);
  entry["per_class"] = per_class(setup, accuracy);
  Json& confusion = entry["confusion"] = Json::array();
  for (const auto& [cell, count] : accuracy.confusion)
    confusion.push_back({cell.first, cell.second, count});
  return entry;
}

}  // namespace

Json json(const Setup& setup, const std::vector<Result>& results) {
  Json document = {{"vitome", VITOME_VERSION},
                   {"model", setup.model},
                   {"data", setup.data},
                   {"image_size", setup.image_size},
                   {"num_tokens", setup.num_tokens},
                   {"dtype", setup.dtype},
                   {"device", setup.device},
                   {"batch", setup.batch},
                   {"prop_attn", setup.prop_attn},
                   {"merged_positions", setup.merged_positions},
                   {"scores", setup.scores},
                   {"complete", setup.complete},
                   {"multi_label", results.front().figures.precision.has_value()},
                   {"asked", setup.asked},
                   {"failures", Json::array()},
                   {"classes", setup.class_names},
                   {"results", Json::array()}};
  for (const auto& [file, error] : setup.failures)
    document["failures"].push_back({{"file", file}, {"error", error}});
  for (const Result& result : results) document["results"].push_back(result_json(setup, result));
  return document;
}

}  // namespace eval
