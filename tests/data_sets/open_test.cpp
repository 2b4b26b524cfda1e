#include "tests/data_sets/files.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/ordinary_user.h"
#include "tests/support/temp_dir.h"

#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <data/by_class.h>
#include <data/dataset.h>
#include <data/delimited.h>
#include <data/patterns.h>
#include <data/subset.h>
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
  CHECK_THAT(warnings[1], ContainsSubstring("folders without pictures: empty"));

  const auto named =
      data::open_dataset(temp.path().string(), {.class_names = {"bird", "dog", "cat"}});
  CHECK(named->class_names() == Names{"bird", "dog", "cat"});
  CHECK(all_classes(*named) == std::vector<Classes>{{2}, {1}, {1}});
}

TEST_CASE("What is a picture by its name is an entry of a folder, readable or not") {
  const test::TempDir temp;
  for (const char* name : {"cat/a.HEIC", "cat/b.psd", "dog/c.jxl", "dog/notes.txt"})
    write_file(temp / name, "no picture");
  write_file(temp / "dog/d.ppm", pixel({1, 2, 3}));
  write_file(temp / "e.cr2", "");
  Names warnings;
  const auto dataset = data::open_dataset(
      temp.path().string(), {.on_warning = [&](const auto& text) { warnings.push_back(text); }});
  CHECK(dataset->size() == 4);
  CHECK_THROWS_WITH(dataset->read(1), ContainsSubstring("b.psd: "));
  CHECK(warnings.size() == 1);  // of the picture beside the folders
  CHECK(data::by_class(*dataset, {0, 1, 2}) == "cat 2 of 2, dog 1 of 2");
  CHECK(data::by_class(*dataset, {}).empty());
}

TEST_CASE("Folders that cannot be listed are named") {
  const test::OrdinaryUser ordinary_user;  // root may list everything
  const test::TempDir temp;
  for (const char* name : {"cat/1.ppm", "cat/closed/2.ppm", "dog/1.ppm"})
    write_file(temp / name, pixel({1, 2, 3}));
  std::filesystem::permissions(temp / "cat/closed", std::filesystem::perms::none);
  Names warnings;
  const auto dataset = data::open_dataset(
      temp.path().string(), {.on_warning = [&](const auto& text) { warnings.push_back(text); }});
  std::filesystem::permissions(temp / "cat/closed", std::filesystem::perms::owner_all);
  CHECK(dataset->size() == 2);
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0], ContainsSubstring("1 folders that cannot be listed: ") &&
                              ContainsSubstring("cat/closed: cannot list the folder: Permission"));
}

TEST_CASE("The parts of a data set are not taken for classes") {
  const test::TempDir temp;
  const auto make = [&](const Names& names) {
    std::filesystem::remove_all(temp / "data");
    for (const std::string& name : names) write_file(temp / "data" / name, pixel({1, 2, 3}));
    return temp / "data";
  };
  const auto parts = [&](const Names& names, const data::OpenOptions& options = {}) {
    const auto root = make(names);
    try {
      data::open_dataset(root.string(), options);
    } catch (const data::PartsError& error) {
      CHECK_THAT(error.what(), ContainsSubstring("parts of a data set"));
      return error.training().filename().string() + "/" + error.other().filename().string();
    }
    return std::string("classes");
  };
  CHECK(parts({"train/a/1.ppm", "train/b/1.ppm", "val/a/1.ppm", "val/b/1.ppm"}) == "train/val");
  CHECK(parts({"Training/a/1.ppm", "TEST/a/1.ppm", "raw/x/1.ppm"}) == "Training/TEST");
  CHECK(parts({"test/a/1.ppm", "valid/a/1.ppm", "notes/readme.txt"}) == "/valid");
  CHECK(parts({"train/a/1.ppm", "train/b/1.ppm"}) == "train/");
  CHECK(parts({"train/a/1.ppm", "test/1.ppm"}) == "train/test");
  CHECK(parts({"train/0.tar", "val/0.tar"}) == "train/val");
  CHECK_THAT(fault(temp / "data"), ContainsSubstring((temp / "data/train").string() + " or " +
                                                     (temp / "data/val").string()));
  // Trains and buses; a model that knows trains.
  CHECK(parts({"train/1.ppm", "bus/1.ppm"}) == "classes");
  CHECK(parts({"train/steam/1.ppm", "bus/red/1.ppm"}) == "classes");
  CHECK(parts({"train/steam/1.ppm"}, {.class_names = {"bus", "train"}}) == "classes");

  Names warnings;
  data::open_dataset(make({"train/1.ppm", "test/1.ppm"}).string(),
                     {.on_warning = [&](const auto& text) { warnings.push_back(text); }});
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0], ContainsSubstring("the classes are called test, train"));
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

