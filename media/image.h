#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include <ATen/core/Tensor.h>

#include <media/limits.h>

namespace media {

/// The picture in a file as uint8 [height, width, 3], RGB, the way a viewer shows it: EXIF
/// orientation applied, alpha dropped without blending, gray repeated, the high byte of 16-bit
/// samples, CMYK converted by formula, ICC profiles and gamma ignored. Reads JPEG, PNG, WebP
/// (the first frame of an animation), BMP, PNM, TIFF (the first page), JPEG 2000 (in a build with
/// OpenJPEG) and Sun raster; the content decides, not the name.
///
/// TIFF's pixels are those of Pillow for unsigned samples of 1, 2, 4, 8 and 16 bits: gray, palette,
/// RGB, CMYK, YCbCr and L*a*b* (within Pillow's interpolation), strips or tiles, BigTIFF too.
/// Colours multiplied by their alpha are divided by it again. Other than in Pillow, 16-bit gray
/// keeps its high byte instead of being cut off at 255, and a palette whose entries are all below
/// 256 is one of bytes instead of black. Signed and floating samples are refused: nothing says
/// which values are black and white.
///
/// Throws vit::Error that names the file and the reason: missing, unknown format, too many pixels,
/// damaged or cut off. Memory grows with what the file holds, not with what its header claims.
/// May be called from several threads at once.
at::Tensor read_image(const std::filesystem::path& path);

/// The same for a file that is already in memory; errors call it `name`.
at::Tensor decode_image(std::span<const uint8_t> bytes, std::string_view name);

/// Whether the name ends like a picture that read_image() reads, in small or capital letters.
bool is_image_file_name(const std::filesystem::path& path);

}  // namespace media
