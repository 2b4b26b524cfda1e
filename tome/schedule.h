#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <vit/layer_tokens.h>

namespace tome {

/// How many tokens each layer merges.
///
/// Constant r; (r, inflect), which goes linearly from r (1 - inflect) to r (1 + inflect) so that
/// -1 merges early and 1 late (arXiv 2210.09461, appendix); a list with one number a layer, filled
/// up with zeros; or the fraction of the patch tokens that every layer keeps.
class Schedule {
 public:
  // Implicit, so that `{.r = 13}` and `{.r = {{8, 0, 8}}}` say it all.
  Schedule(int64_t r = 0);
  Schedule(std::vector<int64_t> per_layer);
  static Schedule linear(int64_t r, double inflect);
  static Schedule keep_ratio(double keep);

  /// Reads "13", "13,-1.0" (r, inflect), "[8,0,8,4]" or "keep=0.9". Throws vit::Error that shows
  /// these forms.
  static Schedule parse(const std::string& text);

  /// Tokens merged in a layer, prefix tokens being protected: capped at half of the others, never
  /// negative.
  int64_t merged(const vit::LayerTokens& at) const;

  /// Never merges anything.
  bool empty() const;

  /// As parse() reads it.
  std::string to_string() const;

 private:
  struct Linear {
    int64_t r;
    double inflect;
  };
  struct Keep {
    double ratio;
  };
  using Rule = std::variant<Linear, std::vector<int64_t>, Keep>;
  explicit Schedule(Rule rule) : rule_(std::move(rule)) {}

  Rule rule_;
};

}  // namespace tome
