#pragma once

#include <optional>
#include <string>
#include <vector>

#include <apps/cli/options.h>
#include <vit/scores.h>
#include <vit/vision_transformer.h>

namespace cli {

/// What is wrong with an input whose logits are NaN or infinite, for a sentence after its name.
extern const char* const kLogitsNotFinite;

/// --activation.
void add_activation_option(Options& options);

/// What --activation says, if it is given. Throws UsageError for anything but the three kinds.
std::optional<vit::ScoreKind> activation_option(const Arguments& arguments);

/// Names of the parameters that hold NaN or infinity. Reads all of them.
std::vector<std::string> not_finite_weights(const vit::VisionTransformer& model);

/// A warning on standard error that names them, if there are any.
void warn_of_weights(const std::string& model, const std::vector<std::string>& not_finite);

/// "head.weight, norm.bias": the first few of them.
std::string some_of(std::vector<std::string> names);

}  // namespace cli
