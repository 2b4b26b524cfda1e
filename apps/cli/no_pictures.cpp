// Stands in for what reads pictures where the build has no media library.
#include <apps/cli/pictures.h>
#include <apps/command.h>
#include <base/error.h>

namespace {

constexpr const char* kReason =
    "this build of vitome has no picture support; build it with -DVITOME_MEDIA=ON";

[[noreturn]] void no_pictures() { base::fail(kReason); }

cli::Options classify_options() { return {"vitome classify", "FILES...", kReason, true}; }

cli::Options eval_options() { return {"vitome eval", "DATA", kReason, true}; }

cli::Options train_options() { return {"vitome train", "DATA", kReason, true}; }

int refuse(const cli::Arguments&) { no_pictures(); }

}  // namespace

namespace cli {

std::vector<PictureFile> list_pictures(const std::vector<std::string>&) { no_pictures(); }

at::Tensor read_picture(const std::string&, const vit::PicturePreprocessing&) { no_pictures(); }

struct PictureStream::Impl {};

PictureStream::PictureStream(const std::vector<PictureFile>&, const vit::PicturePreprocessing&,
                             int64_t, int64_t) {
  no_pictures();
}

PictureStream::~PictureStream() = default;

std::optional<Picture> PictureStream::next() { no_pictures(); }

}  // namespace cli

Command classify_command() {
  return {"classify", "what is in pictures (not in this build)", classify_options, refuse};
}

Command eval_command() {
  return {"eval", "accuracy on labelled pictures (not in this build)", eval_options, refuse};
}

Command train_command() {
  return {"train", "learning from labelled pictures (not in this build)", train_options, refuse};
}
