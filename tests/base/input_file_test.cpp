#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include <base/error.h>
#include <base/input_file.h>

using Catch::ContainsSubstring;

TEST_CASE("A file is read on from where the last call ended, or anywhere") {
  const test::TempDir temp;
  std::ofstream(temp / "file") << "abcdef";
  base::InputFile file(temp / "file");
  CHECK(file.size() == 6U);
  char bytes[8] = {};
  CHECK(file.read(bytes, 4) == 4);
  CHECK(std::string(bytes, 4) == "abcd");
  file.read_at(1, bytes, 3);
  CHECK(std::string(bytes, 3) == "bcd");
  CHECK(file.read(bytes, 4) == 2);
  CHECK(std::string(bytes, 2) == "ef");
  CHECK(file.read(bytes, 4) == 0);
  CHECK_THROWS_WITH(file.read_at(4, bytes, 3), ContainsSubstring("become shorter"));
  CHECK(base::read_whole(temp / "file") == "abcdef");
  CHECK_THROWS_WITH(base::InputFile(temp / "none"),
                    ContainsSubstring("none: cannot open the file: No such file"));
  CHECK_THROWS_WITH(base::read_whole(temp.path()), ContainsSubstring("cannot read the file"));
}

TEST_CASE("A named pipe is read to its end, and refused if nobody writes to it") {
  const test::TempDir temp;
  const auto path = temp / "pipe";
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  CHECK_THROWS_WITH(base::InputFile(path), ContainsSubstring("named pipe that nobody writes to"));

  const std::string text(200'000, 'x');  // more than fits into a pipe
  // Has something waiting before it is opened.
  const int writer = open(path.c_str(), O_RDWR);
  REQUIRE(writer >= 0);
  REQUIRE(write(writer, "abc", 3) == 3);
  {
    base::InputFile file(path);
    CHECK_FALSE(file.size());
    std::thread rest([&] {
      std::size_t done = 0;
      while (done < text.size()) {
        const ssize_t count = write(writer, text.data() + done, text.size() - done);
        if (count <= 0) break;
        done += static_cast<std::size_t>(count);
      }
      close(writer);
    });
    std::string all(text.size() + 10, ' ');
    all.resize(file.read(all.data(), all.size()));
    rest.join();
    CHECK(all == "abc" + text);
  }
  // A writer that has opened it and says nothing yet is waited for.
  const int silent = open(path.c_str(), O_RDWR);
  base::InputFile file(path);
  std::thread later([&] {
    CHECK(write(silent, "later", 5) == 5);
    close(silent);
  });
  char bytes[8] = {};
  const std::size_t count = file.read(bytes, sizeof bytes);
  later.join();
  CHECK(std::string(bytes, count) == "later");
}
