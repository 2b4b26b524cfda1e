#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include <ATen/ATen.h>

#include <vit/weights/state_dict.h>

namespace vit {

/// The bytes of a text as a tensor, so that it can lie in a weights file beside others.
inline at::Tensor text_tensor(std::string_view text) {
  at::Tensor bytes = at::empty({static_cast<int64_t>(text.size())}, at::kByte);
  std::memcpy(bytes.mutable_data_ptr(), text.data(), text.size());
  return bytes;
}

/// And back again; nothing where there is no such tensor.
inline std::optional<std::string> text_of(const StateDict& tensors, const std::string& name) {
  const auto found = tensors.find(name);
  if (found == tensors.end() || found->second.scalar_type() != at::kByte ||
      found->second.dim() != 1)
    return std::nullopt;
  const at::Tensor bytes = found->second.contiguous();
  return std::string(static_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes());
}

}  // namespace vit
