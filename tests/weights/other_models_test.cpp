// Files of models that are no plain Vision Transformers: the error says what they look like.
#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/load.h>
#include <vit/refused.h>
#include <vit/weights/files/safetensors.h>

using Catch::ContainsSubstring;

namespace {

vit::StateDict named(const std::vector<std::string>& names) {
  vit::StateDict weights;
  for (const auto& name : names) weights[name] = at::zeros({2, 2});
  return weights;
}

}  // namespace

TEST_CASE("weights of other models are refused by what they look like") {
  struct Other {
    std::vector<std::string> names;
    const char* model;
  };
  const Other other = GENERATE(values<Other>({
      // As timm, torchvision and transformers name them.
      {{"conv1.weight", "bn1.running_mean", "layer1.0.conv1.weight", "fc.weight"}, "a ResNet"},
      {{"backbone.body.layer1.0.conv1.weight", "roi_heads.box_head.fc6.weight"}, "an object"},
      {{"resnet.embedder.embedder.convolution.weight", "classifier.1.weight"}, "a ResNet"},
      {{"stem.0.weight", "stages.0.blocks.0.gamma", "head.fc.weight"}, "a network of stages"},
      {{"convnext.embeddings.patch_embeddings.weight",
        "convnext.encoder.stages.0.layers.0.layer_scale_parameter"},
       "a network of stages"},
      {{"features.0.0.weight", "features.1.0.layer_scale", "classifier.2.weight"},
       "a convolutional network"},
      {{"Conv2d_1a_3x3.conv.weight", "Conv2d_1a_3x3.bn.running_mean"}, "a convolutional network"},
      {{"conv_stem.weight", "bn1.weight", "blocks.0.0.conv_dw.weight"}, "an EfficientNet"},
      {{"patch_embed.proj.weight", "layers.0.blocks.0.norm1.weight", "norm.weight"}, "a Swin"},
      {{"embeddings.word_embeddings.weight", "encoder.layer.0.attention.self.query.weight"},
       "a language model (BERT"},
      {{"transformer.wte.weight", "transformer.h.0.ln_1.weight"}, "a language model (GPT"},
      {{"model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight"}, "(LLaMA"},
      {{"shared.weight", "encoder.block.0.layer.0.SelfAttention.q.weight"}, "(T5)"},
      {{"text_model.embeddings.token_embedding.weight"}, "the text tower of CLIP"},
      {{"model.diffusion_model.input_blocks.0.0.weight"}, "a diffusion model"},
      {{"stem.proj.weight", "blocks.0.mlp_tokens.fc1.weight"}, "an MLP-Mixer"},
      {{"base_model.model.vit.encoder.layer.0.attention.attention.query.lora_A.weight"},
       "a LoRA adapter, not a model: merge it"},
  }));
  CAPTURE(other.names[0]);
  const test::TempDir folder;
  const auto file = folder / "x.safetensors";
  vit::write_safetensors(file, named(other.names));
  CHECK_THROWS_WITH(vit::load(file), ContainsSubstring(file.string() + ": looks like ") &&
                                         ContainsSubstring(other.model) &&
                                         ContainsSubstring("can be loaded: ViT, DeiT"));
}

TEST_CASE("relatives of Vision Transformers are refused by the parts that are not computed") {
  const auto source = test::data("vit/timm_vit_cls");
  const auto weights = vit::read_safetensors(source / "model.safetensors");
  const auto message = [&](std::vector<std::string> more, const std::string& without = "") {
    auto changed = weights;
    changed.merge(named(more));
    changed.erase(without);
    try {
      std::vector<std::string> names;
      for (const auto& [name, tensor] : changed) names.push_back(name);
      vit::refuse_other_models(names, names, "x.pth");
    } catch (const vit::Error& error) {
      return std::string(error.what());
    }
    return std::string("loads");
  };
  CHECK(message({}) == "loads");
  CHECK(message({"head.mlp.0.weight", "decoder_embed.weight"}) == "loads");
  // What learned to run.
  for (const char* name :
       {"blocks.0.attn.relative_position_bias_table", "blocks.0.attn.rel_pos.mlp.fc1.weight",
        "blocks.0.attn.q_bias", "blocks.0.gamma_1", "rope.freqs"}) {
    CAPTURE(name);
    CHECK(message({name}) == "loads");
  }
  CHECK_THAT(message({"blocks.0.attn.rel_pos_h"}), ContainsSubstring("attention in windows"));
  CHECK_THAT(message({"blocks.0.attn.lambda_q1"}), ContainsSubstring("differential attention"));
  CHECK_THAT(message({"blocks.0.in_proj.weight"}, "blocks.0.mlp.fc1.weight"),
             ContainsSubstring("run in parallel"));
  CHECK_THAT(message({"blocks.0.attns.0.attn.qkv.weight"}), ContainsSubstring("run in parallel"));
  CHECK_THAT(message({"cls_attn_blocks.0.norm1.weight"}), ContainsSubstring("XCiT"));
  CHECK_THAT(message({"blocks_token_only.0.norm1.weight"}), ContainsSubstring("CaiT"));
  CHECK_THAT(message({"patch_embed.backbone.stem.conv.weight"}), ContainsSubstring("a hybrid"));
}

TEST_CASE("of weights that look like nothing known some names are told") {
  const test::TempDir folder;
  vit::write_safetensors(folder / "x.safetensors", named({"a", "b.weight", "c", "d"}));
  CHECK_THROWS_WITH(vit::load(folder / "x.safetensors"),
                    ContainsSubstring("no tensor \"patch_embed.proj.weight\"") &&
                        ContainsSubstring("its tensors are a, b.weight, c, …"));
}

TEST_CASE("names of other models do not disturb towers beside them") {
  // Text towers and batch norms of other parts are left out or reported, not taken for the model.
  auto weights =
      vit::read_safetensors(test::data("families/open_clip/open_clip_model.safetensors"));
  weights["text.transformer.embeddings.word_embeddings.weight"] = at::zeros({2, 2});
  const test::TempDir folder;
  std::filesystem::copy_file(test::data("families/open_clip/open_clip_config.json"),
                             folder / "open_clip_config.json");
  vit::write_safetensors(folder / "open_clip_model.safetensors", weights);
  CHECK_NOTHROW(vit::load(folder.path()));
}
