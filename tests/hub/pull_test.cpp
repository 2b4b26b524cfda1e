#include "tests/cli/process.h"
#include "tests/hub/fake_hub.h"
#include "tests/support/catch.h"

#include <atomic>
#include <future>

#include <hub/pull.h>
#include <vit/error.h>
#include <vit/weights/files/read.h>

namespace fs = std::filesystem;
using Catch::ContainsSubstring;

namespace {

const hub::Repo kRepo{"org/model"};

std::vector<std::string> names(const hub::Pulled& pulled) {
  std::vector<std::string> list;
  for (const auto& file : pulled.files) list.push_back(file.name);
  return list;
}

std::size_t count(const std::vector<test::HttpRequest>& requests, const std::string& method) {
  std::size_t found = 0;
  for (const auto& request : requests) found += request.method == method;
  return found;
}

}  // namespace

TEST_CASE("what a model needs is cached as huggingface_hub does it") {
  test::FakeHub hub;
  const test::TempDir cache;
  test::Notes notes;
  const hub::Pulled pulled = hub::pull(kRepo, {}, hub.settings(cache), notes);

  const fs::path model = cache / "models--org--model";
  REQUIRE(pulled.commit == test::kCommit);
  REQUIRE(pulled.path == model / "snapshots" / test::kCommit);
  REQUIRE(names(pulled) == std::vector<std::string>{"config.json", "model.safetensors"});
  REQUIRE(test::read_text(model / "refs" / "main") == test::kCommit);

  const std::string& config = hub.files["config.json"];
  const std::string& weights = hub.files["model.safetensors"];
  REQUIRE(fs::read_symlink(pulled.path / "config.json") ==
          fs::path("../../blobs") / test::git_sha1(config));
  REQUIRE(fs::read_symlink(pulled.path / "model.safetensors") ==
          fs::path("../../blobs") / test::sha256(weights));
  REQUIRE(test::read_text(pulled.path / "config.json") == config);
  REQUIRE(test::read_text(pulled.path / "model.safetensors") == weights);
  REQUIRE(std::distance(fs::directory_iterator(model / "blobs"), {}) == 2);
  REQUIRE(fs::exists(cache / ".locks" / "models--org--model" / (test::sha256(weights) + ".lock")));
  REQUIRE(fs::exists(model / ".no_exist" / test::kCommit / "preprocessor_config.json"));

  REQUIRE(pulled.downloaded == config.size() + weights.size());
  REQUIRE(notes.done() == pulled.downloaded);
  REQUIRE(notes.total() == pulled.downloaded);
  REQUIRE(notes.text().empty());
}

TEST_CASE("the token goes to the hub and not to where it keeps its files") {
  test::FakeHub hub;
  const test::TempDir cache;
  test::Notes notes;
  hub::pull(kRepo, {}, hub.settings(cache), notes);
  for (const auto& request : hub.hub().requests())
    REQUIRE(request.header("authorization") == "Bearer hf_secret");
  REQUIRE_FALSE(hub.blobs().requests().empty());
  for (const auto& request : hub.blobs().requests())
    REQUIRE(request.headers.count("authorization") == 0);
}

TEST_CASE("without a token none is sent") {
  test::FakeHub hub;
  const test::TempDir cache;
  test::Notes notes;
  hub::Settings settings = hub.settings(cache);
  settings.token.clear();
  hub::pull(kRepo, {}, settings, notes);
  for (const auto& request : hub.hub().requests())
    REQUIRE(request.headers.count("authorization") == 0);
}

TEST_CASE("a second pull asks for the commit and for nothing else") {
  test::FakeHub hub;
  const test::TempDir cache;
  test::Notes notes;
  hub::pull(kRepo, {}, hub.settings(cache), notes);
  const std::size_t before = hub.request_count();
  const hub::Pulled again = hub::pull(kRepo, {}, hub.settings(cache), notes);
  REQUIRE(hub.request_count() == before + 1);
  REQUIRE(again.downloaded == 0);
  for (const auto& file : again.files) REQUIRE(file.cached);

  const hub::Repo commit{"org/model", test::kCommit};
  hub::pull(commit, {}, hub.settings(cache), notes);  // which cannot change
  REQUIRE(hub.request_count() == before + 1);
}

