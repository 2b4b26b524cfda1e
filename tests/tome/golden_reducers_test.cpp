#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/environment.h"
#include "tests/support/reducer_wrapper.h"
#include "tests/tome/other_reducers.h"

#include <map>
#include <memory>
#include <string>

#include <ATen/ATen.h>

#include <tome/pitome.h>
#include <tome/threshold.h>
#include <vit/load.h>
#include <vit/merging/apply_groups.h>
#include <vit/weights/files/safetensors.h>
#ifdef VITOME_CPU_KERNELS
#include <vit/kernels/product.h>
#endif

// Whole models and single decisions of reducers other than token merging, against tensors that the
// methods' definitions gave.

namespace {

using Reducer = std::shared_ptr<const vit::TokenReducer>;

constexpr double kTolerance = 1e-4;     // of models
constexpr double kOpsTolerance = 1e-5;  // of single operators
constexpr double kSizeTolerance = 1e-5;

/// A number for all layers or a list.
std::vector<double> per_layer(const nlohmann::json& value) {
  if (value.is_array()) return value.get<std::vector<double>>();
  return {value.get<double>()};
}

tome::PitomeVariant variant_of(const std::string& name) {
  REQUIRE((name == "bsm" || name == "ordered"));
  return name == "bsm" ? tome::PitomeVariant::bsm : tome::PitomeVariant::ordered;
}

Reducer pitome_of(const nlohmann::json& setting) {
  tome::PitomeOptions options;
  options.ratio = per_layer(setting.at("ratio"));
  options.margins = setting.at("margins").get<std::vector<double>>();
  options.alpha = setting.at("alpha");
  options.prop_attn = setting.at("prop_attn");
  for (const std::string name : setting.at("variants"))
    options.variants.push_back(variant_of(name));
  return std::make_shared<tome::PitomeReducer>(options);
}

Reducer reducer_of(const nlohmann::json& setting, const vit::StateDict& io) {
  const std::string kind = setting.at("reducer"), key = setting.at("name");
  const test::OtherReducer::SizeUse use{setting.at("prop_attn"), setting.at("pool") == "weighted"};
  if (kind == "pitome") return pitome_of(setting);
  if (kind.starts_with("threshold"))
    return std::make_shared<tome::ThresholdReducer>(
        tome::ThresholdOptions{.tau = setting.at("taus").get<std::vector<double>>(),
                               .shared = kind == "threshold_shared",
                               .prop_attn = setting.at("prop_attn")});
  if (kind == "evit")
    return std::make_shared<test::Evit>(use, setting.at("keep_rates").get<std::vector<double>>(),
                                        setting.at("fuse"));
  if (kind == "tofu")
    return std::make_shared<test::Tofu>(use, setting.at("ratio"),
                                        setting.at("strategies").get<std::vector<std::string>>());
  if (kind == "diffrate")
    return std::make_shared<test::DiffRate>(use, setting.at("prune").get<std::vector<int64_t>>(),
                                            setting.at("merge").get<std::vector<int64_t>>());
  REQUIRE(kind.starts_with("random"));
  test::RandomReducer::Scores scores;
  std::vector<int64_t> removed;
  for (int64_t layer = 0; io.contains(key + "/scores." + std::to_string(layer)); ++layer) {
    scores[layer] = io.at(key + "/scores." + std::to_string(layer));
    removed.push_back(io.at(key + "/removed." + std::to_string(layer)).size(1));
  }
  return std::make_shared<test::RandomReducer>(use, removed, kind == "random_bipartite", scores);
}

/// Keeps what the wrapped reducer is asked and answers in the separate operators, to which it
/// leads the model unless told otherwise.
class Spy : public test::ReducerWrapper {
 public:
  Spy(Reducer inner, bool operators) : ReducerWrapper(std::move(inner)), operators_(operators) {}
  bool per_sample() const override { return !operators_ && inner().per_sample(); }
  vit::BatchGroups group_batch(const vit::BatchRequest& request) const override {
    requests[request.at.layer] = request;
    return answers[request.at.layer] = inner().group_batch(request);
  }
  mutable std::map<int64_t, vit::BatchRequest> requests;
  mutable std::map<int64_t, vit::BatchGroups> answers;

 private:
  bool operators_;
};

std::vector<int64_t> counts_of(const vit::BatchGroups& groups) {
  if (!groups.counts.empty()) return groups.counts;
  return std::vector<int64_t>(groups.keep.size(0), groups.keep.size(1));
}

void check_decisions(const Spy& spy, const nlohmann::json& setting, const vit::StateDict& io) {
  const std::string key = setting.at("name");
  for (const int64_t layer : setting.at("reducing_layers")) {
    CAPTURE(layer);
    const auto expected = [&](const std::string& name) {
      const auto found = io.find(key + "/" + name + "." + std::to_string(layer));
      return found == io.end() ? at::Tensor() : found->second;
    };
    REQUIRE(spy.answers.contains(layer));
    const auto& answer = spy.answers.at(layer);
    CHECK(test::same(answer.keep, expected("keep")));
    CHECK(test::same(answer.removed, expected("removed")));
    CHECK(test::same(answer.into, expected("into")));
    const auto& tokens = setting.at("tokens_per_layer").at(layer);
    CHECK(counts_of(answer) == (tokens.is_array()
                                    ? tokens.get<std::vector<int64_t>>()
                                    : std::vector<int64_t>(answer.keep.size(0), tokens)));
    const auto& request = spy.requests.at(layer);
    if (const auto metric = expected("metric"); metric.defined())
      CHECK(test::max_difference(request.metric, metric) < kTolerance);
    if (const auto attention = expected("cls_attn"); attention.defined())
      CHECK(test::max_difference(request.class_attention, attention) < kTolerance);
  }
}

bool has_fused_blocks() {
#ifdef VITOME_CPU_KERNELS
  return vit::kernels::is_native(vit::kernels::Math::fp32);
#else
  return false;
#endif
}

}  // namespace

