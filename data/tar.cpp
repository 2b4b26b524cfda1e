#include "data/tar.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include <base/error.h>

namespace data {
namespace {

using namespace std::string_view_literals;

constexpr uint64_t kBlock = 512;
constexpr uint64_t kMaxExtension = 1 << 20;  // bytes of a long name or of pax records
constexpr uint64_t kMaxPadding = 4 << 20;    // zeros after the end that are looked through

using Block = std::array<char, kBlock>;

// Fields of a header (POSIX.1, "ustar interchange format").
struct Field {
  std::size_t offset;
  std::size_t size;
};
constexpr Field kName{0, 100};
constexpr Field kSize{124, 12};
constexpr Field kChecksum{148, 8};
constexpr std::size_t kType = 156;
constexpr Field kMagic{257, 6};
constexpr Field kPrefix{345, 155};

std::string_view raw(const Block& block, Field field) {
  return {block.data() + field.offset, field.size};
}

std::string_view text(const Block& block, Field field) {
  const std::string_view bytes = raw(block, field);
  return bytes.substr(0, bytes.find('\0'));
}

// Octal digits between spaces and NULs, or GNU's big-endian binary after a byte 0x80.
std::optional<uint64_t> number(std::string_view field) {
  uint64_t value = 0;
  const auto first = static_cast<unsigned char>(field.front());
  if (first == 0x80) {
    for (char c : field.substr(1)) {
      if (value >> 55 != 0) return std::nullopt;
      value = value << 8 | static_cast<unsigned char>(c);
    }
    return value;
  }
  field.remove_prefix(std::min(field.find_first_not_of(' '), field.size()));
  const std::size_t digits = std::min(field.find_first_of(" \0"sv), field.size());
  for (char c : field.substr(0, digits)) {
    if (c < '0' || c > '7') return std::nullopt;
    value = value * 8 + static_cast<uint64_t>(c - '0');
  }
  return value;
}

bool checksum_matches(const Block& block) {
  const auto expected = number(raw(block, kChecksum));
  // Its own field counts as spaces; old programs added signed bytes.
  int64_t of_unsigned = 0;
  int64_t of_signed = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool own = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.size;
    const char c = own ? ' ' : block[i];
    of_unsigned += static_cast<unsigned char>(c);
    of_signed += static_cast<signed char>(c);
  }
  return expected && (*expected == static_cast<uint64_t>(of_unsigned) ||
                      static_cast<int64_t>(*expected) == of_signed);
}

bool is_zero(const Block& block) {
  return std::all_of(block.begin(), block.end(), [](char c) { return c == 0; });
}

// Command that unpacks what begins with such bytes; nullptr for other files.
const char* unpacker(const Block& block) {
  struct Kind {
    std::string_view magic;
    const char* command;
  };
  constexpr Kind kKinds[] = {{"\x1F\x8B"sv, "gunzip"},
                             {"\x28\xB5\x2F\xFD"sv, "unzstd"},
                             {"\xFD"
                              "7zXZ"sv,
                              "unxz"},
                             {"BZh"sv, "bunzip2"},
                             {"\x04\x22\x4D\x18"sv, "unlz4"}};
  const std::string_view head(block.data(), block.size());
  for (const Kind& kind : kKinds)
    if (head.starts_with(kind.magic)) return kind.command;
  return nullptr;
}

/// What the headers before a member say about it.
struct Extensions {
  std::optional<std::string> name;
  std::optional<uint64_t> size;
};

class Reader {
 public:
  explicit Reader(const ByteSource& source) : source_(source) {}

  std::vector<TarMember> run() {
    if (source_.size() == 0) base::fail(source_.name(), ": the file is empty");
    Block block{};
    source_.read(0, block.data(), std::min(kBlock, source_.size()));
    if (const char* command = unpacker(block))
      base::fail(source_.name(), ": the archive is compressed, which rules out random access; ",
                 "unpack it with ", command, " first");
    while (next_header(block)) read_member(block);
    return std::move(members_);
  }

 private:
  template <typename... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    base::fail(source_.name(), ": at byte ", header_, ": ", parts...);
  }

  uint64_t left() const { return source_.size() - position_; }

  bool next_header(Block& block) {
    header_ = position_;
    if (!read_block(block)) {
      if (members_.empty() && position_ < kBlock) base::fail(source_.name(), ": not a tar archive");
      fail("the archive is cut off: its end mark is missing");
    }
    if (is_zero(block)) {
      if (!skip_zeros(block)) return false;
      header_ = position_ - kBlock;
    }
    if (!checksum_matches(block))
      fail(header_ == 0 ? "not a tar archive, or damaged" : "the archive is damaged",
           ": the checksum of a header does not match");
    return true;
  }

