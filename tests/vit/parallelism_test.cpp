#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/environment.h"
#include "tests/vit/block_kinds.h"
#include "tests/vit/native.h"

#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <tome/reducer.h>
#include <vit/block.h>
#include <vit/kernels/encoder.h>
#include <vit/kernels/encoder_pass.h>
#include <vit/rotary.h>

using vit::kernels::BatchTensors;
using vit::kernels::BlockWeights;
using vit::kernels::Encoder;
using vit::kernels::Math;
using vit::kernels::Parallelism;

namespace {

std::vector<BlockWeights> random_blocks(const vit::VitConfig& config) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(1);
  at::NoGradGuard no_grad;
  std::vector<BlockWeights> weights;
  for (int64_t i = 0; i < config.depth; ++i) {
    vit::Block block(config.block);
    for (auto& parameter : block->parameters()) parameter.normal_(0, 0.3, generator);
    weights.push_back(block->weights());
  }
  return weights;
}

BatchTensors run(const Encoder& encoder, const at::Tensor& input, const tome::Reducer& reducer,
                 Parallelism parallelism, int64_t threads) {
  const auto plan = vit::kernels::plan_tokens(encoder, input.size(1), 1, &reducer);
  const int64_t batch = input.size(0), left = plan.tokens.back();
  BatchTensors tensors;
  tensors.input = input;
  tensors.output = at::empty({batch, left, input.size(2)});
  tensors.size = at::empty({batch, left});
  tensors.source = at::empty({batch, left, input.size(1)});
  if (encoder.block().rotary) {
    tensors.grid = {1, 1, input.size(1) - 1};
    tensors.input_positions =
        vit::patch_positions(tensors.grid, 1, 2).expand({batch, -1, -1}).contiguous();
    tensors.same_positions = true;
    tensors.positions = at::empty({batch, left, 2});
  }
  vit::kernels::Workspace workspace;
  vit::kernels::run_pass(encoder, plan, tensors, {0, batch}, threads, parallelism, workspace);
  return tensors;
}

void check_columns_and_rows(Math math) {
  const int threads = GENERATE(2, 3, 4);
  const int64_t batch = GENERATE(1, 3);
  const std::string kind =
      GENERATE(as<std::string>{}, "plain", "layer scale", "swiglu", "inner RMS norms",
               "grouped queries", "rotary", "rotary learned", "relative bias");
  const auto [dim, heads] = GENERATE(table<int64_t, int64_t>({{24, 3}, {144, 2}, {320, 5}}));
  CAPTURE(static_cast<int>(math), threads, batch, kind, dim, heads);
  vit::VitConfig config;
  config.block.dim = dim;
  config.block.attention.num_heads = heads;
  config.depth = 3;
  config.block.mlp.hidden_dim = 3 * dim - 6;
  config.set_image_size({16, 149 * 16});
  test::set_block_kind(config, kind);
  const test::ThreadCount thread_count(threads);
  const Encoder encoder(*vit::kernels::lower(config.block), random_blocks(config), math,
                        /*free_weights=*/false);
  const tome::Reducer reducer({.r = tome::Schedule(std::vector<int64_t>{5, 0, 70})});
  const auto input =
      at::randn({batch, 150, dim}, at::make_generator<at::CPUGeneratorImpl>(2)).contiguous();

  const auto rows = run(encoder, input, reducer, Parallelism::rows, threads);
  const auto columns = run(encoder, input, reducer, Parallelism::columns, threads);
  // No number depends on which others are computed beside it.
  CHECK(test::same(columns.output, rows.output));
  CHECK(test::same(columns.size, rows.size));
  CHECK(test::same(columns.source, rows.source));
}

}  // namespace

TEST_CASE("threads that share columns compute what those that share rows do, in float32") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  check_columns_and_rows(Math::fp32);
}

TEST_CASE("threads that share columns compute what those that share rows do, in bfloat16") {
  SKIP_UNLESS_NATIVE(Math::bf16);
  check_columns_and_rows(Math::bf16);
}

TEST_CASE("threads that share columns compute what those that share rows do, in 8-bit integers") {
  SKIP_UNLESS_NATIVE(Math::int8);
  check_columns_and_rows(Math::int8);
}

TEST_CASE("threads share columns of large models for few rows") {
  const auto parallelism_of = [](int64_t dim, int64_t heads, int64_t depth, int64_t batch,
                                 int64_t threads, bool qk_norm = false,
                                 tome::RotaryRule rule = tome::RotaryRule::mean) {
    vit::VitConfig config;
    config.block.dim = dim;
    config.block.attention.num_heads = heads;
    config.block.mlp.hidden_dim = 4 * dim;
    config.depth = depth;
    config.block.attention.qk_norm = qk_norm;
    config.block.attention.rotary.emplace();
    const vit::Block block(config.block);
    const std::vector<BlockWeights> weights(static_cast<std::size_t>(depth), block->weights());
    const Encoder encoder(*vit::kernels::lower(config.block), weights, Math::fp32,
                          /*free_weights=*/false);
    const tome::Reducer reducer({.r = 8, .rotary = rule});
    const auto plan = vit::kernels::plan_tokens(encoder, 197, 1, &reducer);
    return vit::kernels::best_parallelism(encoder, plan, {0, batch}, threads);
  };
  SKIP_UNLESS_NATIVE(Math::fp32);
  CHECK(parallelism_of(768, 12, 2, 1, 2) == Parallelism::columns);
  CHECK(parallelism_of(768, 12, 2, 1, 1) == Parallelism::rows);        // nobody to share with
  CHECK(parallelism_of(768, 12, 2, 64, 2) == Parallelism::rows);       // many rows
  CHECK(parallelism_of(768, 12, 2, 1, 5) == Parallelism::rows);        // 12 blocks of columns
  CHECK(parallelism_of(192, 3, 2, 1, 3) == Parallelism::rows);         // small
  CHECK(parallelism_of(768, 12, 2, 1, 2, true) == Parallelism::rows);  // sums keys over heads
  CHECK(parallelism_of(768, 12, 2, 1, 2, false, tome::RotaryRule::rotated_metric) ==
        Parallelism::rows);  // likewise
}