TEST_CASE("reducers reproduce their definitions in whole models") {
  const std::string name = GENERATE(as<std::string>{}, "timm_cls", "timm_gap", "timm_reg");
  CAPTURE(name);
  at::NoGradGuard no_grad;
  const auto folder = test::data("reducers") / name;
  auto model = vit::load(folder);
  const auto cases = test::read_json(folder / "cases.json");
  const auto io = vit::read_safetensors(folder / "io.safetensors");
  for (const auto& setting : cases.at("settings")) {
    const std::string key = setting.at("name");
    CAPTURE(key);
    const auto reducer = reducer_of(setting, io);
    const auto check = [&](const vit::ForwardResult& result) {
      CHECK(test::max_difference(result.logits, io.at(key + "/logits")) < kTolerance);
      CHECK(test::max_difference(result.features, io.at(key + "/features")) < kTolerance);
      CHECK(test::max_difference(result.size, io.at(key + "/size").squeeze(-1)) < kSizeTolerance);
      CHECK(test::same(result.source, io.at(key + "/source")));
    };
    const auto operators = std::make_shared<Spy>(reducer, /*operators=*/true);
    model->set_reducer(operators);
    check(model->forward_all(io.at("input"), {.track_source = true}));
    check_decisions(*operators, setting, io);

    if (!has_fused_blocks() || !reducer->per_sample()) continue;
    for (const int threads : {1, 2, 3, 4}) {
      CAPTURE(threads);
      const test::ThreadCount thread_count(threads);
      const auto fused = std::make_shared<Spy>(reducer, /*operators=*/false);
      model->set_reducer(fused);
      check(model->forward_all(io.at("input"), {.track_source = true}));
      CHECK(fused->requests.empty());  // it was the fused blocks that asked
    }
  }
}

TEST_CASE("PiToMe and threshold merging decide as their definitions say") {
  const auto folder = test::data("reducers/ops");
  const auto cases = test::read_json(folder / "cases.json");
  const auto io = vit::read_safetensors(folder / "io.safetensors");
  int64_t seen = 0;
  for (const auto& c : cases.at("ops")) {
    const std::string name = c.at("name"), kind = c.at("kind");
    CAPTURE(name);
    Reducer reducer;
    if (kind == "pitome")
      reducer = std::make_shared<tome::PitomeReducer>(
          tome::PitomeOptions{.ratio = {c.at("ratio").get<double>()},
                              .margins = {c.at("margin").get<double>()},
                              .variants = {variant_of(c.at("variant"))},
                              .alpha = c.at("alpha")});
    else if (kind == "threshold")
      reducer = std::make_shared<tome::ThresholdReducer>(
          tome::ThresholdOptions{.tau = {c.at("tau").get<double>()}});
    else
      continue;
    ++seen;
    const auto tensor = [&](const char* tensor_name) {
      const auto found = io.find(name + "/" + tensor_name);
      return found == io.end() ? at::Tensor() : found->second;
    };
    vit::TokenState state;
    state.tokens = tensor("x");
    const int64_t batch = state.tokens.size(0), tokens = state.tokens.size(1);
    if (tensor("size_in").defined()) state.size = tensor("size_in").view({batch, tokens});
    state.source = at::eye(tokens).expand({batch, tokens, tokens});
    state.prefix_tokens = c.at("prefix");
    state.depth = 1;
    if (c.contains("lengths")) state.counts = c.at("lengths").get<std::vector<int64_t>>();
    if (!reducer->needs(state.layer_tokens())) {
      CHECK(c.at("tokens_out").dump().find(std::to_string(tokens)) != std::string::npos);
      continue;
    }
    vit::BatchRequest request{.at = state.layer_tokens(),
                              .batch = batch,
                              .device = at::kCPU,
                              .counts = state.counts,
                              .metric = tensor("metric"),
                              .class_attention = {},
                              .tokens = {},
                              .sizes = state.size};
    const auto groups = reducer->group_batch(request);
    CHECK(test::same(groups.keep, tensor("keep")));
    CHECK(test::same(groups.removed, tensor("removed")));
    CHECK(test::same(groups.into, tensor("into")));
    vit::merging::apply_groups(*reducer, groups, state);
    CHECK(test::max_difference(state.tokens, tensor("out")) < kOpsTolerance);
    CHECK(test::same(state.size, tensor("size").squeeze(-1)));
    CHECK(test::same(state.source, tensor("source")));
  }
  CHECK(seen == 22);
}
