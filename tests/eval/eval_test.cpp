#include "tests/cli/process.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/gate.h"
#include "tests/support/temp_dir.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

using Catch::ContainsSubstring;
using test::vitome;
namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

// The labelled pictures that come with the project: samples/cat_sitting.jpg shows a cat.
std::map<std::string, std::string> samples() {
  std::map<std::string, std::string> labels;
  for (const auto& entry : fs::directory_iterator(VITOME_SAMPLES))
    if (const std::string name = entry.path().stem().string(); entry.path().extension() == ".jpg")
      labels[entry.path().string()] = name.substr(0, name.find('_'));
  return labels;
}

void write(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
}

// A list of the samples, `times` times over, and its path.
std::string sample_list(const test::TempDir& temp, int times = 1) {
  std::string text = "file,label\n";
  for (int i = 0; i < times; ++i)
    for (const auto& [file, label] : samples()) text += file + "," + label + "\n";
  write(temp / "list.csv", text);
  return (temp / "list.csv").string();
}

test::Finished eval(Words words, const test::ProcessOptions& options = {}) {
  words.insert(words.begin(), {"eval", "--threads", "1"});
  return vitome(words, options);
}

// What classify takes each sample for.
std::map<std::string, nlohmann::json> classified(const std::string& r) {
  const auto run = vitome(
      {"classify", VITOME_SAMPLES, "--r", r, "--top", "10", "--threads", "1", "--json", "-"});
  REQUIRE(run.status == 0);
  std::map<std::string, nlohmann::json> predictions;
  for (const auto& line : test::json_lines(run.out))
    predictions[line.at("file")] = line.at("predictions");
  return predictions;
}

std::string name(const nlohmann::json& prediction) { return prediction.at("label"); }

bool near(double a, double b) { return std::abs(a - b) < 1e-6; }

}  // namespace

TEST_CASE("eval agrees with what classify says about every picture") {
  const test::TempDir temp;
  const auto json = temp / "out.json";
  const auto run = eval({sample_list(temp), "--r", "4", "--json", json.string(), "--predictions",
                         (temp / "p.csv").string(), "--batch", "5"});
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  const auto document = test::read_json(json);
  CHECK(document.at("complete") == true);
  CHECK(document.at("multi_label") == false);
  const auto& results = document.at("results");
  REQUIRE(results.size() == 2);
  CHECK(results[0].at("r") == 0);
  CHECK(results[1].at("r") == 4);

  const std::string table = test::read_text(temp / "p.csv");
  const auto labels = samples();
  const auto first = classified("0");
  for (std::size_t s = 0; s < 2; ++s) {
    const auto predictions = s == 0 ? first : classified("4");
    int top1 = 0;
    int top5 = 0;
    int same = 0;
    double loss = 0;
    for (const auto& [file, label] : labels) {
      const auto& of_file = predictions.at(file);
      CHECK_THAT(table, ContainsSubstring(file + "," + label + ","));
      top1 += name(of_file[0]) == label;
      same += name(of_file[0]) == name(first.at(file)[0]);
      for (std::size_t place = 0; place < of_file.size(); ++place) {
        if (name(of_file[place]) != label) continue;
        top5 += place < 5;
        loss -= std::log(of_file[place].at("score").get<double>());
      }
    }
    const auto count = static_cast<double>(labels.size());
    CHECK(results[s].at("pictures") == labels.size());
    CHECK(near(results[s].at("top1"), top1 / count));
    CHECK(near(results[s].at("top5"), top5 / count));
    CHECK(near(results[s].at("agreement"), same / count));
    CHECK(std::abs(results[s].at("loss").get<double>() - loss / count) < 1e-4);  // float32 scores
    int confused = 0;
    for (const auto& cell : results[s].at("confusion")) confused += cell[2].get<int>();
    CHECK(confused == 14);
  }
  // What samples/README.md says.
  CHECK(near(results[0].at("top1"), 12 / 14.0));
  CHECK_THAT(table, ContainsSubstring("cat.jpg,cat,dog,0.44"));
}

