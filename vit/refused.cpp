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

// Parts of the names of timm's models that this library does not compute. Known architectures are
// looked up before.
constexpr Sign kArchitectures[] = {
    {"_xp_", "its attention and MLP run in parallel"},
    {"_18x2_", "its blocks run in parallel, two by two"},
    {"_pwee_", "its attention and MLP run in parallel"},
    {"_dpwee_", "it has differential attention"},
    {"_dwee_", "it has differential attention"},
    {"_dlittle_", "it has differential attention"},
    {"_r26_", "it has a ResNet in front"},
    {"_r50_", "it has a ResNet in front"},
    {"_resnet", "it has a ResNet in front"},
    {"_r_s16_", "it has a ResNet in front"},
    {"vit_base_mci_", "it has convolutions in front (MobileCLIP's hybrid)"},
    {"cait_", "CaiT has layers of talking heads and class attention"},
    {"convit_", "ConViT's attention is gated by positions"},
    {"crossvit_", "CrossViT has two branches of patches of different size"},
    {"davit_", "DaViT has stages, with attention in windows and over channels"},
    {"deepseek_vit_",
     "it is DeepSeek's encoder, with or without its aligner, in a class of its own"},
    {"efficientvit_", "it has convolutional stages"},
    {"fastvit_", "it has convolutional stages"},
    {"gcvit_", "GCViT has stages, with attention in windows"},
    {"gemma4_vit_",
     "it has gated MLPs with GELU between two norms each, and embeds rows and columns apart"},
    {"hieradet_", "Hiera has stages, which pool their queries"},
    {"hiera_", "Hiera has stages, which pool their queries"},
    {"levit_", "LeViT has convolutions in front and stages"},
    {"maxvit_", "MaxViT has convolutional stages and attention in windows"},
    {"mobilevit", "it has convolutional stages"},
    {"mvitv2_", "MViT has stages, which pool their queries"},
    {"nextvit_", "it has convolutional stages"},
    {"pit_", "PiT has stages, between which its tokens are pooled"},
    {"qwen3_vit_", "it is Qwen3-VL's encoder, with or without its merger, in a class of its own"},
    {"repvit_", "it has convolutional stages"},
    {"samvit_", "SAM's encoder has attention in windows"},
    {"shvit_", "it has convolutional stages"},
    {"swin", "Swin has stages, with attention in windows"},
    {"tiny_vit_", "TinyViT has convolutional stages and attention in windows"},
    {"tnt_", "TNT has an inner transformer over the pixels of every patch"},
    {"vitamin_", "ViTamin has convolutional stages in front"},
    {"volo_", "VOLO has outlook attention and class attention"},
    {"xcit_", "XCiT's attention is over channels, not over tokens"},
};

