#include <iostream>
#include <memory>
#include <optional>
#include <string_view>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <apps/cli/pictures.h>
#include <apps/cli/run_options.h>
#include <apps/cli/scores.h>
#include <apps/cli/usage_error.h>
#include <apps/command.h>
#include <base/error.h>
#include <base/text.h>
#include <tome/reducer_spec.h>
#include <vit/weights/files/safetensors.h>
#include <vit/weights/text.h>

namespace {

cli::Options options() {
  cli::Options options(
      "vitome forward", "--input FILE --output FILE [options]",
      "Runs a model on a tensor or a picture and writes everything it computes to a safetensors "
      "file, as float32: logits [B,classes], features [B,N,D] (the tokens after the final norm), "
      "pooled [B,D] (what the head reads), size [B,N] (patches that each token stands for), and of "
      "models with rotary positions coords [B,N-P,axes] (where the tokens behind the prefix are, "
      "in the model's own units). The tool for comparing with another implementation.");
  options.group("Input and output")
      .value(
          "input", "FILE",
          "a .safetensors file whose tensor [B,3,H,W] is given to the model as it is, or a "
          "picture, which is preprocessed first and written as `input` too. For models that take "
          "any size also SigLIP 2's pixel_values with spatial_shapes and pixel_attention_mask "
          "beside them (what is written is zeros, size too, where a picture has no token)")
      .value("input-key", "NAME", "name of the input tensor", "input")
      .value("output", "FILE", "the safetensors file to write")
      .flag("trace", "also write source [B,N,N0]: which input tokens went into each token")
      .flag("positions",
            "also write positions [B,N,2]: row and column of each token in the grid of patches, of "
            "merged ones the mean");
  cli::add_model_options(options, "; without --model: random weights");
  cli::add_seed_option(options);
  cli::add_image_size_option(options);
  cli::add_max_patches_option(options);
  cli::add_merge_options(options);
  options.value(
      "reducer", "SPEC",
      "another way to reduce tokens: pitome:ratio=0.95 (with variant=, alpha=, margin=) or "
      "threshold:tau=0.8 (with shared=on), and prop-attn=on|off for both; a / separates "
      "values of single layers. tome is what --r and --schedule say");
  cli::add_device_options(options, "fp32, bf16, fp16, int8, or auto (bf16 where it is faster)");
  options
      .example("vitome forward --model my-vit/ --input x.safetensors --output y.safetensors",
               "logits and features of the tensor `input` in x.safetensors")
      .example("vitome forward --input photo.jpg --output y.safetensors --r 5 --trace",
               "a picture through the shipped model, five tokens merged in every layer")
      .example(
          "vitome forward --model my-vit/ --input x.safetensors --input-key pixels "
          "--output y.safetensors --schedule '[8,0,8,4]' --prop-attn off",
          "another tensor, its own number of merged tokens for every layer")
      .example(
          "vitome forward --arch vit_base_patch16_224 --image-size 384 --dtype bf16 "
          "--input photo.jpg --output y.safetensors",
          "random weights, a larger picture, computed in bfloat16");
  return options;
}

const at::Tensor& tensor_of(const vit::StateDict& tensors, const std::string& file,
                            const std::string& key) {
  const auto found = tensors.find(key);
  if (found == tensors.end()) {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : tensors) names.push_back(name);
    constexpr std::size_t kShown = 12;
    const bool more = names.size() > kShown;
    if (more) names.resize(kShown);
    base::fail(file, ": no tensor '", key, "'; it holds ",
               names.empty() ? "none" : base::join(names, ", "), more ? ", …" : "",
               ". Choose one with --input-key");
  }
  if (!found->second.is_floating_point())
    base::fail(file, ": tensor '", key, "' holds ", c10::toString(found->second.scalar_type()),
               ", expected floating point numbers (normalised pixels)");
  return found->second;
}

/// The batch of padded pictures that a file holds under a name that ends in pixel_values, if there
/// is one.
std::optional<vit::PaddedPictures> padded_pictures(const vit::StateDict& tensors,
                                                   const std::string& file, std::string key) {
  constexpr std::string_view kValues = "pixel_values";
  if (key == "input" && !tensors.contains(key)) key = kValues;
  if (!key.ends_with(kValues)) return std::nullopt;
  const std::string prefix = key.substr(0, key.size() - kValues.size());
  const auto shapes = tensors.find(prefix + "spatial_shapes");
  if (shapes == tensors.end()) return std::nullopt;
  vit::PaddedPictures pictures;
  pictures.pixel_values = tensor_of(tensors, file, key);
  pictures.spatial_shapes = shapes->second;
  const auto mask = tensors.find(prefix + "pixel_attention_mask");
  if (mask != tensors.end()) pictures.pixel_attention_mask = mask->second;
  return pictures;
}

/// Errors of `work` begin with the name of the file.
template <typename F>
auto with_file(const std::string& file, const F& work) {
  try {
    return work();
  } catch (const base::SettingError&) {
    throw;
  } catch (const base::Error& error) {
    base::fail(file, ": ", error.what());
  }
}

