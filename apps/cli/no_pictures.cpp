// Stands in for pictures.cpp where the build has no media library.
#include <apps/cli/pictures.h>
#include <vit/error.h>

namespace cli {
namespace {

[[noreturn]] void no_pictures() {
  vit::fail("this build of vitome has no picture support; build it with -DVITOME_MEDIA=ON");
}

}  // namespace

std::vector<PictureFile> list_pictures(const std::vector<std::string>&) { no_pictures(); }

at::Tensor read_picture(const std::string&, const vit::Preprocessing&) { no_pictures(); }

struct PictureStream::Impl {};

PictureStream::PictureStream(const std::vector<PictureFile>&, const vit::Preprocessing&, int64_t,
                             int64_t) {
  no_pictures();
}

PictureStream::~PictureStream() = default;

std::optional<Picture> PictureStream::next() { no_pictures(); }

}  // namespace cli
