#include "tests/cli/process.h"
#include "tests/hub/fake_hub.h"
#include "tests/support/catch.h"

#include <filesystem>

namespace fs = std::filesystem;
using Catch::ContainsSubstring;

namespace {

// A hub with the shipped model, and programs that download from it.
struct Scene {
  Scene() {
    const fs::path model = fs::path(VITOME_SHIPPED_MODELS) / "cifar10-vit";
    for (const char* name : {"config.json", "model.safetensors"})
      hub.files[name] = test::read_text(model / name);
  }

  test::Finished vitome(const std::vector<std::string>& words, bool offline = false,
                        const fs::path& interrupt_at_file = {}) {
    test::ProcessOptions options;
    options.environment = {"HF_ENDPOINT=" + hub.hub().url(),
                           "HF_HUB_CACHE=" + cache.path().string(),
                           "HF_TOKEN=hf_secret",
                           "no_proxy=127.0.0.1",
                           "HF_HUB_DOWNLOAD_TIMEOUT=200",
                           offline ? "HF_HUB_OFFLINE=1" : "HF_HUB_OFFLINE=0"};
    options.interrupt_at_file = interrupt_at_file;
    return test::vitome(words, options);
  }

  fs::path snapshot() { return cache / "models--org--model/snapshots" / test::kCommit; }
  fs::path partial() {
    return cache / ("models--org--model/blobs/" + test::sha256(hub.files["model.safetensors"]) +
                    ".incomplete");
  }

  test::FakeHub hub;
  test::TempDir cache;
};

}  // namespace

TEST_CASE("pull prints the folder of the model and nothing else") {
  Scene scene;
  test::Finished finished = scene.vitome({"pull", "org/model"});
  REQUIRE(finished.status == 0);
  REQUIRE(finished.out == scene.snapshot().string() + "\n");
  REQUIRE_THAT(finished.err, ContainsSubstring("2 files") && ContainsSubstring("downloaded"));

  finished = scene.vitome({"pull", "org/model", "--quiet"});
  REQUIRE(finished.out == scene.snapshot().string() + "\n");
  REQUIRE(finished.err.empty());

  finished = scene.vitome({"pull", "hf:org/model", "--revision", test::kCommit, "--json", "-"});
  REQUIRE(finished.status == 0);
  const auto json = nlohmann::json::parse(finished.out);
  REQUIRE(json["model"] == "org/model");
  REQUIRE(json["commit"] == test::kCommit);
  REQUIRE(json["path"] == scene.snapshot().string());
  REQUIRE(json["downloaded_bytes"] == 0);
  REQUIRE(json["files"].size() == 2);
  REQUIRE(json["files"][0]["name"] == "config.json");
  REQUIRE(json["files"][0]["cached"] == true);
}

TEST_CASE("models are pulled on first use and need no network after that") {
  Scene scene;
  const std::vector<std::string> words = {"inspect", "--model", "hf:org/model", "--json", "-"};
  REQUIRE(scene.vitome(words, true).status == 1);
  REQUIRE(scene.hub.request_count() == 0);
  const test::Finished first = scene.vitome(words);
  REQUIRE(first.status == 0);
  REQUIRE(nlohmann::json::parse(first.out)["depth"].get<int>() > 0);
  const std::size_t requests = scene.hub.request_count();
  REQUIRE(scene.vitome(words).out == first.out);
  REQUIRE(scene.vitome(words, true).out == first.out);
  REQUIRE(scene.hub.request_count() == requests);
}

TEST_CASE("pull exits with 2 on wrong usage and with 1 on failure") {
  Scene scene;
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"pull"},
                                             {"pull", "a/b", "c/d"},
                                             {"pull", "../../etc"},
                                             {"pull", "org/model@main", "--revision", "main"},
                                             {"pull", "org/model", "--revision", "../.."},
                                             {"pull", "org/model", "--all", "--include", "*"},
                                             {"pull", "org/model", "--include", "*.json,"}})
    REQUIRE(scene.vitome(words).status == 2);
  REQUIRE(scene.hub.request_count() == 0);
  const test::Finished finished = scene.vitome({"pull", "org/other"});
  REQUIRE(finished.status == 1);
  REQUIRE(finished.out.empty());
  REQUIRE_THAT(finished.err, ContainsSubstring("org/other: not found"));
  REQUIRE(scene.vitome({"inspect", "--model", "hf:org/other"}).status == 1);
}

TEST_CASE("Ctrl-C leaves what has come, and the same command goes on") {
  Scene scene;
  scene.hub.blob_fault = [&](const test::HttpRequest& request) {
    test::HttpReply reply = scene.hub.blob_reply(request);
    if (!request.headers.contains("range")) reply.stall_after = reply.body.size() / 2;
    return reply;
  };
  test::Finished finished = scene.vitome({"pull", "org/model"}, false, scene.partial());
  REQUIRE(finished.status == 130);
  REQUIRE(finished.out.empty());
  REQUIRE_THAT(finished.err, ContainsSubstring("interrupted"));
  REQUIRE(fs::exists(scene.partial()));
  scene.hub.blob_fault = nullptr;
  finished = scene.vitome({"pull", "org/model"});
  REQUIRE(finished.status == 0);
  REQUIRE(test::read_text(scene.snapshot() / "model.safetensors") ==
          scene.hub.files["model.safetensors"]);
}
