#include "tests/cli/process.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"

#include <string>
#include <vector>

using Catch::ContainsSubstring;
using test::vitome;

TEST_CASE("vitome alone, help and --help show the commands") {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{}, {"help"}, {"--help"}, {"-h"}}) {
    const auto run = vitome(words);
    CHECK(run.status == 0);
    CHECK(run.err.empty());
    for (const char* command : {"classify", "eval", "bench", "inspect", "forward"})
      CHECK_THAT(run.out, ContainsSubstring(command));
  }
}

TEST_CASE("the version option shows vitome, LibTorch and the CPU capability") {
  const auto run = vitome({"--version"});
  CHECK(run.status == 0);
  CHECK_THAT(run.out, ContainsSubstring("vitome 0."));
  CHECK_THAT(run.out, ContainsSubstring("LibTorch 2."));
  CHECK_THAT(run.out, ContainsSubstring("CPU capability"));
}

TEST_CASE("every command explains itself with examples") {
  const std::string command = GENERATE("bench", "inspect", "forward");
  const auto run = vitome({command, "--help"});
  CHECK(run.status == 0);
  CHECK(run.err.empty());
  CHECK_THAT(run.out, ContainsSubstring("Usage: vitome " + command));
  CHECK_THAT(run.out, ContainsSubstring("--model MODEL"));
  CHECK_THAT(run.out, ContainsSubstring("Examples:\n  vitome " + command));
  CHECK(vitome({"help", command}).out == run.out);
  CHECK(vitome({command, "-h"}).out == run.out);
}

TEST_CASE("wrong usage exits with 2 and names what is wrong") {
  struct Case {
    std::vector<std::string> words;
    std::string message;
    std::string help;
  };
  const std::vector<Case> cases = {
      {{"clasify"}, "unknown command 'clasify'. Did you mean 'classify'?", "vitome --help"},
      {{"--vesion"}, "unknown option '--vesion'.", "vitome --help"},
      {{"help", "benhc"}, "unknown command 'benhc'. Did you mean 'bench'?", "vitome --help"},
      {{"bench", "--bacth", "4"}, "Did you mean '--batch'?", "vitome bench --help"},
      {{"bench", "-batch", "4"}, "Did you mean '--batch'?", "vitome bench --help"},
      {{"bench", "stray"}, "unexpected argument 'stray'", "vitome bench --help"},
      {{"bench", "--batch"}, "--batch needs a value: --batch N", "vitome bench --help"},
      {{"bench", "--batch", "--json"}, "--batch needs a value", "vitome bench --help"},
      {{"bench", "--batch", "0"}, "--batch is '0', expected a whole number from 1", "bench --help"},
      {{"bench", "--batch", "4097"}, "--batch is '4097'", "bench --help"},
      {{"bench", "--batch=2x"}, "--batch is '2x'", "bench --help"},
      {{"bench", "--threads", "1025"}, "--threads is '1025'", "bench --help"},
      {{"bench", "--seconds", "0"}, "--seconds is '0'", "bench --help"},
      {{"bench", "--seconds", "nan"}, "--seconds is 'nan'", "bench --help"},
      {{"bench", "--r", "0,8,"}, "--r is '0,8,'", "bench --help"},
      {{"bench", "--r", "8,8"}, "--r lists 8 twice", "bench --help"},
      {{"bench", "--r", "-1"}, "--r is '-1'", "bench --help"},
      {{"bench", "--schedules", "[8,"}, "[8,0,8,4]", "bench --help"},
      {{"bench", "--dtype", "fp64"}, "--dtype is 'fp64', expected fp32", "bench --help"},
      {{"bench", "--json", "-", "--csv", "-"}, "only one output", "bench --help"},
      {{"forward", "--output", "o"}, "--input FILE is missing", "forward --help"},
      {{"forward", "--input", "i"}, "--output FILE is missing", "forward --help"},
      {{"forward", "--input", "i", "--output", "o", "--trace=1"}, "--trace takes no value", ""},
      {{"forward", "--input", "i", "--output", "o", "--device", "tpu"}, "--device is 'tpu'", ""},
      {{"forward", "--input", "i", "--output", "o", "--r", "4", "--schedule", "4"},
       "give one of them",
       ""},
      {{"forward", "--input", "i", "--output", "o", "--prop-attn", "of"}, "expected on, off", ""},
      {{"forward", "--input", "i", "--output", "o", "--image-size", "224x"},
       "--image-size is '224x'",
       ""},
      {{"inspect", "--arch", "vit_base_patch16_224", "--keys"}, "name it with --model", ""},
  };
  for (const Case& wrong : cases) {
    const auto run = vitome(wrong.words);
    CAPTURE(wrong.words, run.err);
    CHECK(run.status == 2);
    CHECK(run.out.empty());
    CHECK_THAT(run.err, ContainsSubstring(wrong.message));
    CHECK_THAT(run.err, ContainsSubstring(wrong.help));
    CHECK_THAT(run.err, ContainsSubstring("--help' for what is possible"));
  }
}

TEST_CASE("options of one letter take one dash or two, and a value after a space or '='") {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--r", "x"}, {"--r=x"}, {"-r", "x"}}) {
    std::vector<std::string> all = {"forward", "--input", "i", "--output", "o"};
    all.insert(all.end(), words.begin(), words.end());
    const auto run = vitome(all);
    CHECK(run.status == 2);
    CHECK_THAT(run.err, ContainsSubstring("--r is 'x', expected a whole number"));
  }
}

TEST_CASE("a model that is not there exits with 1 and says where it was looked for") {
  const auto run = vitome({"inspect", "--model", "cifar11"});
  CHECK(run.status == 1);
  CHECK_THAT(run.err, ContainsSubstring("Did you mean 'cifar10'?"));
  CHECK_THAT(run.err, ContainsSubstring("shipped models: cifar10"));
  CHECK_THAT(run.err, ContainsSubstring("searched: " VITOME_SHIPPED_MODELS));

  const auto path = vitome({"inspect", "--model", "no/such/folder"});
  CHECK(path.status == 1);
  CHECK_THAT(path.err, ContainsSubstring("'no/such/folder': no such file or folder"));
}

TEST_CASE("an unknown architecture is a failure that names close ones") {
  const auto run = vitome({"inspect", "--arch", "vit_bass_patch16_224"});
  CHECK(run.status == 1);
  CHECK_THAT(run.err, ContainsSubstring("vit_base_patch16_224"));
}

TEST_CASE("a path wins over the name of a shipped model, and folders of the user's are searched") {
  const auto models = test::data("vit");
  const auto run = vitome({"inspect", "--model", "timm_vit_cls", "--json", "-"},
                          {.environment = {"VITOME_MODELS=" + models.string()}});
  REQUIRE(run.status == 0);
  CHECK(nlohmann::json::parse(run.out).at("tokens") == 65);
  const auto local =
      vitome({"inspect", "--model", "timm_vit_cls", "--json", "-"}, {.folder = models});
  REQUIRE(local.status == 0);
  CHECK(nlohmann::json::parse(local.out).at("model") == "timm_vit_cls");
}
