// Formats that a build reads where their library was found: decoded, or refused with the way out.
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"

#include <string>

#include <ATen/ATen.h>

#include <media/image.h>
#include <vit/error.h>

namespace {

at::Tensor read(const std::string& name) {
  return media::read_image(test::data("media/optional/" + name));
}

/// Why the file is refused.
std::string refusal(const std::string& name) {
  try {
    read(name);
  } catch (const vit::Error& error) {
    return error.what();
  }
  return "not refused";
}

}  // namespace

TEST_CASE("JPEG XL is read, or refused with the package that is missing") {
  if (!VITOME_HAS_JPEG_XL) {
    for (const char* name : {"codestream.jxl", "container.jxl"})
      CHECK_THAT(refusal(name), Catch::ContainsSubstring("cannot read this JPEG XL file") &&
                                    Catch::ContainsSubstring("Debian: libjxl-dev") &&
                                    Catch::ContainsSubstring("VITOME_JPEG_XL"));
    return;
  }
  const at::Tensor source = read("source.png");
  CHECK(test::same(read("codestream.jxl"), source));
  CHECK(test::same(read("container.jxl"), source));
  CHECK(test::same(read("alpha.jxl"), source));
  CHECK(test::same(read("gray16.jxl"), read("gray.png")));
  CHECK(test::same(read("turned.jxl"), read("turned.jpg")));
}

TEST_CASE("HEIC is read, or refused with the package that is missing") {
  if (!VITOME_HAS_HEIF) {
    CHECK_THAT(refusal("lossless.heic"), Catch::ContainsSubstring("cannot read this HEIF file") &&
                                             Catch::ContainsSubstring("Debian: libheif-dev") &&
                                             Catch::ContainsSubstring("VITOME_HEIF"));
    return;
  }
  // libheif brings its decoders as plugins that may not be there.
  if (const std::string reason = refusal("lossless.heic"); reason != "not refused") {
    CHECK_THAT(reason, Catch::ContainsSubstring("libheif-plugin-libde265"));
    return;
  }
  // Stored as YCbCr of 8 bits, which loses a level.
  CHECK(test::max_difference(read("lossless.heic"), read("source.png")) <= 2);
}
