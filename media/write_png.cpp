#include "media/write_png.h"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <png.h>
#include <system_error>

#include <ATen/ATen.h>

#include <vit/error.h>

namespace media {

void write_png(const std::filesystem::path& path, const at::Tensor& rgb) {
  TORCH_CHECK(rgb.dim() == 3 && rgb.size(2) == 3 && rgb.scalar_type() == at::kByte &&
                  rgb.numel() > 0 && rgb.device().is_cpu(),
              "media::write_png: expected a uint8 CPU tensor [height, width, 3] with pixels, got ",
              rgb.toString(), " of shape ", rgb.sizes());
  const at::Tensor pixels = rgb.contiguous();
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(pixels.size(1));
  image.height = static_cast<png_uint_32>(pixels.size(0));
  image.format = PNG_FORMAT_RGB;

  const auto refuse = [&](const std::string& reason) {
    vit::fail(path.string(), ": cannot be written: ", reason);
  };
  const auto fault = [] { return std::generic_category().message(errno); };
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wb"), std::fclose);
  if (!file) refuse(fault());
  if (!png_image_write_to_stdio(&image, file.get(), 0, pixels.const_data_ptr(), 0, nullptr))
    refuse(image.message);
  if (std::fclose(file.release()) != 0) refuse(fault());
}

}  // namespace media
