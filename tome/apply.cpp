#include <memory>

#include <tome/reducer.h>
#include <tome/tome.h>

namespace tome {
namespace {

std::shared_ptr<const vit::TokenReducer> reducer_of(const Options& options) {
  return options.r.empty() ? nullptr : std::make_shared<const Reducer>(options);
}

}  // namespace

void apply(vit::VisionTransformer& model, const Options& options) {
  model->set_reducer(reducer_of(options));
}

void apply(vit::InferenceModel& model, const Options& options) {
  model.set_reducer(reducer_of(options));
}

void remove(vit::VisionTransformer& model) { model->set_reducer(nullptr); }
void remove(vit::InferenceModel& model) { model.set_reducer(nullptr); }

}  // namespace tome