TEST_CASE("eval writes what it is asked for and prints a table") {
  const test::TempDir temp;
  const auto path = [&](const char* name) { return (temp / name).string(); };
  const auto run = eval({sample_list(temp), "--r", "0,2", "--schedules", "4,-1.0;keep=0.9", "--csv",
                         path("o.csv"), "--markdown", path("o.md"), "--plot", path("o.svg"),
                         "--confusion", path("c.svg")});
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  for (const char* words : {"14 pictures of", "r=0 ", "r=2 ", "4,-1", "keep=0.9", "top-1", "ECE",
                            "top-1 lost (95% interval)", "automobile"})
    CHECK_THAT(run.out, ContainsSubstring(words));
  const std::string csv = test::read_text(temp / "o.csv");
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 5);
  CHECK_THAT(csv, Catch::StartsWith("model,data,schedule,r,"));
  CHECK_THAT(test::read_text(temp / "o.md"), ContainsSubstring("| r=2 | ") &&
                                                 ContainsSubstring("|---|---:|") &&
                                                 ContainsSubstring("| airplane | 1 | "));
  for (const char* name : {"o.svg", "c.svg"}) {
    const std::string svg = test::read_text(temp / name);
    CHECK_THAT(svg, Catch::StartsWith("<svg"));
    CHECK_THAT(svg, Catch::EndsWith("</svg>\n"));
  }
  CHECK_THAT(test::read_text(temp / "c.svg"), ContainsSubstring("cat as dog: 1"));
}

TEST_CASE("eval gives the same figures for any batch, and for folders and lists") {
  const test::TempDir temp;
  for (const auto& [file, label] : samples()) {
    fs::create_directories(temp / "folder" / label);
    fs::copy_file(file, temp / "folder" / label / fs::path(file).filename());
  }
  const auto figures = [&](const std::string& data, const char* batch) {
    const auto run = eval({data, "--r", "3", "--batch", batch, "--json", "-"});
    CAPTURE(run.err);
    REQUIRE(run.status == 0);
    auto results = nlohmann::json::parse(run.out).at("results");
    return results;
  };
  const auto expected = figures(sample_list(temp), "32");
  for (const auto& other :
       {figures((temp / "folder").string(), "32"), figures((temp / "folder").string(), "3")})
    for (std::size_t s = 0; s < 2; ++s) {
      CHECK(other[s].at("top1") == expected[s].at("top1"));
      CHECK(other[s].at("confusion") == expected[s].at("confusion"));
      // Sums in another order, and products of another number of rows.
      CHECK(std::abs(other[s].at("loss").get<double>() - expected[s].at("loss").get<double>()) <
            1e-5);
    }
}

TEST_CASE("eval names pictures that it cannot read, and goes on") {
  const test::TempDir temp;
  const std::string list = sample_list(temp);
  write(temp / "broken.jpg", "no picture");
  std::ofstream(list, std::ios::app) << "broken.jpg,cat\nmissing.png,dog\n";
  const auto run = eval({list, "--json", "-", "--r", "0", "--batch", "4"});
  CHECK(run.status == 1);
  CHECK_THAT(run.err, ContainsSubstring("left out: " + (temp / "broken.jpg").string()));
  CHECK_THAT(run.err, ContainsSubstring("missing.png: cannot open"));
  const auto document = nlohmann::json::parse(run.out);
  REQUIRE(document.at("failures").size() == 2);
  const std::string broken = document.at("failures")[0].at("file");
  CHECK(broken == (temp / "broken.jpg").string());
  CHECK(document.at("results")[0].at("pictures") == 14);
  CHECK(near(document.at("results")[0].at("top1"), 12 / 14.0));

  write(temp / "none.csv", "broken.jpg,cat\nmissing.png,dog\n");
  const auto none = eval({(temp / "none.csv").string()});
  CHECK(none.status == 1);
  CHECK_THAT(none.err, ContainsSubstring("no picture can be evaluated"));
}

TEST_CASE("eval measures mAP where pictures have several labels") {
  const test::TempDir temp;
  std::string text = "file,labels\n";
  for (const auto& [file, label] : samples())
    text += file + "," + label + (label == "cat" ? ";dog\n" : label == "ship" ? ";frog\n" : "\n");
  write(temp / "many.csv", text);
  const auto run = eval({(temp / "many.csv").string(), "--r", "12", "--json", "-"});
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  const auto document = nlohmann::json::parse(run.out);
  CHECK(document.at("multi_label") == true);
  const auto& first = document.at("results")[0];
  CHECK(first.at("map").get<double>() > 0.5);
  CHECK(first.at("map").get<double>() < 1);  // a ship is not taken for a frog
  CHECK(first.at("per_class").size() == 10);
  CHECK_FALSE(first.contains("top1"));
  CHECK(first.at("map_loss").at("value") == 0);
  const auto& loss = document.at("results")[1].at("map_loss");
  CHECK(loss.at("low") < loss.at("value"));
  CHECK(loss.at("high") > loss.at("value"));
  const auto refused =
      eval({(temp / "many.csv").string(), "--confusion", (temp / "c.svg").string()});
  CHECK(refused.status == 2);
}

