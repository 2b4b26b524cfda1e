// Stands in for pull.cpp and hub_model.cpp in a build without downloads.
#include <apps/cli/hub_model.h>
#include <apps/command.h>
#include <base/error.h>
#include <base/text.h>

namespace {

constexpr const char* kReason =
    "this vitome was built without downloads; build it with -DVITOME_HUB=ON, or download the model "
    "by other means and name its folder";

cli::Options options() { return {"vitome pull", "ORG/NAME", kReason, true}; }

int run(const cli::Arguments&) { base::fail(kReason); }

}  // namespace

namespace cli {

std::filesystem::path hub_model(const std::string& name) {
  base::fail("model 'hf:", base::printable(name), "': ", kReason);
}

}  // namespace cli

Command pull_command() { return {"pull", "download a model from a hub", options, run}; }
