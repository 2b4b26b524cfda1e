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

InferenceModel::InferenceModel(VisionTransformer model) : reducer_(model->reducer()) {
  if (model->is_training())
    fail("InferenceModel: the model is in training mode; call eval() on it first");
  auto parts = std::make_shared<Parts>();
  parts->config = {model->config(), model->labels()};
  parts->embedding = model->embedding();
  parts->head = model->head();
  const bool alone = model.ptr().use_count() == 1;
  parts->packed = kernels::PackedBlocks::pack(model->config().block, model->block_weights(),
                                              model->int8(), model->embedding().dtype(), alone);
  if (!parts->packed) parts->module = std::move(model);
  parts_ = std::move(parts);
}

at::Tensor InferenceModel::forward(const at::Tensor& pixels) const {
  return forward_all(pixels).logits;
}

ForwardResult InferenceModel::forward_all(const at::Tensor& pixels, ForwardOptions options) const {
  const at::NoGradGuard no_grad;
  const auto reducer = reducer_;
  return forward_pass(parts_->config.vit, parts_->embedding, parts_->head, pixels, options,
                      reducer.get(), [&](TokenState& state) {
                        if (parts_->packed)
                          parts_->packed->run(state, reducer.get());
                        else
                          parts_->module->run_blocks(state, reducer.get());
                      });
}

const VitConfig& InferenceModel::config() const { return parts_->config.vit; }
const std::vector<std::string>& InferenceModel::labels() const { return parts_->config.labels; }
bool InferenceModel::is_packed() const { return parts_->packed != nullptr; }

}  // namespace vit
