#include "tests/support/catch.h"

#include <tome/reducer.h>
#include <vit/flops.h>

namespace {

vit::VitConfig vit_of(int64_t dim, int64_t depth) {
  vit::VitConfig config;
  config.block.dim = dim;
  config.depth = depth;
  config.block.attention.num_heads = dim / 64;
  config.block.mlp.hidden_dim = 4 * dim;
  return config;
}

}  // namespace

TEST_CASE("FLOPs are those of the papers") {
  // ViT-S/16, ViT-B/16 and ViT-L/16 at 224 as published (arXiv 2012.12877, 2210.09461).
  CHECK(std::abs(vit::gflops(vit_of(384, 12), nullptr) - 4.6) < 0.05);
  CHECK(std::abs(vit::gflops(vit_of(768, 12), nullptr) - 17.6) < 0.05);
  CHECK(std::abs(vit::gflops(vit_of(1024, 24), nullptr) - 61.6) < 0.1);
}

TEST_CASE("merging saves what the tokens say") {
  const tome::Reducer r13({.r = 13}), r8({.r = 8});
  const auto base = vit_of(768, 12);
  const auto tokens = vit::tokens_per_layer(base, &r13);
  CHECK(tokens.front() == 197 - 13);
  CHECK(tokens.back() == 197 - 12 * 13);
  // ToMe reports a ratio of about 1.7 for ViT-B at r = 13 and 2 for ViT-L at r = 8.
  const double ratio = vit::gflops(base, nullptr) / vit::gflops(base, &r13);
  CHECK(ratio > 1.65);
  CHECK(ratio < 1.75);
  const auto large = vit_of(1024, 24);
  const double large_ratio = vit::gflops(large, nullptr) / vit::gflops(large, &r8);
  CHECK(large_ratio > 1.9);
  CHECK(large_ratio < 2.1);
}

TEST_CASE("heads of queries that share keys save what projects them") {
  auto config = vit_of(768, 2);
  const double whole = vit::gflops(config, nullptr);
  config.kv_heads = {12, 3};  // a quarter of the keys and values of one layer
  const double tokens = 197, saved = tokens * 2 * 768 * 768 * 3 / 4;
  CHECK(whole - vit::gflops(config, nullptr) == Approx(saved / 1e9));
  config.kv_heads.clear();
  config.block.attention.num_kv_heads = 3;
  CHECK(whole - vit::gflops(config, nullptr) == Approx(2 * saved / 1e9));
}
