#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/ordinary_user.h"
#include "tests/support/temp_dir.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <vector>

#include <media/image.h>
#include <media/sources.h>

namespace {

namespace fs = std::filesystem;

/// A folder with some files to find.
class Tree {
 public:
  Tree() {
    for (const char* name :
         {"b.jpg", "a.PNG", "notes.txt", ".hidden.jpg", "sub/c.jpg", "sub/deep/d.webp",
          "sub/deep/e.txt", ".git/f.jpg", "z/g.bmp", "odd[1].jpg", "bare/notes.txt"}) {
      fs::create_directories((folder_ / name).parent_path());
      std::ofstream(folder_ / name) << "x";
    }
  }

  std::string operator()(const std::string& name) const { return (folder_ / name).string(); }

  /// What names or patterns within the folder expand to: names within the folder, errors in
  /// brackets.
  std::vector<std::string> expand(const std::vector<std::string>& names) {
    std::vector<std::string> result;
    for (const std::string& name : names) add(media::expand_sources((*this)(name)), result);
    return result;
  }

  /// The same without patterns.
  std::vector<std::string> find(const std::string& name) {
    std::vector<std::string> result;
    add(media::find_sources((*this)(name)), result);
    return result;
  }

 private:
  void add(const std::vector<media::Source>& sources, std::vector<std::string>& result) {
    for (const auto& source : sources) {
      const std::string name = source.path.lexically_relative(folder_.path()).string();
      if (!source.error.empty()) {
        CHECK_THAT(source.error, Catch::ContainsSubstring(source.path.string()));
        CHECK_THAT(source.error, !Catch::ContainsSubstring("\n"));
      }
      result.push_back(source.error.empty() ? name : "[" + name + "]");
    }
  }

