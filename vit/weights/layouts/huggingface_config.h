#pragma once

#include <cstdint>
#include <string>

#include <vit/config.h>
#include <vit/weights/json.h>

// What the readers of the transformers library's config.json share. Each kind of model has its
// reader beside its layout; huggingface_config.cpp lists their "model_type"s.

namespace vit::huggingface {

/// What a head adds to the bare model, by the class that wrote the file.
enum class Head { none, classes, classes_with_teacher, projection };

/// A config.json that is being read.
struct Document {
  JsonNode root;   ///< the whole
  JsonNode model;  ///< the part that describes the encoder of pictures; the whole where it is alone
  std::string type;  ///< "model_type" of the whole
  std::string name;  ///< of the class that wrote it; empty where nothing says it
  Head head = Head::none;
};

/// Sets the fields of `config`, which has ViT-B/16's values and no classes, to what the document
/// and the library's own defaults say.
using Reader = void (*)(const Document& document, ModelConfig& config);

void read_vit(const Document& document, ModelConfig& config);
void read_deit(const Document& document, ModelConfig& config);
void read_dinov2(const Document& document, ModelConfig& config);
void read_pixio(const Document& document, ModelConfig& config);
void read_beit(const Document& document, ModelConfig& config);
void read_internvl(const Document& document, ModelConfig& config);
void read_clip(const Document& document, ModelConfig& config);
void read_blip(const Document& document, ModelConfig& config);
void read_mlcd(const Document& document, ModelConfig& config);
void read_siglip(const Document& document, ModelConfig& config);
void read_siglip2(const Document& document, ModelConfig& config);
void read_aimv2(const Document& document, ModelConfig& config);
void read_dinov3(const Document& document, ModelConfig& config);
void read_sapiens2(const Document& document, ModelConfig& config);
void read_radio(const Document& document, ModelConfig& config);

/// The whole file, for any kind of model.
ModelConfig read_config(const JsonNode& root);

/// Whether the library wrote it. It wraps timm's models in what timm writes itself.
bool wrote(const JsonNode& root);

/// The fields that most of these models spell alike; `vit` holds the library's defaults.
void read_common(const JsonNode& node, VitConfig& vit);

/// Width, depth and heads of a model whose config leaves them out.
void set_sizes(VitConfig& vit, int64_t dim, int64_t depth, int64_t heads, int64_t hidden_dim);

/// A count that may be left out.
void optional_count(const JsonNode& node, const char* key, int64_t& value);

/// The hidden dim that "mlp_ratio", 4 unless it is there, makes of the width. A gated MLP, if
/// "use_swiglu_ffn" asks for one, has two thirds of it, rounded up to a multiple of eight.
void read_mlp_ratio(const JsonNode& node, VitConfig& vit);

/// A gated MLP, packed. Throws Error for another activation of the gate than SiLU.
void set_gated(const JsonNode& node, const char* otherwise, MlpConfig& mlp);

/// A projection's width, which is what the head has for classes; "projection_dim" of the whole
/// document counts before that of its part.
void read_projection(const Document& document, HeadConfig& head);

}  // namespace vit::huggingface
