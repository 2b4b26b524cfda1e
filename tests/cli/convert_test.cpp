#include "tests/cli/process.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <ATen/ATen.h>

#include <vit/load.h>
#include <vit/weights/files/safetensors.h>

using Catch::ContainsSubstring;
using test::vitome;

TEST_CASE("convert writes a folder that gives the same logits") {
  at::NoGradGuard no_grad;
  const test::TempDir folder;
  const auto input =
      vit::read_safetensors(test::data("vit/timm_vit_cls/io.safetensors")).at("input");
  const auto expected = vit::load(test::data("vit/timm_vit_cls"))->forward(input);
  for (const char* file : {"zip.pth", "legacy.pth", "wrapped.pth", "augreg.npz"}) {
    CAPTURE(file);
    const auto output = folder / file;
    const auto run = vitome(
        {"convert", "--model", test::data("vit/formats") / file, "--output", output.string()});
    REQUIRE(run.status == 0);
    CHECK(run.err.empty());
    CHECK(test::same(vit::load(output)->forward(input), expected));
  }
}

TEST_CASE("convert says what timm cannot build") {
  const test::TempDir folder;
  const auto run = vitome({"convert", "--model", test::data("vit/hf_dinov2").string(), "--output",
                           (folder / "out").string(), "--dtype", "bf16"});
  CHECK(run.status == 0);
  CHECK_THAT(run.err, ContainsSubstring("timm cannot build this model"));
  for (const auto& [name, tensor] : vit::read_safetensors(folder / "out" / "model.safetensors"))
    CHECK(tensor.scalar_type() == at::kBFloat16);
}

TEST_CASE("convert refuses what it cannot do") {
  const test::TempDir folder;
  const auto model = test::data("vit/timm_vit_cls").string();
  CHECK(vitome({"convert", "--model", model}).status == 2);
  CHECK(vitome({"convert", "--model", model, "--output", "x", "--dtype", "int3"}).status == 2);
  CHECK(vitome({"convert", "--model", (folder / "none").string(), "--output", "x"}).status == 1);
  const auto run = vitome({"convert", "--model", model, "--output", "/dev/null/model"});
  CHECK(run.status == 1);
  CHECK_THAT(run.err, ContainsSubstring("/dev/null/model: cannot be made"));
}

TEST_CASE("the head is what --num-classes says, with a warning where it is a new one") {
  const test::TempDir folder;
  const auto model = test::data("hostile/config/timm_classes_other").string();
  const auto output = (folder / "out").string();
  const auto refused = vitome({"convert", "--model", model, "--output", output});
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, ContainsSubstring(model + "/model.safetensors: ") &&
                              ContainsSubstring("(--num-classes)"));

  const auto run = vitome({"convert", "--model", model, "--output", output, "--num-classes", "4"});
  CHECK(run.status == 0);
  CHECK_THAT(run.err, ContainsSubstring("warning: ") && ContainsSubstring("random weights"));
  CHECK(vit::load(output)->config().head.num_classes == 4);
  const auto usage =
      vitome({"convert", "--model", model, "--output", output, "--num-classes", "0"});
  CHECK(usage.status == 2);
  CHECK_THAT(usage.err, ContainsSubstring("num-classes"));
}
