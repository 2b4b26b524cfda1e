#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include <ATen/core/Tensor.h>

#include <media/limits.h>
#include <vit/input_config.h>

namespace media {

/// The picture in a file as uint8 [height, width, 3], RGB, the way a viewer shows it: orientation
/// applied (EXIF's, or else XMP's), alpha dropped without blending, gray repeated, the high byte of
/// 16-bit samples, CMYK converted by formula, ICC profiles and gamma ignored. Reads JPEG, PNG,
/// WebP, GIF and AVIF (the first frame of an animation), BMP, PNM, TIFF (the first page) and Sun
/// raster, and in a build with OpenJPEG, libheif and libjxl JPEG 2000, HEIC and JPEG XL; the
/// content decides, not the name.
///
/// The pixels are those of Pillow; docs/pictures.md says where they are not. TIFF takes unsigned
/// samples of 1, 2, 4, 8 and 16 bits; signed and floating ones are refused: nothing says which
/// values are black and white.
///
/// Throws vit::Error that names the file and the reason: missing, unknown format, too many pixels,
/// damaged or cut off. Memory grows with what the file holds, not with what its header claims, and
/// is limited by kMaxPixels. May be called from several threads at once.
at::Tensor read_image(const std::filesystem::path& path,
                      vit::Transparency transparency = vit::Transparency::dropped);

/// The same for a file that is already in memory; errors call it `name`.
at::Tensor decode_image(std::span<const uint8_t> bytes, std::string_view name,
                        vit::Transparency transparency = vit::Transparency::dropped);

/// Whether the name ends like a picture that read_image() reads, in small or capital letters.
bool is_image_file_name(const std::filesystem::path& path);

}  // namespace media
