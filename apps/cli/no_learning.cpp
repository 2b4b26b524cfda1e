// Stands in for train.cpp in a build without media.
#include <apps/command.h>
#include <vit/error.h>

namespace {

constexpr const char* kReason =
    "this vitome was built without reading of pictures; build it with -DVITOME_MEDIA=ON";

cli::Options options() { return {"vitome train", "DATA", kReason, true}; }

int run(const cli::Arguments&) { vit::fail(kReason); }

}  // namespace

Command train_command() {
  return {"train", "fine-tune a model on labelled pictures, or train one", options, run};
}
