// Malformed, malicious and odd files: tests/data/hostile/manifest.json says what must become of
// each: an error, exactly these tensors, or either of the two.
#include "tests/support/catch.h"
#include "tests/support/check_same.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <algorithm>
#include <ctime>
#include <fstream>
#include <functional>
#include <optional>
#include <stdlib.h>
#include <string>
#include <sys/resource.h>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/load.h>
#include <vit/weights/files/read.h>
#include <vit/weights/files/safetensors.h>

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kCanLimitMemory = false;  // its shadow memory needs the whole address space
#else
constexpr bool kCanLimitMemory = true;
#endif

namespace {

/// While it lives, whoever asks for more than `bytes` of new memory gets std::bad_alloc.
class MemoryLimit {
 public:
  explicit MemoryLimit(int64_t bytes) {
    getrlimit(RLIMIT_AS, &before_);
    rlimit limit = before_;
    int64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    limit.rlim_cur = static_cast<rlim_t>(pages * 4096 + bytes);
    if (kCanLimitMemory) setrlimit(RLIMIT_AS, &limit);
  }
  ~MemoryLimit() { setrlimit(RLIMIT_AS, &before_); }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

 private:
  rlimit before_{};
};

/// While it lives, $TMPDIR is this folder.
class TemporaryFolderVariable {
 public:
  explicit TemporaryFolderVariable(const std::filesystem::path& folder) {
    if (const char* value = getenv(kName)) before_ = value;
    setenv(kName, folder.c_str(), 1);
  }
  ~TemporaryFolderVariable() { before_ ? setenv(kName, before_->c_str(), 1) : unsetenv(kName); }
  TemporaryFolderVariable(const TemporaryFolderVariable&) = delete;
  TemporaryFolderVariable& operator=(const TemporaryFolderVariable&) = delete;

 private:
  static constexpr const char* kName = "TMPDIR";
  std::optional<std::string> before_;
};

using Reader = std::function<vit::StateDict(const std::filesystem::path&)>;

/// Runs one case. `compare` gets what was read and the path of the expected tensors.
template <typename Read, typename Compare>
void run_case(const nlohmann::json& entry, Read read, Compare compare) {
  const std::string file = entry.at("file");
  const std::string expect = entry.at("expect");
  INFO(file << ": " << entry.at("why").get<std::string>());
  const auto path = test::data("hostile") / file;
  const std::clock_t start = std::clock();  // CPU time, so that a busy machine does not count
  std::string error;
  try {
    const auto limits = entry.value("must_not", std::vector<std::string>{});
    const bool small = std::count(limits.begin(), limits.end(), "allocate > 64 MB") > 0;
    const MemoryLimit limit(int64_t{small ? 64 : 1024} << 20);
    auto result = read(path);
    if (expect == "error") FAIL_CHECK("is read without an error");
    compare(result, test::data("hostile") / entry.at("expected").get<std::string>());
  } catch (const vit::Error& e) {
    error = e.what();
  }
  INFO("error: " << error);
  if (expect == "load") CHECK(error == "");
  if (!error.empty()) {
    // It names the file, or with an index the shard, which lies beside it, and says more than that.
    const bool index = entry.at("reader") == "safetensors_index";
    const std::string name = (index ? path.parent_path() : path).string();
    CHECK(error.starts_with(name));
    CHECK(error.size() > name.size() + 20);
    CHECK(error.size() < name.size() + 500);
  }
  CHECK((std::clock() - start) / CLOCKS_PER_SEC < 5);
}

/// Calls `run` for every case of a reader; there must be `count` of them.
template <typename Run>
void for_each_case(const std::string& reader, size_t count, Run run) {
  size_t seen = 0;
  for (const auto& entry : test::read_json(test::data("hostile/manifest.json"))) {
    if (entry.at("reader") != reader) continue;
    ++seen;
    run(entry);
  }
  CHECK(seen == count);
}

void check_tensor_reader(const std::string& reader, size_t count, const Reader& read) {
  for_each_case(reader, count, [&](const nlohmann::json& entry) {
    run_case(entry, read, [](const vit::StateDict& got, const std::filesystem::path& expected) {
      test::check_same(got, vit::read_safetensors(expected));
    });
  });
}

vit::StateDict read_any(const std::filesystem::path& path) { return vit::read_weights(path); }

}  // namespace

TEST_CASE("hostile safetensors files are refused, odd ones read bit for bit") {
  check_tensor_reader("safetensors", 47, vit::read_safetensors);
}

TEST_CASE("hostile shard indices are refused, odd ones read bit for bit") {
  check_tensor_reader("safetensors_index", 19, vit::read_safetensors_index);
}

TEST_CASE("hostile PyTorch checkpoints are refused, odd ones read bit for bit") {
  // The harmful ones leave a file PWNED here if anything in them is executed.
  const test::TempDir folder;
  const TemporaryFolderVariable variable(folder.path());
  check_tensor_reader("torch", 122, read_any);
  CHECK(std::filesystem::is_empty(folder.path()));
  CHECK(!std::filesystem::exists("PWNED"));
}

TEST_CASE("hostile NumPy archives are refused, odd ones read bit for bit") {
  check_tensor_reader("npz", 34, read_any);
}

TEST_CASE("hostile model folders are refused, odd ones give the right logits") {
  for_each_case("model_dir", 58, [](const nlohmann::json& entry) {
    run_case(
        entry, [](const std::filesystem::path& path) { return vit::load(path); },
        [](const vit::VisionTransformer& model, const std::filesystem::path& expected) {
          const auto tensors = vit::read_safetensors(expected);
          CHECK(test::max_difference(model->forward(tensors.at("input")), tensors.at("logits")) <
                1e-4);
        });
  });
}
