#include <algorithm>
#include <string_view>

#include <vit/error.h>
#include <vit/weights/files/bytes.h>
#include <vit/weights/files/zip.h>
#include <vit/weights/text.h>

// The layout is that of PKWARE's APPNOTE.TXT 6.3.10.

namespace vit {
namespace {

constexpr size_t kEndSize = 22;
constexpr size_t kEnd64Size = 56;
constexpr size_t kLocator64Size = 20;
constexpr size_t kCentralSize = 46;
constexpr size_t kLocalSize = 30;
constexpr std::string_view kEndMark = "PK\x05\x06";
constexpr std::string_view kEnd64Mark = "PK\x06\x06";
constexpr std::string_view kLocator64Mark = "PK\x06\x07";
constexpr std::string_view kCentralMark = "PK\x01\x02";
constexpr std::string_view kLocalMark = "PK\x03\x04";
constexpr uint64_t kIn64 = 0xFFFFFFFF;  // a 32-bit field whose value is in a zip64 one

template <typename T>
uint64_t number(std::string_view bytes, size_t at) {
  return load_number<T>(bytes.data() + at);
}

struct Directory {
  uint64_t count;
  uint64_t size;
  uint64_t offset;
};

class DirectoryReader {
 public:
  DirectoryReader(std::string_view archive, std::string where)
      : archive_(archive), where_(std::move(where)) {}

  std::map<std::string, ZipEntry> read();

 private:
  [[noreturn]] void bad(const std::string& what) const {
    fail(where_, ": broken zip archive: ", what, "; is the download complete?");
  }
  size_t find_end() const;
  Directory read_end(size_t end) const;
  Directory read_end64(size_t end, const Directory& directory) const;
  std::pair<std::string, ZipEntry> read_entry(std::string_view& rest) const;
  void read_extra64(std::string_view extra, const std::string& name, ZipEntry& entry,
                    uint64_t& local) const;
  uint64_t data_offset(const std::string& name, uint64_t local) const;
  void check_overlaps(std::vector<std::pair<uint64_t, uint64_t>> spans) const;

