// Models inside modules of any names, with whatever lies beside them.
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <functional>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/load.h>
#include <vit/weights/files/safetensors.h>
#include <vit/weights/module_names.h>
#include <vit/weights/wrappers.h>

using Catch::ContainsSubstring;

namespace {

using Rename = std::function<std::string(const std::string&)>;

vit::StateDict renamed(const vit::StateDict& weights, const Rename& rename) {
  vit::StateDict result;
  for (const auto& [name, tensor] : weights) result[rename(name)] = tensor;
  return result;
}

vit::StateDict under(const std::string& prefix, const vit::StateDict& weights) {
  return renamed(weights, [&](const std::string& name) { return prefix + name; });
}

/// Another model of the same shapes.
vit::StateDict other_values(const vit::StateDict& weights) {
  vit::StateDict result;
  for (const auto& [name, tensor] : weights) result[name] = tensor + 1;
  return result;
}

/// A model folder of the tests and ways to load its weights under other names.
class Source {
 public:
  explicit Source(const std::string& name) : folder_(test::data(name)) {
    for (const char* file : {"config.json", "open_clip_config.json"})
      if (std::filesystem::exists(folder_ / file)) {
        config_ = file;
        break;
      }
    file_ = config_ == "config.json" ? "model.safetensors" : "open_clip_model.safetensors";
    weights = vit::read_safetensors(folder_ / file_);
  }

  /// The model of these weights beside the folder's config.
  vit::VisionTransformer load(const vit::StateDict& changed) {
    const test::TempDir folder;
    std::filesystem::copy_file(folder_ / config_, folder / config_);
    vit::write_safetensors(folder / file_, changed);
    warnings.clear();
    return vit::load(folder.path(), {.on_warning = [this](const std::string& text) {
                       // How these models want their pictures is another subject.
                       if (text.find("how pictures are prepared") == text.npos)
                         warnings += text + "\n";
                     }});
  }

  /// Whether it is the model of the folder.
  bool is_same(const vit::VisionTransformer& model) const {
    const auto expected = vit::load(folder_)->named_parameters();
    const auto got = model->named_parameters();
    if (got.size() != expected.size()) return false;
    for (const auto& item : expected)
      if (!test::same(got[item.key()], item.value())) return false;
    return true;
  }

  vit::StateDict weights;
  std::string warnings;

 private:
  std::filesystem::path folder_;
  std::string config_, file_;
};

}  // namespace

TEST_CASE("a model of any layout is found under modules of any names") {
  const std::string name =
      GENERATE(as<std::string>{}, "hostile/config/timm_valid", "vit/hf_vit", "vit/hf_dinov2_swiglu",
               "families/hf_msn", "vit/hf_deit_distilled", "vit/hf_clip", "vit/hf_siglip",
               "vit/torchvision_vit", "families/open_clip", "families/hf_clip_classes",
               "transformers/dinov3_backbone", "transformers/radio", "encoders/hf_aimv2",
               "encoders/hf_siglip2_naflex", "encoders/hf_beit_shared", "encoders/hf_tipsv2");
  Source source(name);
  for (const std::string prefix :
       {"module.", "net.", "vit.", "encoder.", "a.b.c.d.e.", "model.module.backbone.",
        "feature_extractor.", "_orig_mod.module.model.", "visual.", "image_encoder.module."}) {
    CAPTURE(name, prefix);
    CHECK(source.is_same(source.load(under(prefix, source.weights))));
    CHECK(source.warnings.empty());
  }
}

