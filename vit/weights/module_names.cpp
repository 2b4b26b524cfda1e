#include <algorithm>
#include <iterator>

#include <vit/weights/module_names.h>

namespace vit {
namespace {

constexpr std::string_view kWrappers[] = {"module", "_orig_mod", "_checkpoint_wrapped_module",
                                          "_fsdp_wrapped_module", "_fpw_module"};

// The weights that every model of a layout has exactly once.
constexpr std::string_view kPatchEmbeddings[] = {
    "patch_embed.proj.weight",                            // timm, and authors
    "embeds.proj.weight",                                 // timm's NaFlexVit
    "embeddings.patch_embeddings.projection.weight",      // transformers
    "embeddings.patch_embedding.weight",                  // its CLIP and SigLIP
    "embeddings.patch_embed.weight",                      // its AIMv2
    "embeddings.patch_embeddings.weight",                 // its DINOv3
    "patch_embed.projection.weight",                      // its Sapiens2
    "radio_model.model.patch_generator.embedder.weight",  // its C-RADIO, in files
    "embeddings.patch_projection.weight",                 // and in memory
    "conv_proj.weight",                                   // torchvision
};
constexpr std::string_view kClipToken = "class_embedding";

constexpr std::string_view kAverages[] = {"ema", "teacher", "average", "averaged",
                                          "avg", "swa",     "shadow"};

constexpr std::string_view kHeads[] = {
    "head",   "heads", "fc",  "classifier", "classify", "classification", "linear", "lin",
    "logits", "clf",   "cls", "output",     "out",      "dense"};
// Heads that classify nothing, and parts of models that sound like one.
constexpr std::string_view kOtherHeads[] = {"proj", "projector", "projection", "predictor",
                                            "text", "dino",      "ibot",       "mask",
                                            "aux",  "decoder",   "norm",       "token"};
constexpr std::string_view kSecondHead = "head_dist";  // of a distilled model

template <std::size_t N>
bool is_one_of(std::string_view word, const std::string_view (&words)[N]) {
  return std::ranges::find(words, word) != std::end(words);
}

/// Takes the part up to `separator` off the front.
std::string_view take(std::string_view& rest, char separator) {
  const auto part = rest.substr(0, rest.find(separator));
  rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  return part;
}

}  // namespace

std::string without_wrappers(std::string_view name) {
  std::string result;
  for (auto rest = name; !rest.empty();) {
    const auto module = take(rest, '.');
    if (is_one_of(module, kWrappers)) continue;
    if (!result.empty()) result += '.';
    result += module;
  }
  // Wrappers alone are no name, and one with odd dots is somebody else's.
  const bool is_odd = name.starts_with('.') || name.ends_with('.') || name.find("..") != name.npos;
  return result.empty() || is_odd ? std::string(name) : result;
}

size_t length_before(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return name.npos;
  const size_t length = name.size() - suffix.size();
  return length == 0 || name[length - 1] == '.' ? length : name.npos;
}

size_t length_before_patch_embedding(std::string_view name) {
  for (const auto suffix : kPatchEmbeddings)
    if (const size_t length = length_before(name, suffix); length != name.npos) return length;
  return name.npos;
}

size_t length_before_clip_token(std::string_view name) { return length_before(name, kClipToken); }

bool names_vision_transformer(std::string_view name) {
  return length_before_patch_embedding(name) != name.npos ||
         length_before_clip_token(name) != name.npos;
}

bool names_average(std::string_view module) {
  while (!module.empty())
    if (is_one_of(take(module, '_'), kAverages)) return true;
  return false;
}

bool names_head(std::string_view module) {
  if (module == kSecondHead) return false;
  bool known = false;
  while (!module.empty()) {
    auto word = take(module, '_');
    while (!word.empty() && word.back() >= '0' && word.back() <= '9') word.remove_suffix(1);
    if (is_one_of(word, kOtherHeads)) return false;
    known = known || is_one_of(word, kHeads);
  }
  return known;
}

}  // namespace vit
