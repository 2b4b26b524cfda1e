#include "tests/data_sets/files.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <data/dataset.h>
#include <data/delimited.h>
#include <data/patterns.h>
#include <vit/error.h>

using Catch::ContainsSubstring;
using test::pixel;
using test::write_file;
using Names = std::vector<std::string>;
using Classes = std::vector<int64_t>;

namespace {

std::string fault(const std::filesystem::path& path, const data::OpenOptions& options = {}) {
  try {
    data::open_dataset(path.string(), options);
  } catch (const vit::Error& error) {
    return error.what();
  }
  return "none";
}

// The one pixel of an entry.
Classes colour(const data::Dataset& dataset, int64_t index) {
  const at::Tensor rgb = dataset.read(index).reshape({3}).to(at::kLong);
  return {rgb.const_data_ptr<int64_t>(), rgb.const_data_ptr<int64_t>() + 3};
}

std::vector<Classes> all_classes(const data::Dataset& dataset) {
  std::vector<Classes> classes;
  for (int64_t i = 0; i < dataset.size(); ++i) classes.push_back(dataset.entry(i).classes);
  return classes;
}

}  // namespace

TEST_CASE("A folder has a class for each folder of pictures") {
  const test::TempDir temp;
  write_file(temp / "dog/2.ppm", pixel({4, 5, 6}));
  write_file(temp / "dog/deep/1.ppm", pixel({1, 2, 3}));
  write_file(temp / "cat/1.ppm", pixel({7, 8, 9}));
  write_file(temp / "cat/notes.txt", "no picture");
  write_file(temp / ".hidden/1.ppm", pixel({0, 0, 0}));
  write_file(temp / "empty/readme.txt", "");
  write_file(temp / "beside.ppm", pixel({0, 0, 0}));
  Names warnings;
  const auto dataset = data::open_dataset(
      temp.path().string(), {.on_warning = [&](const auto& text) { warnings.push_back(text); }});
  CHECK(dataset->class_names() == Names{"cat", "dog"});
  CHECK_FALSE(dataset->multi_label());
  CHECK(all_classes(*dataset) == std::vector<Classes>{{0}, {1}, {1}});
  CHECK(dataset->entry(2).name == (temp / "dog/deep/1.ppm").string());
  CHECK(colour(*dataset, 1) == Classes{4, 5, 6});
  CHECK(colour(*dataset, 2) == Classes{1, 2, 3});
  REQUIRE(warnings.size() == 2);
  CHECK_THAT(warnings[0], ContainsSubstring("1 of ") && ContainsSubstring("beside the folders"));
  CHECK_THAT(warnings[1], ContainsSubstring("folders without readable pictures: empty"));

  const auto named =
      data::open_dataset(temp.path().string(), {.class_names = {"bird", "dog", "cat"}});
  CHECK(named->class_names() == Names{"bird", "dog", "cat"});
  CHECK(all_classes(*named) == std::vector<Classes>{{2}, {1}, {1}});
}

TEST_CASE("Labels mean classes by name, number, WordNet id, or nearly by name") {
  const test::TempDir temp;
  const auto classes = [&](const Names& labels, data::OpenOptions options) {
    std::string list;
    for (const std::string& label : labels) list += "a.ppm,\"" + label + "\"\n";
    write_file(temp / "list.csv", list);
    Classes found;
    for (const auto& of_entry :
         all_classes(*data::open_dataset((temp / "list.csv").string(), options)))
      found.push_back(of_entry.at(0));
    return found;
  };
  CHECK(classes({"1", "0", "10"}, {.class_names = {"10", "1", "0"}}) == Classes{1, 2, 0});
  CHECK(classes({"1", "0", "2"}, {.class_names = {"a", "b", "c"}}) == Classes{1, 0, 2});
  CHECK(classes({"10", "9", "9", "2"}, {}) == Classes{2, 1, 1, 0});  // by value
  CHECK(classes({"Fire_truck", "TENCH"}, {.class_names = {"tench, Tinca tinca", "fire truck"}}) ==
        Classes{1, 0});
  CHECK(classes({"kitty", "0"}, {.class_names = {"dog", "cat"},
                                 .class_map = {{"kitty", "cat"}, {"0", "dog"}}}) == Classes{1, 0});

  Names imagenet;
  for (int i = 0; i < 1000; ++i) imagenet.push_back("class " + std::to_string(i));
  CHECK(classes({"n01440764", "n15075141", "n02099601"}, {.class_names = imagenet}) ==
        Classes{0, 999, 207});
  imagenet.push_back("one more");
  CHECK_THROWS_AS(classes({"n01440764"}, {.class_names = imagenet}), vit::Error);
  CHECK_THROWS_WITH(classes({"crane", "cat"}, {.class_names = {"crane", "cat", "crane"}}),
                    ContainsSubstring("several classes of the model have the name 'crane'"));
  CHECK_THROWS_WITH(
      classes({"3", "0"}, {.class_names = {"a", "b", "c"}}),
      ContainsSubstring("no label of the data is among the model's classes: '0', '3'; "
                        "the model's are 'a', 'b', 'c'"));
  CHECK_THROWS_WITH(classes({"a", "zebra"}, {.class_names = {"a", "b"}}),
                    ContainsSubstring("labels that are not among the model's classes: 'zebra'"));
  CHECK_THROWS_WITH(classes({"train", "val"}, {.class_names = {"a", "b"}}),
                    ContainsSubstring("parts of a data set"));
  CHECK_THROWS_WITH(classes({"a", "a"}, {}), ContainsSubstring("all is of one class, 'a'"));
}

