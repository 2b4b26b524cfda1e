#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/ScalarType.h>
#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <apps/cli/options.h>
#include <tome/tome.h>
#include <vit/inference_model.h>
#include <vit/load.h>
#include <vit/precision.h>

namespace cli {

constexpr int64_t kMaxBatch = 4096;
constexpr int64_t kMaxMerged = 1 << 20;  // tokens a layer may be asked to merge

/// --model, --arch and --num-classes; `arch_alone` continues the help of --arch with what it means
/// without --model.
void add_model_options(Options& options, const std::string& arch_alone);

/// --seed.
void add_seed_option(Options& options);

/// --image-size.
void add_image_size_option(Options& options);
/// --max-patches.
void add_max_patches_option(Options& options);
std::optional<vit::Size2d> image_size_option(const Arguments& arguments);

/// --r N, --schedule SPEC, and the rules.
void add_merge_options(Options& options);
/// --prop-attn and --merged-positions: what else is said about merging.
void add_merge_rule_options(Options& options);

/// --device, --dtype and --threads.
void add_device_options(Options& options, const std::string& dtype_help,
                        const std::string& dtype = "fp32");

/// The size of a model's pictures, for people: "224x224", "any aspect in 256 patches".
std::string input_size_text(const vit::VitConfig& config);

/// The model that a command line asks for.
struct ModelChoice {
  std::filesystem::path path;  ///< empty where only an architecture is given
  std::string architecture;    ///< empty: what the checkpoint says
  std::optional<vit::Size2d> image_size;
  std::optional<int64_t> max_patches;  ///< of pictures of any aspect
  std::optional<int64_t> num_classes;
  bool replaces_head = false;  ///< as in vit::LoadOptions

  /// For people: the path or the architecture.
  std::string name() const;

  /// The checkpoint, or without one random weights of that seed. Warnings go to stderr.
  vit::VisionTransformer load(vit::Precision precision, c10::Device device,
                              uint64_t seed = 0) const;
};

/// Throws UsageError, and base::Error for models that cannot be found.
ModelChoice model_choice(const Arguments& arguments);

/// choice.load() of a checkpoint that can classify. Throws base::Error if it has no head,
/// UsageError if there is only an architecture.
vit::InferenceModel load_classifier(const ModelChoice& choice, vit::Precision precision,
                                    c10::Device device);

/// --workers: given, or one for each core.
void add_workers_option(Options& options);
int64_t workers_option(const Arguments& arguments);

uint64_t seed_option(const Arguments& arguments);

tome::Options merge_options(const Arguments& arguments);
/// The same but for the schedule.
tome::Options merge_rules(const Arguments& arguments);

/// Throws UsageError with tome's explanation of the forms.
tome::Schedule parse_schedule(const std::string& option, const std::string& text);

/// The device of --device. Throws base::Error if this LibTorch or machine lacks it.
c10::Device device_option(const Arguments& arguments);

/// "fp32", "bf16", "fp16", "int8", or "auto": bf16 where `device` is faster with it, fp32
/// elsewhere. Throws base::Error for int8 where the device lacks it.
vit::Precision parse_dtype(const std::string& text, c10::Device device);

/// Applies --threads, if it is given.
void set_threads(const Arguments& arguments);

}  // namespace cli
