#include <media/codecs/codec.h>

namespace media {

Decoded decode_jpeg_xl(const Encoded& file) {
  refuse(file, "JPEG XL",
         "this build has no libjxl; install it (Debian: libjxl-dev) and configure with "
         "-DVITOME_JPEG_XL=ON");
}

}  // namespace media