TEST_CASE("A list may be separated by semicolons or tabs, as its first line shows") {
  const test::TempDir temp;
  for (const char* name : {"a.ppm", "b.ppm", "c,d.ppm"}) write_file(temp / name, pixel({1, 1, 1}));
  const auto open = [&](const std::string& text) {
    write_file(temp / "list.csv", text);
    return data::open_dataset((temp / "list.csv").string());
  };
  for (const auto& dataset :
       {open("file;label\r\na.ppm;cat\r\nc,d.ppm;dog\r\n"), open("\na.ppm;cat\nc,d.ppm;dog\n"),
        open("\xEF\xBB\xBF\"file, if "
             "any\";Label;file;share\n;cat;a.ppm;0,5\n;dog;\"c,d.ppm\";1,0\n"),
        open("file\tlabel\na.ppm\tcat\nc,d.ppm\tdog\n")}) {
    REQUIRE(dataset->size() == 2);
    CHECK_FALSE(dataset->multi_label());
    CHECK(dataset->class_names() == Names{"cat", "dog"});
    CHECK(dataset->entry(1).name == (temp / "c,d.ppm").string());
  }
  const auto several = open("file;labels\na.ppm;cat|dog\nb.ppm;\"dog;cow\"\n");
  CHECK(several->multi_label());
  CHECK(several->class_names() == Names{"cat", "cow", "dog"});
  // A comma in the first line separates: semicolons are then those between labels.
  CHECK(open("a.ppm,cat;dog\nb.ppm,dog\n")->multi_label());
  CHECK_THAT(fault(temp / "list.csv"), Catch::Equals("none"));
  write_file(temp / "list.csv", "c,d.ppm;dog\n");
  CHECK_THAT(fault(temp / "list.csv"), ContainsSubstring("its cells are \"c\", \"d.ppm;dog\""));
}

TEST_CASE("A list may name pictures without their endings") {
  const test::TempDir temp;
  for (const char* name :
       {"red/a.ppm", "green/b.v2.PPM", "green/c.ppm", "green/c.psd", "green/c.txt"})
    write_file(temp / name, pixel({1, 1, 1}));
  const auto open = [&](const std::string& text) {
    write_file(temp / "ids.csv", text);
    return data::open_dataset((temp / "ids.csv").string());
  };
  for (const char* head : {"image_id,label\n", "ID,class\n", "file,label\n", ""}) {
    const auto dataset =
        open(std::string(head) + "red/a,red\ngreen/b.v2,green\ngreen/c,green\ngreen/none,red\n");
    REQUIRE(dataset->size() == 4);
    CHECK(dataset->entry(0).name == (temp / "red/a.ppm").string());
    CHECK(dataset->entry(1).name == (temp / "green/b.v2.PPM").string());
    CHECK(dataset->entry(2).name == (temp / "green/c.ppm").string());
    CHECK_THROWS_WITH(dataset->read(3), ContainsSubstring("green/none: cannot open"));
  }
  // A column of file names comes first.
  CHECK(open("id,label,file\n0,x,red/a.ppm\n1,y,green/c.ppm\n")->entry(0).name ==
        (temp / "red/a.ppm").string());
  write_file(temp / "ids.csv", "image_id,label\n17,red\n18,green\n");
  CHECK_THAT(fault(temp / "ids.csv"),
             ContainsSubstring("none of its names, such as \"17\", is that of a picture"));
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
             ContainsSubstring("list.csv:1: neither an entry") && ContainsSubstring("header") &&
                 ContainsSubstring("its cells are \"img\", \"target\""));
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

