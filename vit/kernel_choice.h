#pragma once

namespace vit::kernels {

/// Whether the environment variable VITOME_KERNELS is "reference", which asks for the composed
/// operators everywhere; unset, empty or "auto" lets fused kernels run where they fit. Throws
/// Error for anything else.
bool reference_only();

}  // namespace vit::kernels