  std::string_view archive_;
  std::string where_;
  uint64_t data_end_ = 0;  ///< where the directory begins
};

// The end record with a comment that reaches exactly to the end of the file.
size_t DirectoryReader::find_end() const {
  constexpr size_t kMaxComment = 0xFFFF;
  if (archive_.size() >= kEndSize) {
    const size_t first = archive_.size() - std::min(archive_.size(), kEndSize + kMaxComment);
    for (size_t end = archive_.size() - kEndSize + 1; end-- > first;)
      if (archive_.substr(end).starts_with(kEndMark) &&
          number<uint16_t>(archive_, end + 20) == archive_.size() - end - kEndSize)
        return end;
  }
  bad("it has no end record");
}

Directory DirectoryReader::read_end(size_t end) const {
  if (number<uint16_t>(archive_, end + 4) != 0 || number<uint16_t>(archive_, end + 6) != 0 ||
      number<uint16_t>(archive_, end + 8) != number<uint16_t>(archive_, end + 10))
    bad("it is one of several parts");
  const Directory directory{number<uint16_t>(archive_, end + 10),
                            number<uint32_t>(archive_, end + 12),
                            number<uint32_t>(archive_, end + 16)};
  const bool has64 =
      end >= kLocator64Size && archive_.substr(end - kLocator64Size).starts_with(kLocator64Mark);
  if (has64) return read_end64(end, directory);
  if (directory.offset > end || directory.size != end - directory.offset)
    bad("its directory is not where the end record says");
  return directory;
}

Directory DirectoryReader::read_end64(size_t end, const Directory& directory) const {
  const size_t locator = end - kLocator64Size;
  const uint64_t at = number<uint64_t>(archive_, locator + 8);
  if (at > locator || locator - at < kEnd64Size || !archive_.substr(at).starts_with(kEnd64Mark) ||
      number<uint64_t>(archive_, at + 4) != locator - at - 12)
    bad("its zip64 end record is not where it should be");
  const Directory wide{number<uint64_t>(archive_, at + 32), number<uint64_t>(archive_, at + 40),
                       number<uint64_t>(archive_, at + 48)};
  const auto agree = [](uint64_t narrow, uint64_t saturated, uint64_t value) {
    return narrow == saturated || narrow == value;
  };
  if (!agree(directory.count, 0xFFFF, wide.count) || !agree(directory.size, kIn64, wide.size) ||
      !agree(directory.offset, kIn64, wide.offset))
    bad("its two end records disagree");
  if (wide.offset > at || wide.size != at - wide.offset)
    bad("its directory is not where the end record says");
  return wide;
}

void DirectoryReader::read_extra64(std::string_view extra, const std::string& name, ZipEntry& entry,
                                   uint64_t& local) const {
  while (extra.size() >= 4) {
    const auto id = number<uint16_t>(extra, 0);
    const auto size = number<uint16_t>(extra, 2);
    if (size > extra.size() - 4) bad("the extra fields of " + name + " are cut");
    auto field = extra.substr(4, size);
    extra.remove_prefix(4 + size);
    if (id != 1) continue;
    for (uint64_t* value : {&entry.size, &entry.stored_size, &local}) {
      if (*value != kIn64) continue;
      if (field.size() < 8) bad("the zip64 sizes of " + name + " are cut");
      *value = number<uint64_t>(field, 0);
      field.remove_prefix(8);
    }
    return;
  }
}

uint64_t DirectoryReader::data_offset(const std::string& name, uint64_t local) const {
  if (local > data_end_ || data_end_ - local < kLocalSize ||
      !archive_.substr(local).starts_with(kLocalMark))
    bad("the entry " + name + " is not where the directory says");
  const uint64_t name_size = number<uint16_t>(archive_, local + 26);
  const uint64_t extra_size = number<uint16_t>(archive_, local + 28);
  const uint64_t data = local + kLocalSize + name_size + extra_size;
  if (data > data_end_ || archive_.substr(local + kLocalSize, name_size) != name)
    bad("directory and entry disagree on the name " + name);
  return data;
}

std::pair<std::string, ZipEntry> DirectoryReader::read_entry(std::string_view& rest) const {
  if (rest.size() < kCentralSize || !rest.starts_with(kCentralMark))
    bad("its directory has fewer entries than announced");
  const uint64_t flags = number<uint16_t>(rest, 8);
  const uint64_t method = number<uint16_t>(rest, 10);
  ZipEntry entry{.deflated = method == 8,
                 .offset = 0,
                 .stored_size = number<uint32_t>(rest, 20),
                 .size = number<uint32_t>(rest, 24),
                 .crc = load_number<uint32_t>(rest.data() + 16)};
  const size_t name_size = number<uint16_t>(rest, 28);
  const size_t extra_size = number<uint16_t>(rest, 30);
  const size_t comment_size = number<uint16_t>(rest, 32);
  uint64_t local = number<uint32_t>(rest, 42);
  if (rest.size() - kCentralSize < name_size + extra_size + comment_size)
    bad("its directory is cut");
  std::string name(rest.substr(kCentralSize, name_size));
  const std::string shown = in_quotes(name);
  read_extra64(rest.substr(kCentralSize + name_size, extra_size), shown, entry, local);
  rest.remove_prefix(kCentralSize + name_size + extra_size + comment_size);

  constexpr uint64_t kEncrypted = 1 << 0 | 1 << 6 | 1 << 13;
  if (flags & kEncrypted) fail(where_, ": the entry ", shown, " is encrypted");
  if (method != 0 && method != 8)
    fail(where_, ": the entry ", shown, " has the unsupported compression method ", method);
  entry.offset = local;
  return {std::move(name), entry};
}

void DirectoryReader::check_overlaps(std::vector<std::pair<uint64_t, uint64_t>> spans) const {
  std::sort(spans.begin(), spans.end());
  for (size_t i = 1; i < spans.size(); ++i)
    if (spans[i].first < spans[i - 1].second) bad("its entries overlap");
}

std::map<std::string, ZipEntry> DirectoryReader::read() {
  const auto directory = read_end(find_end());
  data_end_ = directory.offset;
  auto rest = archive_.substr(directory.offset, directory.size);

  std::map<std::string, ZipEntry> entries;
  std::vector<std::pair<uint64_t, uint64_t>> spans;
  for (uint64_t i = 0; i < directory.count; ++i) {
    auto [name, entry] = read_entry(rest);
    const std::string shown = in_quotes(name);
    const uint64_t local = entry.offset;
    entry.offset = data_offset(name, local);
    if (entry.stored_size > data_end_ - entry.offset) bad("the entry " + shown + " is cut");
    // Deflate makes at most 1032 bytes of one.
    constexpr uint64_t kMaxRatio = 1032;
    if (entry.deflated ? entry.size / kMaxRatio > entry.stored_size
                       : entry.size != entry.stored_size)
      bad("the size of the entry " + shown + " cannot be right");
    spans.emplace_back(local, entry.offset + entry.stored_size);
    if (!entries.emplace(std::move(name), entry).second)
      bad("the entry " + shown + " occurs twice");
  }
  if (!rest.empty()) bad("its directory has more entries than announced");
  check_overlaps(std::move(spans));
  return entries;
}

}  // namespace

ZipArchive::ZipArchive(std::shared_ptr<MappedFile> file)
    : file_(std::move(file)), entries_(DirectoryReader(file_->text(), where()).read()) {}

const ZipEntry* ZipArchive::find(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second;
}

}  // namespace vit
