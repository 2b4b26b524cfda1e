#include <algorithm>
#include <span>

#include <base/text.h>
#include <vit/error.h>
#include <vit/refused.h>

namespace vit {
namespace {

/// What a name holds, and what that means.
struct Sign {
  std::string_view part;
  const char* meaning;
};

// Names that users of timm may try, whose models this library does not compute.
constexpr Sign kArchitectures[] = {
    {"_relpos_", "it has relative position biases"},
    {"_srelpos_", "it has relative position biases"},
    {"_rope", "it has rotary positions"},
    {"dinov3", "it has rotary positions"},
    {"eva02_", "it has rotary positions"},
    {"vit_pe_", "it has rotary positions"},
    {"_rpn_", "its norms come after the residual branches"},
    {"_xp_", "its attention and MLP run in parallel"},
    {"_18x2_", "its blocks run in parallel"},
    {"_pwee_", "its attention and MLP run in parallel"},
    {"_dpwee_", "it has differential attention"},
    {"_dwee_", "it has differential attention"},
    {"_dlittle_", "it has differential attention"},
    {"aimv2_", "it has RMS norms"},
    {"test_vit3", "its attention pool reads the register tokens"},
    {"test_vit4", "it has RMS norms"},
    {"beit3_", "it has norms inside attention and MLP"},
    {"beit", "it has relative position biases"},
    {"_r26_", "it has a ResNet in front"},
    {"_r50_", "it has a ResNet in front"},
    {"_resnet", "it has a ResNet in front"},
    {"_r_s16_", "it has a ResNet in front"},
    {"vitamin_", "it has convolutional stages"},
    {"samvit_", "it has windowed attention"},
    {"naflexvit_", "it takes images of any aspect"},
};

// Arguments of timm's models, and fields of OpenCLIP's, that no published plain ViT uses.
constexpr const char* kTimmArguments[] = {"attn_layer", "block_fn", "embed_layer",
                                          "embed_norm_layer"};
constexpr const char* kOpenClipFields[] = {"attentional_pool",   "block_type",  "qk_norm",
                                           "scaled_cosine_attn", "scale_heads", "scale_attn_inner",
                                           "scale_attn",         "scale_fc"};

// Vision Transformers with parts that this library lacks. They would otherwise differ from plain
// ones by a few tensors more.
constexpr Sign kVariants[] = {
    {"relative_position", "a model with relative position biases (BEiT, Swin)"},
    {"rel_pos", "a model with relative position biases"},
    {".lambda_1", "BEiT or Data2Vec"},
    {"attn.q_bias", "BEiT, EVA or DINOv3"},
    {"blocks_token_only.", "CaiT"},
    {".gamma_1", "BEiT or DINOv3"},  // DeiT III has other names by now
    {"detection_tokens", "YOLOS, an object detector"},
    {"temporal_", "TimeSformer"},
    {"patch_embed.backbone.", "a hybrid with a ResNet in front"},
    {"lora_A.", "a LoRA adapter, not a model: merge it into its model and save that"},
};

// Everything else, the more special sign first.
constexpr Sign kOthers[] = {
    {"diffusion_model.", "a diffusion model"},
    {"down_blocks.", "a diffusion model"},
    {"roi_heads.", "an object detector"},
    {"layers.0.blocks.0.", "a Swin Transformer"},
    {"layer1.0.conv1.", "a ResNet"},
    {"embedder.embedder.convolution.", "a ResNet"},
    {"conv_stem.", "an EfficientNet or MobileNet"},
    {"stages.0.", "a network of stages (ConvNeXt, PVT, MaxViT and so on)"},
    {"embeddings.patch_embeddings.weight", "DINOv3, which has rotary positions"},
    {"features.0.", "a convolutional network (VGG, MobileNet, ConvNeXt and so on)"},
    {"SelfAttention.", "a language model (T5)"},
    {"word_embeddings.", "a language model (BERT and its descendants)"},
    {"wte.", "a language model (GPT)"},
    {"embed_tokens.", "a language model (LLaMA and its descendants)"},
    {"token_embedding.", "the text tower of CLIP alone"},
    {"feature_extractor.conv_layers.", "a speech model (wav2vec 2.0)"},
    {"encoder.embed_positions.", "a speech or language model"},
    {"mlp_tokens.", "an MLP-Mixer"},
    {".running_mean", "a convolutional network"},
};

using Names = std::span<const std::string>;

const char* find_sign(std::span<const Sign> signs, Names names, std::string& example) {
  for (const auto& sign : signs)
    for (const auto& name : names)
      if (name.find(sign.part) != name.npos) {
        example = name;
        return sign.meaning;
      }
  return nullptr;
}

bool has_parts_of_vit(Names names) {
  const auto has = [&](std::string_view name) {
    return std::ranges::find(names, name) != names.end();
  };
  return has("patch_embed.proj.weight") && has("blocks.0.attn.qkv.weight") &&
         has("blocks.0.mlp.fc1.weight");
}

}  // namespace

const char* why_refused(std::string_view architecture) {
  for (const auto& [part, reason] : kArchitectures)
    if (architecture.find(part) != architecture.npos) return reason;
  return nullptr;
}

std::span<const char* const> refused_timm_arguments() { return kTimmArguments; }

std::span<const char* const> refused_open_clip_fields() { return kOpenClipFields; }

void refuse_other_models(Names stored, Names renamed, const std::string& where) {
  std::string example;
  const char* model = find_sign(kVariants, renamed, example);
  // The text tower of a CLIP is no fault.
  if (!model && !has_parts_of_vit(renamed)) model = find_sign(kOthers, stored, example);
  if (!model) return;
  fail(where, ": looks like ", model, ", by its tensor ", base::in_quotes(example),
       "; plain Vision Transformers are what can be loaded: ViT, DeiT, MAE, DINO, DINOv2, CLIP, "
       "SigLIP and their kin");
}

}  // namespace vit
