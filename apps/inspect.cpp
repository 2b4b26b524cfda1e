#include <algorithm>
#include <iostream>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include <apps/cli/labels.h>
#include <apps/cli/output.h>
#include <apps/cli/recommended_r.h>
#include <apps/cli/run_options.h>
#include <apps/cli/scores.h>
#include <apps/cli/usage_error.h>
#include <apps/command.h>
#include <apps/inspect/parts_text.h>
#include <base/error.h>
#include <base/json_text.h>
#include <base/table.h>
#include <base/text.h>
#include <tome/plan.h>
#include <vit/architectures.h>
#include <vit/flops.h>
#include <vit/weights/files/read.h>
#include <vit/weights/layouts/timm_writer.h>
#include <vit/weights/not_finite.h>

namespace {

using Json = nlohmann::ordered_json;

cli::Options options() {
  cli::Options options(
      "vitome inspect", "[options]",
      "Shows what is in a checkpoint: architecture, parameters, FLOPs, preprocessing, labels, and "
      "what merging tokens would save.");
  cli::add_model_options(options, "; without --model: that architecture, no weights");
  cli::add_image_size_option(options);
  cli::add_max_patches_option(options);
  options.group("Output")
      .flag("keys", "also every tensor of the file: name, dtype, shape")
      .value("json", "FILE", "everything as one JSON object; - is standard output");
  options.example("vitome inspect", "the shipped model")
      .example("vitome inspect --model my-vit/ --keys", "with all tensors of its file")
      .example("vitome inspect --arch vit_large_patch16_224 --image-size 384",
               "an architecture without weights, at another resolution")
      .example("vitome inspect --model weights.safetensors --json - | jq .gflops",
               "for other programs");
  return options;
}

// Some r from 0 to the largest, the recommended one among them.
std::vector<int64_t> shown_r(const vit::VitConfig& config) {
  constexpr int64_t kSteps = 6;
  const int64_t largest = cli::largest_r(config);
  std::vector<int64_t> list = {cli::recommended_r(config)};
  for (int64_t i = 0; i <= kSteps; ++i) list.push_back(largest * i / kSteps);
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

std::string type_name(at::ScalarType type) { return vit::Precision{type}.name(); }

const char* pooling_name(vit::Pooling pooling) {
  switch (pooling) {
    case vit::Pooling::cls:
      return "cls";
    case vit::Pooling::avg:
      return "avg";
    case vit::Pooling::max:
      return "max";
    case vit::Pooling::avg_max:
      return "avg+max";
    case vit::Pooling::cls_avg:
      return "cls+avg";
    case vit::Pooling::cls_dist:
      return "cls+dist";
    case vit::Pooling::cls_mean:
      return "mean of cls";
    case vit::Pooling::cls_concat:
      return "concatenated cls";
    case vit::Pooling::map:
      return "map";
    case vit::Pooling::none:
      break;
  }
  return "none";
}

// A weights file, or the shards of one.
struct Weights {
  vit::StateDict tensors;
  at::ScalarType dtype = at::kFloat;  // of most of the numbers
  uint64_t bytes = 0;
};

Weights read_weights(const std::filesystem::path& path) {
  Weights weights;
  weights.tensors = vit::read_weights(vit::find_weights(path));
  std::map<at::ScalarType, uint64_t> sizes;
  for (const auto& [name, tensor] : weights.tensors) {
    sizes[tensor.scalar_type()] += tensor.nbytes();
    weights.bytes += tensor.nbytes();
  }
  uint64_t most = 0;
  for (const auto& [type, size] : sizes)
    if (c10::isFloatingType(type) && size > most) {
      weights.dtype = type;
      most = size;
    }
  return weights;
}

int64_t parameters(const vit::VisionTransformer& model) {
  int64_t count = 0;
  for (const at::Tensor& parameter : model->parameters()) count += parameter.numel();
  return count;
}

Json describe(const std::string& name, vit::VisionTransformer& model,
              const std::optional<Weights>& weights) {
  const vit::VitConfig& config = model->config();
  const vit::PicturePreprocessing& input = config.picture();
  const auto sides = [](vit::Size2d size) { return std::vector<int64_t>{size.height, size.width}; };
  Json json = {{"model", name},
               {"family", config.family},
               {"architecture", config.architecture},
               {"parameters", parameters(model)},
               {"gflops", vit::gflops(config, nullptr)},
               {"image_size", sides(config.image_size())},
               {"any_size", config.takes_any_size()},
               {"max_patches", input.max_patches},
               {"patch_size", sides(config.patch.size())},
               {"in_channels", config.input.channels},
               {"depth", config.depth},
               {"embed_dim", config.embed_dim()},
               {"heads", config.block.attention.num_heads},
               {"mlp_hidden_dim", config.block.mlp.hidden_dim},
               {"positions", inspect::positions_text(config)},
               {"merged_positions", inspect::merged_positions_text(config)},
               {"attention", inspect::attention_text(config)},
               {"norms", inspect::norms_text(config)},
               {"mlp", inspect::mlp_text(config)},
               {"prefix_tokens", config.num_prefix_tokens()},
               {"tokens", config.num_tokens()},
               {"pooling", pooling_name(config.head.pooling)},
               {"num_classes", config.head.num_classes},
               {"scores", vit::score_kind_name(model->score_kind())},
               {"labels", model->labels()}};
  json["assumed"] = model->assumed();
  if (weights) {
    json["dtype"] = type_name(weights->dtype);
    json["weights_bytes"] = weights->bytes;
    json["not_finite"] = vit::not_finite(weights->tensors);
  }
  // All fields, under the names that they have in a config.json.
  const Json written = Json::parse(vit::timm_config_text({config, {}}));
  const Json& pretrained = written.at("pretrained_cfg");
  json["preprocessing"] = {{"input_size", sides(input.input_size)}};
  for (const char* key : {"interpolation", "crop_pct", "crop_mode", "mean", "std"})
    json["preprocessing"][key] = pretrained.at(key);
  json["config"] = written.at("model_args");
  if (written.contains("vitome")) json["config"].update(written.at("vitome"));
  if (json["config"].contains("preprocessing"))
    json["preprocessing"].update(json["config"].at("preprocessing"));
  json["config"].erase("preprocessing");
  json["recommended_r"] = cli::recommended_r(config);
  json["merging"] = Json::array();
  for (int64_t r : shown_r(config)) {
    const tome::Merging row = tome::plan(config, {.r = r});
    json["merging"].push_back({{"r", r}, {"gflops", row.gflops}, {"tokens", row.tokens}});
  }
  return json;
}

Json keys(const Weights& weights) {
  Json list = Json::array();
  for (const auto& [name, tensor] : weights.tensors)
    list.push_back({{"name", name},
                    {"dtype", type_name(tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()}});
  return list;
}

std::string keys_text(const Json& keys) {
  base::Table table(3);
  for (const Json& key : keys)
    table.add({base::printable(key["name"].get<std::string>()), key["dtype"].get<std::string>(),
               key["shape"].dump()});
  return table.text() + "\n";
}

std::string number_text(const Json& number) {
  const double value = number.get<double>();
  return base::fixed(value, value < 10 ? 3 : 1);
}

std::string count_text(int64_t count) {
  const auto value = static_cast<double>(count);
  return count < 1'000'000 ? std::to_string(count) : base::fixed(value / 1e6, 1) + " million";
}

std::string sides_text(const Json& sides) { return sides[0].dump() + "x" + sides[1].dump(); }

std::string description_text(const Json& json) {
  base::Table table(2);
  const auto row = [&](const std::string& name, const std::string& value) {
    table.add({name, value});
  };
  const auto plain = [&](const char* name) { return json[name].dump(); };
  row("model", json["model"].get<std::string>());
  row("architecture",
      json["architecture"].get<std::string>() + ", family " + json["family"].get<std::string>());
  row("parameters", count_text(json["parameters"].get<int64_t>()));
  if (json.contains("dtype"))
    row("weights", json["dtype"].get<std::string>() + ", " +
                       base::bytes(json["weights_bytes"].get<uint64_t>()));
  if (json.contains("not_finite") && !json["not_finite"].empty())
    row("", "NaN or infinity in " +
                cli::some_of(json["not_finite"].get<std::vector<std::string>>()) +
                ": what the model computes means nothing");
  row("GFLOPs", number_text(json["gflops"]) + " for one input");
  const int64_t max_patches = json["max_patches"].get<int64_t>();
  const std::string size =
      max_patches                    ? "any size, up to " + std::to_string(max_patches) + " patches"
      : json["any_size"].get<bool>() ? sides_text(json["image_size"]) + " pixels (or any size)"
                                     : sides_text(json["image_size"]) + " pixels";
  row("input", size + ", " + plain("in_channels") + " channels, patches of " +
                   sides_text(json["patch_size"]));
  row("tokens", plain("tokens") +
                    (max_patches ? " at " + sides_text(json["image_size"]) + " pixels, " : ", ") +
                    plain("prefix_tokens") + " of them before the patches");
  const auto text = [&](const char* name) { return json[name].get<std::string>(); };
  row("blocks", plain("depth") + " of width " + plain("embed_dim"));
  row("positions", text("positions"));
  if (!text("merged_positions").empty()) row("merged tokens", text("merged_positions"));
  row("attention", text("attention"));
  row("MLP", text("mlp"));
  row("norms", text("norms"));
  row("head", plain("num_classes") + " classes, pooling " + json["pooling"].get<std::string>() +
                  ", scores by " + json["scores"].get<std::string>());

  const Json& input = json["preprocessing"];
  row("preprocessing", input["interpolation"].get<std::string>() + " to " +
                           (max_patches ? "whole patches, no crop"
                                        : sides_text(input["input_size"]) + ", crop " +
                                              input["crop_mode"].get<std::string>() + " " +
                                              input["crop_pct"].dump()) +
                           ", mean " + input["mean"].dump() + ", std " + input["std"].dump());
  for (const Json& line : json["assumed"]) row("assumed", line.get<std::string>());
  constexpr std::size_t kShown = 10;
  auto labels = json["labels"].get<std::vector<std::string>>();
  const std::size_t count = labels.size();
  if (count > kShown) labels.resize(kShown);
  row("labels", count == 0
                    ? "none"
                    : std::to_string(count) + ": " + base::printable(base::join(labels, ", ")) +
                          (count > kShown ? ", ..." : ""));

  base::Table merging(0);
  merging.add({"  r", "tokens at the end", "GFLOPs", "fewer FLOPs"});
  const double all = json["gflops"].get<double>();
  for (const Json& step : json["merging"]) {
    const bool recommended = step["r"] == json["recommended_r"];
    merging.add({(recommended ? "* " : "  ") + step["r"].dump(), step["tokens"].back().dump(),
                 number_text(step["gflops"]),
                 base::fixed(all / step["gflops"].get<double>(), 2) + "x"});
  }
  return table.text() + "\nToken merging, r tokens in every layer (* a good start):\n" +
         merging.text();
}

int run(const cli::Arguments& arguments) {
  const cli::ModelChoice choice = cli::model_choice(arguments);
  cli::Output output(arguments, "json");
  Json json = Json::object();
  std::optional<Weights> weights;
  if (!choice.path.empty()) weights = read_weights(choice.path);
  if (arguments.has("keys")) {
    if (!weights) cli::usage_error("--keys shows a file: name it with --model");
    json["tensors"] = keys(*weights);
    // Before the model is built, so that one can see what is in a file that is no model.
    if (!output.is_stdout()) std::cout << keys_text(json["tensors"]);
  }
  vit::VisionTransformer model{nullptr};
  if (weights) {
    model = choice.load({weights->dtype}, c10::kCPU);
  } else {
    // Random weights would take seconds and gigabytes for large ones, and nothing looks at them.
    auto config = vit::architecture(choice.architecture);
    if (choice.num_classes) config.vit.head.num_classes = *choice.num_classes;
    model = vit::VisionTransformer(std::move(config));
    if (choice.image_size) model->set_image_size(*choice.image_size);
    if (choice.max_patches) model->set_max_patches(*choice.max_patches);
  }
  Json description = describe(choice.name(), model, weights);
  if (!output.is_stdout()) std::cout << description_text(description);
  description.update(json);
  output.write(base::json_text(description, 1) + "\n");
  output.close();
  return 0;
}

}  // namespace

Command inspect_command() {
  return {"inspect", "what is in a checkpoint: shapes, FLOPs, what merging saves", options, run};
}
