#pragma once

#include <string>
#include <utility>
#include <vector>

#include <vit/weights/files/pickle.h>

namespace vit {

/// The tensors of the weights in an object that torch.save or torch.jit.save wrote, by their names.
/// A dict of tensors is found under the names that training scripts use for it, running averages
/// before the weights they are of; then, whatever it is called, by the names of a Vision
/// Transformer in it. Where the classifier lies in a dict beside it, both are given, under the
/// names of their dicts. Throws Error where nothing tells which of several is meant, and where
/// there is nothing that could hold weights.
std::vector<std::pair<std::string, PickleRef>> find_state_dict(const PickleMachine& machine,
                                                               PickleRef root,
                                                               const std::string& where);

}  // namespace vit