TEST_CASE("names of wrappers mean nothing, wherever they stand") {
  CHECK(vit::without_wrappers("module.a") == "a");
  CHECK(vit::without_wrappers("a.module._orig_mod.b._checkpoint_wrapped_module.c") == "a.b.c");
  CHECK(vit::without_wrappers("modules.a_orig_mod") == "modules.a_orig_mod");
  for (const std::string odd : {"module", "", ".module.a", "a..module", "module."})
    CHECK(vit::without_wrappers(odd) == odd);

  const std::string name = GENERATE(as<std::string>{}, "hostile/config/timm_valid", "vit/hf_vit",
                                    "vit/torchvision_vit", "families/open_clip");
  CAPTURE(name);
  Source source(name);
  // Behind each part of a name but the last, as where each block or each layer is wrapped.
  const auto wrapped = [](const std::string& wrapper, bool numbers_only) {
    return [=](const std::string& key) {
      std::string result, part;
      for (const char c : key + ".") {
        part += c;
        if (c != '.') continue;
        result += part;
        const bool is_number = part.find_first_not_of("0123456789.") == part.npos;
        if (result.size() <= key.size() && (is_number || !numbers_only)) result += wrapper;
        part.clear();
      }
      return result.substr(0, result.size() - 1);
    };
  };
  for (const std::string wrapper : {"_orig_mod.", "_checkpoint_wrapped_module.", "module."})
    for (const bool numbers_only : {true, false}) {
      CAPTURE(wrapper, numbers_only);
      const auto rename = wrapped(wrapper, numbers_only);
      CHECK(source.is_same(source.load(renamed(source.weights, rename))));
      CHECK(source.is_same(source.load(under("net.", renamed(source.weights, rename)))));
      CHECK(source.warnings.empty());
    }

  // A module that is there compiled and not has its tensors once.
  auto twice = source.weights;
  twice.merge(under("module.", other_values(source.weights)));
  CHECK_THROWS_WITH(source.load(twice), ContainsSubstring("without what wrappers put into"));
}

TEST_CASE("what lies beside the model is left out and named") {
  Source source("hostile/config/timm_valid");
  auto weights = under("model.", source.weights);
  weights["criterion.weight"] = at::ones({5});
  weights["val_acc.tp"] = at::ones({5});
  weights["val_acc.updates"] = at::ones({}, at::kLong);
  CHECK(source.is_same(source.load(weights)));
  CHECK_THAT(source.warnings,
             ContainsSubstring("left out, beside the model under \"model.\": criterion.weight, "
                               "val_acc.tp\n"));
  // In the model's own module it is told from its tensors by what it is called.
  weights = source.weights;
  weights["criterion.weight"] = at::ones({5});
  weights["n_averaged"] = at::ones({}, at::kLong);
  CHECK(source.is_same(source.load(weights)));
  CHECK_THAT(source.warnings, ContainsSubstring("beside the model: criterion.weight\n"));
  // So are types that no weights have.
  weights["extra.scale"] = at::zeros({2}, at::kByte).view(at::kFloat8_e8m0fnu);
  weights["updates"] = at::ones({}, at::kLong);
  CHECK(source.is_same(source.load(weights)));
  CHECK_THAT(source.warnings, ContainsSubstring("criterion.weight, extra.scale\n"));
  weights["blocks.0.adapter.weight"] = at::ones({5, 8});
  CHECK_THROWS_WITH(source.load(weights),
                    ContainsSubstring("unexpected (1): blocks.0.adapter.weight"));

  // A counter of what has been averaged is not worth a word.
  weights = under("module.", source.weights);
  weights["n_averaged"] = at::ones({}, at::kLong);
  CHECK(source.is_same(source.load(weights)));
  CHECK(source.warnings.empty());
}

TEST_CASE("a text tower beside the model is left out, whatever the two are called") {
  const std::string name =
      GENERATE(as<std::string>{}, "hostile/config/timm_valid", "vit/hf_vit", "vit/torchvision_vit");
  CAPTURE(name);
  Source source(name);
  for (const std::string prefix : {"image_encoder.", "model.visual."}) {
    auto weights = under(prefix, source.weights);
    for (const char* part :
         {"embeddings.word_embeddings.weight", "encoder.layer.0.attention.self.query.weight",
          "encoder.layer.0.output.dense.weight", "pooler.dense.weight"})
      weights[std::string("text_encoder.") + part] = at::ones({8, 8});
    weights["logit_scale"] = at::ones({});
    CHECK(source.is_same(source.load(weights)));
    CHECK_THAT(source.warnings, ContainsSubstring("under \"" + prefix) &&
                                    ContainsSubstring("logit_scale, text_encoder.embeddings.") &&
                                    ContainsSubstring("(5 tensors)"));
  }
}

