// The names of timm's classes Eva, Beit, NaFlexVit and VisionTransformerRelPos become those of one
// model.
#include "tests/support/catch.h"
#include "tests/support/compare.h"

#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/layouts/timm_names.h>

using Catch::ContainsSubstring;

TEST_CASE("Eva's biases without that of the keys are packed with zeros between them") {
  const auto weight = at::randn({12, 4}), q = at::randn({4}), v = at::randn({4});
  const auto named = vit::timm_names({{"blocks.0.attn.qkv.weight", weight},
                                      {"blocks.0.attn.q_bias", q},
                                      {"blocks.0.attn.v_bias", v},
                                      {"blocks.0.gamma_1", at::ones({4})},
                                      {"blocks.0.gamma_2", at::ones({4})}},
                                     "f");
  CHECK(named.at("blocks.0.attn.qkv.weight").is_same(weight));  // still in the file
  CHECK(test::same(named.at("blocks.0.attn.qkv.bias"), at::cat({q, at::zeros({4}), v})));
  CHECK(named.contains("blocks.0.ls1.gamma"));
  CHECK(named.contains("blocks.0.ls2.gamma"));
  CHECK(named.size() == 4);
}

TEST_CASE("keys and values apart may be of fewer heads, and any of the biases may be missing") {
  const auto q = at::randn({8, 8}), k = at::randn({4, 8}), v = at::randn({4, 8});
  const auto bias = at::randn({4});
  vit::StateDict stored{{"blocks.3.attn.q_proj.weight", q},
                        {"blocks.3.attn.k_proj.weight", k},
                        {"blocks.3.attn.v_proj.weight", v},
                        {"blocks.3.attn.v_proj.bias", bias}};
  auto named = vit::timm_names(stored, "f");
  CHECK(test::same(named.at("blocks.3.attn.qkv.weight"), at::cat({q, k, v})));
  CHECK(test::same(named.at("blocks.3.attn.qkv.bias"), at::cat({at::zeros({12}), bias})));
  CHECK(named.size() == 2);

  stored["blocks.3.attn.v_proj.weight"] = at::randn({2, 8});
  CHECK_THROWS_WITH(
      vit::timm_names(stored, "f"),
      ContainsSubstring("f: the weight of query, key and value of \"blocks.3.attn.\""));
  stored.erase("blocks.3.attn.v_proj.weight");
  CHECK_THROWS_WITH(vit::timm_names(stored, "f"), ContainsSubstring("no complete weight"));
  // A query alone is somebody else's.
  stored.erase("blocks.3.attn.k_proj.weight");
  stored.erase("blocks.3.attn.v_proj.bias");
  CHECK(vit::timm_names(stored, "f").contains("blocks.3.attn.q.weight"));
}

TEST_CASE("a bias that is there together and apart is an error") {
  CHECK_THROWS_WITH(vit::timm_names({{"blocks.0.attn.qkv.weight", at::zeros({12, 4})},
                                     {"blocks.0.attn.qkv.bias", at::zeros({12})},
                                     {"blocks.0.attn.q_bias", at::zeros({4})}},
                                    "f"),
                    ContainsSubstring("together and one of each"));
  // Nothing of a size that a tensor without elements claims is made.
  CHECK_THROWS_WITH(vit::timm_names({{"blocks.0.attn.qkv.weight", at::zeros({3LL << 50, 0})},
                                     {"blocks.0.attn.q_bias", at::zeros({4})}},
                                    "f"),
                    ContainsSubstring("cannot be right"));
}

TEST_CASE("gate and value of an MLP apart are packed, the gate first") {
  const auto gate = at::randn({6, 4}), value = at::randn({6, 4});
  const auto named = vit::timm_names(
      {{"blocks.0.mlp.fc1_g.weight", gate}, {"blocks.0.mlp.fc1_x.weight", value}}, "f");
  CHECK(test::same(named.at("blocks.0.mlp.fc1.weight"), at::cat({gate, value})));
}

