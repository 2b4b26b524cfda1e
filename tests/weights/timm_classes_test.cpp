// Arguments of timm's classes beside VisionTransformer, and those of its newer models: read,
// refused where they contradict themselves, and written.
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <fstream>

#include <vit/architecture_table.h>
#include <vit/error.h>
#include <vit/weights/config_json.h>
#include <vit/weights/layouts/timm_model.h>
#include <vit/weights/layouts/timm_writer.h>

using Catch::ContainsSubstring;

namespace {

vit::ModelConfig read(const std::string& text) {
  const test::TempDir folder;
  std::ofstream(folder / "config.json") << text;
  return vit::read_config(folder / "config.json");
}

vit::VitConfig with_args(const std::string& architecture, const std::string& args) {
  return read(R"({"architecture": ")" + architecture + R"(", "model_args": {)" + args + "}}").vit;
}

}  // namespace

TEST_CASE("the norm of class Eva follows its own rules") {
  const char* dinov3 = "vit_small_patch16_dinov3";
  CHECK((with_args(dinov3, "").head.norm_before && !with_args(dinov3, "").head.norm_after));
  const auto pooled = with_args(dinov3, R"("use_fc_norm": null)").head;
  CHECK((pooled.norm_after && !pooled.norm_before));
  const auto both =
      with_args(dinov3, R"("use_fc_norm": true, "use_post_transformer_norm": true)").head;
  CHECK((both.norm_after && both.norm_before));
  const auto none = with_args("vit_pe_lang_large_patch14_448", "").head;
  CHECK((!none.norm_after && !none.norm_before));
  const auto token = with_args("eva02_tiny_patch14_224", R"("global_pool": "token")").head;
  CHECK((token.norm_before && !token.norm_after));
}

TEST_CASE("widths of gated MLPs are rounded up where timm rounds them") {
  const auto hidden = [](const char* name, const char* args) {
    return with_args(name, args).block.mlp.hidden_dim;
  };
  const char* plus = "vit_small_plus_patch16_dinov3";
  CHECK(hidden(plus, R"("embed_dim": 48, "num_heads": 3, "mlp_ratio": 2.1)") == 104);
  CHECK(
      hidden(plus, R"("embed_dim": 48, "num_heads": 3, "mlp_ratio": 2.1, "swiglu_align_to": 0)") ==
      100);
  CHECK(hidden("eva02_tiny_patch14_224", "") == 512);
  CHECK(hidden("aimv2_large_patch14_224", "") == 2816);
  // Without a gate there is nothing to align.
  CHECK(hidden(plus, R"("swiglu_mlp": false, "mlp_ratio": 2.1)") == 806);
}

TEST_CASE("biases, heads of keys and rotary positions follow the arguments") {
  const auto eva = with_args("vit_small_patch16_dinov3", R"("qkv_bias": true)").block.attention;
  CHECK((eva.q_bias && !eva.k_bias && eva.v_bias));
  const auto rope =
      with_args("vit_small_patch16_dinov3", R"("qkv_bias": true, "attn_type": "rope")");
  CHECK(rope.block.attention.k_bias);
  const auto grouped = with_args("vit_base_patch16_sapiens2",
                                 R"("depth": 3, "num_heads": 12, "num_kv_heads": [12, 4, 12])");
  CHECK(grouped.kv_heads == std::vector<int64_t>{12, 4, 12});
  const auto all = with_args("vit_base_patch16_sapiens2", R"("num_kv_heads": 3)");
  CHECK((all.kv_heads.empty() && all.block.attention.num_kv_heads == 3));
  CHECK(with_args("vit_base_patch16_sapiens2", R"("num_kv_heads": null)").kv_heads.empty());

  const auto rotary = with_args("vit_pe_core_base_patch16_224",
                                R"("ref_feat_shape": [7, 8], "rope_temperature": 50,
                                   "rope_grid_offset": 0.5, "rope_grid_indexing": "ij",
                                   "rope_rotate_half": true)")
                          .block.attention.rotary.value();
  CHECK(rotary.reference_rows == 7);
  CHECK(rotary.reference_cols == 8);
  CHECK(rotary.base == 50);
  CHECK(rotary.offset == 0.5);
  CHECK(!rotary.columns_first);
  CHECK(rotary.layout == vit::RotaryLayout::half);
  CHECK(!with_args("eva02_tiny_patch14_224", R"("use_rot_pos_emb": false)").block.attention.rotary);
}

TEST_CASE("relative position biases are of the grid of the image") {
  const auto beit = with_args("beit_base_patch16_224", R"("img_size": [64, 96])");
  CHECK(beit.block.attention.relative_bias->grid == vit::Size2d{4, 6});
  CHECK(beit.block.attention.relative_bias->prefix_tokens == 1);
  const auto shared = with_args("beit_base_patch16_224",
                                R"("use_rel_pos_bias": false, "use_shared_rel_pos_bias": true)");
  CHECK(shared.block.attention.relative_bias->shared);
  CHECK(!with_args("beit_base_patch16_224", R"("use_rel_pos_bias": false)")
             .block.attention.relative_bias);
  const auto table = with_args("test_vit_relpos", R"("rel_pos_type": "bias")");
  CHECK(table.block.attention.relative_bias->kind == vit::RelativeBiasKind::table);
  CHECK(with_args("test_vit_relpos", R"("rel_pos_dim": 7)")
            .block.attention.relative_bias->hidden_dim == 7);
}

