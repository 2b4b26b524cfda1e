#include "tests/cli/process.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/gate.h"
#include "tests/support/temp_dir.h"

#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <vector>

#include <ATen/ATen.h>

#include <vit/weights/files/safetensors.h>

using Catch::ContainsSubstring;
using test::vitome;

namespace {

namespace fs = std::filesystem;

std::string picture(const std::string& name) { return test::data("media/image/" + name).string(); }

}  // namespace

TEST_CASE("classify prints labels and probabilities of the shipped model") {
  const auto run = vitome({"classify", picture("small_cat.jpg"), picture("small_ship.jpg")});
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  CHECK_THAT(run.out, ContainsSubstring("small_cat.jpg:"));
  CHECK_THAT(run.out, ContainsSubstring("small_ship.jpg:"));
  CHECK_THAT(run.out, ContainsSubstring("%, "));
  CHECK_THAT(run.err, ContainsSubstring("2 pictures, 0 failed"));
}

TEST_CASE("classify --json gives one object for each picture, in their order") {
  std::vector<std::string> words = {"classify", "--json", "-", "--top", "10", "--batch", "2"};
  const std::vector<std::string> files = {picture("small_ship.jpg"), picture("small_cat.jpg"),
                                          picture("rgb.png"), picture("small_ship.jpg")};
  words.insert(words.end(), files.begin(), files.end());
  const auto run = vitome(words);
  REQUIRE(run.status == 0);
  const auto objects = test::json_lines(run.out);
  REQUIRE(objects.size() == files.size());
  for (std::size_t i = 0; i < files.size(); ++i) {
    CHECK(objects[i].at("file") == files[i]);
    CHECK(objects[i].size() == 2);
    const auto& predictions = objects[i].at("predictions");
    REQUIRE(predictions.size() == 10);
    double sum = 0;
    double last = 1;
    for (const auto& prediction : predictions) {
      const double score = prediction.at("score");
      CHECK(score <= last);
      CHECK(prediction.at("label").is_string());
      CHECK(prediction.at("index").is_number_integer());
      sum += last = score;
    }
    CHECK(std::abs(sum - 1) < 1e-4);
  }
  CHECK(objects[0] == objects[3]);
}

TEST_CASE("classify goes on after pictures that cannot be read, and exits with 1") {
  const auto folder = test::data("media/image");
  const auto lists = test::read_json(folder / "malformed.json");
  const auto batch = lists.at("batch").get<std::vector<std::string>>();
  const auto batch_ok = lists.at("batch_ok").get<std::vector<std::string>>();
  std::vector<std::string> words = {"classify", "--json", "-"};
  for (const std::string& name : batch) words.push_back((folder / name).string());
  const auto run = vitome(words);
  CHECK(run.status == 1);
  const auto objects = test::json_lines(run.out);
  REQUIRE(objects.size() == batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::string& name = batch[i];
    CAPTURE(name);
    const bool good = std::find(batch_ok.begin(), batch_ok.end(), name) != batch_ok.end();
    CHECK(objects[i].at("file") == words[i + 3]);
    CHECK(objects[i].contains("predictions") == good);
    CHECK(objects[i].contains("error") == !good);
    if (!good) CHECK_THAT(objects[i].at("error").get<std::string>(), ContainsSubstring(name));
    if (!good) continue;
    // Whatever happens to the others, a picture has the result that it has alone.
    const auto alone = test::json_lines(vitome({"classify", "--json", "-", words[i + 3]}).out);
    const double score = objects[i].at("predictions").at(0).at("score");
    CHECK(std::abs(score - alone.at(0).at("predictions").at(0).at("score").get<double>()) < 1e-5);
  }

  // In text form the errors go to standard error, the results of the others to standard output.
  words.erase(words.begin() + 1, words.begin() + 3);
  const auto text = vitome(words);
  CHECK(text.status == 1);
  CHECK(std::count(text.out.begin(), text.out.end(), '\n') ==
        static_cast<std::ptrdiff_t>(batch_ok.size()));
  CHECK_THAT(text.err, ContainsSubstring("error: "));
}

TEST_CASE("classify agrees with forward on the same picture, merged or not") {
  const std::string r = GENERATE("0", "5");
  const test::TempDir temp;
  const auto out = temp / "out.safetensors";
  REQUIRE(
      vitome({"forward", "--input", picture("small_cat.jpg"), "--r", r, "--output", out.string()})
          .status == 0);
  const auto tensors = vit::read_safetensors(out);
  CHECK(tensors.at("input").sizes() == at::IntArrayRef({1, 3, 32, 32}));
  const auto [score, index] = tensors.at("logits").softmax(-1).max(-1);
  const auto run = vitome({"classify", picture("small_cat.jpg"), "--r", r, "--json", "-"});
  const auto best = test::json_lines(run.out).at(0).at("predictions").at(0);
  CHECK(best.at("index") == index.item<int64_t>());
  CHECK(std::abs(best.at("score").get<double>() - score.item<double>()) < 1e-5);
}

