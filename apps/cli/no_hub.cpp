// Stands in for pull.cpp and hub_model.cpp in a build without downloads.
#include <apps/cli/hub_model.h>
#include <apps/cli/text.h>
#include <apps/command.h>
#include <vit/error.h>

namespace {

constexpr const char* kReason =
    "this vitome was built without downloads; build it with -DVITOME_HUB=ON, or download the model "
    "by other means and name its folder";

cli::Options options() { return {"vitome pull", "ORG/NAME", kReason, true}; }

int run(const cli::Arguments&) { vit::fail(kReason); }

}  // namespace

namespace cli {

std::filesystem::path hub_model(const std::string& name) {
  vit::fail("model 'hf:", printable(name), "': ", kReason);
}

}  // namespace cli

Command pull_command() { return {"pull", "download a model from a hub", options, run}; }
