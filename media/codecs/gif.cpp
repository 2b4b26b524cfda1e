// giflib's reader of single lines, which keeps no picture of its own: only the first frame is read,
// and put on the canvas here.
#include <algorithm>
#include <array>
#include <cstring>
#include <gif_lib.h>
#include <memory>
#include <optional>
#include <vector>

#include <ATen/ATen.h>

#include <media/codecs/codec.h>

namespace media {
namespace {

constexpr const char* kFormat = "GIF";
// A code of 12 bits stands for no more than the 4096 pixels that the table of codes can string up.
constexpr int64_t kPixelsPerByte = 4096;
// So much canvas around a small first frame asks for no proof.
constexpr int64_t kFreeCanvas = int64_t{1} << 22;

using Color = std::array<uint8_t, 3>;

/// giflib's state.
class GifReader {
 public:
  explicit GifReader(const Encoded& file) : file_(file) {
    int error = D_GIF_SUCCEEDED;
    gif_.reset(DGifOpen(this, on_read, &error));
    if (!gif_) fail(error);
  }

  GifFileType& get() { return *gif_; }

  /// Throws what giflib said about the last call, where that failed.
  void check(int result) {
    if (result != GIF_OK) fail(gif_->Error);
  }

 private:
  [[noreturn]] void fail(int error) {
    if (error == D_GIF_ERR_READ_FAILED || error == D_GIF_ERR_EOF_TOO_SOON)
      refuse(file_, kFormat, "the file ends early");
    const char* reason = GifErrorString(error);
    refuse(file_, kFormat, reason ? reason : "the data is damaged");
  }

  static int on_read(GifFileType* gif, GifByteType* out, int count) {
    GifReader& reader = *static_cast<GifReader*>(gif->UserData);
    const size_t given = std::min(static_cast<size_t>(std::max(count, 0)),
                                  reader.file_.bytes.size() - reader.position_);
    if (given > 0) std::memcpy(out, reader.file_.bytes.data() + reader.position_, given);
    reader.position_ += given;
    return static_cast<int>(given);
  }

  struct Close {
    void operator()(GifFileType* gif) const {
      int error = 0;
      DGifCloseFile(gif, &error);
    }
  };

  const Encoded& file_;
  size_t position_ = 0;
  std::unique_ptr<GifFileType, Close> gif_;
};

/// Goes on to the first frame. The index of its transparent colour, if it has one.
std::optional<int> find_frame(const Encoded& file, GifReader& reader) {
  std::optional<int> transparent;
  for (;;) {
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    reader.check(DGifGetRecordType(&reader.get(), &record));
    if (record == TERMINATE_RECORD_TYPE) refuse(file, kFormat, "it has no picture");
    if (record == IMAGE_DESC_RECORD_TYPE) {
      reader.check(DGifGetImageDesc(&reader.get()));
      return transparent;
    }
    int kind = 0;
    GifByteType* block = nullptr;  // its length, then its bytes
    reader.check(DGifGetExtension(&reader.get(), &kind, &block));
    GraphicsControlBlock control;
    if (kind == GRAPHICS_EXT_FUNC_CODE && block &&
        DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK &&
        control.TransparentColor != NO_TRANSPARENT_COLOR)
      transparent = control.TransparentColor;
    while (block) reader.check(DGifGetExtensionNext(&reader.get(), &block));
  }
}

/// The colours of all indices: those beyond the palette are black, without any palette they are
/// levels of gray. A palette of the first levels of gray counts as none, as in Pillow.
std::array<Color, 256> read_palette(const ColorMapObject* map) {
  std::array<Color, 256> colors{};
  bool is_gray = true;
  const int count = map ? std::min(map->ColorCount, 256) : 0;
  for (int i = 0; i < count; ++i) {
    const GifColorType& color = map->Colors[i];
    colors[static_cast<size_t>(i)] = {color.Red, color.Green, color.Blue};
    is_gray = is_gray && color.Red == i && color.Green == i && color.Blue == i;
  }
  if (is_gray)
    for (size_t i = 0; i < colors.size(); ++i) colors[i].fill(static_cast<uint8_t>(i));
  return colors;
}

}  // namespace

Decoded decode_gif(const Encoded& file) {
  GifReader reader(file);
  const GifFileType& gif = reader.get();
  const std::optional<int> transparent = find_frame(file, reader);
  const GifImageDesc& frame = gif.Image;
  check_size(file, kFormat, frame.Width, frame.Height);
  check_density(file, kFormat, int64_t{frame.Width} * frame.Height, kPixelsPerByte);
  // A frame that reaches beyond the canvas makes it larger.
  const int64_t width = std::max(gif.SWidth, frame.Left + frame.Width);
  const int64_t height = std::max(gif.SHeight, frame.Top + frame.Height);
  check_size(file, kFormat, width, height);
  if (width * height > kFreeCanvas) check_density(file, kFormat, width * height, kPixelsPerByte);

  const auto colors = read_palette(frame.ColorMap ? frame.ColorMap : gif.SColorMap);
  Decoded picture{at::empty({height, width, 3}, at::kByte)};
  uint8_t* rgb = picture.rgb.mutable_data_ptr<uint8_t>();
  if (transparent) picture.transparent = colors[static_cast<size_t>(*transparent)];
  if (frame.Width < width || frame.Height < height) {
    const Color around = colors[static_cast<size_t>(transparent.value_or(0))];
    for (int64_t i = 0; i < width * height; ++i) std::memcpy(rgb + 3 * i, around.data(), 3);
  }

  // Where the passes over an interlaced picture begin, and their steps.
  struct Pass {
    int first, step;
  };
  constexpr Pass kWhole[] = {{0, 1}}, kInterlaced[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}};
  std::vector<GifPixelType> line(static_cast<size_t>(frame.Width));
  for (const Pass& pass : frame.Interlace ? std::span<const Pass>(kInterlaced) : kWhole)
    for (int y = pass.first; y < frame.Height; y += pass.step) {
      reader.check(DGifGetLine(&reader.get(), line.data(), frame.Width));
      uint8_t* out = rgb + ((frame.Top + int64_t{y}) * width + frame.Left) * 3;
      for (const GifPixelType index : line) {
        std::memcpy(out, colors[index].data(), 3);
        out += 3;
      }
    }
  return picture;
}

}  // namespace media
