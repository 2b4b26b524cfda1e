// tests/data/families: small random checkpoints as timm 1.0.31, transformers 5.24 and OpenCLIP 3.3
// write them, and what these libraries compute with them.
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"

#include <optional>

#include <ATen/ATen.h>

#include <tome/tome.h>
#include <vit/load.h>
#include <vit/weights/files/safetensors.h>

namespace {

constexpr double kTolerance = 1e-4;  // float32, against the libraries' own float32

struct Checkpoint {
  const char* name;
  const char* family;
  int64_t prefix_tokens;
  std::optional<vit::Size2d> image_size = std::nullopt;  // other than the checkpoint's
};

const Checkpoint kCheckpoints[] = {
    {"timm_siglip_rest", "siglip", 0},  // patches of 8 pixels in images of 34
    {"timm_deit3", "deit3", 1},
    {"timm_avgmax_prefix", "augreg", 3},  // as its tag has it
    {"timm_reg_gap", "vit", 1},           // four channels
    {"timm_clip_gelu", "clip", 1},
    {"hf_vit_model", "vit", 1},  // with a pooler, one channel, no bias of q, k and v
    {"hf_vit_resized", "vit", 1, vit::Size2d{48, 32}},
    {"hf_mae", "mae", 1},
    {"hf_msn", "msn", 1},
    {"hf_ijepa", "ijepa", 0},
    {"hf_dinov2_resized", "dinov2", 1},  // by its preprocessor_config.json
    {"hf_dinov2_registers_resized", "dinov2", 5, vit::Size2d{24, 56}},
    {"hf_clip_classes", "clip", 1},
    {"hf_siglip_classes", "siglip", 0},  // patches of 8 pixels in images of 29
    {"open_clip", "clip", 1},
    {"open_clip_avg", "clip", 1},  // the vision tower alone
};

}  // namespace

TEST_CASE("checkpoints of all families give their libraries' numbers") {
  at::NoGradGuard no_grad;
  for (const auto& checkpoint : kCheckpoints) {
    CAPTURE(checkpoint.name);
    const auto folder = test::data("families") / checkpoint.name;
    auto model = vit::load(folder, {.image_size = checkpoint.image_size});
    const auto io = vit::read_safetensors(folder / "io.safetensors");
    CHECK(model->config().family == checkpoint.family);
    CHECK(model->config().num_prefix_tokens() == checkpoint.prefix_tokens);

    const auto result = model->forward_all(io.at("input"));
    REQUIRE((io.contains("logits") || io.contains("features")));
    if (io.contains("logits"))
      CHECK(test::max_difference(result.logits, io.at("logits")) < kTolerance);
    if (io.contains("features"))
      CHECK(test::max_difference(result.features, io.at("features")) < kTolerance);

    // Two tokens fewer after each of the two blocks, none of them a prefix token.
    const int64_t tokens = model->config().num_tokens(), prefix = checkpoint.prefix_tokens;
    tome::apply(model, {.r = 2});
    const auto merged = model->forward_all(io.at("input"), {.track_source = true});
    CHECK(merged.features.size(1) == tokens - 4);
    CHECK(merged.logits.sizes() == result.logits.sizes());
    CHECK(test::same(merged.source.slice(1, 0, prefix),
                     at::eye(prefix, tokens).expand_as(merged.source.slice(1, 0, prefix))));
  }
}