TEST_CASE("files that a new commit did not change are not downloaded again") {
  test::FakeHub hub;
  const test::TempDir cache;
  test::Notes notes;
  hub::pull(kRepo, {}, hub.settings(cache), notes);
  fs::rename(cache / "models--org--model" / "snapshots" / test::kCommit,
             cache / "models--org--model" / "snapshots" / "older");
  const hub::Pulled pulled = hub::pull(kRepo, {}, hub.settings(cache), notes);
  REQUIRE(pulled.downloaded == 0);
  REQUIRE(hub.blobs().requests().size() == 1);
  REQUIRE(test::read_text(pulled.path / "config.json") == hub.files["config.json"]);
}

TEST_CASE("revisions have refs of their own") {
  test::FakeHub hub;
  const test::TempDir cache;
  test::Notes notes;
  hub::pull({"org/model", "refs/pr/1"}, {}, hub.settings(cache), notes);
  REQUIRE(test::read_text(cache / "models--org--model/refs/refs/pr/1") == test::kCommit);
  REQUIRE_FALSE(fs::exists(cache / "models--org--model/refs/main"));
  hub::pull({"org/model", test::kCommit}, {}, hub.settings(cache), notes);
  REQUIRE_FALSE(fs::exists(cache / "models--org--model/refs" / test::kCommit));
}

TEST_CASE("the shards of an index are pulled with it") {
  test::FakeHub hub;
  hub.files.erase("model.safetensors");
  hub.files["model.safetensors.index.json"] =
      R"({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors"}})";
  hub.files["model-1.safetensors"] = test::made_up_content(1000);
  hub.files["model-2.safetensors"] = test::made_up_content(2000);
  hub.files["model-3.safetensors"] = test::made_up_content(3000);
  const test::TempDir cache;
  test::Notes notes;
  const hub::Pulled pulled = hub::pull(kRepo, {}, hub.settings(cache), notes);
  REQUIRE(names(pulled) == std::vector<std::string>{"config.json", "model.safetensors.index.json",
                                                    "model-1.safetensors", "model-2.safetensors"});
  REQUIRE(hub::find_cached(kRepo, hub.settings(cache)));
  fs::remove(pulled.path / "model-2.safetensors");
  REQUIRE_FALSE(hub::find_cached(kRepo, hub.settings(cache)));
}

TEST_CASE("so are those of an index of PyTorch files, where there is nothing better") {
  test::FakeHub hub;
  hub.files["pytorch_model.bin.index.json"] =
      R"({"weight_map": {"a": "pytorch_model-1.bin", "b": "pytorch_model-2.bin"}})";
  for (const char* name : {"pytorch_model-1.bin", "pytorch_model-2.bin", "training_args.bin"})
    hub.files[name] = test::made_up_content(1000);
  const test::TempDir cache, other_cache;
  test::Notes notes;
  CHECK(names(hub::pull(kRepo, {}, hub.settings(other_cache), notes)).back() ==
        "model.safetensors");

  hub.files.erase("model.safetensors");
  const hub::Pulled pulled = hub::pull(kRepo, {}, hub.settings(cache), notes);
  CHECK(names(pulled) == std::vector<std::string>{"config.json", "pytorch_model.bin.index.json",
                                                  "pytorch_model-1.bin", "pytorch_model-2.bin"});
  CHECK(vit::find_weights(pulled.path) == pulled.path / "pytorch_model.bin.index.json");
  CHECK(hub::find_cached(kRepo, hub.settings(cache)));
}

