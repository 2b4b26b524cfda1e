#include "tests/cli/process.h"
#include "tests/hub/fake_hub.h"
#include "tests/support/catch.h"

#include <atomic>
#include <csignal>
#include <fstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/error.h>
#include <hub/http.h>
#include <hub/pull.h>

namespace fs = std::filesystem;
using Catch::ContainsSubstring;

namespace {

const hub::Repo kRepo{"org/model"};

// A hub, a cache, and what became of a pull.
struct Scene {
  test::FakeHub hub;
  test::TempDir cache;
  test::Notes notes;
  hub::Settings settings = hub.settings(cache);

  hub::Pulled pull() { return hub::pull(kRepo, {}, settings, notes); }
  const std::string& weights() { return hub.files["model.safetensors"]; }
  fs::path partial() {
    return cache / ("models--org--model/blobs/" + test::sha256(weights()) + ".incomplete");
  }
  fs::path blob() { return cache / ("models--org--model/blobs/" + test::sha256(weights())); }

  void check_complete(const hub::Pulled& pulled) {
    REQUIRE(test::read_text(pulled.path / "model.safetensors") == weights());
    REQUIRE_FALSE(fs::exists(partial()));
  }
  void leave_partial(const std::string& content) {
    fs::create_directories(partial().parent_path());
    std::ofstream(partial(), std::ios::binary) << content;
  }
  std::vector<std::string> ranges() {
    std::vector<std::string> list;
    for (const auto& request : hub.blobs().requests()) list.push_back(request.header("range"));
    return list;
  }
  // The first `times` requests for listings get that answer.
  void fail_listings(test::HttpReply reply, int times) {
    hub.hub_fault = [reply, left = std::make_shared<std::atomic<int>>(times)](
                        const test::HttpRequest& request) -> std::optional<test::HttpReply> {
      if (request.target.starts_with("/api/") && (*left)-- > 0) return reply;
      return std::nullopt;
    };
  }
};

using Ranges = std::vector<std::string>;

}  // namespace

TEST_CASE("a download that is cut goes on where it stopped") {
  Scene scene;
  std::atomic<int> requests = 0;
  scene.hub.blob_fault = [&](const test::HttpRequest& request) {
    test::HttpReply reply = scene.hub.blob_reply(request);
    if (requests++ < 2) reply.cut_after = 100'000;
    return reply;
  };
  const hub::Pulled pulled = scene.pull();
  scene.check_complete(pulled);
  REQUIRE(scene.ranges() == Ranges{"", "bytes=100000-", "bytes=200000-"});
  REQUIRE(scene.notes.done() == scene.notes.total());
}