TEST_CASE("A list has files and labels, with a header or without") {
  const test::TempDir temp;
  write_file(temp / "pictures/a,1.ppm", pixel({1, 1, 1}));
  write_file(temp / "pictures/b.ppm", pixel({2, 2, 2}));
  const auto open = [&](const std::string& name, const std::string& text) {
    write_file(temp / name, text);
    return data::open_dataset((temp / name).string());
  };
  for (const auto& dataset :
       {open("plain.csv", "\"pictures/a,1.ppm\",cat\r\npictures/b.ppm,\"a \"\"big\"\" dog\"\r\n"),
        open("header.CSV",
             "\xEF\xBB\xBFsplit,Class,Path\n1,cat,\"pictures/a,1.ppm\"\n\n2,\"a "
             "\"\"big\"\" dog\",pictures/b.ppm"),
        open("tabs.tsv",
             "filename\tlabel\npictures/a,1.ppm\tcat\npictures/b.ppm\ta \"big\" dog\n")}) {
    REQUIRE(dataset->size() == 2);
    CHECK_FALSE(dataset->multi_label());
    CHECK(dataset->class_names() == Names{"a \"big\" dog", "cat"});
    CHECK(dataset->entry(0).classes == Classes{1});
    CHECK(colour(*dataset, 0) == Classes{1, 1, 1});
    CHECK(dataset->entry(1).name == (temp / "pictures/b.ppm").string());
  }
  const auto absolute =
      open("absolute.csv", (temp / "pictures/b.ppm").string() + ",x\nmissing.png,y\n");
  CHECK(colour(*absolute, 0) == Classes{2, 2, 2});
  CHECK_THROWS_WITH(absolute->read(1), ContainsSubstring("missing.png: cannot open"));
}

TEST_CASE("Several labels make a list multi-label, and so does its header") {
  const test::TempDir temp;
  write_file(temp / "several.csv", "a.ppm,cat;dog;cat\nb.ppm,\nc.ppm,bird\n");
  const auto several = data::open_dataset((temp / "several.csv").string());
  CHECK(several->multi_label());
  CHECK(several->class_names() == Names{"bird", "cat", "dog"});
  CHECK(all_classes(*several) == std::vector<Classes>{{1, 2}, {}, {0}});

  write_file(temp / "bars.tsv", "image\tlabels\na.ppm\tdog | cat\n");
  CHECK(all_classes(*data::open_dataset((temp / "bars.tsv").string())) ==
        std::vector<Classes>{{0, 1}});
  write_file(temp / "header.csv", "image,labels\na.ppm,dog\nb.ppm,cat\n");
  CHECK(data::open_dataset((temp / "header.csv").string())->multi_label());

  Names warnings;
  write_file(temp / "single.csv", "a.ppm,cat\nb.ppm,\nc.ppm,dog\n");
  const auto single =
      data::open_dataset((temp / "single.csv").string(),
                         {.on_warning = [&](const auto& text) { warnings.push_back(text); }});
  CHECK_FALSE(single->multi_label());
  CHECK(single->size() == 2);
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0],
             ContainsSubstring("1 entries without label") && ContainsSubstring("b.ppm"));
}

