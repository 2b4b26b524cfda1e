#include "tests/fuzz/targets.h"

#include <charconv>
#include <optional>

#include <ATen/ATen.h>

#include <vit/weights/assign.h>
#include <vit/weights/checkpoint.h>
#include <vit/weights/config_json.h>

namespace fuzz {
namespace {

/// Takes the text up to `separator` off the front.
std::string_view take(std::string_view& rest, char separator) {
  const auto part = rest.substr(0, rest.find(separator));
  rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  return part;
}

/// Numbers between spaces; those that cannot be read count as 0.
std::vector<int64_t> numbers(std::string_view text) {
  std::vector<int64_t> result;
  while (!text.empty()) {
    const auto word = take(text, ' ');
    int64_t number = 0;
    std::from_chars(word.data(), word.data() + word.size(), number);
    result.push_back(number);
  }
  return result;
}

struct Input {
  std::string_view config;
  vit::StateDict weights;
  vit::LoadOptions options;
};

void set_option(std::string_view name, std::string_view value, vit::LoadOptions& options) {
  const auto values = numbers(value);
  if (name == "@architecture") options.architecture = value;
  if (name == "@num_classes" && values.size() == 1) options.num_classes = values[0];
  if (name == "@image_size" && values.size() == 2)
    options.image_size = vit::Size2d{values[0], values[1]};
  if (name == "@lenient") options.strict = false;
}

/// Nothing if the tensors would be larger than what a fuzzer has patience for.
std::optional<Input> parse(std::string_view rest) {
  constexpr int64_t kMaxElements = 1 << 18;
  constexpr size_t kMaxDims = 8;
  Input input;
  input.config = take(rest, '\0');
  int64_t total = 0;
  while (!rest.empty()) {
    auto line = take(rest, '\n');
    const auto name = take(line, ' ');
    if (name.starts_with('@')) {
      set_option(name, line, input.options);
      continue;
    }
    const auto shape = numbers(line);
    int64_t elements = 1;
    for (const int64_t dim : shape)
      if (dim < 0 || __builtin_mul_overflow(elements, dim, &elements)) return std::nullopt;
    total += elements;
    if (shape.size() > kMaxDims || elements > kMaxElements || total > kMaxElements)
      return std::nullopt;
    const auto dtype = name.starts_with('#') ? at::kLong : at::kFloat;
    input.weights[std::string(name)] = at::zeros({}, dtype).expand(shape);
  }
  return input;
}

bool is_small(const vit::VitConfig& config, vit::Size2d image_size) {
  constexpr int64_t kMaxDim = 48, kMaxDepth = 2, kMaxSide = 64, kMaxTokens = 64;
  vit::VitConfig resized = config;
  resized.set_image_size(image_size);
  return config.embed_dim() <= kMaxDim && config.block.mlp.hidden_dim <= 4 * kMaxDim &&
         config.depth <= kMaxDepth && config.head.num_classes <= kMaxDim &&
         config.input.channels <= 8 &&
         std::max({image_size.height, image_size.width, config.image_size().height,
                   config.image_size().width}) <= kMaxSide &&
         std::max(config.num_tokens(), resized.num_tokens()) <= kMaxTokens;
}

}  // namespace

void read_checkpoint(std::string_view text) {
  auto input = parse(text);
  if (!input) return;
  const auto& options = input->options;
  const auto config_of = [&](const vit::Layout&) -> std::optional<vit::ModelConfig> {
    if (input->config.empty()) return std::nullopt;
    return vit::read_config(*vit::MappedFile::in_memory("config.json", input->config), nullptr);
  };
  auto checkpoint =
      vit::resolve_checkpoint(std::move(input->weights), config_of, options, "weights");
  if (!is_small(checkpoint.config.vit, checkpoint.image_size)) return;

  const at::NoGradGuard no_grad;
  vit::VisionTransformer model(checkpoint.config);
  vit::assign_weights(*model, checkpoint.weights, checkpoint.config.unread_tensors,
                      checkpoint.new_head, options, "weights");
  model->set_image_size(checkpoint.image_size);
  const auto& c = model->config();
  model->forward(at::zeros({1, c.input.channels, c.image_size().height, c.image_size().width}));
}

}  // namespace fuzz
