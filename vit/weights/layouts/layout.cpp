#include <ATen/ATen.h>

#include <vit/weights/layouts/layout.h>

namespace vit {
namespace {

// The first that knows its names counts.
constexpr const Layout* kLayouts[] = {&kTorchvisionLayout,
                                      &kOpenClipLayout,
                                      &kHuggingfaceSiglip2Layout,
                                      &kHuggingfaceClipLayout,
                                      &kHuggingfaceAimv2Layout,
                                      &kHuggingfaceDinov3Layout,
                                      &kHuggingfaceSapiens2Layout,
                                      &kHuggingfaceRadioLayout,
                                      &kHuggingfaceLayout,
                                      &kAuthorsLayout,
                                      &kFlaxLayout,
                                      &kTimmLayout};

}  // namespace

const Layout& detect_layout(const StateDict& weights) {
  for (const Layout* layout : kLayouts)
    if (layout->detect(weights)) return *layout;
  return kTimmLayout;
}

const Layout& layout_of_config(const JsonNode& root) {
  for (const Layout* layout : kLayouts)
    if (layout->wrote && layout->wrote(root)) return *layout;
  return kTimmLayout;
}

std::string name_in_file(const StateDict& stored, const StateDict& weights,
                         const std::string& name) {
  const auto found = weights.find(name);
  if (found == weights.end() || stored.contains(name)) return name;
  const auto& tensor = found->second;
  // Renaming, transposing and permuting leave the data where they are.
  for (const auto& [stored_name, candidate] : stored)
    if (candidate.is_same(tensor) || (tensor.numel() > 0 && candidate.numel() == tensor.numel() &&
                                      candidate.const_data_ptr() == tensor.const_data_ptr()))
      return stored_name;
  return name;
}

}  // namespace vit
