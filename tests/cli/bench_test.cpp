#include "tests/cli/process.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/skip.h"
#include "tests/support/temp_dir.h"

#include <string>
#include <vector>

#include <vit/kernels/fused_blocks.h>

using Catch::ContainsSubstring;
using test::vitome;

namespace {

std::vector<std::string> tiny_bench(std::vector<std::string> more) {
  std::vector<std::string> words = {"bench",     "--model", test::data("vit/timm_vit_cls").string(),
                                    "--seconds", "0.02",    "--threads",
                                    "1",         "--batch", "2"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace

TEST_CASE("bench writes the figures of every setting as JSON") {
  const test::TempDir temp;
  const auto path = temp / "out.json";
  const auto run = vitome(tiny_bench({"--r", "0,4,8", "--dtype", "fp32,bf16", "--schedules",
                                      "8,-1.0;[0,40,5]", "--json", path.string()}));
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  const auto json = test::read_json(path);
  CHECK_FALSE(json.at("host").at("cpu").get<std::string>().empty());
  CHECK(json.at("host").contains("libtorch"));
  const auto& results = json.at("results");
  REQUIRE(results.size() == 10);
  for (const auto& result : results) {
    CHECK(result.at("batch") == 2);
    CHECK(result.at("threads") == 1);
    CHECK(result.at("throughput_median").get<double>() > 0);
    CHECK(result.at("throughput_best") >= result.at("throughput_median"));
    CHECK(result.at("latency_ms").at("p95") >= result.at("latency_ms").at("p50"));
    CHECK(result.at("tokens").size() == 4);
    CHECK(result.at("flop_ratio").get<double>() >= 1);
  }
  CHECK(results[2].at("r") == 8);
  CHECK(results[2].at("dtype") == "fp32");
  CHECK(results[2].at("tokens") == std::vector<int>{57, 49, 41, 33});
  CHECK(results[3].at("r").is_null());
  CHECK(results[3].at("tokens") == std::vector<int>{49, 39, 34, 34});
  CHECK(results[4].at("schedule") == "[0,40,5]");
  CHECK(results[5].at("dtype") == "bf16");
  CHECK(results[5].at("baseline") == true);
  CHECK(results[5].at("speedup") == 1);
}

TEST_CASE("bench times training steps") {
  const test::TempDir temp;
  const auto path = temp / "out.json";
  const auto run = vitome(
      tiny_bench({"--training", "--r", "4", "--dtype", "fp32,bf16", "--json", path.string()}));
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  CHECK_THAT(run.out, ContainsSubstring("training steps"));
  const auto json = test::read_json(path);
  CHECK(json.at("training") == true);
  REQUIRE(json.at("results").size() == 4);
  for (const auto& result : json.at("results"))
    CHECK(result.at("throughput_median").get<double>() > 0);

  for (const std::string dtype : {"fp16", "int8"}) {
    const auto refused = vitome(tiny_bench({"--training", "--dtype", dtype}));
    CHECK(refused.status != 0);
    CHECK_FALSE(refused.err.empty());
  }
}

TEST_CASE("bench computes in 8-bit integers where the CPU multiplies them, and says so elsewhere") {
  const test::TempDir temp;
  const auto path = temp / "out.json";
  const auto run =
      vitome(tiny_bench({"--r", "0,4", "--dtype", "fp32,int8", "--json", path.string()}));
  CAPTURE(run.err);
  if (!vit::kernels::has_native_int8()) {
    CHECK(run.status == 1);
    CHECK_THAT(run.err, Catch::ContainsSubstring("AVX512-VNNI"));
    SKIP_TEST("this CPU, or this build, has no kernels for 8-bit integers");
  }
  REQUIRE(run.status == 0);
  const auto results = test::read_json(path).at("results");
  REQUIRE(results.size() == 4);
  CHECK(results[2].at("dtype") == "int8");
  CHECK(results[3].at("tokens") == results[1].at("tokens"));
}

TEST_CASE("bench measures r=0 even if it is not asked for, and prints a table") {
  const test::TempDir temp;
  const auto run = vitome(tiny_bench(
      {"--r", "8", "--csv", (temp / "out.csv").string(), "--plot", (temp / "out.svg").string()}));
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  CHECK_THAT(run.out, ContainsSubstring("r=0"));
  CHECK_THAT(run.out, ContainsSubstring("r=8"));
  CHECK_THAT(run.out, ContainsSubstring("57 49 41 33"));
  const std::string csv = test::read_text(temp / "out.csv");
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 3);
  CHECK_THAT(test::read_text(temp / "out.svg"), ContainsSubstring("</svg>"));
}

TEST_CASE("bench takes an architecture with random weights at another size") {
  const auto run =
      vitome({"bench", "--arch", "vit_tiny_patch16_224", "--image-size", "64", "--batch", "1",
              "--threads", "1", "--r", "0,1", "--seconds", "0.01", "--json", "-"});
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  const auto json = nlohmann::json::parse(run.out);
  CHECK(json.at("num_tokens") == 17);
  CHECK(json.at("results").at(1).at("tokens").at(0) == 16);
}

TEST_CASE("Ctrl-C ends a long bench with what there is") {
  const test::TempDir temp;
  const auto path = temp / "out.json";
  auto words = tiny_bench({"--r", "0,8", "--json", path.string()});
  words[4] = "1000";  // seconds
  const auto run = vitome(words, {.interrupt_at_file = path});
  CHECK(run.status == 130);
  CHECK_THAT(run.err, ContainsSubstring("interrupted"));
}

TEST_CASE("bench --on-request answers every line with a round of all settings") {
  const test::TempDir temp;
  const auto path = temp / "out.json";
  const auto run = vitome(tiny_bench({"--r", "8", "--on-request", "--json", path.string()}),
                          {.input = "\n\n\n\n"});
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  const auto answers = test::json_lines(run.out);
  REQUIRE(answers.size() == 4);
  std::vector<double> best(2);
  for (const auto& answer : answers) {
    const auto throughput = answer.at("throughput").get<std::vector<double>>();
    REQUIRE(throughput.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) best[i] = std::max(best[i], throughput[i]);
  }
  const auto json = test::read_json(path);
  for (std::size_t i = 0; i < 2; ++i)
    CHECK(json.at("results").at(i).at("throughput_best").get<double>() == best[i]);
}

TEST_CASE("bench --on-request needs requests and standard output for itself") {
  const auto none = vitome(tiny_bench({"--r", "8", "--on-request"}));
  CHECK(none.status == 1);
  CHECK_THAT(none.err, ContainsSubstring("nothing was requested"));
  const auto mixed = vitome(tiny_bench({"--on-request", "--json", "-"}), {.input = "\n"});
  CHECK(mixed.status == 2);
  CHECK_THAT(mixed.err, ContainsSubstring("--on-request answers on standard output"));
}