TEST_CASE("Names of several parts in shards are taken by their last one, or explained") {
  const test::TempDir temp;
  const std::string picture = pixel({1, 0, 0});
  Names warnings;
  const auto open = [&](const std::vector<std::pair<std::string, std::string>>& members) {
    warnings.clear();
    write_file(temp / "a.tar", test::tar(members));
    return data::open_dataset((temp / "a.tar").string(),
                              {.on_warning = [&](const auto& text) { warnings.push_back(text); }});
  };
  const auto parts = open({{"1.image.ppm", picture},
                           {"1.label.txt", "cat"},
                           {"1.text.txt", "so"},
                           {"2.image.ppm", picture},
                           {"2.target.cls", "dog"},
                           {"3.ppm", picture},
                           {"3.mask.ppm", picture},
                           {"3.cls", "dog"},
                           {"3.other.cls", "cat"}});
  CHECK(warnings.empty());
  CHECK(parts->class_names() == Names{"cat", "dog"});
  CHECK(all_classes(*parts) == std::vector<Classes>{{0}, {1}, {1}});
  CHECK(parts->entry(2).name == (temp / "a.tar").string() + ":3.ppm");

  const std::vector<std::pair<std::string, std::string>> dotted = {
      {"IMG_2024.05.00.ppm", picture}, {"IMG_2024.05.00.cls", "0"},
      {"IMG_2024.05.01.ppm", picture}, {"IMG_2024.05.01.cls", "1"},
      {"IMG_2024.06.00.ppm", picture}, {"IMG_2024.06.00.cls", "1"},
      {"IMG_2024.06.01.ppm", picture}, {"IMG_2024.06.01.cls", "1"}};
  CHECK_THROWS_WITH(
      open(dotted),
      ContainsSubstring("no picture with a label: names of samples end at their first "
                        "dot, so that IMG_2024.05.00.ppm, IMG_2024.05.01.ppm, "
                        "IMG_2024.06.00.ppm, … (4 pictures) belong to one sample, "
                        "IMG_2024;"));
  auto mixed = dotted;
  mixed.insert(mixed.end(), {{"x.ppm", picture},
                             {"x.cls", "0"},
                             {"x.2.ppm", picture},
                             {"x.2.cls", "1"},
                             {"y.ppm", picture},
                             {"y.cls", "1"}});
  CHECK(open(mixed)->size() == 2);
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0], ContainsSubstring("2 pictures of samples that have several") &&
                              ContainsSubstring(":IMG_2024, ") && ContainsSubstring(":x"));

  // Of two pictures the one that can be read is meant.
  const auto raw = open({{"1.psd", "raw"},
                         {"1.ppm", picture},
                         {"1.cls", "a"},
                         {"2.ppm", picture},
                         {"2.x3f", "raw"},
                         {"2.cls", "b"},
                         {"3.x3f", "raw"},
                         {"3.cls", "b"}});
  CHECK(colour(*raw, 0) == Classes{1, 0, 0});
  CHECK(colour(*raw, 1) == Classes{1, 0, 0});
  CHECK_THROWS_WITH(raw->read(2), ContainsSubstring(":3.x3f: "));
}

TEST_CASE("A split holds back a share of each class, or says that it cannot") {
  const test::TempDir temp;
  const auto open = [&](const std::vector<int>& counts) {
    std::string list;
    for (std::size_t label = 0; label < counts.size(); ++label)
      for (int i = 0; i < counts[label]; ++i)
        list += std::to_string(label) + "-" + std::to_string(i) + ".ppm," + std::to_string(label) +
                "\n";
    write_file(temp / "list.csv", list);
    return std::shared_ptr<const data::Dataset>(data::open_dataset((temp / "list.csv").string()));
  };
  Names warnings;
  const auto sizes = [&](const std::vector<int>& counts, double share) {
    warnings.clear();
    const auto [first, second] =
        data::split(open(counts), {.share = share, .seed = 3, .on_warning = [&](const auto& text) {
                                     warnings.push_back(text);
                                   }});
    return std::pair(first->size(), second->size());
  };
  CHECK(sizes({6, 4}, 0.5) == std::pair<int64_t, int64_t>(5, 5));
  CHECK(sizes({6, 1}, 0.9) == std::pair<int64_t, int64_t>(2, 5));  // one of each class stays
  REQUIRE(warnings.size() == 1);
  CHECK(sizes({6, 3}, 0.1) == std::pair<int64_t, int64_t>(8, 1));
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0], ContainsSubstring("nothing of 1 classes is held back") &&
                              ContainsSubstring("a share of 0.1: 1"));
  CHECK(sizes({6, 3}, 0.084) == std::pair<int64_t, int64_t>(8, 1));
  CHECK(sizes({6, 3}, 0.17) == std::pair<int64_t, int64_t>(7, 2));
  CHECK(warnings.empty());
  CHECK_THROWS_WITH(sizes({6, 3}, 0.05),
                    ContainsSubstring("SplitOptions::share is 0.05, which holds back no picture of "
                                      "any class: the data has 2 classes of 3 to 6 pictures each; "
                                      "0.084 takes one of the largest class, 0.17 one of each"));
  CHECK_THROWS_WITH(sizes({1, 1}, 0.5), ContainsSubstring("none can be spared"));
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