TEST_CASE("eval maps labels to classes") {
  const test::TempDir temp;
  const auto labels = samples();
  const auto list = [&](const std::string& cat, const std::string& ship) {
    std::string text;
    for (const auto& [file, label] : labels)
      if (label == "cat" || label == "ship")
        text += file + "," + (label == "cat" ? cat : ship) + "\n";
    write(temp / "two.csv", text);
    return (temp / "two.csv").string();
  };
  const auto top1 = [&](Words words) {
    words.insert(words.end(), {"--json", "-", "--r", "0"});
    const auto run = eval(words);
    CAPTURE(run.err);
    REQUIRE(run.status == 0);
    return nlohmann::json::parse(run.out).at("results")[0].at("top1").get<double>();
  };
  CHECK(near(top1({list("cat", "ship")}), 2 / 3.0));
  CHECK(near(top1({list("3", "8")}), 2 / 3.0));
  write(temp / "map.csv", "label,class\nKatze,cat\nSchiff,8\nignored,dog\n");
  const auto mixed = eval({list("Katze", "Schiff"), "--class-map", (temp / "map.csv").string()});
  CHECK(mixed.status == 1);  // names and numbers at once
  write(temp / "map.csv", "Katze,cat\nSchiff,ship\n");
  CHECK(near(top1({list("Katze", "Schiff"), "--class-map", (temp / "map.csv").string()}), 2 / 3.0));

  CHECK_THAT(eval({list("cat", "cat")}).err,
             ContainsSubstring("all pictures are of one class, cat"));
  const auto unknown = eval({list("Katze", "Schiff")});
  CHECK(unknown.status == 1);
  CHECK_THAT(unknown.err, ContainsSubstring("no label of the data") &&
                              ContainsSubstring("'Katze'") && ContainsSubstring("'airplane'"));
  write(temp / "map.csv", "Katze\n");
  CHECK_THAT(eval({list("a", "b"), "--class-map", (temp / "map.csv").string()}).err,
             ContainsSubstring("map.csv:1: expected a label"));
}

TEST_CASE("eval takes the classes in order where a model has no labels, and says so") {
  const test::TempDir temp;
  const std::string model = test::data("vit/timm_vit_cls").string();
  const auto run = eval({sample_list(temp), "--model", model, "--json", "-", "--r", "0"});
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  CHECK_THAT(run.err, ContainsSubstring("the model has no labels") &&
                          ContainsSubstring("0 = airplane, 1 = automobile"));
  CHECK(nlohmann::json::parse(run.out).at("classes")[0] == "airplane");
  write(temp / "numbers.csv", samples().begin()->first + ",99999\na.png,0\n");
  CHECK_THAT(eval({(temp / "numbers.csv").string(), "--model", model}).err,
             ContainsSubstring("label 99999, but the model's classes are 0 to "));
}

TEST_CASE("eval goes on after an interruption, and only with what belongs to it") {
  const test::TempDir temp;
  const std::string list = sample_list(temp, 2);
  const auto last = temp / "last.jpg";
  const std::string picture = test::read_text(samples().begin()->first);
  std::ofstream(list, std::ios::app) << "last.jpg," << samples().begin()->second << "\n";
  std::ofstream(list, std::ios::app) << samples().begin()->first << ",cat\n";
  const auto state = temp / "eval.state";
  const Words words = {list,     "--r", "0,4",      "--batch",     "4",
                       "--json", "-",   "--resume", state.string()};
  write(last, picture);
  const auto whole = eval({list, "--r", "0,4", "--batch", "4", "--json", "-"});
  REQUIRE(whole.status == 0);

  fs::remove(last);
  {
    test::Gate gate(last);
    Words all = words;
    all.insert(all.begin(), {"eval", "--threads", "1"});
    const auto run = test::start_vitome(all);
    test::wait_for_file(state, *run);
    run->signal(SIGINT);
    gate.open(picture, *run);
    const auto cut = run->wait();
    CHECK(cut.status == 130);
    CHECK_THAT(cut.err, ContainsSubstring("interrupted: ") && ContainsSubstring("of 30 pictures"));
    CHECK(nlohmann::json::parse(cut.out).at("complete") == false);
  }
  write(last, picture);
  REQUIRE(fs::exists(state));

  Words other = words;
  other[2] = "0,5";
  const auto refused = eval(other);
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, ContainsSubstring("its schedules is [\"0\",\"4\"], not [\"0\",\"5\"]"));

  const auto rest = eval(words);
  CAPTURE(rest.err);
  CHECK(rest.status == 0);
  CHECK_THAT(rest.err, ContainsSubstring("going on after "));
  CHECK(rest.out == whole.out);
  CHECK_FALSE(fs::exists(state));

  write(state, "something else");
  const auto foreign = eval(words);
  CHECK(foreign.status == 1);
  CHECK_THAT(foreign.err, ContainsSubstring("eval.state"));
  CHECK(test::read_text(state) == "something else");
}

