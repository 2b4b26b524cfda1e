#include "tests/vit/golden_case.h"

#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/fused_runs.h"
#include "tests/support/reducer_wrapper.h"

#include <map>
#include <string>

#include <ATen/ATen.h>

#include <tome/tome.h>
#include <vit/flops.h>
#include <vit/load.h>
#include <vit/weights/files/safetensors.h>

namespace test {
namespace {

tome::Schedule schedule_of(const nlohmann::json& setting) {
  const auto& r = setting.at("r");
  const std::string kind = setting.at("r_kind");
  if (kind == "list") return r.get<std::vector<int64_t>>();
  if (kind == "inflect") return tome::Schedule::linear(r.at(0), r.at(1));
  return r.get<int64_t>();
}

/// Keeps the metrics that the wrapped reducer sees, and the fused kernels out of it.
class Spy : public ReducerWrapper {
 public:
  using ReducerWrapper::ReducerWrapper;
  bool per_sample() const override { return false; }
  vit::BatchGroups group_batch(const vit::BatchRequest& request) const override {
    metrics[request.at.layer] = request.metric;
    return inner().group_batch(request);
  }

  mutable std::map<int64_t, at::Tensor> metrics;
};

/// What one setting computed, and under which start of a name it stands in the file.
void check_result(const vit::ForwardResult& result, const vit::StateDict& io,
                  const std::string& start) {
  const auto close = [&](const char* name, const at::Tensor& got, double tolerance) {
    CAPTURE(name);
    const auto expected = io.find(start + name);
    if (expected == io.end()) return;
    REQUIRE(got.defined());
    CHECK(max_difference(got, expected->second) < tolerance);
  };
  close("logits", result.logits, kGoldenTolerance);
  close("features", result.features, kGoldenTolerance);
  close("pooled", result.pooled, kGoldenTolerance);
  close("coords", result.coords, 1e-5);
  if (start.empty()) return;
  CHECK(same(result.size, io.at(start + "size").squeeze(-1)));
  CHECK(same(result.source, io.at(start + "source")));
}

}  // namespace

vit::VisionTransformer check_golden_case(const std::filesystem::path& folder) {
  at::NoGradGuard no_grad;
  auto model = vit::load(folder);
  const auto cases = read_json(folder / "cases.json");
  const auto io = vit::read_safetensors(folder / "io.safetensors");
  const auto input = io.at("input");
  REQUIRE(model->config().num_tokens() == cases.at("num_tokens").get<int64_t>());
  REQUIRE(model->config().num_prefix_tokens() == cases.at("num_prefix_tokens").get<int64_t>());

  const int64_t fused = has_fused_blocks() ? 1 : 0;
  const FusedRuns plain_runs;
  check_result(model->forward_all(input), io, "");
  CHECK(plain_runs.count() == fused);

  const vit::ForwardOptions tracked{.track_source = true, .track_positions = true};
  for (const auto& setting : cases.at("settings")) {
    const std::string key = setting.at("name");
    CAPTURE(key);
    tome::apply(model, {.r = schedule_of(setting), .prop_attn = setting.at("prop_attn")});
    CHECK(vit::tokens_per_layer(model->config(), model->reducer().get()) ==
          setting.at("tokens_per_layer").get<std::vector<int64_t>>());
    const FusedRuns merged_runs;
    check_result(model->forward_all(input, tracked), io, key + "/");
    CHECK(merged_runs.count() == fused);
    // Once more as separate operators: the fused blocks leave to them what needs the whole batch.
    std::shared_ptr<Spy> spy;
    if (model->reducer()) model->set_reducer(spy = std::make_shared<Spy>(model->reducer()));
    const FusedRuns spied_runs;
    check_result(model->forward_all(input, tracked), io, key + "/");
    CHECK(spied_runs.count() == (spy ? 0 : fused));
    for (const int64_t layer : setting.at("metric_layers"))
      CHECK(max_difference(spy->metrics.at(layer),
                           io.at(key + "/metric." + std::to_string(layer))) < kGoldenTolerance);
  }
  tome::remove(model);
  return model;
}

}  // namespace test
