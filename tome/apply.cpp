#include <tome/reducer.h>
#include <tome/tome.h>

namespace tome {

void apply(vit::VisionTransformer& model, const Options& options) {
  model->set_reducer(make_reducer(options));
}

void apply(vit::InferenceModel& model, const Options& options) {
  model.set_reducer(make_reducer(options));
}

void remove(vit::VisionTransformer& model) { model->set_reducer(nullptr); }
void remove(vit::InferenceModel& model) { model.set_reducer(nullptr); }

}  // namespace tome