  bool read_block(Block& block) {
    if (left() < kBlock) return false;
    source_.read(position_, block.data(), kBlock);
    position_ += kBlock;
    return true;
  }

  // After the end mark: another archive's first header if one follows.
  bool skip_zeros(Block& block) {
    const uint64_t end = std::min(source_.size(), position_ + kMaxPadding);
    while (position_ < end && read_block(block))
      if (!is_zero(block)) return true;
    return false;
  }

  void read_member(const Block& block) {
    const char type = block[kType];
    const auto claimed = number(raw(block, kSize));
    if (!claimed) fail("the size of a member is not a number");
    // Only what follows a member's extensions is sized by them.
    const bool extension = type == 'x' || type == 'g' || type == 'L' || type == 'K';
    const uint64_t size = extension ? *claimed : extensions_.size.value_or(*claimed);
    if (size > left())
      fail("the archive is cut off: ", size, " bytes should follow, ", left(), " do");
    switch (type) {
      case 'x':
        read_pax(contents(size));
        break;
      case 'L': {
        const std::string name = contents(size);
        extensions_.name = name.substr(0, name.find('\0'));
        break;
      }
      case 'g':  // defaults for all members: neither names nor sizes
      case 'K':  // name of a link
        break;
      case '1':
      case '2':
        fail("'", name_of(block), "' is a link; pack the files themselves (tar --dereference ",
             "--hard-dereference)");
      case 'S':
        fail("'", name_of(block), "' is a sparse file; pack it without --sparse");
      case 'M':
        fail("'", name_of(block), "' is continued from another volume");
      case '\0':
      case '0':
      case '7':
        // Before there were types, folders were files whose names end with a slash.
        if (std::string name = name_of(block); !name.ends_with('/'))
          members_.push_back({std::move(name), position_, size});
        break;
      default:  // folders, devices, what only its inventor knows
        break;
    }
    if (!extension) extensions_ = {};
    // A last member may lack the padding to full blocks: then the end mark is found missing.
    position_ += std::min(left(), (size + kBlock - 1) / kBlock * kBlock);
  }

  std::string name_of(const Block& block) const {
    if (extensions_.name) return *extensions_.name;
    std::string name(text(block, kName));
    const std::string_view prefix = text(block, kPrefix);
    if (raw(block, kMagic) == "ustar\0"sv && !prefix.empty())
      name = std::string(prefix) + "/" + name;
    return name;
  }

  std::string contents(uint64_t size) const {
    if (size > kMaxExtension) fail("a name or an extended header of ", size, " bytes is too long");
    std::string bytes(size, '\0');
    source_.read(position_, bytes.data(), bytes.size());
    return bytes;
  }

  // Records "LENGTH KEYWORD=VALUE\n", whose length counts all of it.
  void read_pax(std::string_view records) {
    while (!records.empty() && records.front() != '\0') {
      uint64_t length = 0;
      std::size_t digits = 0;
      for (; digits < records.size() && digits < 8 && records[digits] >= '0' &&
             records[digits] <= '9';
           ++digits)
        length = length * 10 + static_cast<uint64_t>(records[digits] - '0');
      const bool fits = digits > 0 && length > digits + 1 && length <= records.size();
      if (!fits || records[digits] != ' ' || records[length - 1] != '\n')
        fail("a record of an extended header is damaged");
      const std::string_view record = records.substr(digits + 1, length - digits - 2);
      const std::size_t equals = record.find('=');
      if (equals == std::string_view::npos) fail("a record of an extended header has no value");
      apply_pax(record.substr(0, equals), record.substr(equals + 1));
      records.remove_prefix(length);
    }
  }

  void apply_pax(std::string_view keyword, std::string_view value) {
    if (keyword == "path") extensions_.name = std::string(value);
    if (keyword.starts_with("GNU.sparse.")) fail("a sparse file; pack it without --sparse");
    if (keyword != "size") return;
    uint64_t size = 0;
    for (char c : value) {
      if (c < '0' || c > '9' || size > UINT64_MAX / 16) fail("the size of a member is no number");
      size = size * 10 + static_cast<uint64_t>(c - '0');
    }
    extensions_.size = size;
  }

  const ByteSource& source_;
  std::vector<TarMember> members_;
  Extensions extensions_;
  uint64_t header_ = 0;    // where the header in question begins
  uint64_t position_ = 0;  // what is read next
};

}  // namespace

std::vector<TarMember> list_tar(const ByteSource& source) { return Reader(source).run(); }

}  // namespace data
