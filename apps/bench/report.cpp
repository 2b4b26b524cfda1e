#include <algorithm>

#include <ATen/Version.h>
#include <nlohmann/json.hpp>
#include <torch/version.h>

#include <apps/bench/report.h>
#include <apps/cli/host.h>
#include <base/cpus.h>
#include <base/table.h>
#include <base/text.h>
#include <vit/precision.h>

namespace bench {
namespace {

using base::fixed;
using base::percent;

constexpr double kRestless = 0.2;  // spread from which on figures are to be doubted

std::string times(double ratio) { return fixed(ratio, 2) + "x"; }

// Three significant digits at least.
std::string rate(double value) { return fixed(value, value < 10 ? 2 : value < 1000 ? 1 : 0); }

}  // namespace

std::string label(const Result& result) {
  return result.r ? "r=" + std::to_string(*result.r) : result.schedule;
}

void set_timing(Result& result, const Timing& timing, int64_t batch) {
  const auto inputs = static_cast<double>(batch);
  const auto throughput = [&](double share) {
    return percentile(timing.round_rates, share) * inputs;
  };
  result.batches = static_cast<int64_t>(timing.batch_seconds.size());
  result.throughput_median = throughput(0.5);
  result.throughput_best = throughput(1);
  result.throughput_min = throughput(0);
  result.spread = (throughput(0.75) - throughput(0.25)) / result.throughput_median;
  result.latency_p50 = percentile(timing.batch_seconds, 0.5) * 1e3;
  result.latency_p95 = percentile(timing.batch_seconds, 0.95) * 1e3;
}

std::string table(const Setup& setup, const std::vector<Result>& results) {
  const bool labelled = !results.empty() && results.front().top1.has_value();
  std::vector<std::string> header = {"schedule", "dtype",    "inputs/s",  "best",   "spread",
                                     "ms p50",   "ms p95",   "GFLOPs",    "tokens", "speed-up",
                                     "by FLOPs", "realised", "same top-1"};
  if (labelled) header.emplace_back("top-1");
  base::Table table(2);
  table.add(header);
  for (const Result& result : results) {
    std::vector<std::string> row = {label(result),
                                    result.dtype,
                                    rate(result.throughput_median),
                                    rate(result.throughput_best),
                                    percent(result.spread, 1),
                                    rate(result.latency_p50),
                                    rate(result.latency_p95),
                                    fixed(result.gflops, result.gflops < 10 ? 3 : 1),
                                    std::to_string(result.tokens.back()),
                                    times(result.speedup),
                                    times(result.flop_ratio),
                                    percent(result.realised()),
                                    percent(result.top1_agreement, 1)};
    if (labelled) row.push_back(percent(result.top1.value_or(0), 2));
    table.add(row);
  }
  std::string text = setup.model + ", " + setup.image_size + ", " +
                     std::to_string(setup.num_tokens) + " tokens; batch " +
                     std::to_string(setup.batch) + " of " + setup.inputs +
                     (setup.training ? "; training steps" : "") + "\n" + cli::cpu_name() + ", " +
                     std::to_string(setup.threads) + " threads, device " + setup.device +
                     ", LibTorch " + TORCH_VERSION + " (" + at::get_cpu_capability() + ")\n\n" +
                     table.text() + "\nTokens in each layer:\n";
  std::string layers;
  for (const Result& result : results) {
    if (result.dtype != results.front().dtype) continue;
    std::vector<std::string> counts;
    for (int64_t count : result.tokens) counts.push_back(std::to_string(count));
    layers += "  " + label(result) + ": " + base::join(counts, " ") + "\n";
  }
  text += layers + "Peak memory of the process: " + base::bytes(cli::peak_memory()) + "\n";
  const auto restless = [](const Result& result) { return result.spread > kRestless; };
  if (std::any_of(results.begin(), results.end(), restless))
    text += "The spread is large: other programs ran meanwhile, or --seconds is short.\n";
  return text;
}

std::string csv(const Setup& setup, const std::vector<Result>& results) {
  std::string text = base::csv_line({"model",
                                     "schedule",
                                     "r",
                                     "dtype",
                                     "device",
                                     "batch",
                                     "threads",
                                     "throughput_median",
                                     "throughput_best",
                                     "throughput_min",
                                     "spread",
                                     "latency_ms_p50",
                                     "latency_ms_p95",
                                     "gflops",
                                     "merge_ratio",
                                     "final_tokens",
                                     "speedup",
                                     "flop_ratio",
                                     "realised",
                                     "top1_agreement",
                                     "top1"});
  for (const Result& result : results)
    text += base::csv_line({base::inert_cell(setup.model),
                            result.schedule,
                            result.r ? std::to_string(*result.r) : "",
                            result.dtype,
                            setup.device,
                            std::to_string(setup.batch),
                            std::to_string(setup.threads),
                            fixed(result.throughput_median, 4),
                            fixed(result.throughput_best, 4),
                            fixed(result.throughput_min, 4),
                            fixed(result.spread, 4),
                            fixed(result.latency_p50, 4),
                            fixed(result.latency_p95, 4),
                            fixed(result.gflops, 6),
                            fixed(result.merge_ratio, 4),
                            std::to_string(result.tokens.back()),
                            fixed(result.speedup, 4),
                            fixed(result.flop_ratio, 4),
                            fixed(result.realised(), 4),
                            fixed(result.top1_agreement, 4),
                            result.top1 ? fixed(*result.top1, 4) : ""});
  return text;
}

nlohmann::ordered_json json(const Setup& setup, const std::vector<Result>& results) {
  using Json = nlohmann::ordered_json;
  Json document = {{"host",
                    {{"cpu", cli::cpu_name()},
                     {"cores", base::usable_cpus()},
                     {"simd", at::get_cpu_capability()},
                     {"fast_bf16", vit::has_fast_bf16()},
                     {"libtorch", TORCH_VERSION},
                     {"vitome", VITOME_VERSION},
                     {"peak_memory_bytes", cli::peak_memory()}}},
                   {"model", setup.model},
                   {"image_size", setup.image_size},
                   {"num_tokens", setup.num_tokens},
                   {"inputs", setup.inputs},
                   {"device", setup.device},
                   {"training", setup.training},
                   {"seconds", setup.seconds},
                   {"results", Json::array()}};
  for (const Result& result : results) {
    Json entry = {{"r", result.r ? Json(*result.r) : Json()},
                  {"schedule", result.schedule},
                  {"dtype", result.dtype},
                  {"batch", setup.batch},
                  {"threads", setup.threads},
                  {"baseline", result.baseline},
                  {"batches", result.batches},
                  {"throughput_median", result.throughput_median},
                  {"throughput_best", result.throughput_best},
                  {"throughput_min", result.throughput_min},
                  {"spread", result.spread},
                  {"latency_ms", {{"p50", result.latency_p50}, {"p95", result.latency_p95}}},
                  {"gflops", result.gflops},
                  {"tokens", result.tokens},
                  {"merge_ratio", result.merge_ratio},
                  {"speedup", result.speedup},
                  {"flop_ratio", result.flop_ratio},
                  {"realised", result.realised()},
                  {"top1_agreement", result.top1_agreement},
                  {"not_finite", result.not_finite}};
    if (result.top1) entry["top1"] = *result.top1;
    document["results"].push_back(std::move(entry));
  }
  return document;
}

}  // namespace bench
