#include <media/codecs/codec.h>

namespace media {

Decoded decode_jpeg_2000(const Encoded& file) {
  refuse(file, "JPEG 2000",
         "this build has no OpenJPEG; install it (Debian: libopenjp2-7-dev) and configure with "
         "-DVITOME_JPEG_2000=ON");
}

}  // namespace media
