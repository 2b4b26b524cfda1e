#pragma once

#include <media/codecs/codec.h>

namespace media {

/// Whether the file is a JPEG 2000 codestream without the boxes of a JP2 file around it.
bool is_bare_jpeg_2000(std::span<const uint8_t> bytes);

/// Throws vit::Error for a JPEG 2000 file whose headers make no sense, claim a picture that is too
/// large or has data for only some of its tiles, or cut it into pieces so small that a decoder,
/// which keeps a record of each, would take more memory than for the picture.
void check_jpeg_2000(const Encoded& file);

}  // namespace media