// Models of pictures, clips and sounds of the transformers library, by the start of their type, the
// more special one first.
constexpr Sign kModelTypes[] = {
    {"videomae", "VideoMAE, a model of video clips"},
    {"vivit", "ViViT, a model of video clips"},
    {"timesformer",
     "TimeSformer, a model of video clips with attention over frames and over patches apart"},
    {"vjepa2", "V-JEPA 2, a model of video clips"},
    {"videoprism",
     "VideoPrism, a model of video clips: blocks over the patches of each frame, then over frames"},
    {"xclip", "X-CLIP, a model of video clips"},
    {"audio-spectrogram-transformer", "the Audio Spectrogram Transformer, a model of sounds"},
    {"hiera", "Hiera, which has stages that pool their queries"},
    {"sam", "the encoder of SAM or a model around it, which has attention in windows or stages"},
    {"vitdet", "ViTDet, which has attention in windows and decomposed relative positions"},
    {"vitpose",
     "ViTPose, whose patch embedding pads its picture and whose MLPs may be several experts"},
    {"yolos", "YOLOS, an object detector with tokens for its detections"},
    {"dpt", "DPT, an estimator of depth on a backbone of its own"},
    {"groupvit", "GroupViT, which groups its tokens in stages"},
    {"pixtral", "the encoder of Pixtral, which packs pictures of any size into one sequence"},
    {"swin", "Swin, which has stages with attention in windows"},
    {"donut-swin", "Swin, which has stages with attention in windows"},
    {"maskformer-swin", "Swin, which has stages with attention in windows"},
    {"dinov3_convnext", "a ConvNeXt, a convolutional network"},
    {"convnext", "ConvNeXt, a convolutional network"},
    {"resnet", "a ResNet, a convolutional network"},
    {"regnet", "RegNet, a convolutional network"},
    {"efficientnet", "EfficientNet, a convolutional network"},
    {"mobilenet", "MobileNet, a convolutional network"},
    {"mobilevit", "MobileViT, which has convolutional stages"},
    {"cvt", "CvT, which has convolutional stages"},
    {"levit", "LeViT, which has convolutions in front and stages"},
    {"pvt", "PVT, which has stages"},
    {"segformer", "SegFormer, which has stages"},
    {"poolformer", "PoolFormer, which has no attention"},
    {"focalnet", "FocalNet, which has no attention"},
    {"swiftformer", "SwiftFormer, which has convolutional stages"},
    {"dinat", "DiNAT, which has stages with attention in neighbourhoods"},
    {"imagegpt", "ImageGPT, which predicts pixels one after the other"},
    {"perceiver", "Perceiver, which attends from latents to its input"},
    {"vilt", "ViLT, one transformer of text and pictures together"},
    {"bridgetower", "BridgeTower, a model of text and pictures together"},
    {"depth_anything", "an estimator of depth around a backbone: save the backbone alone"},
    {"zoedepth", "an estimator of depth around a backbone: save the backbone alone"},
    {"detr", "DETR, an object detector around a convolutional network"},
    {"qwen2_vl", "the encoder of Qwen2-VL, which packs pictures of any size into one sequence"},
    {"qwen2_5_vl", "the encoder of Qwen2.5-VL, which has attention in windows"},
    {"qwen3_vl", "the encoder of Qwen3-VL, which packs pictures of any size into one sequence"},
    {"bert", "a language model"},
    {"gpt", "a language model"},
    {"llama", "a language model"},
    {"t5", "a language model"},
};

// Arguments of timm's models, and fields of OpenCLIP's, that no published plain ViT uses.
constexpr const char* kTimmArguments[] = {"attn_layer",       "block_fn",  "embed_layer",
                                          "input_norm_layer", "mlp_layer", "rope_mrope_section"};
constexpr const char* kOpenClipFields[] = {"attentional_pool",   "block_type",  "qk_norm",
                                           "scaled_cosine_attn", "scale_heads", "scale_attn_inner",
                                           "scale_attn",         "scale_fc"};

// Vision Transformers with parts that this library lacks. They would otherwise differ from plain
// ones by a few tensors more.
constexpr Sign kVariants[] = {
    {"attn.rel_pos_h", "the encoder of SAM, which has attention in windows"},
    {"blocks_token_only.", "CaiT, which has layers of class attention"},
    {"attn.talking_head", "a model with talking heads (CaiT)"},
    {"attn.lambda_", "a model with differential attention"},
    {".in_split", "a model whose attention and MLP run in parallel"},
    {".in_proj.weight", "a model whose attention and MLP run in parallel"},
    {"blocks.0.attns.", "a model whose blocks run in parallel"},
    {"attn.gate.", "a model with gated attention"},
    {"cls_attn_blocks.", "XCiT, whose attention is over channels"},
    {"blocks.0.norm_mlp1.", "TNT, which has a transformer over the pixels of every patch"},
    {"network.0.0.attn.", "VOLO, which has outlook attention"},
    {"detection_tokens", "YOLOS, an object detector"},
    {"temporal_", "a model of video clips (TimeSformer, VideoPrism)"},
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

const char* what_is_model_type(std::string_view model_type) {
  for (const auto& [start, what] : kModelTypes)
    if (model_type.starts_with(start)) return what;
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
       "; plain Vision Transformers are what can be loaded: ViT, DeiT, MAE, DINO, CLIP, SigLIP, "
       "BEiT, EVA, AIMv2 and their kin");
}

}  // namespace vit
