#include <utility>

#include <vit/weights/json_values.h>
#include <vit/weights/layouts/problem_type.h>

namespace vit {
namespace {

constexpr std::pair<const char*, ScoreKind> kProblemTypes[] = {
    {"single_label_classification", ScoreKind::softmax},
    {"multi_label_classification", ScoreKind::sigmoid},
    {"regression", ScoreKind::none}};

}  // namespace

std::optional<ScoreKind> read_problem_type(const JsonNode& root, int64_t num_classes) {
  const auto node = root.find("problem_type");
  if (!node) return std::nullopt;
  const ScoreKind kind = choose(*node, kProblemTypes);
  if (kind == ScoreKind::softmax && num_classes == 1)
    node->fail("\"single_label_classification\" of one class says nothing; expected two classes ",
               "or more, \"multi_label_classification\", \"regression\", or null");
  return kind;
}

const char* problem_type_name(ScoreKind kind) {
  for (const auto& [name, of] : kProblemTypes)
    if (of == kind) return name;
  return nullptr;
}

}  // namespace vit
