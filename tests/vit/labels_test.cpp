#include "tests/support/catch.h"

#include <set>

#include <vit/imagenet_labels.h>

TEST_CASE("the classes of ImageNet have names, by their number") {
  for (const int64_t classes : {1000, 21843, 21841, 11821, 11221, 10450}) {
    CAPTURE(classes);
    const auto& labels = vit::imagenet_labels(classes);
    REQUIRE(static_cast<int64_t>(labels.size()) == classes);
    for (const auto& label : labels) {
      CHECK_FALSE(label.empty());
      CHECK(label.find('\n') == label.npos);
    }
  }
  CHECK(vit::imagenet_labels(999).empty());
}

TEST_CASE("the larger editions of ImageNet are numbered as by those who trained on them") {
  // The synsets at these places of timm's lists, by their lemmas.
  CHECK(vit::imagenet_labels(1000)[207] == "golden retriever");
  const auto& all = vit::imagenet_labels(21843);
  CHECK(all.front() == "organism");
  CHECK(all[1] == "benthos");
  CHECK(all[9205] == "picture");  // one of the two that the edition of 21,841 leaves out
  CHECK(vit::imagenet_labels(21841)[9205] == all[9206]);
  CHECK(vit::imagenet_labels(11821).front() == "benthos");
  CHECK(vit::imagenet_labels(11221).front() == "benthos");
  CHECK(vit::imagenet_labels(10450).front() == "benthos");
  CHECK(vit::imagenet_labels(21843)[2264] == "golden retriever");
  CHECK(vit::imagenet_labels(21841)[2264] == "golden retriever");
  CHECK(vit::imagenet_labels(11821)[1505] == "golden retriever");
  CHECK(vit::imagenet_labels(11221)[1465] == "golden retriever");
  CHECK(vit::imagenet_labels(10450)[1465] == "golden retriever");
}
