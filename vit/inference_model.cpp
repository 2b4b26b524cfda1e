#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/inference_model.h>
#include <vit/kernels/block_weights.h>
#include <vit/kernels/fused_blocks.h>

namespace vit {

struct InferenceModel::Parts {
  ModelConfig config;
  Embedding embedding;
  Head head;
  std::unique_ptr<const kernels::PackedBlocks> packed;
  VisionTransformer module{nullptr};  // where nothing is packed
};

namespace {

/// The first `depth` blocks of a model and all around them, with weights of their own.
VisionTransformer copy_of(const VisionTransformer& model, int64_t depth) {
  ModelConfig config = model->model_config();
  config.vit.depth = depth;
  if (auto& heads = config.vit.kv_heads; !heads.empty()) heads.resize(static_cast<size_t>(depth));
  VisionTransformer copy(std::move(config));
  const auto take = [](const auto& from, const auto& to) {
    for (const auto& item : to) {
      at::Tensor tensor = item.value();
      tensor.set_data(from[item.key()].detach().clone());
      tensor.requires_grad_(false);
    }
  };
  take(model->named_parameters(), copy->named_parameters());
  take(model->named_buffers(), copy->named_buffers());
  copy->set_int8(model->int8());
  copy->eval();
  return copy;
}

}  // namespace

InferenceModel::InferenceModel(VisionTransformer model) : reducer_(model->reducer()) {
  if (model->is_training())
    fail("InferenceModel: the model is in training mode; call eval() on it first");
  auto parts = std::make_shared<Parts>();
  parts->config = model->model_config();
  const bool alone = model.ptr().use_count() == 1;
  const auto around = copy_of(model, 1);  // while the first block has its weights
  parts->packed = kernels::PackedBlocks::pack(model->config().block, model->block_weights(),
                                              model->int8(), model->embedding().dtype(), alone);
  if (!parts->packed)
    parts->module = alone ? std::move(model) : copy_of(model, model->config().depth);
  const auto& source = parts->packed ? around : parts->module;
  parts->embedding = source->embedding();
  parts->head = source->head();
  parts_ = std::move(parts);
}

at::Tensor InferenceModel::forward(const at::Tensor& pixels) const {
  return forward_all(pixels).logits;
}

template <typename F>
auto InferenceModel::pass(const F& work) const {
  const at::NoGradGuard no_grad;
  const auto reducer = reducer_;
  return work(ForwardPass{parts_->config.vit, parts_->embedding, parts_->head, reducer.get(),
                          [&](TokenState& state) {
                            if (parts_->packed)
                              parts_->packed->run(state, reducer.get());
                            else
                              parts_->module->run_blocks(state, reducer.get());
                          }});
}

at::Tensor InferenceModel::forward(const std::vector<at::Tensor>& pictures) const {
  return pass([&](const ForwardPass& pass) { return pass.logits(pictures); });
}

ForwardResult InferenceModel::forward_all(const at::Tensor& pixels, ForwardOptions options) const {
  return pass([&](const ForwardPass& pass) { return pass.run(pixels, options); });
}

std::vector<ForwardResult> InferenceModel::forward_all(const std::vector<at::Tensor>& pictures,
                                                       ForwardOptions options) const {
  return pass([&](const ForwardPass& pass) { return pass.run(pictures, options); });
}

ForwardResult InferenceModel::forward_all(const PaddedPictures& pictures,
                                          ForwardOptions options) const {
  return pass([&](const ForwardPass& pass) { return pass.run(pictures, options); });
}

const VitConfig& InferenceModel::config() const { return parts_->config.vit; }
const std::vector<std::string>& InferenceModel::labels() const { return parts_->config.labels; }
ScoreKind InferenceModel::score_kind() const { return parts_->config.score_kind(); }
bool InferenceModel::is_packed() const { return parts_->packed != nullptr; }

}  // namespace vit
