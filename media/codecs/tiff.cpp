// libtiff itself, which reads every compression that it was built with; the samples are made RGB
// here, the way Pillow does it. libtiff's own conversion to RGB blends alpha with black and rounds
// CMYK and YCbCr otherwise.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include <ATen/ATen.h>

#include <media/codecs/codec.h>
#include <media/codecs/color.h>
#include <media/codecs/exif.h>
#include <media/codecs/fax.h>
#include <media/codecs/tiff_file.h>

namespace media {
namespace {

constexpr const char* kFormat = "TIFF";
// A blank page in fax compression takes a bit per row.
constexpr int64_t kPixelsPerByte = 1 << 16;
constexpr int64_t kMaxSamples = 6;

/// How the first page is stored.
struct Page {
  int64_t width = 0, height = 0;
  int64_t bits = 1, samples = 1;  ///< of a sample; per pixel
  uint16_t compression = 0, photometric = 0;
  bool planar = false;            ///< each sample's picture by itself
  bool premultiplied = false;     ///< the colours are multiplied by the sample behind them
  bool libtiff_converts = false;  ///< YCbCr that is compressed or subsampled
  bool tiled = false;
  int64_t block_width = 0, block_height = 0;  ///< a tile, or else a strip

  /// Samples that make the colour.
  int64_t colors() const {
    switch (photometric) {
      case PHOTOMETRIC_SEPARATED:
        return 4;
      case PHOTOMETRIC_RGB:
      case PHOTOMETRIC_YCBCR:
      case PHOTOMETRIC_CIELAB:
        return 3;
      default:
        return 1;
    }
  }
  /// The first samples of a pixel, which are read.
  int64_t channels() const { return colors() + (premultiplied ? 1 : 0); }
};

Page read_page(const Encoded& file, const TiffFile& tiff) {
  Page page;
  page.width = tiff.tag<uint32_t>(TIFFTAG_IMAGEWIDTH, 0);
  page.height = tiff.tag<uint32_t>(TIFFTAG_IMAGELENGTH, 0);
  check_size(file, kFormat, page.width, page.height);
  page.bits = tiff.tag<uint16_t>(TIFFTAG_BITSPERSAMPLE, 1);
  page.samples = tiff.tag<uint16_t>(TIFFTAG_SAMPLESPERPIXEL, 1);
  page.compression = tiff.tag<uint16_t>(TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  page.photometric = tiff.tag<uint16_t>(TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
  page.planar = page.samples > 1 && tiff.tag<uint16_t>(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) ==
                                        PLANARCONFIG_SEPARATE;
  if (page.compression == COMPRESSION_OJPEG) page.photometric = PHOTOMETRIC_YCBCR;

  // libtiff takes the indices for gray levels then.
  if (const auto directory = TiffDirectory::open(file.bytes);
      directory && directory->number(TIFFTAG_PHOTOMETRIC) == int64_t{PHOTOMETRIC_PALETTE} &&
      page.photometric != PHOTOMETRIC_PALETTE)
    refuse(file, kFormat, "its palette is missing or cut off");

  const auto format = tiff.tag<uint16_t>(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  const bool small = page.bits == 1 || page.bits == 2 || page.bits == 4;
  if ((!small && page.bits != 8 && page.bits != 16) || page.samples < 1 ||
      page.samples > kMaxSamples || format != SAMPLEFORMAT_UINT)
    refuse(file, kFormat, page.samples, format == SAMPLEFORMAT_UINT ? "" : " signed or floating",
           " samples of ", page.bits, " bits are not supported, only 1 to ", kMaxSamples,
           " unsigned integers of 1, 2, 4, 8 or 16 bits, as nothing says which other values are "
           "black and white; convert it to one of these");
  int64_t most_bits = 16;
  switch (page.photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_RGB:
    case PHOTOMETRIC_SEPARATED:
      break;
    case PHOTOMETRIC_PALETTE:
    case PHOTOMETRIC_YCBCR:
    case PHOTOMETRIC_CIELAB:
      most_bits = 8;
      break;
    default:
      refuse(file, kFormat, "its kind of colours (photometric interpretation ", page.photometric,
             ") is not supported");
  }
  if (page.samples < page.colors() || page.bits > most_bits || (small && page.colors() > 1))
    refuse(file, kFormat, page.samples, " samples of ", page.bits,
           " bits make no picture of its kind (photometric interpretation ", page.photometric, ")");

  uint16_t extra_count = 0;
  const uint16_t* extra = nullptr;
  if (TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_EXTRASAMPLES, &extra_count, &extra))
    page.premultiplied =
        extra_count > 0 && extra[0] == EXTRASAMPLE_ASSOCALPHA && !small &&
        page.samples > page.colors() &&
        (page.photometric == PHOTOMETRIC_RGB || page.photometric == PHOTOMETRIC_MINISBLACK);
  if (page.photometric == PHOTOMETRIC_YCBCR) {
    uint16_t across = 2, down = 2;
    TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_YCBCRSUBSAMPLING, &across, &down);
    page.libtiff_converts = page.compression != COMPRESSION_NONE || across != 1 || down != 1;
  }

  const bool plain = page.compression == COMPRESSION_NONE && !page.libtiff_converts;
  check_density(file, kFormat, page.width * page.height,
                plain ? std::max<int64_t>(1, 8 / (page.bits * page.samples)) : kPixelsPerByte);
  page.tiled = TIFFIsTiled(tiff.get()) != 0;
  if (page.tiled) {
    page.block_width = tiff.tag<uint32_t>(TIFFTAG_TILEWIDTH, 0);
    page.block_height = tiff.tag<uint32_t>(TIFFTAG_TILELENGTH, 0);
    check_size(file, kFormat, page.block_width, page.block_height);
    check_density(file, kFormat, page.block_width * page.block_height, kPixelsPerByte);
  } else {
    page.block_width = page.width;
    page.block_height = std::min<int64_t>(
        page.height, std::max<uint32_t>(1, tiff.tag<uint32_t>(TIFFTAG_ROWSPERSTRIP, UINT32_MAX)));
  }
  return page;
}

/// Turns stored rows into RGB.
class RowConverter {
 public:
  RowConverter(const TiffFile& tiff, const Page& page)
      : page_(page), row_(static_cast<size_t>(page.block_width * page.channels())) {
    if (page.colors() == 1) fill_table(tiff);
  }

  /// The pixels of one row: `stored` for all samples interleaved, or for planar pages `planes`
  /// of them, `plane_bytes` apart.
  void convert(const uint8_t* stored, int64_t plane_bytes, int64_t columns, uint8_t* rgb) {
    const int64_t channels = page_.channels();
    for (int64_t c = 0; c < channels; ++c) {
      uint8_t* out = row_.data() + c;
      if (page_.planar)
        expand(stored + c * plane_bytes, 0, 1, columns, out);
      else
        expand(stored, c, page_.samples, columns, out);
    }
    const uint8_t* in = row_.data();
    for (int64_t x = 0; x < columns; ++x, in += channels, rgb += 3) to_rgb(in, rgb);
  }

 private:
  /// Colours for the values of a gray or palette page.
  void fill_table(const TiffFile& tiff) {
    const int most = page_.bits >= 8 ? 255 : (1 << page_.bits) - 1;
    if (page_.photometric != PHOTOMETRIC_PALETTE) {
      const bool inverted = page_.photometric == PHOTOMETRIC_MINISWHITE;
      for (int i = 0; i <= most; ++i)
        table_[static_cast<size_t>(i)].fill(
            static_cast<uint8_t>((inverted ? most - i : i) * 255 / most));
      return;
    }
    std::array<uint16_t*, 3> map{};
    if (!TIFFGetField(tiff.get(), TIFFTAG_COLORMAP, &map[0], &map[1], &map[2])) tiff.fail();
    // Some writers store 8 bits instead of the 16 that the format has.
    const auto has_16_bits = [&](const uint16_t* levels) {
      return std::any_of(levels, levels + most + 1, [](uint16_t level) { return level > 255; });
    };
    const int shift = std::any_of(map.begin(), map.end(), has_16_bits) ? 8 : 0;
    for (size_t i = 0; i <= static_cast<size_t>(most); ++i)
      for (size_t c = 0; c < 3; ++c) table_[i][c] = static_cast<uint8_t>(map[c][i] >> shift);
  }

  /// Sample `first` of each pixel, of which there are `step`, to every channels() bytes of `out`:
  /// the high byte of 16 bits, small values as they are.
  void expand(const uint8_t* row, int64_t first, int64_t step, int64_t columns,
              uint8_t* out) const {
    const int64_t channels = page_.channels();
    if (page_.bits == 8) {
      row += first;
      for (int64_t x = 0; x < columns; ++x) out[x * channels] = row[x * step];
    } else if (page_.bits == 16) {  // in the order of this machine
      for (int64_t x = 0; x < columns; ++x) {
        uint16_t value;
        std::memcpy(&value, row + (x * step + first) * 2, 2);
        out[x * channels] = static_cast<uint8_t>(value >> 8);
      }
    } else {
      const int mask = (1 << page_.bits) - 1;
      for (int64_t x = 0; x < columns; ++x) {
        const int64_t bit = (x * step + first) * page_.bits;
        out[x * channels] = static_cast<uint8_t>(row[bit / 8] >> (8 - page_.bits - bit % 8) & mask);
      }
    }
  }

  void to_rgb(const uint8_t* in, uint8_t* rgb) const {
    switch (page_.photometric) {
      case PHOTOMETRIC_RGB:
        std::memcpy(rgb, in, 3);
        break;
      case PHOTOMETRIC_SEPARATED:
        return cmyk_to_rgb(in[0], in[1], in[2], in[3], rgb);
      case PHOTOMETRIC_YCBCR:
        return ycbcr_to_rgb(in[0], in[1], in[2], rgb);
      case PHOTOMETRIC_CIELAB:
        return lab_to_rgb(in[0], in[1], in[2], rgb);
      default:
        std::memcpy(rgb, table_[in[0]].data(), 3);
    }
    if (!page_.premultiplied) return;
    const int alpha = in[page_.channels() - 1];
    for (int c = 0; c < 3; ++c)
      rgb[c] = static_cast<uint8_t>(alpha == 0 ? 0 : std::min(255, rgb[c] * 255 / alpha));
  }

  const Page& page_;
  std::vector<uint8_t> row_;  ///< one row's channels
  std::array<std::array<uint8_t, 3>, 256> table_{};
};

/// A strip that libtiff has given up, where it is one of fax rows in one dimension.
bool read_fax_strip(const TiffFile& tiff, const Page& page, uint32_t strip, int64_t rows,
                    uint8_t* out) {
  FaxRows order = FaxRows::end_markers;
  switch (page.compression) {
    case COMPRESSION_CCITTFAX3:
      if (tiff.tag<uint32_t>(TIFFTAG_GROUP3OPTIONS, 0) &
          (GROUP3OPT_2DENCODING | GROUP3OPT_UNCOMPRESSED))
        return false;
      break;
    case COMPRESSION_CCITTRLE:
      order = FaxRows::bytes;
      break;
    case COMPRESSION_CCITTRLEW:
      order = FaxRows::words;
      break;
    default:
      return false;
  }
  if (page.tiled || page.bits != 1 || page.samples != 1) return false;
  std::vector<uint8_t> data(tiff.stored_bytes(strip));
  const auto got =
      TIFFReadRawStrip(tiff.get(), strip, data.data(), static_cast<tmsize_t>(data.size()));
  if (got != static_cast<tmsize_t>(data.size())) return false;
  if (tiff.tag<uint16_t>(TIFFTAG_FILLORDER, FILLORDER_MSB2LSB) == FILLORDER_LSB2MSB)
    TIFFReverseBits(data.data(), static_cast<tmsize_t>(data.size()));
  return decode_fax(data, order, page.width, rows, out);
}

/// Reads the strip or tile that has the pixel (x, y), `wanted` bytes in `rows` rows.
void read_block(const TiffFile& tiff, const Page& page, int64_t x, int64_t y, int64_t plane,
                int64_t rows, int64_t wanted, uint8_t* out) {
  const auto left = static_cast<uint32_t>(x), top = static_cast<uint32_t>(y);
  const auto sample = static_cast<uint16_t>(plane);
  if (page.tiled) {
    const uint32_t tile = TIFFComputeTile(tiff.get(), left, top, 0, sample);
    if (TIFFReadEncodedTile(tiff.get(), tile, out, wanted) != wanted) tiff.fail();
    return;
  }
  const uint32_t strip = TIFFComputeStrip(tiff.get(), top, sample);
  if (TIFFReadEncodedStrip(tiff.get(), strip, out, wanted) != wanted &&
      !read_fax_strip(tiff, page, strip, rows, out))
    tiff.fail();
}

void read_blocks(const Encoded& file, const TiffFile& tiff, const Page& page, uint8_t* rgb) {
  const int64_t planes = page.planar ? page.channels() : 1;
  const int64_t row_bytes = page.tiled ? TIFFTileRowSize(tiff.get()) : TIFFScanlineSize(tiff.get());
  const int64_t samples = page.planar ? 1 : page.samples;
  if (row_bytes != (page.block_width * samples * page.bits + 7) / 8)
    refuse(file, kFormat, "rows of ", row_bytes, " bytes do not fit its width");
  const int64_t block_bytes = row_bytes * page.block_height;
  check_memory(file, kFormat, page.block_width * page.block_height,
               std::max<int64_t>(1, planes * samples * page.bits / 8));
  // Strips of what is wanted go where they belong.
  const bool in_place = page.photometric == PHOTOMETRIC_RGB && page.bits == 8 &&
                        page.samples == 3 && !page.planar && !page.tiled;
  // Not cleared: what a damaged file leaves unread is never used.
  const auto block = std::make_unique_for_overwrite<uint8_t[]>(
      in_place ? 0 : static_cast<size_t>(block_bytes * planes));
  RowConverter converter(tiff, page);

  for (int64_t y = 0; y < page.height; y += page.block_height)
    for (int64_t x = 0; x < page.width; x += page.block_width) {
      const int64_t rows = std::min(page.block_height, page.height - y);
      const int64_t columns = std::min(page.block_width, page.width - x);
      const int64_t wanted = page.tiled ? block_bytes : row_bytes * rows;
      uint8_t* out = rgb + (y * page.width + x) * 3;
      for (int64_t p = 0; p < planes; ++p)
        read_block(tiff, page, x, y, p, rows, wanted,
                   in_place ? out : block.get() + p * block_bytes);
      for (int64_t row = 0; row < rows && !in_place; ++row)
        converter.convert(block.get() + row * row_bytes, block_bytes, columns,
                          out + row * page.width * 3);
    }
}

/// libtiff's own conversion to RGB, for YCbCr whose chroma it must scale up first.
void read_converted(const Encoded& file, const TiffFile& tiff, const Page& page, uint8_t* rgb) {
  char reason[1024] = "";
  TIFFRGBAImage image;
  if (!TIFFRGBAImageOK(tiff.get(), reason) ||
      !TIFFRGBAImageBegin(&image, tiff.get(), /*stop=*/1, reason))
    refuse(file, kFormat, reason);
  const std::unique_ptr<TIFFRGBAImage, decltype(&TIFFRGBAImageEnd)> end(&image, TIFFRGBAImageEnd);
  // As stored; who called turns it.
  image.orientation = image.req_orientation = ORIENTATION_TOPLEFT;
  const int64_t pixels = page.width * page.height;
  const auto raster = std::make_unique_for_overwrite<uint32_t[]>(static_cast<size_t>(pixels));
  if (!TIFFRGBAImageGet(&image, raster.get(), static_cast<uint32_t>(page.width),
                        static_cast<uint32_t>(page.height)))
    tiff.fail();
  for (int64_t i = 0; i < pixels; ++i, rgb += 3) {
    rgb[0] = TIFFGetR(raster[i]);
    rgb[1] = TIFFGetG(raster[i]);
    rgb[2] = TIFFGetB(raster[i]);
  }
}

/// That of its tag, of which libtiff leaves out values without a meaning, or else of XMP.
int orientation(const Encoded& file, const TiffFile& tiff) {
  uint16_t tag = 0;
  if (TIFFGetField(tiff.get(), TIFFTAG_ORIENTATION, &tag)) return tag;
  uint32_t length = 0;
  const uint8_t* xmp = nullptr;
  if (!TIFFGetField(tiff.get(), TIFFTAG_XMLPACKET, &length, &xmp)) length = 0;
  return find_orientation(file.bytes, {xmp, length});
}

}  // namespace

Decoded decode_tiff(const Encoded& file) {
  const TiffFile tiff(file);
  const Page page = read_page(file, tiff);
  Decoded picture{at::empty({page.height, page.width, 3}, at::kByte)};
  uint8_t* rgb = picture.rgb.mutable_data_ptr<uint8_t>();
  if (page.libtiff_converts)
    read_converted(file, tiff, page, rgb);
  else
    read_blocks(file, tiff, page, rgb);
  tiff.check_damage();
  picture.orientation = orientation(file, tiff);
  return picture;
}

}  // namespace media
