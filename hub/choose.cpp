#include <algorithm>
#include <array>
#include <fnmatch.h>
#include <set>

#include <base/error.h>
#include <base/mapped_file.h>
#include <base/shard_index.h>
#include <base/text.h>
#include <hub/choose.h>
#include <hub/names.h>

namespace hub {
namespace fs = std::filesystem;
namespace {

constexpr uintmax_t kMaxIndex = 32 << 20;
constexpr std::size_t kMaxShards = 4096;

// The best first.
const std::vector<std::string> kWeights = {
    "model.safetensors", "model.safetensors.index.json", "open_clip_model.safetensors",
    "pytorch_model.bin", "pytorch_model.bin.index.json", "open_clip_pytorch_model.bin",
};
constexpr std::array<const char*, 5> kWeightSuffixes = {".safetensors", ".pth", ".pt", ".bin",
                                                        ".npz"};
// Files that training leaves beside the weights, without the suffix.
const std::set<std::string> kNoWeights = {"training_args", "optimizer", "scheduler", "scaler",
                                          "rng_state"};

bool contains(const std::vector<std::string>& files, const std::string& name) {
  return std::find(files.begin(), files.end(), name) != files.end();
}

bool matches_any(const std::string& file, const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), file.c_str(), 0) == 0;
  });
}

std::vector<std::string> with_suffix(const std::vector<std::string>& files,
                                     const std::string& suffix) {
  std::vector<std::string> found;
  for (const std::string& file : files) {
    if (!file.ends_with(suffix) || file.find('/') != std::string::npos) continue;
    if (!kNoWeights.contains(file.substr(0, file.size() - suffix.size()))) found.push_back(file);
  }
  return found;
}

// For messages: the files, but not thousands of them.
std::string listed(std::vector<std::string> files) {
  constexpr std::size_t kShown = 12;
  const bool more = files.size() > kShown;
  if (more) files.resize(kShown);
  return files.empty() ? "no files" : base::join(files, ", ") + (more ? ", ..." : "");
}

}  // namespace

const std::vector<std::string>& config_files() {
  static const std::vector<std::string> names = {
      "config.json", "open_clip_config.json", "preprocessor_config.json", "processor_config.json"};
  return names;
}

std::vector<std::string> common_files() {
  std::vector<std::string> names = config_files();
  names.insert(names.end(), kWeights.begin(), kWeights.end());
  return names;
}

std::optional<std::string> choose_weights(const std::vector<std::string>& files) {
  for (const std::string& name : kWeights)
    if (contains(files, name)) return name;
  for (const char* suffix : kWeightSuffixes) {
    const std::vector<std::string> found = with_suffix(files, suffix);
    if (found.size() == 1) return found.front();
    if (found.size() > 1) return std::nullopt;
  }
  return std::nullopt;
}

std::vector<std::string> choose(const std::vector<std::string>& files, const Selection& selection,
                                const std::string& where) {
  if (selection.all) return files;
  std::vector<std::string> chosen;
  if (!selection.include.empty()) {
    for (const std::string& file : files)
      if (matches_any(file, selection.include)) chosen.push_back(file);
    if (chosen.empty())
      base::fail(where, ": no file matches ", base::join(selection.include, ", "), "; it has ",
                 listed(files));
    return chosen;
  }
  for (const std::string& name : config_files())
    if (contains(files, name)) chosen.push_back(name);
  const std::optional<std::string> weights = choose_weights(files);
  if (!weights)
    base::fail(where, ": cannot tell which file holds the weights; it has ", listed(files),
               "; name them in ", base::Setting{"Selection::include"});
  chosen.push_back(*weights);
  return chosen;
}

bool is_index(const std::string& file) { return file.ends_with(".index.json"); }

std::vector<std::string> shards(const fs::path& index) {
  const auto file = base::MappedFile::open(index);
  if (file->size() > kMaxIndex) base::fail(index.string(), ": too large for an index of weights");
  std::vector<std::string> names;
  for (const auto& [name, tensors] : base::parse_shard_index(file->text(), index)) {
    check_file_name(name);
    names.push_back(name);
  }
  if (names.size() > kMaxShards)
    base::fail(index.string(), ": names more than ", kMaxShards, " files");
  return names;
}

}  // namespace hub
