#pragma once

#include <optional>

#include <vit/config.h>
#include <vit/weights/json.h>

namespace vit {

/// How logits become scores, as "problem_type" of the transformers library says it: in a
/// config.json of its own, or in one of timm's that its wrapper has written. Nothing where it is
/// absent or null. Throws Error for what that library refuses.
std::optional<ScoreKind> read_problem_type(const JsonNode& root, int64_t num_classes);

/// What stands for it in a config.json.
const char* problem_type_name(ScoreKind kind);

}  // namespace vit
