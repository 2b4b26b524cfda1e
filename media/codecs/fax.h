#pragma once

#include <cstdint>
#include <span>

namespace media {

/// How rows of one-dimensional fax coding (Modified Huffman, ITU-T T.4) follow one another.
enum class FaxRows {
  end_markers,  ///< group 3: an end-of-line code may stand before each row
  bytes,        ///< TIFF's CCITT RLE: each row begins at a byte
  words,        ///< the same at two bytes
};

/// Decodes `rows` rows of `width` pixels, a bit each, 1 for black, from the highest bit of each
/// byte on; rows take whole bytes of `out`, which has to have room for them. False where the data,
/// whose codes begin at the highest bit of a byte, are damaged or end early.
bool decode_fax(std::span<const uint8_t> data, FaxRows order, int64_t width, int64_t rows,
                uint8_t* out);

}  // namespace media
