#include "tests/support/catch.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sys/resource.h>

#include <train/event_file.h>
#include <train/event_message.h>
#include <train/tfrecord.h>
#include <vit/error.h>

using Catch::ContainsSubstring;

namespace {

namespace fs = std::filesystem;

constexpr double kTime = 1700000000.25;

std::string hex(std::string_view data) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : data) {
    text += kDigits[static_cast<uint8_t>(c) >> 4];
    text += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return text;
}

template <typename Number>
Number number_at(std::string_view data, std::size_t offset) {
  Number number{};
  std::memcpy(&number, data.data() + offset, sizeof number);
  return number;
}

uint32_t unmasked(uint32_t checksum) {
  const uint32_t rotated = checksum - 0xA282EAD8;
  return (rotated >> 17) | (rotated << 15);
}

// The data of the records of a file, with every length and checksum looked at.
std::vector<std::string> records_of(const fs::path& path) {
  const std::string file = test::read_text(path);
  std::vector<std::string> records;
  for (std::size_t at = 0; at < file.size();) {
    REQUIRE(file.size() - at >= 16);
    const auto length = number_at<uint64_t>(file, at);
    REQUIRE(length <= file.size() - at - 16);
    REQUIRE(unmasked(number_at<uint32_t>(file, at + 8)) == train::crc32c(file.substr(at, 8)));
    records.push_back(file.substr(at + 12, length));
    REQUIRE(unmasked(number_at<uint32_t>(file, at + 12 + length)) == train::crc32c(records.back()));
    at += length + 16;
  }
  return records;
}

// Files cannot grow beyond so many bytes while it lives, as on a full disk.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

}  // namespace

TEST_CASE("crc32c gives the checksums of RFC 3720") {
  REQUIRE(train::crc32c("") == 0);
  REQUIRE(train::crc32c("123456789") == 0xE3069283);
  REQUIRE(train::crc32c(std::string(32, '\0')) == 0x8A9136AA);
  REQUIRE(train::crc32c(std::string(32, '\xFF')) == 0x62A8AB43);
}

// What TensorBoard 2.21's own writer makes of the same.
TEST_CASE("records have the bytes that TensorBoard writes") {
  REQUIRE(hex(train::tfrecord("")) == "000000000000000029039807d8ea82a2");
  REQUIRE(hex(train::tfrecord(train::version_event(kTime))) ==
          "1800000000000000a37f4b220900001040fc54d9411a0d627261696e2e4576656e743a32338d2fe9");
}

TEST_CASE("events have the bytes that TensorBoard writes") {
  REQUIRE(hex(train::version_event(kTime)) == "0900001040fc54d9411a0d627261696e2e4576656e743a32");
  REQUIRE(hex(train::start_event(kTime, 300)) == "0900001040fc54d94110ac023a020801");
  REQUIRE(hex(train::scalar_event(kTime, 7, "train/loss", 0.1)) ==
          "0900001040fc54d94110072a130a110a0a747261696e2f6c6f737315cdcccc3d");
  REQUIRE(hex(train::scalar_event(kTime, int64_t{1} << 40, "é", std::nan(""))) ==
          "0900001040fc54d941108080808080202a0b0a090a02c3a9150000c07f");
  std::string markdown, markdown_bytes;
  for (int i = 0; i < 30; ++i) {
    markdown += "**x** ü";
    markdown_bytes += "2a2a782a2a20c3bc";
  }
  REQUIRE(hex(train::text_event(kTime, 0, "settings", markdown)) ==
          "0900001040fc54d9412a97020a94020a0873657474696e677342fb01080712041202080142f001" +
              markdown_bytes + "4a0a0a060a04746578742002");
}

TEST_CASE("bytes that are no UTF-8 are replaced in events") {
  REQUIRE_THAT(train::scalar_event(kTime, 1, "a\xFFz", 1), ContainsSubstring("a\xEF\xBF\xBDz"));
  REQUIRE_THAT(train::text_event(kTime, 1, "t", "\xC3"), ContainsSubstring("\xEF\xBF\xBD"));
}

TEST_CASE("an event file holds what was written, whole record by whole record") {
  const test::TempDir temp;
  fs::path path;
  {
    train::EventFile file(temp / "deep" / "run", 120);
    path = file.path();
    REQUIRE(path.parent_path() == temp / "deep" / "run");
    REQUIRE(path.filename().string().starts_with("events.out.tfevents."));
    REQUIRE(path.extension() == ".vitome");
    REQUIRE(records_of(path).size() == 2);
    file.scalar("loss", 120, 2.5);
    REQUIRE(records_of(path).size() == 2);
    file.flush();
    file.flush();
    REQUIRE(records_of(path).size() == 3);
    file.text("settings", 121, "# all");
  }
  const auto records = records_of(path);
  REQUIRE(records.size() == 4);
  REQUIRE_THAT(records[0], ContainsSubstring("brain.Event:2"));
  // The wall time apart, which is the first nine bytes.
  REQUIRE(records[1].substr(9) == train::start_event(0, 120).substr(9));
  REQUIRE(records[2].substr(9) == train::scalar_event(0, 120, "loss", 2.5).substr(9));
  REQUIRE(records[3].substr(9) == train::text_event(0, 121, "settings", "# all").substr(9));
  const auto age =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count() -
      number_at<double>(records[2], 1);
  REQUIRE(std::abs(age) < 3600);  // seconds, not milliseconds or the days of another epoch
}

TEST_CASE("a buffer that is full is written out") {
  const test::TempDir temp;
  train::EventFile file(temp.path());
  for (int i = 0; i < 3; ++i) file.text("long", i, std::string(30000, 'x'));
  REQUIRE(records_of(file.path()).size() == 4);
}

TEST_CASE("two event files of one moment are two files") {
  const test::TempDir temp;
  const train::EventFile first(temp.path()), second(temp.path());
  REQUIRE(first.path() != second.path());
}

TEST_CASE("a full disk is an error that leaves the event file readable") {
  const test::TempDir temp;
  train::EventFile file(temp.path());
  file.scalar("before", 1, 1);
  file.flush();
  {
    const FileLimit limit(fs::file_size(file.path()) + 50);
    file.scalar("lost", 2, 1);
    file.text("lost", 2, std::string(1000, 'x'));
    REQUIRE_THROWS_WITH(file.flush(), ContainsSubstring(file.path().string() + ": cannot write"));
    REQUIRE(records_of(file.path()).size() == 2);
    file.flush();  // nothing is left to write
  }
  file.scalar("after", 3, 1);
  file.flush();
  const auto records = records_of(file.path());
  REQUIRE(records.size() == 3);
  REQUIRE_THAT(records[2], ContainsSubstring("after"));
}

TEST_CASE("a folder for events that cannot be made is an error that names it") {
  const test::TempDir temp;
  std::ofstream(temp / "file") << "x";
  REQUIRE_THROWS_AS(train::EventFile(temp / "file" / "run"), vit::Error);
  REQUIRE_THROWS_WITH(train::EventFile(temp / "file" / "run"),
                      ContainsSubstring((temp / "file" / "run").string()));
}
