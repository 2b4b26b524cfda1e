#include <media/codecs/codec.h>

namespace media {

Decoded decode_heif(const Encoded& file) {
  refuse(file, "HEIF",
         "this build has no libheif; install it (Debian: libheif-dev) and configure with "
         "-DVITOME_HEIF=ON");
}

}  // namespace media