TEST_CASE("Lists that cannot be understood are refused with their line") {
  const test::TempDir temp;
  const auto list_fault = [&](const std::string& text) {
    write_file(temp / "list.csv", text);
    return fault(temp / "list.csv");
  };
  CHECK_THAT(list_fault(""), ContainsSubstring("no entries"));
  CHECK_THAT(list_fault("file,label\n"), ContainsSubstring("no entries"));
  CHECK_THAT(list_fault("img,target\na.png,1\n"),
             ContainsSubstring("list.csv:1: neither an entry") && ContainsSubstring("header"));
  CHECK_THAT(list_fault("a.png,1,2\n"), ContainsSubstring("list.csv:1: neither an entry"));
  CHECK_THAT(list_fault("a.png,1\n\"b\nc.png\",2\nd.png,e,f\n"),
             ContainsSubstring("list.csv:4: 3 cells, expected 2"));
  CHECK_THAT(list_fault("a.png,1\nb.png,\"2\n"), ContainsSubstring("list.csv:2: a quotation mark"));
  CHECK_THAT(list_fault("\"a\"b.png,1\n"), ContainsSubstring("after a closing quotation mark"));
  CHECK_THAT(list_fault("a.png,1\n,2\n"), ContainsSubstring("list.csv:2: the cell of the file"));
}

TEST_CASE("Shards hold pictures beside labels of several kinds") {
  const test::TempDir temp;
  write_file(temp / "s-0.tar", test::tar({{"x/1.ppm", pixel({1, 0, 0})},
                                          {"x/1.cls", "7\n"},
                                          {"2.json", R"({"caption": "a", "label": 3})"},
                                          {"2.PPM", pixel({2, 0, 0})},
                                          {"2.mask.png", "not looked at"},
                                          {"README", "nor this"}}));
  write_file(temp / "s-1.tar", test::tar({{"1.txt", " 7 "},
                                          {"1.ppm", pixel({3, 0, 0})},
                                          {"._1.ppm", "of macOS"},
                                          {"9.ppm", pixel({4, 0, 0})},
                                          {"8.cls", "1"}}));
  Names warnings;
  const data::OpenOptions options{
      .on_warning = [&](const auto& text) { warnings.push_back(text); }};
  for (const std::string& path :
       {temp.path().string(), (temp / "s-{0..1}.tar").string(), (temp / "s-*.tar").string()}) {
    INFO(path);
    warnings.clear();
    const auto dataset = data::open_dataset(path, options);
    CHECK(dataset->class_names() == Names{"3", "7"});
    CHECK(all_classes(*dataset) == std::vector<Classes>{{1}, {0}, {1}});
    CHECK(dataset->entry(1).name == (temp / "s-0.tar").string() + ":2.PPM");
    for (int64_t i : {2, 0, 1}) CHECK(colour(*dataset, i) == Classes{i + 1, 0, 0});
    REQUIRE(warnings.size() == 2);
    CHECK_THAT(warnings[0],
               ContainsSubstring("samples without picture") && ContainsSubstring(":8"));
    CHECK_THAT(warnings[1], ContainsSubstring("pictures without label") && ContainsSubstring(":9"));
  }
  for (const std::string style : {"ustar", "gnu", "pax", "python"}) {
    const auto dataset = data::open_dataset(test::data("shards/" + style + ".tar").string());
    CHECK(all_classes(*dataset) == std::vector<Classes>{{0}, {1}, {0}});
    CHECK(colour(*dataset, 1) == Classes{40, 50, 60});
  }
}

TEST_CASE("Labels of shards may be lists") {
  const test::TempDir temp;
  write_file(temp / "a.tar", test::tar({{"1.ppm", pixel({1, 0, 0})},
                                        {"1.json", R"({"labels": ["cat", "dog"]})"},
                                        {"2.ppm", pixel({2, 0, 0})},
                                        {"2.json", R"({"labels": []})"}}));
  const auto dataset = data::open_dataset((temp / "a.tar").string());
  CHECK(dataset->multi_label());
  CHECK(all_classes(*dataset) == std::vector<Classes>{{0, 1}, {}});
}

