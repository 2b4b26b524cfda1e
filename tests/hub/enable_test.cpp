#include "tests/hub/fake_hub.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/process.h"

#include <memory>

#include <hub/enable.h>
#include <vit/error.h>
#include <vit/load.h>

using Catch::ContainsSubstring;

namespace {

// Takes the hub away again, whatever happens in between.
struct Enabled {
  Enabled(const hub::Settings& settings, std::shared_ptr<hub::Monitor> monitor) {
    hub::enable(settings, std::move(monitor));
  }
  ~Enabled() { hub::disable(); }
};

}  // namespace

TEST_CASE("a C++ program loads a model of the hub by its name") {
  const auto folder = test::data("vit/timm_vit_cls");
  test::FakeHub hub;
  for (const char* file : {"config.json", "model.safetensors"})
    hub.files[file] = test::read_text(folder / file);
  const test::TempDir cache;
  const auto notes = std::make_shared<test::Notes>();
  const auto here = vit::load(folder)->named_parameters();
  {
    const Enabled enabled(hub.settings(cache), notes);
    const auto there = vit::load("hf:org/model")->named_parameters();
    REQUIRE(there.size() == here.size());
    for (const auto& item : here) CHECK(test::same(there[item.key()], item.value()));
    CHECK(notes->done() > hub.files["model.safetensors"].size());

    // A second time the cache has it, even of the hub's branch by name.
    const std::size_t requests = hub.request_count();
    vit::load("hf:org/model@main");
    CHECK(hub.request_count() == requests);
    CHECK_THROWS_WITH(vit::load("hf:org/other"), ContainsSubstring("org/other: not found"));
    CHECK_THROWS_WITH(vit::load("hf:../../etc"), ContainsSubstring("expected org/name"));
  }
  CHECK_THROWS_WITH(vit::load("hf:org/model"),
                    ContainsSubstring("link vitome::hub") && ContainsSubstring("hub::enable()"));
}
