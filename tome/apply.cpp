#include <memory>

#include <tome/reducer.h>
#include <tome/tome.h>

namespace tome {

void apply(vit::VisionTransformer& model, const Options& options) {
  if (options.r.empty())
    remove(model);
  else
    model->set_reducer(std::make_shared<Reducer>(options));
}

void remove(vit::VisionTransformer& model) { model->set_reducer(nullptr); }

}  // namespace tome
