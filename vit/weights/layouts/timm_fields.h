#pragma once

#include <optional>
#include <span>

#include <nlohmann/json.hpp>

#include <vit/config.h>
#include <vit/weights/json.h>

// What of a model's config stands in a config.json under which name. The reader, the writer and
// everybody who shows a config go through these tables.

namespace vit {

using OrderedJson = nlohmann::ordered_json;

/// What is known while a document is read; some values depend on several of its parts.
struct TimmDraft {
  VitConfig vit;
  double mlp_ratio = 4;
  bool final_norm = true;            ///< there is a norm after the blocks
  std::optional<bool> fc_norm = {};  ///< it follows the pooling; unset: as the pooling has it
  std::optional<JsonNode> activation = {};  ///< read when the kind of MLP is known
  std::optional<JsonNode> padded = {};  ///< the option by which images are padded to whole patches
};

/// One of timm's model_args.
struct TimmField {
  const char* name;
  void (*read)(TimmDraft&, const JsonNode&);
  /// As timm spells the value; empty where it is left out. Null for arguments that are only read.
  std::optional<OrderedJson> (*write)(const VitConfig&);
};

std::span<const TimmField> timm_fields();

/// What timm has no word for. It stands under "vitome" where it differs from what the rest of the
/// document says.
struct ExtensionField {
  const char* name;
  void (*read)(VitConfig&, const JsonNode&);
  OrderedJson (*write)(const VitConfig&);
};

std::span<const ExtensionField> extension_fields();

/// timm's names of pooling; the nearest there is for those that stand in the extension.
Pooling parse_timm_pooling(const JsonNode& node);
const char* timm_pooling_name(Pooling pooling);

/// That of a plain MLP.
Activation parse_timm_activation(const JsonNode& node);

}  // namespace vit
