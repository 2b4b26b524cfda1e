#include "tests/hub/tls.h"

#include "tests/cli/process.h"
#include "tests/hub/fake_hub.h"
#include "tests/support/catch.h"

#include <fstream>

#include <hub/pull.h>
#include <vit/error.h>

namespace fs = std::filesystem;
using Catch::ContainsSubstring;

namespace {

// An encrypted hub, and a client that trusts what `certificates` says.
struct Scene {
  explicit Scene(const std::string& address = "127.0.0.1") : tls(address), hub(&tls) {
    settings = hub.settings(folder);
    settings.certificates = write("authority.pem", tls.authority());
    settings.cache = folder / "cache";
  }
  std::string write(const char* name, const std::string& content) {
    std::ofstream(folder / name) << content;
    return (folder / name).string();
  }
  hub::Pulled pull() { return hub::pull({"org/model"}, {}, settings, notes); }

  test::TempDir folder;
  test::Tls tls;
  test::FakeHub hub;
  test::Notes notes;
  hub::Settings settings;
};

}  // namespace

TEST_CASE("a model comes through TLS from a hub whose authority is trusted") {
  Scene scene;
  REQUIRE(scene.settings.endpoint.starts_with("https://127.0.0.1:"));
  const hub::Pulled pulled = scene.pull();
  REQUIRE(test::read_text(pulled.path / "model.safetensors") ==
          scene.hub.files["model.safetensors"]);
  REQUIRE(scene.hub.hub().requests().front().header("authorization") == "Bearer hf_secret");
}

TEST_CASE("a download through TLS that is cut goes on where it stopped") {
  Scene scene;
  int requests = 0;
  scene.hub.blob_fault = [&](const test::HttpRequest& request) {
    test::HttpReply reply = scene.hub.blob_reply(request);
    if (requests++ == 0) reply.cut_after = 50'000;
    return reply;
  };
  const hub::Pulled pulled = scene.pull();
  REQUIRE(test::read_text(pulled.path / "model.safetensors") ==
          scene.hub.files["model.safetensors"]);
  REQUIRE(scene.hub.blobs().requests().size() == 2);
  REQUIRE(scene.hub.blobs().requests()[1].header("range") == "bytes=50000-");
}

TEST_CASE("a hub that cannot prove who it is gets no request") {
  Scene stranger;  // another authority with the same name
  const test::Tls other;
  stranger.settings.certificates = stranger.write("other.pem", other.authority());
  REQUIRE_THROWS_WITH(stranger.pull(), ContainsSubstring(stranger.settings.endpoint) &&
                                           ContainsSubstring("SSL_CERT_FILE"));
  REQUIRE(stranger.hub.request_count() == 0);

  Scene system;  // which knows nothing of our authority
  system.settings.certificates.clear();
  REQUIRE_THROWS_AS(system.pull(), vit::Error);
  REQUIRE(system.hub.request_count() == 0);

  Scene impostor("127.0.0.2");  // with a good certificate for somebody else
  REQUIRE_THROWS_WITH(impostor.pull(), ContainsSubstring(impostor.settings.endpoint));
  REQUIRE(impostor.hub.request_count() == 0);

  Scene missing;
  missing.settings.certificates = (missing.folder / "absent.pem").string();
  REQUIRE_THROWS_WITH(missing.pull(), ContainsSubstring("SSL_CERT_FILE"));
}

TEST_CASE("the program trusts the certificates that the environment names") {
  for (const std::string variable : {"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"}) {
    CAPTURE(variable);
    Scene scene;
    test::ProcessOptions options;
    options.environment = {"HF_ENDPOINT=" + scene.settings.endpoint,
                           "HF_HUB_CACHE=" + scene.settings.cache.string(), "HF_HUB_OFFLINE=0",
                           "no_proxy=127.0.0.1"};
    for (const std::string other : {"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"})
      options.environment.push_back(other + "=" +
                                    (other == variable ? scene.settings.certificates : ""));
    const auto finished = test::vitome({"pull", "org/model", "--quiet"}, options);
    CAPTURE(finished.err);
    REQUIRE(finished.status == 0);
    REQUIRE(fs::exists(scene.settings.cache / "models--org--model/snapshots" / test::kCommit /
                       "model.safetensors"));
  }
}