TEST_CASE("eval counts what it cannot read of a folder, by class, whatever its format") {
  const test::TempDir temp;
  for (const auto& [file, label] : samples()) {
    fs::create_directories(temp / "data" / label);
    fs::copy_file(file, temp / "data" / label / fs::path(file).filename());
  }
  write(temp / "data/cat/raw.x3f", "FOVb");
  write(temp / "data/cat/layers.psd", "8BPS");
  write(temp / "data/ship/broken.png", "");
  write(temp / "data/ship/notes.txt", "no picture");
  const auto run = eval({(temp / "data").string(), "--r", "0", "--json", "-"});
  CHECK(run.status == 1);
  for (const char* name : {"raw.x3f: ", "layers.psd: ", "broken.png: "})
    CHECK_THAT(run.err, ContainsSubstring(name));
  CHECK_THAT(run.err, ContainsSubstring("left out: 3 of 17 pictures, by class: ") &&
                          ContainsSubstring("cat 2 of ") && ContainsSubstring("ship 1 of "));
  CHECK(nlohmann::json::parse(run.out).at("failures").size() == 3);
}

TEST_CASE("eval names the parts of a data set") {
  const test::TempDir temp;
  for (const auto& [file, label] : samples())
    for (const char* part : {"train", "test"}) {
      fs::create_directories(temp / part / label);
      fs::copy_file(file, temp / part / label / fs::path(file).filename());
    }
  const auto run = eval({temp.path().string()});
  CHECK(run.status == 1);
  CHECK_THAT(run.err, ContainsSubstring("holds the parts of a data set (test, train)") &&
                          ContainsSubstring((temp / "test").string() + " or "));
}

TEST_CASE("eval says what is wrong with its command line and its files") {
  const test::TempDir temp;
  CHECK_THAT(vitome({"eval", "--help"}).out, ContainsSubstring("Examples:\n  vitome eval"));
  CHECK(eval({}).status == 2);
  CHECK(eval({"a", "b"}).status == 2);
  CHECK(eval({sample_list(temp), "--r", "x"}).status == 2);
  CHECK(eval({sample_list(temp), "--json", "-", "--csv", "-"}).status == 2);
  const auto missing = eval({(temp / "none").string()});
  CHECK(missing.status == 1);
  CHECK_THAT(missing.err, ContainsSubstring("none: no such file or folder"));
  const auto unwritable =
      eval({sample_list(temp), "--resume", (temp / "no/such/folder/state").string()});
  CHECK(unwritable.status == 1);
  CHECK_THAT(unwritable.err, ContainsSubstring("no/such/folder"));
}

#ifdef VITOME_SEVERAL_PROCESSES
TEST_CASE("Two processes write what one does, and the second one nothing") {
  const test::TempDir temp;
  const std::string list = sample_list(temp, 3);
  std::ofstream(list, std::ios::app) << "missing.png,dog\n";
  const Words words = {list, "--r", "0,4", "--batch", "4"};
  const auto with_output = [&](const char* name) {
    Words all = words;
    all.insert(all.end(), {"--json", (temp / name).string(), "--predictions",
                           (temp / name).string() + ".csv"});
    return all;
  };
  const auto one = eval(with_output("one"));
  CHECK(one.status == 1);  // for the missing picture

  Words together = with_output("two");
  together.insert(together.begin(), {"eval", "--threads", "1"});
  const auto processes = test::vitomes(2, together);
  const auto leader = processes[0]->wait();
  const auto other = processes[1]->wait();
  CAPTURE(leader.err, other.err);
  CHECK(leader.status == 1);
  CHECK(other.status == 1);
  CHECK(leader.out == one.out);
  CHECK(leader.err == one.err);
  CHECK(other.out.empty());
  CHECK(other.err.empty());
  CHECK(test::read_text(temp / "two") == test::read_text(temp / "one"));
  CHECK(test::read_text(temp / "two.csv") == test::read_text(temp / "one.csv"));
}
#endif