TEST_CASE("NaFlexVit's table has a grid of its own, or that of the image") {
  const auto grid = [](const char* args) {
    return with_args("naflexvit_base_patch16_gap", args).positions.table;
  };
  CHECK(grid("") == vit::Size2d{16, 16});
  CHECK(grid(R"("pos_embed_grid_size": [5, 7])") == vit::Size2d{5, 7});
  CHECK(grid(R"("pos_embed_grid_size": null, "img_size": [32, 64])") == vit::Size2d{2, 4});
  const auto kind = [](const char* args) {
    return with_args("naflexvit_base_patch16_gap", args).positions.resampling;
  };
  CHECK(kind(R"("pos_embed_interp_mode": "bilinear")") == vit::Resampling::bilinear_antialias);
  CHECK(kind(R"("pos_embed": "factorized", "pos_embed_ar_preserving": true)") ==
        vit::Resampling::bilinear_window);
}

TEST_CASE("arguments that contradict themselves are named") {
  const std::tuple<const char*, const char*, const char*> faults[] = {
      {"vit_base_patch16_sapiens2", R"("num_kv_heads": [4, 2])",
       "num_kv_heads: has 2 values, expected one for each of 12 blocks"},
      {"vit_base_patch16_sapiens2", R"("num_kv_heads": 5)",
       "num_kv_heads: 5 heads of keys do not divide 12 heads of queries"},
      {"vit_base_patch16_sapiens2", R"("num_kv_heads": 0)", "num_kv_heads: 0 heads of keys"},
      {"vit_base_patch16_sapiens2", R"("num_kv_heads": [])", "num_kv_heads: expected a number"},
      {"vit_small_patch16_dinov3", R"("num_kv_heads": 3)", "attention of type \"eva\""},
      {"eva02_tiny_patch14_224", R"("ref_feat_shape": [0, 16])",
       "ref_feat_shape: a grid of 0x16 has no patches"},
      {"eva02_tiny_patch14_224", R"("rope_temperature": -1)", "rope_temperature: -1 is no base"},
      {"eva02_tiny_patch14_224", R"("rope_temperature": 0)", "rope_temperature: 0 is no base"},
      {"eva02_tiny_patch14_224", R"("rope_grid_offset": 1e9)", "rope_grid_offset: "},
      {"eva02_tiny_patch14_224", R"("rope_type": "mrope")", "rope_type: \"mrope\" is unknown"},
      {"eva02_tiny_patch14_224", R"("num_heads": 96)", "rotary positions need heads of a multiple"},
      {"eva02_tiny_patch14_224", R"("swiglu_align_to": -8)", "swiglu_align_to: "},
      {"vit_small_patch16_dinov3", R"("rope_grid_offset": 1)",
       "centered rotary positions have no offset"},
      {"vit_small_patch16_rope_mixed_224", R"("rope_rotate_half": true)", "rope_rotate_half"},
      {"vit_small_patch16_rope_mixed_224", R"("rope_grid_indexing": "ij")", "rope_grid_indexing"},
      {"beit_base_patch16_224", R"("use_shared_rel_pos_bias": true)",
       "relative position biases of each block beside shared ones"},
      {"naflexvit_base_patch16_gap", R"("pos_embed_align_corners": true)",
       "pos_embed_align_corners: the positions of this model are resized in a way"},
      {"naflexvit_base_patch16_gap", R"("attn_gated": true)", "attn_gated: only false"},
      {"naflexvit_base_patch16_gap", R"("pos_embed_grid_size": 0)", "a grid of 0x0"},
      {"vit_base_patch16_224", R"("embed_norm_layer": "rmsnorm")", "only the norm of the blocks"},
      // Each class has arguments of its own.
      {"vit_base_patch16_224", R"("use_rot_pos_emb": true)", "\"use_rot_pos_emb\" is unknown"},
      {"eva02_tiny_patch14_224", R"("reg_tokens": 4)", "\"reg_tokens\" is unknown"},
  };
  for (const auto& [name, args, message] : faults) {
    CAPTURE(name, args);
    CHECK_THROWS_WITH(with_args(name, args), ContainsSubstring(message));
  }
}

TEST_CASE("every architecture is written as itself, and read back") {
  for (const auto& row : vit::architecture_table()) {
    CAPTURE(row.name);
    const auto config = row.config();
    const auto model = vit::timm_model_of(config.vit);
    CHECK(model.exact);
    CHECK(model.base->name == std::string(row.name));
    CHECK(vit::timm_obstacle(config.vit).empty());
    CHECK(read(vit::timm_config_text(config)).vit == config.vit);
  }
}

TEST_CASE("a model of another name is written as what timm can build it of") {
  const auto base_of = [](const char* name, auto change) {
    auto config = vit::find_architecture(name).config().vit;
    config.architecture = "mine";
    change(config);
    const auto model = vit::timm_model_of(config);
    return model.exact ? model.arguments.timm_class : vit::TimmClass::distilled;
  };
  const auto nothing = [](vit::VitConfig&) {};
  CHECK(base_of("vit_tiny_patch16_224", nothing) == vit::TimmClass::vision_transformer);
  CHECK(base_of("vit_small_patch16_dinov3", nothing) == vit::TimmClass::eva);
  CHECK(base_of("beit_base_patch16_224", nothing) == vit::TimmClass::beit);
  CHECK(base_of("test_vit_relpos", nothing) == vit::TimmClass::relpos);
  CHECK(base_of("naflexvit_base_patch16_siglip", nothing) == vit::TimmClass::naflex);
  // An eps of next to nothing is as good as timm's.
  CHECK(base_of("beit_base_patch16_224", [](vit::VitConfig& c) { c.block.norm.eps = 1e-12; }) ==
        vit::TimmClass::beit);
  auto bias = vit::find_architecture("vit_small_patch16_dinov3").config().vit;
  bias.block.attention.v_bias = true;
  CHECK(!vit::timm_model_of(bias).exact);
  CHECK(vit::timm_obstacle(bias) == "some of its queries, keys and values have no bias");
}