TEST_CASE("learned frequencies of all blocks go to their blocks") {
  const auto freqs = at::randn({2, 3, 2, 4});
  vit::StateDict stored{{"rope.freqs", freqs}};
  for (const char* block : {"0", "1", "2"})
    stored["blocks." + std::string(block) + ".norm1.weight"] = at::ones({8});
  const auto named = vit::timm_names(stored, "f");
  CHECK(test::same(named.at("blocks.1.attn.freqs"), freqs.select(1, 1)));
  CHECK(!named.contains("rope.freqs"));
  stored["blocks.3.norm1.weight"] = at::ones({8});
  CHECK_THROWS_WITH(
      vit::timm_names(stored, "f"),
      ContainsSubstring("\"rope.freqs\" has shape [2, 3, 2, 4], expected [2, 4, heads"));
  stored["blocks.99999999999.norm1.weight"] = at::ones({8});
  stored["rope.freqs"] = at::zeros({2, 100000000000, 0, 4});
  CHECK_THROWS_AS(vit::timm_names(stored, "f"), vit::Error);
}

TEST_CASE("what follows from the size of the grid is left out") {
  const auto index = at::zeros({5, 5}, at::kLong), table = at::randn({12, 2});
  const auto named = vit::timm_names({{"blocks.0.attn.relative_position_index", index},
                                      {"rel_pos_bias.relative_position_index", index},
                                      {"blocks.1.attn.rel_pos.relative_position_index", index},
                                      {"blocks.1.attn.rel_pos.rel_coords_log", index},
                                      {"shared_rel_pos.relative_position_index", index},
                                      {"blocks.1.attn.rel_pos.relative_position_bias_table", table},
                                      {"shared_rel_pos.relative_position_bias_table", table}},
                                     "f");
  CHECK(named.size() == 2);
  CHECK(named.at("blocks.1.attn.relative_position_bias_table").is_same(table));
  CHECK(named.at("rel_pos_bias.relative_position_bias_table").is_same(table));
}

TEST_CASE("NaFlexVit's embedding is one of patches, its table one of positions") {
  const int64_t dim = 5, rows = 2, cols = 3;
  const auto convolution = at::randn({dim, 3, 4, 4}), table = at::randn({1, rows, cols, dim});
  const auto linear = convolution.permute({0, 2, 3, 1}).flatten(1).contiguous();
  auto named = vit::timm_names({{"embeds.proj.weight", linear},
                                {"embeds.proj.bias", at::zeros({dim})},
                                {"embeds.pos_embed", table},
                                {"embeds.cls_token", at::zeros({1, 1, dim})},
                                {"embeds.reg_token", at::zeros({1, 4, dim})}},
                               "f");
  CHECK(test::same(named.at("pos_embed"), table.flatten(1, 2)));
  CHECK(named.contains("cls_token"));
  CHECK(named.contains("reg_token"));
  vit::shape_patch_embedding(named, 3, {4, 4}, "f");
  CHECK(test::same(named.at("patch_embed.proj.weight"), convolution));

  auto changed = vit::timm_names({{"embeds.proj.weight", linear}}, "f");
  CHECK_THROWS_WITH(vit::shape_patch_embedding(changed, 1, {4, 4}, "f"),
                    ContainsSubstring("f: the linear patch embedding has shape [5, 48]"));
  CHECK_THROWS_AS(vit::shape_patch_embedding(changed, 1LL << 60, {1LL << 60, 1}, "f"), vit::Error);
}

TEST_CASE("a factorised table is that of its sums") {
  const auto rows = at::randn({1, 2, 5}), cols = at::randn({1, 3, 5});
  vit::StateDict stored{{"embeds.pos_embed_y", rows}, {"embeds.pos_embed_x", cols}};
  const auto table = vit::timm_names(stored, "f").at("pos_embed");
  REQUIRE(table.sizes() == at::IntArrayRef({1, 6, 5}));
  CHECK(test::same(table[0][4], rows[0][1] + cols[0][1]));
  stored["embeds.pos_embed_x"] = at::zeros({1, 3, 6});
  CHECK_THROWS_WITH(vit::timm_names(stored, "f"), ContainsSubstring("of one width"));
  stored["embeds.pos_embed_x"] = at::zeros({1, 1 << 20, 0});
  CHECK_THROWS_AS(vit::timm_names(stored, "f"), vit::Error);
  stored.erase("embeds.pos_embed_x");
  CHECK_THROWS_AS(vit::timm_names(stored, "f"), vit::Error);
}
