#include "tests/data_sets/files.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <data/tar.h>
#include <vit/error.h>

using Catch::ContainsSubstring;

namespace {

std::vector<data::TarMember> list(const std::string& archive) {
  const test::TempDir temp;
  test::write_file(temp / "a.tar", archive);
  return data::list_tar(data::FileSource(temp / "a.tar"));
}

std::string fault(const std::string& archive) {
  try {
    list(archive);
  } catch (const vit::Error& error) {
    return error.what();
  }
  return "none";
}

std::string content(const data::ByteSource& source, const data::TarMember& member) {
  std::string text(member.size, '\0');
  source.read(member.offset, text.data(), text.size());
  return text;
}

// A pax record, whose length counts its own digits.
std::string record(const std::string& text) {
  std::size_t length = text.size() + 3;
  while (std::to_string(length).size() + text.size() + 2 != length) ++length;
  return std::to_string(length) + " " + text + "\n";
}

}  // namespace

TEST_CASE("Members of archives in every format are found where they are") {
  for (const std::string style : {"v7", "ustar", "gnu", "pax", "python"}) {
    INFO(style);
    const data::FileSource source(test::data("shards/" + style + ".tar"));
    const auto members = data::list_tar(source);
    const std::size_t count = style == "v7" ? 4 : 6;
    REQUIRE(members.size() == count);
    CHECK(members[0].name == "0001.ppm");
    CHECK(content(source, members[0]) == test::pixel({10, 20, 30}));
    CHECK(content(source, members[1]) == "cat");
    CHECK(members[count - 2].name == "d/0003.ppm");
    CHECK(content(source, members[count - 2]) == test::pixel({200, 210, 220}));
    if (style == "v7") continue;
    CHECK(members[2].name.size() == (style == "ustar" ? 158U : 258U));
    CHECK_THAT(members[2].name, Catch::EndsWith("/0002.ppm"));
    CHECK(content(source, members[3]) == "dog");
  }
}

TEST_CASE("Folders and unknown members are passed over, sizes of pax headers count") {
  const std::string big(700, 'x');
  const std::string late = test::tar_header("short.txt", 0);
  const auto members =
      list(test::tar_member("folder/", "", '5') + test::tar_member("old-folder/", "") +
           test::tar_member("pax", record("size=700") + record("path=renamed.txt"), 'x') + late +
           big + std::string(324, '\0') + test::tar_member("global", record("path=no.txt"), 'g') +
           test::tar_member("b", "bb") + test::tar_member("odd", "!", 'Q') +
           test::tar_member("c", "", '7') + test::tar_end());
  REQUIRE(members.size() == 3);
  CHECK(members[0].name == "renamed.txt");
  CHECK(members[0].size == 700);
  CHECK(members[1].name == "b");
  CHECK(members[2].name == "c");
}

TEST_CASE("Sizes may be binary, checksums of signed bytes") {
  std::string header = test::tar_header("\xE4.txt", 0);
  const std::string size("\x80\0\0\0\0\0\0\0\0\0\0\x03", 12);
  std::copy(size.begin(), size.end(), &header[124]);
  std::fill_n(&header[148], 8, ' ');
  int sum = 0;
  for (char c : header) sum += static_cast<signed char>(c);
  std::snprintf(&header[148], 7, "%06o", static_cast<unsigned>(sum));
  const auto members = list(header + "abc" + std::string(509, '\0') + test::tar_end());
  REQUIRE(members.size() == 1);
  CHECK(members[0].size == 3);
}

TEST_CASE("Archives one after the other count as one, padding as nothing") {
  const auto members = list(test::tar({{"a", "1"}}) + std::string(9216, '\0') +
                            test::tar({{"b", "2"}}) + std::string(100, '\0'));
  REQUIRE(members.size() == 2);
  CHECK(members[1].name == "b");
}

TEST_CASE("A tar archive that is cut off anywhere is an error, never half a list") {
  const std::string whole =
      test::tar_member("a.txt", std::string(600, 'a')) + test::tar_member("b.txt", "b");
  CHECK(list(whole + test::tar_end()).size() == 2);
  for (std::size_t length : {513U, 1000U, 1535U, 1536U, 1600U, 2047U, 2050U, 2559U, 2560U}) {
    INFO(length);
    CHECK_THAT(fault(whole.substr(0, length)),
               ContainsSubstring("a.tar: at byte ") && ContainsSubstring("the archive is cut off"));
  }
}

TEST_CASE("What is no tar archive is refused with the reason") {
  CHECK_THAT(fault(""), ContainsSubstring("the file is empty"));
  CHECK_THAT(fault("short"), ContainsSubstring("not a tar archive"));
  CHECK_THAT(fault(std::string(2000, 'x')), ContainsSubstring("not a tar archive, or damaged"));
  CHECK_THAT(fault("\x1F\x8B" + std::string(600, 'x')),
             ContainsSubstring("compressed") && ContainsSubstring("gunzip"));
  CHECK_THAT(fault("\x28\xB5\x2F\xFD" + std::string(6, 'x')), ContainsSubstring("unzstd"));

  std::string damaged = test::tar({{"a", "1"}, {"b", "2"}});
  damaged[1024] ^= 1;
  CHECK_THAT(fault(damaged), ContainsSubstring("at byte 1024") && ContainsSubstring("checksum"));
  CHECK_THAT(fault(test::tar_member("ln", "", '2') + test::tar_end()),
             ContainsSubstring("'ln' is a link") && ContainsSubstring("--dereference"));
  CHECK_THAT(fault(test::tar_member("s", "", 'S') + test::tar_end()), ContainsSubstring("sparse"));
  CHECK_THAT(fault(test::tar_header("a", 1ULL << 32)),
             ContainsSubstring("4294967296 bytes should"));
  for (const std::string records :
       {"5 a=b\n", "99 path=x\n", "path=x\n", "6 abc\n", "0 \n", "99999999999999999999 a=b\n"})
    CHECK_THAT(fault(test::tar_member("pax", records, 'x') + test::tar_end()),
               ContainsSubstring("a record of an extended header"));
  for (const std::string size : {"size=-1", "size=1e3", "size=99999999999999999999999"})
    CHECK_THAT(fault(test::tar_member("pax", record(size), 'x') + test::tar_member("a", "1")),
               ContainsSubstring("the size of a member is no number"));
  CHECK_THAT(fault(test::tar_member("L", std::string((1 << 20) + 1, 'n'), 'L')),
             ContainsSubstring("is too long"));
}