void check_shape(const at::Tensor& pixels, const vit::VitConfig& config, const std::string& file) {
  const auto [rows, cols] = config.patch.size();
  const bool batch = pixels.dim() == 4 && pixels.size(0) > 0;
  if (config.takes_any_size()) {
    const bool fits = batch && pixels.size(1) == config.input.channels && pixels.size(2) > 0 &&
                      pixels.size(3) > 0 && pixels.size(2) % rows == 0 &&
                      pixels.size(3) % cols == 0;
    if (fits) return;
    base::fail(file, ": expected a tensor of shape [B, ", config.input.channels,
               ", H, W], H a multiple of ", rows, " and W of ", cols, ", got ",
               vit::shape_text(pixels.sizes()),
               "; or pixel_values with spatial_shapes, as SigLIP 2's processor gives them");
  }
  const std::vector<int64_t> expected = {config.input.channels, config.image_size().height,
                                         config.image_size().width};
  if (batch && pixels.sizes().slice(1) == at::IntArrayRef(expected)) return;
  base::fail(file, ": expected a tensor of shape [B, ", expected[0], ", ", expected[1], ", ",
             expected[2], "], got ", vit::shape_text(pixels.sizes()),
             "; for pictures of another size give it with --image-size HEIGHTxWIDTH");
}

/// What the model computes for an input [B, C, H, W] or a batch of padded pictures.
template <typename Input>
vit::ForwardResult forward_all(vit::VisionTransformer model, const Input& input,
                               bool tracks_source) {
  const vit::ForwardOptions tracked{.track_source = tracks_source, .track_positions = true};
  // What decides on a whole batch runs as separate operators, which read the parameters.
  const auto reducer = model->reducer();
  return reducer && !reducer->per_sample()
             ? model->forward_all(input, tracked)
             : vit::InferenceModel(std::move(model)).forward_all(input, tracked);
}

/// Null for nothing.
std::shared_ptr<const vit::TokenReducer> reducer_option(const cli::Arguments& arguments) {
  const tome::Options merging = cli::merge_options(arguments);
  const std::string text = arguments.has("reducer") ? arguments.text("reducer") : "tome";
  if (text != "tome" && !merging.r.empty())
    cli::usage_error("--reducer ", text, " leaves nothing to --r and --schedule; give one of them");
  try {
    return tome::parse_reducer(text, merging);
  } catch (const base::Error& error) {
    cli::usage_error("--reducer: ", error.what());
  }
}

int run(const cli::Arguments& arguments) {
  for (const char* name : {"input", "output"})
    if (arguments.text(name).empty()) cli::usage_error("--", name, " FILE is missing");
  const std::string& file = arguments.text("input");
  const c10::Device device = cli::device_option(arguments);
  const vit::Precision precision = cli::parse_dtype(arguments.text("dtype"), device);
  const auto reducer = reducer_option(arguments);
  cli::set_threads(arguments);

  auto model = cli::model_choice(arguments).load(precision, device, cli::seed_option(arguments));
  model->set_reducer(reducer);
  c10::InferenceMode inference;
  const bool is_tensor = file.ends_with(".safetensors"), traces = arguments.has("trace");
  vit::StateDict tensors;
  if (is_tensor) tensors = vit::read_safetensors(file);
  at::Tensor input;
  vit::ForwardResult result;
  if (auto padded = padded_pictures(tensors, file, arguments.text("input-key"))) {
    padded->pixel_values = padded->pixel_values.to(device, precision.dtype);
    result = with_file(file, [&] { return forward_all(std::move(model), *padded, traces); });
  } else {
    input = is_tensor ? tensor_of(tensors, file, arguments.text("input-key"))
                      : cli::read_picture(file, model->picture_preprocessing()).unsqueeze(0);
    check_shape(input, model->config(), file);
    result = forward_all(std::move(model), input.to(device, precision.dtype), traces);
  }

  vit::StateDict outputs = {{"logits", result.logits},
                            {"features", result.features},
                            {"pooled", result.pooled},
                            {"size", result.size}};
  if (result.source.defined()) outputs["source"] = result.source;
  if (arguments.has("positions")) outputs["positions"] = result.positions;
  if (result.coords.defined()) outputs["coords"] = result.coords;
  if (!is_tensor) outputs["input"] = input;
  std::vector<std::string> written;
  for (auto& [name, tensor] : outputs) {
    tensor = tensor.to(at::kCPU, at::kFloat);
    written.push_back(name + " " + vit::shape_text(tensor.sizes()));
  }
  vit::write_safetensors(arguments.text("output"), outputs);
  std::cout << arguments.text("output") << ": " << base::join(written, ", ") << "\n";
  const auto finite = vit::finite_inputs(result.logits);
  if (finite.all().item<bool>()) return 0;
  std::cerr << "error: " << base::printable(file) << ": for "
            << finite.logical_not().sum().item<int64_t>() << " of " << finite.numel() << " inputs "
            << cli::kLogitsNotFinite << "\n";
  return 1;
}

}  // namespace

Command forward_command() {
  return {"forward", "everything a model computes on a tensor or picture, as a tensor file",
          options, run};
}