TEST_CASE("a part of a model or all of it can be asked for") {
  test::FakeHub hub;
  hub.files["onnx/deep/model.onnx"] = test::made_up_content(100);
  const test::TempDir cache;
  test::Notes notes;
  hub::Selection selection;
  selection.include = {"*.md", "onnx/*"};
  const hub::Pulled part = hub::pull(kRepo, selection, hub.settings(cache), notes);
  REQUIRE(names(part) == std::vector<std::string>{"README.md", "onnx/deep/model.onnx"});
  REQUIRE(fs::read_symlink(part.path / "onnx/deep/model.onnx")
              .string()
              .starts_with("../../../../blobs/"));
  REQUIRE(test::read_text(part.path / "onnx/deep/model.onnx") == hub.files["onnx/deep/model.onnx"]);

  hub::Selection all;
  all.all = true;
  REQUIRE(hub::pull(kRepo, all, hub.settings(cache), notes).files.size() == 4);

  selection.include = {"*.gguf"};
  REQUIRE_THROWS_WITH(
      hub::pull(kRepo, selection, hub.settings(cache), notes),
      ContainsSubstring("no file matches *.gguf") && ContainsSubstring("model.safetensors"));
}

TEST_CASE("offline nothing leaves the machine") {
  test::FakeHub hub;
  const test::TempDir cache;
  test::Notes notes;
  hub::Settings offline = hub.settings(cache);
  offline.offline = true;
  REQUIRE_THROWS_WITH(hub::pull(kRepo, {}, offline, notes), ContainsSubstring("HF_HUB_OFFLINE"));
  REQUIRE(hub.request_count() == 0);
  hub::pull(kRepo, {}, hub.settings(cache), notes);
  const std::size_t before = hub.request_count();
  const hub::Pulled pulled = hub::pull(kRepo, {}, offline, notes);
  REQUIRE(names(pulled) == std::vector<std::string>{"config.json", "model.safetensors"});
  REQUIRE(hub.request_count() == before);
  REQUIRE_THROWS_AS(hub::pull({"org/model", "v2"}, {}, offline, notes), vit::Error);
}

TEST_CASE("without a hub the cache will do") {
  const test::TempDir cache;
  test::Notes notes;
  hub::Settings settings;
  {
    test::FakeHub hub;
    settings = hub.settings(cache);
    hub::pull(kRepo, {}, settings, notes);
  }
  const hub::Pulled pulled = hub::pull(kRepo, {}, settings, notes);
  REQUIRE(pulled.commit == test::kCommit);
  REQUIRE_THAT(notes.text(), ContainsSubstring("using the cached"));
  REQUIRE_THROWS_WITH(
      hub::pull({"org/other"}, {}, settings, notes),
      ContainsSubstring(settings.endpoint) && ContainsSubstring("check the network"));
}

TEST_CASE("a snapshot counts as complete only if nothing it could have is missing") {
  test::FakeHub hub;
  const test::TempDir cache;
  test::Notes notes;
  REQUIRE_FALSE(hub::find_cached(kRepo, hub.settings(cache)));
  hub::Selection weights;
  weights.include = {"model.safetensors"};
  hub::pull(kRepo, weights, hub.settings(cache), notes);
  REQUIRE_FALSE(hub::find_cached(kRepo, hub.settings(cache)));
  hub::pull(kRepo, {}, hub.settings(cache), notes);
  REQUIRE(hub::find_cached(kRepo, hub.settings(cache)));
}

namespace {

// Knows whether a pull waits for another one.
class WaitingNotes : public test::Notes {
 public:
  explicit WaitingNotes(std::atomic<bool>& waits) : waits_(waits) {}
  void note(const std::string& text) override {
    test::Notes::note(text);
    if (text.find("another process") == text.npos) return;
    waits_ = true;
    waits_.notify_all();
  }

 private:
  std::atomic<bool>& waits_;
};

}  // namespace