TEST_CASE("Shards that cannot be understood are refused by name") {
  const test::TempDir temp;
  const auto shard_fault = [&](const std::vector<std::pair<std::string, std::string>>& members) {
    write_file(temp / "a.tar", test::tar(members));
    return fault(temp / "a.tar");
  };
  const std::string picture = pixel({1, 0, 0});
  CHECK_THAT(shard_fault({}), ContainsSubstring("a.tar: no picture with a label"));
  CHECK_THAT(shard_fault({{"1.ppm", picture}}), ContainsSubstring("no picture with a label"));
  CHECK_THAT(shard_fault({{"1.ppm", picture}, {"1.png", picture}}),
             ContainsSubstring("two pictures for one sample, 1.ppm and 1.png"));
  CHECK_THAT(shard_fault({{"1.ppm", picture}, {"1.json", "{"}}), ContainsSubstring("a.tar:1.json"));
  CHECK_THAT(shard_fault({{"1.ppm", picture}, {"1.json", R"({"label": 1.5})"}}),
             ContainsSubstring("text or a whole number"));
  CHECK_THAT(shard_fault({{"1.ppm", picture}, {"1.cls", std::string(2 << 20, '1')}}),
             ContainsSubstring("too many for labels"));
  write_file(temp / "b.tar.gz", "\x1F\x8B" + std::string(600, '1'));
  CHECK_THAT(fault(temp / "b.tar.gz"), ContainsSubstring("gunzip"));
  CHECK_THAT(fault(temp / "none-{0..2}.tar"), ContainsSubstring("none-0.tar: no such file"));
  CHECK_THAT(fault(temp / "none-*.tar"), ContainsSubstring("no file matches"));
  CHECK_THAT(fault(temp / "{0..9999999}.tar"), ContainsSubstring("more than 1000000 names"));
  write_file(temp / "folder/1.ppm", picture);
  CHECK_THAT(fault(temp.path()), ContainsSubstring("has folders and .tar files"));

  const auto gone = [&] {
    write_file(temp / "c.tar",
               test::tar({{"1.ppm", picture}, {"1.cls", "a"}, {"2.ppm", picture}, {"2.cls", "b"}}));
    return data::open_dataset((temp / "c.tar").string());
  }();
  std::filesystem::resize_file(temp / "c.tar", 515);
  CHECK_THROWS_WITH(gone->read(0), ContainsSubstring("has become shorter"));
}

TEST_CASE("What is no data set is refused with what is expected") {
  const test::TempDir temp;
  CHECK_THAT(fault(temp / "none"), ContainsSubstring("none: no such file or folder"));
  CHECK_THAT(fault(temp / "none.tar"), ContainsSubstring("none.tar: no such file or folder"));
  CHECK_THAT(fault(temp.path()), ContainsSubstring("no folders of pictures"));
  write_file(temp / "1.ppm", pixel({0, 0, 0}));
  CHECK_THAT(fault(temp.path()), ContainsSubstring("pictures, but no folders; expected"));
  CHECK_THAT(fault(temp / "1.ppm"), ContainsSubstring("not a data set; expected"));
  write_file(temp / "a/b.txt", "");
  CHECK_THAT(fault(temp.path()), ContainsSubstring("no picture in any of its folders"));
  write_file(temp / "a/1.ppm", pixel({0, 0, 0}));
  CHECK_THAT(fault(temp.path()), ContainsSubstring("all is of one class, 'a'"));
  CHECK(data::open_dataset(temp.path().string(), {.class_names = {"b", "a"}})->size() == 1);
}

TEST_CASE("Braces stand for what a shell makes of them") {
  using data::expand_braces;
  CHECK(expand_braces("a.tar") == Names{"a.tar"});
  CHECK(expand_braces("a-{08..11}.tar") == Names{"a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"});
  CHECK(expand_braces("{8..10}") == Names{"8", "9", "10"});
  CHECK(expand_braces("{2..0}x") == Names{"2x", "1x", "0x"});
  CHECK(expand_braces("{a,b}/{1..2}") == Names{"a/1", "a/2", "b/1", "b/2"});
  CHECK(expand_braces("{x}{,y}{") == Names{"{x}{", "{x}y{"});
  CHECK(expand_braces("{a..b}") == Names{"{a..b}"});
}
