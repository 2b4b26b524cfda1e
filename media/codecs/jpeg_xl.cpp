// libjxl as Debian builds it (0.7) writes to standard error where in its code it met damaged data.
// It has no way to be told not to.
#include <jxl/decode.h>
#include <memory>

#include <ATen/ATen.h>

#include <media/codecs/codec.h>

namespace media {
namespace {

constexpr const char* kFormat = "JPEG XL";

struct Destroy {
  void operator()(JxlDecoder* decoder) const { JxlDecoderDestroy(decoder); }
};

}  // namespace

Decoded decode_jpeg_xl(const Encoded& file) {
  const std::unique_ptr<JxlDecoder, Destroy> decoder(JxlDecoderCreate(nullptr));
  if (!decoder ||
      JxlDecoderSubscribeEvents(decoder.get(), JXL_DEC_BASIC_INFO | JXL_DEC_FULL_IMAGE) !=
          JXL_DEC_SUCCESS ||
      JxlDecoderSetInput(decoder.get(), file.bytes.data(), file.bytes.size()) != JXL_DEC_SUCCESS)
    refuse(file, kFormat, "out of memory");
  JxlDecoderCloseInput(decoder.get());

  // Turned as the header says. Gray is repeated, alpha dropped, 16 bits become 8.
  constexpr JxlPixelFormat kRgb{3, JXL_TYPE_UINT8, JXL_NATIVE_ENDIAN, 0};
  at::Tensor rgb;
  for (;;) switch (JxlDecoderProcessInput(decoder.get())) {
      case JXL_DEC_BASIC_INFO: {
        JxlBasicInfo info;
        if (JxlDecoderGetBasicInfo(decoder.get(), &info) != JXL_DEC_SUCCESS)
          refuse(file, kFormat, "its header is damaged");
        check_size(file, kFormat, info.xsize, info.ysize);
        check_empty(file, kFormat, int64_t{info.xsize} * info.ysize);
        // Up to a number of 4 bytes for each sample of the picture.
        check_memory(file, kFormat, int64_t{info.xsize} * info.ysize,
                     4 * (int64_t{3} + info.num_extra_channels));
        rgb = at::empty({info.ysize, info.xsize, 3}, at::kByte);
        break;
      }
      case JXL_DEC_NEED_IMAGE_OUT_BUFFER: {
        size_t bytes = 0;
        if (!rgb.defined() ||
            JxlDecoderImageOutBufferSize(decoder.get(), &kRgb, &bytes) != JXL_DEC_SUCCESS ||
            bytes != rgb.nbytes() ||
            JxlDecoderSetImageOutBuffer(decoder.get(), &kRgb, rgb.mutable_data_ptr(), bytes) !=
                JXL_DEC_SUCCESS)
          refuse(file, kFormat, "its pixels are of an unknown kind");
        break;
      }
      case JXL_DEC_FULL_IMAGE:  // the first frame; an animation has more
        return {rgb};
      case JXL_DEC_NEED_MORE_INPUT:
        refuse(file, kFormat, "the file ends early");
      default:
        refuse(file, kFormat, "the data is damaged or of an unknown kind");
    }
}

}  // namespace media