TEST_CASE("two pulls at once download everything once") {
  test::FakeHub hub;
  std::atomic<bool> waits = false;
  hub.blob_fault = [&](const test::HttpRequest& request) {
    waits.wait(false);  // for the other pull to wait for this one
    return hub.blob_reply(request);
  };
  const test::TempDir cache;
  WaitingNotes notes[2] = {WaitingNotes(waits), WaitingNotes(waits)};
  const auto pull = [&](test::Notes& mine) {
    return hub::pull(kRepo, {}, hub.settings(cache), mine);
  };
  auto other = std::async(std::launch::async, [&] { return pull(notes[1]); });
  const hub::Pulled pulled = pull(notes[0]);
  REQUIRE(other.get().path == pulled.path);
  REQUIRE(hub.blobs().requests().size() == 1);
  REQUIRE_THAT(notes[0].text() + notes[1].text(), ContainsSubstring("another process"));
  REQUIRE(test::read_text(pulled.path / "model.safetensors") == hub.files["model.safetensors"]);
}

TEST_CASE("file systems without links get the files themselves") {
  test::FakeHub hub;
  const test::TempDir cache;
  test::Notes notes;
  hub::Settings settings = hub.settings(cache);
  settings.symlinks = false;
  const hub::Pulled pulled = hub::pull(kRepo, {}, settings, notes);
  REQUIRE_FALSE(fs::is_symlink(pulled.path / "config.json"));
  REQUIRE(test::read_text(pulled.path / "model.safetensors") == hub.files["model.safetensors"]);
  REQUIRE(hub::find_cached(kRepo, settings));
}

TEST_CASE("a mirror without listings is asked for the usual names") {
  test::FakeHub hub;
  hub.hub_fault = [](const test::HttpRequest& request) -> std::optional<test::HttpReply> {
    if (request.target.starts_with("/api/")) return test::HttpReply{.status = 404};
    return std::nullopt;
  };
  const test::TempDir cache;
  test::Notes notes;
  const hub::Pulled pulled = hub::pull(kRepo, {}, hub.settings(cache), notes);
  REQUIRE(names(pulled) == std::vector<std::string>{"config.json", "model.safetensors"});
  REQUIRE_THROWS_WITH(hub::pull({"org/other"}, {}, hub.settings(cache), notes),
                      ContainsSubstring("not found"));
}

TEST_CASE("a model that moved is followed") {
  test::FakeHub hub;
  hub.hub_fault = [](const test::HttpRequest& request) -> std::optional<test::HttpReply> {
    const std::size_t old = request.target.find("/old/name/");
    if (old == std::string::npos) return std::nullopt;
    std::string target = request.target;
    target.replace(old, std::string("/old/name/").size(), "/org/model/");
    return test::HttpReply{.status = 307, .headers = {{"Location", target}}};
  };
  const test::TempDir cache;
  test::Notes notes;
  const hub::Pulled pulled = hub::pull({"old/name"}, {}, hub.settings(cache), notes);
  REQUIRE(pulled.path == cache / "models--old--name/snapshots" / test::kCommit);
  for (const auto& request : hub.hub().requests())
    REQUIRE(request.header("authorization") == "Bearer hf_secret");
}

TEST_CASE("small files that the hub redirects to itself keep their ETag") {
  test::FakeHub hub;
  hub.hub_fault = [&](const test::HttpRequest& request) -> std::optional<test::HttpReply> {
    const std::string& config = hub.files["config.json"];
    if (request.target == "/cached/config")
      return test::HttpReply{.headers = {{"ETag", "W/\"" + test::git_sha1(config) + "\""},
                                         {"X-Repo-Commit", test::kCommit}},
                             .body = config};
    if (!request.target.ends_with("config.json")) return std::nullopt;
    return test::HttpReply{.status = 307, .headers = {{"Location", "/cached/config"}}};
  };
  const test::TempDir cache;
  test::Notes notes;
  const hub::Pulled pulled = hub::pull(kRepo, {}, hub.settings(cache), notes);
  REQUIRE(fs::read_symlink(pulled.path / "config.json").filename() ==
          test::git_sha1(hub.files["config.json"]));
  REQUIRE(count(hub.hub().requests(), "HEAD") == 3);  // config.json twice, the weights once
}
