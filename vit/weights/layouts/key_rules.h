#pragma once

#include <span>
#include <string>
#include <string_view>

#include <vit/weights/state_dict.h>

namespace vit {

/// Says what another library's tensor is called in timm's names.
///
/// `from` matches a whole key or its leading part up to a dot; the rest (".weight") stays. '*'
/// stands for a block's number, the last of which goes where '*' stands in `to`. An empty `to`
/// drops the tensor: it does not belong to the model.
struct KeyRule {
  std::string_view from;
  std::string_view to;
};

/// Whether a rule says what becomes of the name.
bool has_rule(std::string_view name, std::span<const KeyRule> rules);

/// Renames every tensor by the first rule that matches it; tensors without a rule keep their name
/// and are reported as unexpected later. Throws Error if two tensors get the same name.
StateDict rename_keys(const StateDict& weights, std::span<const KeyRule> rules,
                      const std::string& where);

}  // namespace vit
