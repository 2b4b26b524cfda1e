#include "tests/support/catch.h"

#include <string>

#include <base/table.h>

TEST_CASE("A cell of CSV that a spreadsheet would compute gets an apostrophe") {
  CHECK(base::inert_cell("") == "");
  for (const std::string text : {"photo.jpg", "a=b", "./=x.jpg", "é.png", "'=x"})
    CHECK(base::inert_cell(text) == text);
  for (const std::string text : {"=1+1", "+a", "-a", "@SUM(A1)", "\t=1", "\r=1"})
    CHECK(base::inert_cell(text) == "'" + text);
}

TEST_CASE("Cells of CSV that hold what separates cells stand in quotation marks") {
  CHECK(base::csv_line({"a", "b c", "", "1.5"}) == "a,b c,,1.5\n");
  CHECK(base::csv_line({"a,b", "say \"x\"", "two\nlines", "x;=1", "tab\there"}) ==
        "\"a,b\",\"say \"\"x\"\"\",\"two\nlines\",\"x;=1\",\"tab\there\"\n");
}