TEST_CASE("of several models the running average is taken, if nothing else differs") {
  Source source("hostile/config/timm_valid");
  const auto other = other_values(source.weights);
  for (const auto& [plain, average] :
       std::vector<std::pair<std::string, std::string>>{{"model.", "ema.module._orig_mod."},
                                                        {"module._orig_mod.", "model_ema.module."},
                                                        {"student.backbone.", "teacher.backbone."},
                                                        {"ema.online_model.", "ema.ema_model."},
                                                        {"net.", "swa_model.module."}}) {
    CAPTURE(plain, average);
    auto weights = under(plain, other);
    weights.merge(under(average, source.weights));
    weights["n_averaged"] = at::ones({}, at::kLong);
    weights[average.substr(0, average.find('.')) + ".n_averaged"] = at::ones({}, at::kLong);
    CHECK(source.is_same(source.load(weights)));
    CHECK_THAT(source.warnings, ContainsSubstring("the running average is taken"));
  }

  auto weights = under("encoder_q.", other);
  weights.merge(under("encoder_k.", source.weights));
  CHECK_THROWS_WITH(source.load(weights),
                    ContainsSubstring("several Vision Transformers, under \"encoder_k\", "
                                      "\"encoder_q\"; save the one that is meant alone"));
  // A teacher of other shapes is no average of its student.
  weights = under("student.", source.weights);
  auto larger = source.weights;
  larger["cls_token"] = at::ones({1, 1, 9});
  weights.merge(under("teacher.", larger));
  CHECK_THROWS_WITH(source.load(weights), ContainsSubstring("several Vision Transformers"));
  // One model under two names is one.
  weights = under("model.", source.weights);
  weights.merge(under("compiled._orig_mod.", source.weights));
  CHECK(source.is_same(source.load(weights)));
}

TEST_CASE("what the authors' training keeps beside its backbone is theirs, elsewhere it is not") {
  const auto one = at::ones({1});
  const auto names_of = [](const vit::StateDict& weights) {
    std::string names;
    for (const auto& [name, tensor] : weights) names += name + " ";
    return names;
  };
  const vit::StateDict model{{"x.backbone.patch_embed.proj.weight", one},
                             {"x.backbone.register_tokens", one},
                             {"x.dino_head.mlp.0.weight", one},
                             {"x.fc.weight", one}};
  const auto found = vit::find_model(model, "f");
  CHECK(found.layout == &vit::kAuthorsLayout);
  CHECK(found.prefix == "x.backbone.");
  CHECK(names_of(found.weights) ==
        "dino_head.mlp.0.weight patch_embed.proj.weight register_tokens ");
  CHECK(names_of(found.beside) == "x.fc.weight ");

  // A module may have a name that a library gives to another model.
  const auto other = vit::find_model(
      {{"vit.conv_proj.weight", one}, {"vit.encoder.ln.weight", one}, {"classifier.weight", one}},
      "f");
  CHECK(other.layout == &vit::kTorchvisionLayout);
  CHECK(names_of(other.weights) == "conv_proj.weight encoder.ln.weight ");
  CHECK(names_of(other.beside) == "classifier.weight ");
  const auto hf = vit::find_model({{"m.vit.embeddings.patch_embeddings.projection.weight", one},
                                   {"m.encoder.layer.0.norm1.weight", one},
                                   {"m.classifier.weight", one},
                                   {"m.criterion.weight", one}},
                                  "f");
  CHECK(hf.layout == &vit::kHuggingfaceLayout);
  CHECK(names_of(hf.weights) ==
        "classifier.weight encoder.layer.0.norm1.weight "
        "vit.embeddings.patch_embeddings.projection.weight ");
  CHECK(names_of(hf.beside) == "m.criterion.weight ");
  CHECK(vit::find_model({}, "f").weights.empty());
}

TEST_CASE("a vision tower of CLIP needs not be called visual") {
  Source source("families/open_clip");
  vit::StateDict tower;
  for (const auto& [name, tensor] : source.weights)
    if (name.starts_with("visual.")) tower[name.substr(7)] = tensor;
  for (const std::string prefix : {"", "backbone.", "model.image_encoder."}) {
    CAPTURE(prefix);
    CHECK(source.is_same(source.load(under(prefix, tower))));
    CHECK(source.warnings.empty());
  }
}

TEST_CASE("modules that hold averages, and classifiers, by their names") {
  for (const char* name : {"ema", "model_ema", "teacher", "averaged_model", "swa"})
    CHECK(vit::names_average(name));
  for (const char* name : {"model", "schema", "student", ""}) CHECK(!vit::names_average(name));
  for (const char* name : {"head", "heads", "fc", "fc2", "mlp_head", "classifier", "cls_head"})
    CHECK(vit::names_head(name));
  for (const char* name : {"head_dist", "proj_head", "text_head", "cls_token", "fc_norm", "header",
                           "dino_head", "backbone", ""})
    CHECK(!vit::names_head(name));
}