TEST_CASE("what an earlier run left is not downloaded again") {
  Scene scene;
  scene.leave_partial(scene.weights().substr(0, 123'456));
  scene.check_complete(scene.pull());
  REQUIRE(scene.ranges() == Ranges{"bytes=123456-"});

  Scene complete;  // but for its name
  complete.leave_partial(complete.weights());
  complete.check_complete(complete.pull());
  REQUIRE(complete.ranges().empty());
}

TEST_CASE("an earlier run's part that is wrong is downloaded again") {
  Scene damaged;
  damaged.leave_partial(std::string(50'000, 'x'));
  damaged.check_complete(damaged.pull());
  REQUIRE(damaged.ranges() == Ranges{"bytes=50000-", ""});
  REQUIRE_THAT(damaged.notes.text(), ContainsSubstring("damaged"));

  Scene longer;
  longer.leave_partial(longer.weights() + "more");
  longer.check_complete(longer.pull());
  REQUIRE(longer.ranges() == Ranges{""});
}

TEST_CASE("servers that do not understand ranges start again") {
  Scene ignores;
  ignores.leave_partial(ignores.weights().substr(0, 1000));
  ignores.hub.blob_fault = [&](test::HttpRequest request) {
    request.headers.erase("range");
    return ignores.hub.blob_reply(request);
  };
  ignores.check_complete(ignores.pull());
  REQUIRE(ignores.notes.done() == ignores.notes.total());

  Scene refuses;
  refuses.leave_partial(refuses.weights().substr(0, 1000));
  refuses.hub.blob_fault = [&](const test::HttpRequest& request) {
    return request.headers.contains("range") ? test::HttpReply{.status = 416}
                                             : refuses.hub.blob_reply(request);
  };
  refuses.check_complete(refuses.pull());

  Scene other_part;
  other_part.leave_partial(other_part.weights().substr(0, 1000));
  other_part.hub.blob_fault = [&](const test::HttpRequest& request) {
    test::HttpReply reply = other_part.hub.blob_reply(request);
    if (reply.status == 206) reply.headers["Content-Range"] = "bytes 7-299999/300000";
    return reply;
  };
  other_part.check_complete(other_part.pull());
}

TEST_CASE("content with another checksum never gets into the cache") {
  Scene scene;
  scene.hub.blob_fault = [&](const test::HttpRequest& request) {
    test::HttpReply reply = scene.hub.blob_reply(request);
    reply.body[1234] ^= 1;
    return reply;
  };
  REQUIRE_THROWS_WITH(scene.pull(),
                      ContainsSubstring("model.safetensors") && ContainsSubstring("checksum"));
  REQUIRE_FALSE(fs::exists(scene.blob()));
  REQUIRE_FALSE(fs::exists(scene.partial()));
  REQUIRE(scene.ranges().size() == 2);
  REQUIRE_FALSE(fs::exists(scene.cache / "models--org--model/refs/main"));

  Scene small;
  small.hub.hub_fault = [&](const test::HttpRequest& request) -> std::optional<test::HttpReply> {
    if (request.method != "GET" || !request.target.ends_with("config.json")) return std::nullopt;
    return test::HttpReply{.body = std::string(small.hub.files["config.json"].size(), ' ')};
  };
  REQUIRE_THROWS_WITH(small.pull(),
                      ContainsSubstring("config.json") && ContainsSubstring("checksum"));
}

TEST_CASE("content of another size is refused") {
  Scene shorter;
  shorter.hub.blob_fault = [&](const test::HttpRequest&) {
    return test::HttpReply{.body = shorter.weights().substr(0, 1000)};
  };
  REQUIRE_THROWS_WITH(shorter.pull(), ContainsSubstring("300000") && ContainsSubstring("1000"));

  Scene longer;
  longer.hub.blob_fault = [&](const test::HttpRequest&) {
    return test::HttpReply{.body = longer.weights() + "more", .announce_length = false};
  };
  REQUIRE_THROWS_WITH(longer.pull(), ContainsSubstring("more than the 300000 bytes"));
  REQUIRE_FALSE(fs::exists(longer.blob()));

  Scene unannounced;  // and too short, so that only the end of the connection tells
  unannounced.hub.blob_fault = [&](const test::HttpRequest& request) {
    test::HttpReply reply = unannounced.hub.blob_reply(request);
    reply.announce_length = false;
    if (reply.status == 200) reply.cut_after = 1000;
    return reply;
  };
  unannounced.check_complete(unannounced.pull());
  REQUIRE(unannounced.ranges() == Ranges{"", "bytes=1000-"});
}

TEST_CASE("a server that is busy is asked again") {
  Scene scene;
  scene.fail_listings({.status = 503}, 2);
  scene.check_complete(scene.pull());
  REQUIRE_THAT(scene.notes.text(), ContainsSubstring("HTTP 503"));

  Scene limited;
  limited.fail_listings({.status = 429, .headers = {{"Retry-After", "1"}}}, 1);
  auto start = std::chrono::steady_clock::now();
  limited.check_complete(limited.pull());
  REQUIRE(std::chrono::steady_clock::now() - start >= std::chrono::seconds(1));

  Scene header;
  header.fail_listings({.status = 429, .headers = {{"RateLimit", "\"api\";r=0;t=1"}}}, 1);
  start = std::chrono::steady_clock::now();
  header.check_complete(header.pull());
  REQUIRE(std::chrono::steady_clock::now() - start >= std::chrono::seconds(1));

  Scene storage;
  std::atomic<int> requests = 0;
  storage.hub.blob_fault = [&](const test::HttpRequest& request) {
    return requests++ < 3 ? test::HttpReply{.status = 500} : storage.hub.blob_reply(request);
  };
  storage.check_complete(storage.pull());
}

TEST_CASE("a server that stays busy is given up on") {
  Scene broken;
  broken.fail_listings({.status = 500, .body = std::string(3 << 20, 'x')}, 1000);
  REQUIRE_THROWS_WITH(broken.pull(), ContainsSubstring("HTTP 500"));
  REQUIRE(broken.hub.request_count() == 5);

  Scene limited;
  limited.fail_listings({.status = 429, .headers = {{"Retry-After", "86400"}}}, 1000);
  REQUIRE_THROWS_WITH(limited.pull(), ContainsSubstring("no more requests"));
  REQUIRE(limited.hub.request_count() == 1);

  Scene cut;
  cut.hub.blob_fault = [](const test::HttpRequest&) {
    return test::HttpReply{.raw = "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n"};
  };
  REQUIRE_THROWS_AS(cut.pull(), base::Error);
  REQUIRE(cut.ranges().size() == 5);
}

namespace {

// A second is soon over for the others, too, on a busy machine: the scene is patient with them.
void cut_soon(Scene& scene) {
  scene.settings.stall_timeout = std::chrono::seconds(1);
  scene.settings.attempts = 1000;
}

}  // namespace

TEST_CASE("a connection that goes silent is cut and goes on") {
  Scene scene;
  cut_soon(scene);
  std::atomic<int> requests = 0;
  scene.hub.blob_fault = [&](const test::HttpRequest& request) {
    test::HttpReply reply = scene.hub.blob_reply(request);
    if (requests++ == 0) reply.stall_after = 50'000;
    return reply;
  };
  scene.check_complete(scene.pull());
  const Ranges ranges = scene.ranges();
  REQUIRE(ranges.size() >= 2);
  REQUIRE(ranges[0].empty());
  REQUIRE(ranges[1].starts_with("bytes="));
}

TEST_CASE("a connection that is too slow is cut, and what came is kept") {
  Scene scene;
  cut_soon(scene);
  scene.settings.lowest_rate = 1'000'000'000;  // nothing is as fast as that for a second
  std::atomic<int> requests = 0;
  scene.hub.blob_fault = [&](const test::HttpRequest& request) {
    test::HttpReply reply = scene.hub.blob_reply(request);
    // Would take five minutes.
    if (requests++ == 0) reply.pause = std::chrono::seconds(16);
    return reply;
  };
  scene.check_complete(scene.pull());
  const Ranges ranges = scene.ranges();
  REQUIRE(ranges.size() >= 2);
  REQUIRE(ranges[1].starts_with("bytes="));
  REQUIRE_THAT(scene.notes.text(), ContainsSubstring("trying again"));
}

TEST_CASE("headers without end are an error that says so") {
  std::string lines = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; lines.size() < 2'000'000; ++i)
    lines += "X-Header-" + std::to_string(i) + ": " + std::string(1000, 'x') + "\r\n";
  for (const std::string& raw :
       {lines, "HTTP/1.1 200 OK\r\nX-Long: " + std::string(2'000'000, 'x')}) {
    Scene scene;
    scene.fail_listings({.raw = raw}, 1000);
    REQUIRE_THROWS_WITH(scene.pull(), ContainsSubstring(scene.settings.endpoint) &&
                                          ContainsSubstring("headers of its answer do not end"));
    REQUIRE(scene.hub.request_count() == 1);
    Scene blob;
    blob.hub.blob_fault = [&](const test::HttpRequest&) { return test::HttpReply{.raw = raw}; };
    REQUIRE_THROWS_WITH(blob.pull(), ContainsSubstring("headers of its answer do not end"));
  }
}

TEST_CASE("refusals say what to do") {
  struct Case {
    test::HttpReply reply;
    std::vector<std::string> words;
    bool with_token;
  };
  const std::vector<Case> cases = {
      {{.status = 401, .headers = {{"X-Error-Code", "GatedRepo"}}},
       {"gated", "accept its terms", "HF_TOKEN"},
       false},
      {{.status = 403, .headers = {{"X-Error-Code", "GatedRepo"}}}, {"accept its terms"}, true},
      {{.status = 401}, {"not found", "HF_TOKEN"}, false},
      {{.status = 401, .headers = {{"X-Error-Message", "Invalid\x1b[31m credentials"}}},
       {"refused the access token: Invalid?[31m credentials"},
       true},
      {{.status = 403}, {"denies access"}, true},
      {{.status = 404, .headers = {{"X-Error-Code", "RepoNotFound"}}}, {"not found", "name"}, true},
      {{.status = 404, .headers = {{"X-Error-Code", "RevisionNotFound"}}},
       {"no revision 'main'"},
       true},
      {{.status = 418}, {"HTTP 418"}, true},
  };
  for (const Case& one : cases) {
    Scene scene;
    if (!one.with_token) scene.settings.token.clear();
    scene.fail_listings(one.reply, 1000);
    for (const std::string& word : one.words)
      REQUIRE_THROWS_WITH(scene.pull(), ContainsSubstring("org/model") && ContainsSubstring(word));
    REQUIRE(scene.hub.request_count() == one.words.size());
  }
  Scene file;
  file.hub.hub_fault = [](const test::HttpRequest& request) -> std::optional<test::HttpReply> {
    if (request.target.starts_with("/api/")) return std::nullopt;
    return test::HttpReply{.status = 404, .headers = {{"X-Error-Code", "EntryNotFound"}}};
  };
  REQUIRE_THROWS_WITH(file.pull(), ContainsSubstring("no file config.json"));
}

TEST_CASE("file names that lead out of the cache are refused") {
  for (const std::string name : {"../evil", "/etc/evil", "a/../../evil", "a//evil", "./evil", "",
                                 "a\\..\\evil", "evil\nname", "evil\x1b[2J", ".."}) {
    Scene scene;
    scene.hub.files[name] = "evil";
    REQUIRE_THROWS_WITH(scene.pull(), ContainsSubstring("outside of the cache"));
    REQUIRE(scene.hub.request_count() == 1);
    REQUIRE(fs::is_empty(scene.cache.path()));
  }
  Scene shard;
  shard.hub.files.erase("model.safetensors");
  shard.hub.files["model.safetensors.index.json"] = R"({"weight_map": {"a": "../../../evil"}})";
  REQUIRE_THROWS_WITH(shard.pull(), ContainsSubstring("in the folder of the index"));
}

TEST_CASE("names that a server makes up do not become paths") {
  for (const std::string name : {"../../evil", "/evil", ".hidden", "a/b", ""}) {
    Scene etag;
    etag.hub.hub_fault = [=](const test::HttpRequest& request) -> std::optional<test::HttpReply> {
      if (request.target.starts_with("/api/")) return std::nullopt;
      return test::HttpReply{
          .headers = {{"ETag", "\"" + name + "\""}, {"X-Repo-Commit", test::kCommit}}};
    };
    REQUIRE_THROWS_WITH(etag.pull(), ContainsSubstring("ETag"));
    Scene commit;
    commit.fail_listings({.body = R"({"sha": ")" + name + R"(", "siblings": []})"}, 1000);
    REQUIRE_THROWS_WITH(commit.pull(), ContainsSubstring("commit"));
  }
}

TEST_CASE("answers that make no sense are errors") {
  const std::vector<test::HttpReply> replies = {
      {.body = "<html>Please log in to the network</html>"},
      {.body = "{}"},
      {.body = R"({"sha": "0123456789abcdef0123456789abcdef01234567"})"},
      {.body = R"({"sha": "0123456789abcdef0123456789abcdef01234567", "siblings": [{}]})"},
      {.body = R"({"sha": "0123456789abcdef0123456789abcdef01234567", "siblings": []})"},
      {.body = R"({"sha": "012345)"},
      {.body = std::string(200'000, '[')},
      {.body = std::string(40 << 20, ' ')},
      {.status = 302, .headers = {{"Location", "/api/models/org/model/revision/main"}}},
      {.status = 302, .headers = {{"Location", "file:///etc/passwd"}}},
      {.raw = "SSH-2.0-OpenSSH_9.2\r\n"},
      {.raw = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n{}"},
  };
  for (const test::HttpReply& reply : replies) {
    Scene scene;
    scene.fail_listings(reply, 1000);
    REQUIRE_THROWS_AS(scene.pull(), base::Error);
  }
}

TEST_CASE("another host never gets the token, nor does it get it back") {
  Scene scene;
  test::HttpServer elsewhere([&](const test::HttpRequest& request) {
    return test::HttpReply{.status = 307,
                           .headers = {{"Location", scene.hub.hub().url() + request.target}}};
  });
  std::atomic<bool> first = true;
  scene.hub.hub_fault = [&](const test::HttpRequest& request) -> std::optional<test::HttpReply> {
    if (!request.target.starts_with("/api/") || !first.exchange(false)) return std::nullopt;
    return test::HttpReply{.status = 307,
                           .headers = {{"Location", elsewhere.url() + request.target}}};
  };
  scene.check_complete(scene.pull());
  REQUIRE(elsewhere.requests().size() == 1);
  REQUIRE(elsewhere.requests()[0].headers.count("authorization") == 0);
  REQUIRE(scene.hub.hub().requests()[1].headers.count("authorization") == 0);
}

TEST_CASE("a download can be stopped and goes on later") {
  Scene scene;
  scene.notes.cancel_at = 100'000;
  scene.hub.blob_fault = [&](const test::HttpRequest& request) {
    test::HttpReply reply = scene.hub.blob_reply(request);
    // Not all of it before it is stopped.
    if (scene.notes.cancel_at < UINT64_MAX) reply.stall_after = 150'000;
    return reply;
  };
  REQUIRE_THROWS_AS(scene.pull(), hub::Interrupted);
  const uint64_t kept = fs::file_size(scene.partial());
  REQUIRE(kept > 0);
  REQUIRE(kept < scene.weights().size());
  scene.notes.cancel_at = UINT64_MAX;
  const hub::Pulled pulled = scene.pull();
  scene.check_complete(pulled);
  REQUIRE(scene.ranges().back() == "bytes=" + std::to_string(kept) + "-");
  REQUIRE(pulled.downloaded == scene.weights().size() - kept);
}

TEST_CASE("a full disk is an error that can be recovered from") {
  Scene scene;
  // In a process of its own, as the limit cannot be raised again.
  const pid_t child = fork();
  if (child == 0) {
    const rlimit limit{200'000, 200'000};
    std::signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    std::string message;
    try {
      scene.pull();
    } catch (const base::Error& error) {
      message = error.what();
    }
    const bool good = message.find("cannot write model.safetensors") != std::string::npos &&
                      message.find("too large") != std::string::npos;
    _exit(good ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  REQUIRE(fs::file_size(scene.partial()) == 200'000);
  scene.check_complete(scene.pull());
  REQUIRE(scene.ranges() == Ranges{"", "bytes=200000-"});
}

TEST_CASE("a cache that cannot be written to is named") {
  Scene scene;
  std::ofstream(scene.cache / "file") << "no folder";
  scene.settings.cache = scene.cache / "file";
  REQUIRE_THROWS_WITH(scene.pull(), ContainsSubstring((scene.cache / "file").string()) &&
                                        ContainsSubstring("HF_HOME"));
}

TEST_CASE("more than the disk can hold is not even begun") {
  Scene scene;
  scene.hub.hub_fault = [&](const test::HttpRequest& request) -> std::optional<test::HttpReply> {
    if (request.method != "HEAD" || !request.target.ends_with(".safetensors")) return std::nullopt;
    return test::HttpReply{.status = 302,
                           .headers = {{"Location", "http://127.0.0.1:1/"},
                                       {"X-Repo-Commit", test::kCommit},
                                       {"X-Linked-Etag", test::sha256("")},
                                       {"X-Linked-Size", "9000000000000000000"}}};
  };
  REQUIRE_THROWS_WITH(scene.pull(),
                      ContainsSubstring("no space left") && ContainsSubstring("free"));
  REQUIRE(scene.hub.blobs().requests().empty());
}

TEST_CASE("a hub whose name is unknown is an error after a few attempts") {
  Scene scene;
  scene.settings.endpoint = "http://" + std::string(70, 'a');  // too long to even ask for
  REQUIRE_THROWS_WITH(scene.pull(), ContainsSubstring(scene.settings.endpoint) &&
                                        ContainsSubstring("check the network"));
}

TEST_CASE("what is not encrypted where it should be is an error, not a hang") {
  Scene scene;
  scene.settings.connect_timeout = std::chrono::seconds(1);
  scene.settings.endpoint = "https" + scene.hub.hub().url().substr(4);
  REQUIRE_THROWS_WITH(scene.pull(), ContainsSubstring(scene.settings.endpoint));
}