  test::TempDir folder_;
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("Files are taken as they are, missing ones are reported in their place") {
  Tree tree;
  CHECK(tree.expand({"notes.txt", "none.jpg", "b.jpg", ".hidden.jpg", "b.jpg"}) ==
        Names{"notes.txt", "[none.jpg]", "b.jpg", ".hidden.jpg", "b.jpg"});
  CHECK(tree.expand({"b.jpg/c.jpg"}) == Names{"[b.jpg/c.jpg]"});
  CHECK(tree.expand({}).empty());
}

TEST_CASE("Folders give their pictures at any depth, sorted, without hidden ones") {
  Tree tree;
  const Names all{"a.PNG", "b.jpg", "odd[1].jpg", "sub/c.jpg", "sub/deep/d.webp", "z/g.bmp"};
  CHECK(tree.expand({""}) == all);
  CHECK(tree.expand({"sub", "z/"}) == Names{"sub/c.jpg", "sub/deep/d.webp", "z/g.bmp"});
  // Named, even a hidden folder is looked into.
  CHECK(tree.expand({".git"}) == Names{".git/f.jpg"});
  CHECK(tree.expand({"bare"}) == Names{"[bare]"});

  const auto texts = media::find_sources(
      tree(""), [](const fs::path& path) { return path.extension() == ".txt"; });
  CHECK(texts.size() == 3);
}

TEST_CASE(
    "Pictures that cannot be read are found as well, and what is no file but has such a name") {
  const test::TempDir temp;
  for (const char* name : {"a.HEIC", "b.psd", "c.nef", "d.txt", "e"})
    std::ofstream(temp / name) << "x";
  REQUIRE(mkfifo((temp / "f.jpg").c_str(), 0600) == 0);
  fs::create_symlink("g.jpg", temp / "g.jpg");  // to itself
  Names names;
  for (const auto& source : media::find_sources(temp.path())) {
    CHECK(source.error.empty());
    names.push_back(source.path.filename().string());
  }
  CHECK(names == Names{"a.HEIC", "b.psd", "c.nef", "f.jpg", "g.jpg"});
  const test::TempDir empty;
  REQUIRE(media::find_sources(empty.path()).size() == 1);
  CHECK(media::find_sources(empty.path()).front().is_empty_folder);
  CHECK_FALSE(media::find_sources(empty / "none").front().is_empty_folder);
}

TEST_CASE("What is read is a picture by its name, too") {
  for (const auto& entry : fs::directory_iterator(test::data("media/kinds")))
    if (media::is_image_file_name(entry.path())) CHECK(media::is_picture_name(entry.path()));
}

TEST_CASE("Links are followed once") {
  Tree tree;
  fs::create_directory_symlink(tree("sub"), tree("z/again"));
  fs::create_directory_symlink(tree(""), tree("sub/deep/circle"));
  fs::create_symlink(tree("b.jpg"), tree("z/link.jpg"));
  fs::create_symlink(tree("nowhere"), tree("z/broken.jpg"));
  const Names found = tree.expand({"z"});
  CHECK(found == Names{"z/again/c.jpg", "z/again/deep/circle/a.PNG", "z/again/deep/circle/b.jpg",
                       "z/again/deep/circle/odd[1].jpg", "z/again/deep/d.webp", "z/broken.jpg",
                       "z/g.bmp", "z/link.jpg"});
  CHECK(tree.expand({"**/*.webp"}) == Names{"sub/deep/d.webp"});
  CHECK(tree.expand({"z/broken.jpg"}) == Names{"[z/broken.jpg]"});
}

TEST_CASE("A folder that cannot be listed is reported, the rest goes on") {
  const test::OrdinaryUser ordinary_user;  // root may list everything
  Tree tree;
  fs::permissions(tree("sub"), fs::perms::none);
  CHECK(tree.expand({""}) == Names{"a.PNG", "b.jpg", "odd[1].jpg", "[sub]", "z/g.bmp"});
  fs::permissions(tree("sub"), fs::perms::owner_all);
}

TEST_CASE("Patterns that the shell left alone are expanded") {
  Tree tree;
  CHECK(tree.expand({"*.jpg"}) == Names{"b.jpg", "odd[1].jpg"});
  CHECK(tree.expand({"[ab].*"}) == Names{"a.PNG", "b.jpg"});
  CHECK(tree.expand({"?.jpg", "*.gif"}) == Names{"b.jpg", "[*.gif]"});
  CHECK(tree.expand({"*/*.bmp"}) == Names{"z/g.bmp"});
  CHECK(tree.expand({"s*/deep/*"}) == Names{"sub/deep/d.webp", "sub/deep/e.txt"});
  CHECK(tree.expand({"**/*.jpg"}) == Names{"b.jpg", "odd[1].jpg", "sub/c.jpg"});
  CHECK(tree.expand({"sub/**/**/d.*"}) == Names{"sub/deep/d.webp"});
  CHECK(tree.expand({"z*"}) == Names{"z/g.bmp"});
  CHECK(tree.expand({"none/*.jpg", "b.jpg/*"}) == Names{"[none/*.jpg]", "[b.jpg/*]"});
  // A file with this very name is no pattern.
  CHECK(tree.expand({"odd[1].jpg"}) == Names{"odd[1].jpg"});
  CHECK(tree.expand({"odd\\[1].jpg"}) == Names{"odd[1].jpg"});
}

TEST_CASE("Relative patterns give relative paths") {
  Tree tree;
  const fs::path before = fs::current_path();
  fs::current_path(tree(""));
  const auto simple = media::expand_sources("z/*.bmp");
  const auto deep = media::expand_sources("./sub/**/*.webp");
  fs::current_path(before);
  REQUIRE(simple.size() == 1);
  CHECK(simple[0].path == "z/g.bmp");
  REQUIRE(deep.size() == 1);
  CHECK(deep[0].path == "./sub/deep/d.webp");
}

TEST_CASE("Paths that are no patterns are taken as they are") {
  Tree tree;
  CHECK(tree.find("b.jpg") == Names{"b.jpg"});
  CHECK(tree.find("z") == Names{"z/g.bmp"});
  CHECK(tree.find("odd[1].jpg") == Names{"odd[1].jpg"});
  CHECK(tree.find("*.jpg") == Names{"[*.jpg]"});
}
