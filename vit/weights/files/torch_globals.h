#pragma once

#include <optional>
#include <string_view>

#include <c10/core/ScalarType.h>

namespace vit {

/// What a name in a torch pickle stands for.
struct TorchGlobal {
  enum class Kind {
    dict,               ///< a class of dicts
    size,               ///< torch.Size
    harmless,           ///< a class or function whose results nobody looks into
    storage_type,       ///< of `dtype`
    untyped_storage,    ///< bytes
    dtype,              ///< `dtype` itself
    rebuild_tensor,     ///< a view of a storage
    rebuild_tensor_v3,  ///< a view of an untyped storage, as a dtype
    rebuild_parameter,
    rebuild_other,  ///< a tensor that is more than a view of a storage: sparse, quantised
    script_module,  ///< a class of a TorchScript program
  };
  Kind kind;
  at::ScalarType dtype = at::kByte;
};

/// Nothing for names that are not on the list of what weights files may mention.
std::optional<TorchGlobal> find_torch_global(std::string_view module, std::string_view name);

}  // namespace vit
