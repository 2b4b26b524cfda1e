#include "media/codecs/tiff_file.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string_view>

#include <media/codecs/exif.h>

// Since 4.5 libtiff takes a handler for each file. Before, it has one for the whole process.
#if TIFFLIB_VERSION >= 20221213
#define VITOME_TIFF_HANDLERS_PER_FILE
#endif

#ifndef VITOME_TIFF_HANDLERS_PER_FILE
#include <mutex>
#endif

namespace media {
namespace {

constexpr const char* kFormat = "TIFF";

void keep_error(TiffLog& log, const char* format, va_list arguments) {
  if (!*log.reason) std::vsnprintf(log.reason, sizeof(log.reason), format, arguments);
}

void keep_warning(TiffLog& log, const char* module, const char* format, va_list arguments) {
  if (!module || std::string_view(module) != "JPEGLib") return;
  char text[256];
  std::vsnprintf(text, sizeof(text), format, arguments);
  const std::string_view message(text);
  if (message.find("Corrupt JPEG data") == message.npos ||
      message.find("extraneous") != message.npos)
    return;
  log.damaged = true;
  if (!*log.reason) std::memcpy(log.reason, text, sizeof(text));
}

#ifdef VITOME_TIFF_HANDLERS_PER_FILE

int on_error(TIFF*, void* log, const char*, const char* format, va_list arguments) {
  keep_error(*static_cast<TiffLog*>(log), format, arguments);
  return 1;  // and not to the handler of the process
}

int on_warning(TIFF*, void* log, const char* module, const char* format, va_list arguments) {
  keep_warning(*static_cast<TiffLog*>(log), module, format, arguments);
  return 1;
}

#else

/// The log of the file that this thread reads; messages of other threads and of other users of
/// libtiff go where they went before.
thread_local TiffLog* current_log = nullptr;
TIFFErrorHandler others_error = nullptr, others_warning = nullptr;

void on_error(const char* module, const char* format, va_list arguments) {
  if (current_log)
    keep_error(*current_log, format, arguments);
  else if (others_error)
    others_error(module, format, arguments);
}

void on_warning(const char* module, const char* format, va_list arguments) {
  if (current_log)
    keep_warning(*current_log, module, format, arguments);
  else if (others_warning)
    others_warning(module, format, arguments);
}

void install_handlers() {
  static std::once_flag once;
  std::call_once(once, [] {
    others_error = TIFFSetErrorHandler(on_error);
    others_warning = TIFFSetWarningHandler(on_warning);
  });
}

#endif

}  // namespace

TiffFile::TiffFile(const Encoded& file) : file_(file), cursor_{file.bytes} {
  // libtiff makes room for as many strips as the header claims, so that its size comes first.
  if (const auto directory = TiffDirectory::open(file.bytes))
    check_size(file, kFormat, directory->number(TIFFTAG_IMAGEWIDTH).value_or(0),
               directory->number(TIFFTAG_IMAGELENGTH).value_or(0));
  tiff_ = open();
  if (!tiff_) {
    close();
    fail();
  }
}

TiffFile::~TiffFile() { close(); }

TIFF* TiffFile::open() {
  const auto read = [](thandle_t handle, void* out, tmsize_t count) -> tmsize_t {
    Cursor& cursor = *static_cast<Cursor*>(handle);
    if (cursor.position >= cursor.bytes.size() || count <= 0) return 0;
    const auto given =
        std::min<uint64_t>(static_cast<uint64_t>(count), cursor.bytes.size() - cursor.position);
    std::memcpy(out, cursor.bytes.data() + cursor.position, given);
    cursor.position += given;
    return static_cast<tmsize_t>(given);
  };
  const auto write = [](thandle_t, void*, tmsize_t) -> tmsize_t { return 0; };
  const auto seek = [](thandle_t handle, toff_t offset, int from) -> toff_t {
    Cursor& cursor = *static_cast<Cursor*>(handle);
    cursor.position = offset + (from == SEEK_CUR   ? cursor.position
                                : from == SEEK_END ? cursor.bytes.size()
                                                   : 0);
    return cursor.position;
  };
  const auto done = [](thandle_t) { return 0; };
  const auto size = [](thandle_t handle) -> toff_t {
    return static_cast<Cursor*>(handle)->bytes.size();
  };
  // Opened to read, the file's bytes are left as they are.
  const auto map = [](thandle_t handle, void** base, toff_t* length) {
    const auto& bytes = static_cast<Cursor*>(handle)->bytes;
    *base = const_cast<uint8_t*>(bytes.data());
    *length = bytes.size();
    return 1;
  };
  const auto unmap = [](thandle_t, void*, toff_t) {};

#ifdef VITOME_TIFF_HANDLERS_PER_FILE
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(
      TIFFOpenOptionsAlloc(), TIFFOpenOptionsFree);
  if (!options) return nullptr;
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_error, &log_);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_warning, &log_);
  // What a header can make libtiff ask for. Decoders need a few rows, seldom a strip.
  TIFFOpenOptionsSetMaxSingleMemAlloc(
      options.get(), file_.max_pixels * 3 / 2 + 8 * static_cast<tmsize_t>(cursor_.bytes.size()));
  return TIFFClientOpenExt("", "r", &cursor_, read, write, seek, done, size, map, unmap,
                           options.get());
#else
  install_handlers();
  current_log = &log_;
  return TIFFClientOpen("", "r", &cursor_, read, write, seek, done, size, map, unmap);
#endif
}

void TiffFile::close() {
  if (tiff_) TIFFClose(tiff_);
#ifndef VITOME_TIFF_HANDLERS_PER_FILE
  current_log = nullptr;
#endif
}

size_t TiffFile::stored_bytes(uint32_t strip) const {
  return std::min<uint64_t>(TIFFGetStrileByteCount(tiff_, strip), file_.bytes.size());
}

void TiffFile::fail() const {
  refuse(file_, kFormat, *log_.reason ? log_.reason : "the data is damaged or of an unknown kind");
}

void TiffFile::check_damage() const {
  if (log_.damaged) fail();
}

}  // namespace media
