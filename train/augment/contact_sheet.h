#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include <train/augment.h>

namespace train {

/// A picture for people to judge an augmentation by, uint8 [height, width, 3]: in each row one of
/// `pictures` (uint8 [height, width, 3]) as evaluation sees it, followed by `views` random views.
/// Small inputs are enlarged. The same `seed` gives the same sheet.
///
/// Throws base::Error where there are no pictures or no views, or more than fit a sheet.
at::Tensor contact_sheet(const std::vector<at::Tensor>& pictures, const Augment& augment,
                         int64_t views, uint64_t seed);

}  // namespace train
