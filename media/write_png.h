#pragma once

#include <filesystem>

#include <ATen/core/Tensor.h>

namespace media {

/// Writes uint8 [height, width, 3], RGB, as a PNG file. Throws c10::Error for other tensors and
/// vit::Error that names the file where it cannot be written.
void write_png(const std::filesystem::path& path, const at::Tensor& rgb);

}  // namespace media
