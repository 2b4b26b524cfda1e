#pragma once

#include <cstdint>
#include <span>

namespace media {

/// The orientation 1 to 8 that a PNG file asks for. EXIF stands in a chunk of its own or, as
/// ImageMagick writes it, as hexadecimal digits in a text chunk; XMP in a text chunk. Chunks may
/// come before or behind the pixels, the last of a kind counts. libpng has to have checked the
/// file; what makes no sense or is longer than a megabyte counts as not there.
int png_orientation(std::span<const uint8_t> file);

}  // namespace media
