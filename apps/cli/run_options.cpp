#include <iostream>

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include <apps/cli/model_path.h>
#include <apps/cli/run_options.h>
#include <apps/cli/usage_error.h>
#include <base/cpus.h>
#include <base/error.h>
#include <base/text.h>
#include <distributed/group.h>
#include <vit/precision.h>

namespace cli {
namespace {

constexpr int64_t kMaxThreads = 1024;
constexpr int64_t kMaxWorkers = 256;
constexpr int64_t kMaxImageSide = 1 << 16;
constexpr int64_t kMaxPatches = 1 << 16;
constexpr int64_t kMaxClasses = 1'000'000;

vit::Size2d parse_size(const std::string& text) {
  const std::vector<std::string> parts = base::split(text, 'x');
  const auto height = base::parse_integer(parts.front());
  const auto width = base::parse_integer(parts.back());
  const auto fits = [](const auto& side) { return side && *side >= 1 && *side <= kMaxImageSide; };
  if (parts.size() > 2 || !fits(height) || !fits(width))
    usage_error("--image-size is '", base::printable(text),
                "', expected pixels as SIDE or HEIGHTxWIDTH, for example 384 or 224x320");
  return {*height, *width};
}

}  // namespace

void add_model_options(Options& options, const std::string& arch_alone) {
  options.group("Model")
      .value("model", "MODEL",
             "folder with config.json and model.safetensors, a weights file, the name of a "
             "shipped model, or hf:ORG/NAME for one from the Hugging Face hub",
             "cifar10")
      .value("arch", "NAME",
             "timm's name of the architecture that a bare weights file holds" + arch_alone)
      .value("num-classes", "N",
             "classes of the head; one of another number is replaced by an untrained one");
}

void add_seed_option(Options& options) {
  options.value("seed", "N", "of random weights and inputs", "0");
}

void add_image_size_option(Options& options) {
  options.value("image-size", "SIZE",
                "input pixels as SIDE or HEIGHTxWIDTH, other than the checkpoint's; positions are "
                "resampled");
}

void add_max_patches_option(Options& options) {
  options.value("max-patches", "N",
                "instead, for models that take any size (NaFlex): pictures keep their aspect and "
                "get as large as N patches allow");
}

std::optional<vit::Size2d> image_size_option(const Arguments& arguments) {
  if (!arguments.has("image-size")) return std::nullopt;
  return parse_size(arguments.text("image-size"));
}

void add_merge_options(Options& options) {
  options.group("Token merging")
      .value("r", "N", "tokens merged in every layer", "0")
      .value("schedule", "SPEC",
             "instead of --r: 13 (constant), 13,-1.0 (r and inflection: more in early layers, 1.0 "
             "more in late ones), [8,0,8,4] (each layer), keep=0.9 (share of tokens kept)");
  add_merge_rule_options(options);
}

void add_merge_rule_options(Options& options) {
  options
      .value("prop-attn", "on|off",
             "proportional attention: merged tokens count as often as what they stand for", "on")
      .value("merged-positions", "RULE",
             "in models with rotary positions, where a merged token stands: mean (of its patches), "
             "keep (where the token was that it was merged into), mean-of-angles (sine and cosine "
             "averaged), or rotated-metric (mean, but keys are compared rotated)",
             "mean");
}

void add_device_options(Options& options, const std::string& dtype_help, const std::string& dtype) {
  options.group("Running")
      .value("device", "DEVICE", "cpu, cuda, or cuda:N", "cpu")
      .value("dtype", "TYPE", dtype_help, dtype)
      .value("threads", "N",
             "CPU threads of the model (default: one for each core that may be used)");
}

std::string input_size_text(const vit::VitConfig& config) {
  if (const int64_t most = config.picture().max_patches)
    return "any aspect in " + std::to_string(most) + " patches";
  return base::size_text(config.image_size().height, config.image_size().width);
}

std::string ModelChoice::name() const { return path.empty() ? architecture : path.string(); }

vit::VisionTransformer ModelChoice::load(vit::Precision precision, c10::Device device,
                                         uint64_t seed) const {
  vit::LoadOptions options;
  options.precision = precision;
  options.device = device;
  options.image_size = image_size;
  options.max_patches = max_patches;
  options.num_classes = num_classes;
  options.replaces_head = replaces_head;
  options.on_warning = [](const std::string& text) { std::cerr << "warning: " << text << "\n"; };
  if (path.empty()) return vit::create(architecture, options, seed);
  options.architecture = architecture;
  return vit::load(path, options);
}

ModelChoice model_choice(const Arguments& arguments) {
  ModelChoice choice;
  choice.architecture = arguments.text("arch");
  if (choice.architecture.empty() || arguments.has("model"))
    choice.path = find_model(arguments.text("model"));
  if (arguments.has("num-classes"))
    choice.num_classes = arguments.integer("num-classes", 1, kMaxClasses);
  choice.image_size = image_size_option(arguments);
  if (arguments.has("max-patches")) {
    if (choice.image_size) usage_error("--image-size and --max-patches exclude each other");
    choice.max_patches = arguments.integer("max-patches", 1, kMaxPatches);
  }
  return choice;
}

vit::InferenceModel load_classifier(const ModelChoice& choice, vit::Precision precision,
                                    c10::Device device) {
  if (choice.path.empty()) usage_error("--arch describes a weights file: name it by --model");
  vit::InferenceModel model(choice.load(precision, device));
  const vit::VitConfig& config = model.config();
  if (config.head.num_classes == 0 || config.head.pooling == vit::Pooling::none)
    base::fail("model ", choice.name(), " has no classification head; see vitome inspect");
  return model;
}

void add_workers_option(Options& options) {
  options.value("workers", "N",
                "threads that read pictures (default: one for each core that may be used)");
}

int64_t workers_option(const Arguments& arguments) {
  return arguments.has("workers") ? arguments.integer("workers", 1, kMaxWorkers)
                                  : base::usable_cpus();
}

uint64_t seed_option(const Arguments& arguments) {
  return static_cast<uint64_t>(arguments.integer("seed", 0, INT64_MAX));
}

tome::Schedule parse_schedule(const std::string& option, const std::string& text) {
  try {
    return tome::Schedule::parse(text);
  } catch (const base::Error& error) {
    usage_error("--", option, ": ", error.what());
  }
}

tome::Options merge_rules(const Arguments& arguments) {
  tome::Options options;
  options.prop_attn = arguments.choice("prop-attn", {"on", "off"}) == "on";
  const std::string rule =
      arguments.choice("merged-positions", {"mean", "keep", "mean-of-angles", "rotated-metric"});
  options.rotary = rule == "keep"             ? tome::RotaryRule::keep
                   : rule == "mean-of-angles" ? tome::RotaryRule::mean_of_angles
                   : rule == "rotated-metric" ? tome::RotaryRule::rotated_metric
                                              : tome::RotaryRule::mean;
  return options;
}

tome::Options merge_options(const Arguments& arguments) {
  if (arguments.has("r") && arguments.has("schedule"))
    usage_error("--r and --schedule say the same thing; give one of them");
  tome::Options options = merge_rules(arguments);
  options.r = arguments.has("schedule") ? parse_schedule("schedule", arguments.text("schedule"))
                                        : tome::Schedule(arguments.integer("r", 0, kMaxMerged));
  return options;
}

c10::Device device_option(const Arguments& arguments) {
  const std::string& text = arguments.text("device");
  if (text == "cpu") return c10::kCPU;
  const bool numbered = text.starts_with("cuda:");
  auto index = numbered ? base::parse_integer(text.substr(5)) : std::optional<int64_t>(0);
  if ((text != "cuda" && !numbered) || !index || *index < 0 || *index > INT8_MAX)
    usage_error("--device is '", base::printable(text), "', expected cpu, cuda or cuda:N");
  const c10::Device own = distributed::local_device(c10::kCUDA);
  if (!numbered && own.has_index()) index = own.index();
  if (!at::hasCUDA())
    base::fail(
        "device ", text, ": this LibTorch (", TORCH_VERSION,
        ") has no CUDA, or finds no usable GPU; use --device cpu, or build against a LibTorch "
        "with CUDA");
  const auto count = static_cast<int64_t>(torch::cuda::device_count());
  if (*index >= count) base::fail("device ", text, ": this machine has ", count, " usable GPU(s)");
  return {c10::kCUDA, static_cast<c10::DeviceIndex>(*index)};
}

vit::Precision parse_dtype(const std::string& text, c10::Device device) {
  const bool fast_bf16 = device.is_cuda() || vit::has_fast_bf16();
  if (text == "fp32") return {at::kFloat};
  if (text == "bf16") return {at::kBFloat16};
  if (text == "fp16") return {at::kHalf};
  if (text == "auto") return {fast_bf16 ? at::kBFloat16 : at::kFloat};
  if (text != "int8")
    usage_error("--dtype is '", base::printable(text),
                "', expected fp32, bf16, fp16, int8 or auto");
  if (!device.is_cpu() || !vit::has_native_int8())
    base::fail(
        "--dtype int8 needs a CPU with AVX512-VNNI or AMX, and ViToMe built with its fused "
        "kernels; use fp32, bf16 or auto here");
  return {fast_bf16 ? at::kBFloat16 : at::kFloat, true};
}

void set_threads(const Arguments& arguments) {
  if (arguments.has("threads"))
    at::set_num_threads(static_cast<int>(arguments.integer("threads", 1, kMaxThreads)));
}

}  // namespace cli
