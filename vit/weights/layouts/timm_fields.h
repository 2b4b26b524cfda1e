#pragma once

#include <optional>
#include <span>

#include <nlohmann/json.hpp>

#include <vit/config.h>
#include <vit/timm_arguments.h>
#include <vit/weights/json.h>

// What of a model's config stands in a config.json under which name. The reader, the writer and
// everybody who shows a config go through these tables.

namespace vit {

using OrderedJson = nlohmann::ordered_json;

/// What is known while a document is read; some values depend on several of its parts.
struct TimmDraft {
  TimmArguments arguments;
  std::optional<JsonNode> activation = {};  ///< read when the kind of MLP is known
  std::optional<JsonNode> kv_heads = {};    ///< checked when the number of blocks is known
  std::optional<JsonNode> patch_norm = {};  ///< checked when the norm of the blocks is known
  std::optional<JsonNode> positions = {};   ///< the last option of their resampling, for errors
  std::optional<JsonNode> padded = {};  ///< the option by which images are padded to whole patches
};

/// One of timm's model_args.
struct TimmField {
  const char* name;
  unsigned classes;  ///< of timm that have it, bits of class_bit()
  void (*read)(TimmDraft&, const JsonNode&);
  /// null: what timm's classes have by default. Without it null leaves such an option alone.
  void (*read_null)(TimmDraft&) = nullptr;
  /// As timm spells the value; empty where it is left out. Null for arguments that are only read.
  std::optional<OrderedJson> (*write)(const TimmArguments&) = nullptr;
  unsigned always = 0;  ///< classes for which it is written also where their architecture has it so
};

constexpr unsigned class_bit(TimmClass c) { return 1U << static_cast<unsigned>(c); }

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

/// timm's names of kinds of positions, and ours.
PositionKind parse_position_kind(const JsonNode& node);
const char* position_kind_name(PositionKind kind);

}  // namespace vit