TEST_CASE("classify writes CSV with awkward file names quoted") {
  const test::TempDir temp;
  const auto file = temp / "a, \"b\".jpg";
  fs::copy_file(picture("small_cat.jpg"), file);
  const auto run = vitome({"classify", file.string(), "--top", "1", "--csv", "-"});
  REQUIRE(run.status == 0);
  CHECK_THAT(run.out, Catch::StartsWith("file,rank,index,label,score,error\n\""));
  CHECK_THAT(run.out, ContainsSubstring("/a, \"\"b\"\".jpg\",1,"));
}

TEST_CASE("classify reads folders, globs and lists on standard input") {
  const test::TempDir temp;
  fs::create_directories(temp / "deep/er");
  fs::copy_file(picture("small_cat.jpg"), temp / "deep/er/one.jpg");
  fs::copy_file(picture("small_ship.jpg"), temp / "two.jpg");
  std::ofstream(temp / "notes.txt") << "no picture";
  const auto count = [&](const std::vector<std::string>& words, const std::string& input = "") {
    std::vector<std::string> all = {"classify", "--json", "-"};
    all.insert(all.end(), words.begin(), words.end());
    const auto run = vitome(all, {.input = input});
    CAPTURE(run.err);
    CHECK(run.status == 0);
    return test::json_lines(run.out).size();
  };
  CHECK(count({temp.path().string()}) == 2);
  CHECK(count({(temp / "*.jpg").string()}) == 1);
  CHECK(count({"-"}, (temp / "two.jpg").string() + "\n" + (temp / "deep/er/one.jpg").string()) ==
        2);
  // Lines as Windows ends them, empty ones, a folder; a line is no pattern.
  CHECK(count({"-", (temp / "two.jpg").string()}, (temp / "deep").string() + "\r\n\n") == 2);
  const auto literal = vitome({"classify", "-"}, {.input = (temp / "*.jpg").string()});
  CHECK(literal.status == 1);
  CHECK_THAT(literal.err, ContainsSubstring("*.jpg: no such file or folder"));

  const auto none = vitome({"classify", (temp / "no-such.jpg").string()});
  CHECK(none.status == 1);
  CHECK_THAT(none.err, ContainsSubstring("no-such.jpg"));
}

TEST_CASE("classify --accuracy compares with the names of the folders") {
  const test::TempDir temp;
  for (const char* folder : {"cat", "ship", "somewhere"}) fs::create_directories(temp / folder);
  fs::copy_file(picture("small_cat.jpg"), temp / "cat/1.jpg");
  fs::copy_file(picture("small_ship.jpg"), temp / "ship/1.jpg");
  fs::copy_file(picture("small_ship.jpg"), temp / "somewhere/1.jpg");
  const auto run = vitome({"classify", temp.path().string(), "--accuracy", "--quiet"});
  REQUIRE(run.status == 0);
  CHECK_THAT(run.out, Catch::StartsWith("accuracy: top-1 "));
  CHECK_THAT(run.out, ContainsSubstring("of 2 labelled pictures"));
}

TEST_CASE("bench takes pictures and gives their accuracy") {
  const test::TempDir temp;
  fs::create_directories(temp / "ship");
  fs::copy_file(picture("small_ship.jpg"), temp / "ship/1.jpg");
  fs::copy_file(picture("small_ship.jpg"), temp / "ship/2.jpg");
  const auto run = vitome({"bench", "--images", temp.path().string(), "--r", "5", "--batch", "3",
                           "--threads", "1", "--seconds", "0.02", "--json", "-"});
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  const auto report = nlohmann::json::parse(run.out);
  for (const auto& result : report.at("results")) {
    CHECK(result.at("top1").get<double>() >= 0);
    CHECK(result.at("top1_agreement").get<double>() <= 1);
  }
}

