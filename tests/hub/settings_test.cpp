#include "tests/hub/fake_hub.h"
#include "tests/support/catch.h"

#include <cstdlib>
#include <fstream>
#include <optional>

#include <hub/choose.h>
#include <hub/names.h>
#include <hub/pull.h>
#include <hub/settings.h>
#include <vit/error.h>

namespace fs = std::filesystem;
using Catch::ContainsSubstring;

namespace {

// Environment variables for the length of a test.
class Environment {
 public:
  Environment() {
    for (const char* name :
         {"HF_ENDPOINT", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME",
          "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE",
          "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_SYMLINKS", "HF_HUB_DISABLE_IMPLICIT_TOKEN",
          "HF_HUB_DOWNLOAD_TIMEOUT", "http_proxy", "no_proxy", "NO_PROXY", "ALL_PROXY",
          "all_proxy"})
      set(name, nullptr);
    set("HOME", home_.path().c_str());
  }
  ~Environment() {
    for (const auto& [name, value] : old_)
      value ? setenv(name.c_str(), value->c_str(), 1) : unsetenv(name.c_str());
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  void set(const char* name, const char* value) {
    const char* old = std::getenv(name);
    old_.emplace(name, old ? std::optional<std::string>(old) : std::nullopt);
    value ? setenv(name, value, 1) : unsetenv(name);
  }
  const fs::path& home() const { return home_.path(); }

 private:
  std::map<std::string, std::optional<std::string>> old_;
  test::TempDir home_;
};

fs::path cache() { return hub::Settings::from_environment().cache; }
std::string token() { return hub::Settings::from_environment().token; }

}  // namespace

TEST_CASE("the cache lies where huggingface_hub has it") {
  Environment environment;
  REQUIRE(cache() == environment.home() / ".cache/huggingface/hub");
  environment.set("XDG_CACHE_HOME", "/xdg");
  REQUIRE(cache() == "/xdg/huggingface/hub");
  environment.set("HF_HOME", "~/models");
  REQUIRE(cache() == environment.home() / "models/hub");
  environment.set("HUGGINGFACE_HUB_CACHE", "/old");
  REQUIRE(cache() == "/old");
  environment.set("HF_HUB_CACHE", "$HOME/${XDG_CACHE_HOME}/x/$NOT_SET_ANYWHERE/${y");
  REQUIRE(cache() == (environment.home() / "xdg/x/$NOT_SET_ANYWHERE/${y").lexically_normal());
}

TEST_CASE("tokens come from the environment or from a file") {
  Environment environment;
  REQUIRE(token().empty());
  fs::create_directories(environment.home() / ".cache/huggingface");
  std::ofstream(environment.home() / ".cache/huggingface/token") << "hf_file\n";
  REQUIRE(token() == "hf_file");
  environment.set("HF_TOKEN", " hf_environment ");
  REQUIRE(token() == "hf_environment");
  environment.set("HF_TOKEN", "hf_a\r\nX-Evil: 1");
  REQUIRE_THROWS_WITH(token(), ContainsSubstring("HF_TOKEN"));
  environment.set("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
  REQUIRE(token().empty());
}

TEST_CASE("endpoints, offline mode and time-outs come from the environment") {
  Environment environment;
  REQUIRE(hub::Settings::from_environment().endpoint == "https://huggingface.co");
  environment.set("HF_ENDPOINT", "http://mirror.example:8080/hub/");
  REQUIRE(hub::Settings::from_environment().endpoint == "http://mirror.example:8080/hub");
  for (const char* wrong :
       {"mirror.example", "ftp://mirror.example", "https://a b", "https://a?b"}) {
    environment.set("HF_ENDPOINT", wrong);
    REQUIRE_THROWS_WITH(hub::Settings::from_environment(), ContainsSubstring("HF_ENDPOINT"));
  }
  environment.set("HF_ENDPOINT", nullptr);
  REQUIRE_FALSE(hub::Settings::from_environment().offline);
  environment.set("HF_HUB_OFFLINE", "yes");
  environment.set("HF_HUB_DOWNLOAD_TIMEOUT", "7");
  REQUIRE(hub::Settings::from_environment().offline);
  REQUIRE(hub::Settings::from_environment().stall_timeout == std::chrono::seconds(7));
  environment.set("HF_HUB_DOWNLOAD_TIMEOUT", "soon");
  REQUIRE_THROWS_AS(hub::Settings::from_environment(), vit::Error);
}

TEST_CASE("downloads go through the proxy that the environment names") {
  Environment environment;
  test::FakeHub hub;
  const std::string real = hub.hub().url();
  // The hub's host exists for the proxy only.
  test::HttpServer proxy([&](const test::HttpRequest& request) {
    const std::string host = "http://hub.invalid";
    const bool right = request.target.starts_with(host);
    return test::HttpReply{
        .status = right ? 307 : 400,
        .headers = {{"Location", real + (right ? request.target.substr(host.size()) : "")}}};
  });
  environment.set("http_proxy", proxy.url().c_str());
  environment.set("no_proxy", "127.0.0.1");
  const test::TempDir cache;
  test::Notes notes;
  hub::Settings settings = hub.settings(cache);
  settings.endpoint = "http://hub.invalid";
  REQUIRE(hub::pull({"org/model"}, {}, settings, notes).files.size() == 2);
  REQUIRE_FALSE(proxy.requests().empty());
  for (const auto& request : proxy.requests())
    REQUIRE(request.target.starts_with("http://hub.invalid/"));
}

TEST_CASE("names of models") {
  REQUIRE(hub::parse_repo("org/model").id == "org/model");
  REQUIRE(hub::parse_repo("org/model").revision == "main");
  REQUIRE(hub::parse_repo("gpt2").id == "gpt2");
  REQUIRE(hub::parse_repo("timm/vit_b.augreg_in1k@refs/pr/1").revision == "refs/pr/1");
  REQUIRE(hub::parse_repo("a/b@v1.0").id == "a/b");
  for (const char* wrong : {"",
                            "/",
                            "a/",
                            "/b",
                            "a/b/c",
                            "../b",
                            "a/..",
                            "a/.b",
                            "a/b-",
                            "a--b/c",
                            "a/b..c",
                            "a/b.git",
                            "a b/c",
                            "a/b\n",
                            "a/b@",
                            "a/b@../x",
                            "a/b@/x",
                            "a/b@x//y",
                            "a/b@x\x01",
                            "a/b@x\\..\\y",
                            "https://huggingface.co/a/b",
                            "a/\xC3\xA9"})
    REQUIRE_THROWS_AS(hub::parse_repo(wrong), vit::Error);
  REQUIRE_THROWS_AS(hub::parse_repo("a/" + std::string(97, 'b')), vit::Error);
  REQUIRE_THROWS_AS(hub::parse_repo("a/b@" + std::string(300, 'b')), vit::Error);
  REQUIRE(hub::url_quoted("refs/pr/1 \xC3\xA9") == "refs%2Fpr%2F1%20%C3%A9");
  REQUIRE(hub::url_quoted("a b/c", "/") == "a%20b/c");
}

TEST_CASE("weights are chosen by name") {
  using Files = std::vector<std::string>;
  const auto weights = [](const Files& files) { return hub::choose_weights(files).value_or(""); };
  REQUIRE(weights({"pytorch_model.bin", "model.safetensors"}) == "model.safetensors");
  REQUIRE(weights({"pytorch_model.bin", "open_clip_model.safetensors"}) ==
          "open_clip_model.safetensors");
  REQUIRE(weights({"model.safetensors.index.json", "model-1.safetensors"}) ==
          "model.safetensors.index.json");
  REQUIRE(weights({"dino_vits8.pth", "README.md", "training_args.bin"}) == "dino_vits8.pth");
  REQUIRE(weights({"ViT-B_16.npz"}) == "ViT-B_16.npz");
  REQUIRE(weights({"a.pth", "b.pth"}).empty());
  REQUIRE(weights({"folder/a.pth", "README.md"}).empty());
  REQUIRE_THROWS_WITH(hub::choose({"a.pth", "b.pth"}, {}, "model x"),
                      ContainsSubstring("a.pth, b.pth") && ContainsSubstring("Selection::include"));
  REQUIRE(hub::choose(
              {"preprocessor_config.json", "config.json", "tokenizer.json", "model.safetensors"},
              {}, "") == Files{"config.json", "preprocessor_config.json", "model.safetensors"});
}
