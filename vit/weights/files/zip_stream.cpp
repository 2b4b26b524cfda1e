#include <algorithm>
#include <limits>
#include <zlib.h>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/weights/files/mapped_tensor.h>
#include <vit/weights/files/zip.h>
#include <vit/weights/text.h>

namespace vit {

namespace {

/// CRC-32 of further bytes behind those of which it is `crc`.
uint32_t checksum(uint32_t crc, const void* bytes, size_t size) {
  return static_cast<uint32_t>(crc32_z(crc, static_cast<const Bytef*>(bytes), size));
}

void check_checksum(const ZipEntry& entry, uint32_t crc, const std::string& where) {
  // torch writes 0 where it has been told not to compute checksums.
  if (entry.crc != 0 && entry.crc != crc)
    fail(where, " has a wrong checksum: the file is damaged; download or copy it again");
}

}  // namespace

struct ZipStream::Inflater {
  explicit Inflater(const char* bytes) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes));
    constexpr int kRawDeflate = -MAX_WBITS;
    if (inflateInit2(&stream, kRawDeflate) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  z_stream stream{};
  uint64_t input = 0;  ///< bytes that zlib has not been given yet
  bool ended = false;
};

ZipStream::ZipStream(const ZipArchive& archive, const std::string& name, const ZipEntry& entry)
    : where_(archive.where() + ": the entry " + in_quotes(name)),
      entry_(entry),
      bytes_(archive.file()->text().data() + entry.offset),
      remaining_(entry.size) {
  if (!entry.deflated) return;
  inflater_ = std::make_unique<Inflater>(bytes_);
  inflater_->input = entry.stored_size;
}

ZipStream::~ZipStream() = default;

void ZipStream::read(void* data, size_t size) {
  if (size > remaining_) fail(where_, " ends too early");
  remaining_ -= size;
  if (!inflater_) {
    std::memcpy(data, bytes_, size);
    bytes_ += size;
    crc_ = checksum(crc_, data, size);
    return;
  }
  auto& stream = inflater_->stream;
  auto* out = static_cast<Bytef*>(data);
  constexpr uint64_t kMaxStep = std::numeric_limits<uInt>::max();  // zlib counts in 32 bits
  while (size > 0) {
    const auto step = static_cast<uInt>(std::min<uint64_t>(size, kMaxStep));
    if (stream.avail_in == 0) {
      stream.avail_in = static_cast<uInt>(std::min(inflater_->input, kMaxStep));
      inflater_->input -= stream.avail_in;
    }
    stream.next_out = out;
    stream.avail_out = step;
    const int status = inflater_->ended ? Z_BUF_ERROR : inflate(&stream, Z_NO_FLUSH);
    const uInt written = step - stream.avail_out;
    inflater_->ended = inflater_->ended || status == Z_STREAM_END;
    if ((status != Z_OK && status != Z_STREAM_END) ||
        (written == 0 && stream.avail_in == 0 && inflater_->input == 0))
      fail(where_, " does not inflate to the announced ", entry_.size, " bytes");
    crc_ = checksum(crc_, out, written);
    out += written;
    size -= written;
  }
}

void ZipStream::finish() {
  if (remaining_ > 0) fail(where_, " has ", remaining_, " bytes too many");
  if (inflater_ && !inflater_->ended) {
    // The end of the stream follows its last byte; anything else that comes out is too much.
    Bytef extra = 0;
    inflater_->stream.next_out = &extra;
    inflater_->stream.avail_out = 1;
    if (inflater_->stream.avail_in == 0)
      inflater_->stream.avail_in = static_cast<uInt>(std::min<uint64_t>(inflater_->input, 1 << 16));
    if (inflate(&inflater_->stream, Z_NO_FLUSH) != Z_STREAM_END || inflater_->stream.avail_out == 0)
      fail(where_, " inflates to more than the announced ", entry_.size, " bytes");
  }
  check_checksum(entry_, crc_, where_);
}

std::string read_zip_text(const ZipArchive& archive, const std::string& name, const ZipEntry& entry,
                          size_t limit) {
  if (entry.size > limit)
    fail(archive.where(), ": the entry ", in_quotes(name), " has ", entry.size,
         " bytes, expected at most ", limit);
  std::string text(entry.size, '\0');
  ZipStream stream(archive, name, entry);
  stream.read(text.data(), text.size());
  stream.finish();
  return text;
}

at::Tensor read_zip_tensor(const ZipArchive& archive, const std::string& name,
                           const ZipEntry& entry, uint64_t skip, at::IntArrayRef shape,
                           at::ScalarType dtype) {
  if (!entry.deflated) {
    if (entry.crc != 0)
      check_checksum(entry, checksum(0, archive.file()->text().data() + entry.offset, entry.size),
                     archive.where() + ": the entry " + in_quotes(name));
    return tensor_in(archive.file(), entry.offset + skip, shape, dtype);
  }
  ZipStream stream(archive, name, entry);
  std::string header(skip, '\0');
  stream.read(header.data(), header.size());
  auto tensor = at::empty(shape, dtype);
  stream.read(tensor.mutable_data_ptr(), tensor.nbytes());
  stream.finish();
  return tensor;
}

}  // namespace vit