TEST_CASE("Ctrl-C ends classify after the batch that runs") {
  const test::TempDir temp;
  const std::string cat = picture("small_cat.jpg");
  const auto json = temp / "out.jsonl", fourth = temp / "fourth.jpg";
  test::Gate gate(fourth);
  const auto run = test::start_vitome({"classify", "--batch", "1", "--quiet", "--json",
                                       json.string(), cat, cat, cat, fourth.string(), cat, cat});
  test::wait_for_file(json, *run);
  run->signal(SIGINT);
  gate.open(test::read_text(cat), *run);
  const auto end = run->wait();
  CHECK(end.status == 130);
  CHECK_THAT(end.err, ContainsSubstring("interrupted: ") && ContainsSubstring(" of 6 pictures"));
  CHECK(test::json_lines(test::read_text(json)).size() <= 4);
}

TEST_CASE("classify counts and names all that looks like a picture in a folder") {
  const test::TempDir temp;
  fs::create_directories(temp / "album/more");
  fs::copy_file(picture("small_cat.jpg"), temp / "album/one.jpg");
  for (const char* name : {"two.PSD", "more/three.x3f", "four.exr", "five.jpg"})
    test::write_text(temp / "album" / name, "something else");
  test::write_text(temp / "album/notes.txt", "no picture");
  fs::create_symlink("six.png", temp / "album/six.png");  // a link to itself
  const auto run = vitome({"classify", (temp / "album").string()});
  CHECK(run.status == 1);
  CHECK_THAT(run.err, ContainsSubstring("6 pictures, 5 failed"));
  for (const char* name : {"two.PSD", "three.x3f", "four.exr", "five.jpg", "six.png"})
    CHECK_THAT(run.err,
               ContainsSubstring(std::string("album/") +
                                 (std::string(name) == "three.x3f" ? "more/" : "") + name + ": "));
}

TEST_CASE("classify reads a named pipe that somebody writes to, and waits for no other") {
  const test::TempDir temp;
  const std::string cat = picture("small_cat.jpg");
  const auto pipe = temp / "pipe.jpg";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  const auto refused = vitome({"classify", pipe.string(), cat});
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, ContainsSubstring("named pipe that nobody writes to") &&
                              ContainsSubstring("2 pictures, 1 failed"));
  const auto data = vitome({"eval", (temp / "pipe.csv").string()});
  CHECK(data.status == 1);
  fs::remove(pipe);
  for (const char* name : {"pipe.csv", "pipe.tar"}) {
    REQUIRE(mkfifo((temp / name).c_str(), 0600) == 0);
    const auto run = vitome({"eval", (temp / name).string()});
    CHECK(run.status == 1);
    CHECK_THAT(run.err, ContainsSubstring("named pipe that nobody writes to"));
  }
  test::Gate gate(pipe);
  const auto run =
      test::start_vitome({"classify", "--top", "1", "--json", "-", pipe.string(), cat});
  gate.open(test::read_text(cat), *run);
  const auto end = run->wait();
  CHECK(end.status == 0);
  const auto lines = test::json_lines(end.out);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].at("predictions") == lines[1].at("predictions"));
}

TEST_CASE("classify --csv holds names that a spreadsheet would compute back") {
  const test::TempDir temp;
  for (const char* name : {"=1+1.jpg", "-x.jpg", "plain.jpg"})
    fs::copy_file(picture("small_cat.jpg"), temp / name);
  test::write_text(temp / "@bad.jpg", "no picture");
  const auto run =
      vitome({"classify", "-", "--top", "1", "--csv", "-"},
             {.input = "=1+1.jpg\n-x.jpg\nplain.jpg\n@bad.jpg\n", .folder = temp.path()});
  CHECK(run.status == 1);
  CHECK_THAT(run.out, ContainsSubstring("\n'=1+1.jpg,1,") && ContainsSubstring("\n'-x.jpg,1,") &&
                          ContainsSubstring("\nplain.jpg,1,") &&
                          ContainsSubstring("\n'@bad.jpg,,,,,\"'@bad.jpg: "));
}

TEST_CASE("classify explains itself, and what is wrong with its command line") {
  const auto help = vitome({"classify", "--help"});
  CHECK(help.status == 0);
  CHECK(help.err.empty());
  CHECK_THAT(help.out, ContainsSubstring("--model MODEL") &&
                           ContainsSubstring("Examples:\n  vitome classify"));
  CHECK(vitome({"help", "classify"}).out == help.out);
  const auto nothing = vitome({"classify"});
  CHECK(nothing.status == 2);
  CHECK_THAT(nothing.err,
             ContainsSubstring("no FILES given") && ContainsSubstring("vitome classify --help"));
  const auto none = vitome({"classify", "x.jpg", "--top", "0"});
  CHECK(none.status == 2);
  CHECK_THAT(none.err,
             ContainsSubstring("--top is '0'") && ContainsSubstring("vitome classify --help"));
}
