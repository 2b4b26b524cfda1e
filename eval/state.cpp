#include "eval/state.h"

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include <base/error.h>
#include <base/fingerprint.h>
#include <base/json.h>
#include <base/json_text.h>
#include <vit/weights/files/safetensors.h>
#include <vit/weights/files/text_tensor.h>

namespace eval {
namespace fs = std::filesystem;
namespace {

constexpr const char* kJob = "job";
constexpr const char* kFailures = "failures";

std::string to_text(const vit::StateDict& tensors, const char* name, const std::string& where) {
  auto text = vit::text_of(tensors, name);
  if (!text)
    base::fail(where, ": no state of an evaluation; give ", base::Setting{"StateFile::path"},
               " another file");
  return std::move(*text);
}

}  // namespace

StateFile::StateFile(fs::path path, std::string job)
    : path_(std::move(path)), job_(std::move(job)) {}

void StateFile::check_job(const std::string& text) const {
  const std::string where = path_.string();
  const nlohmann::json before = base::parse_json(text, where);
  const nlohmann::json now = nlohmann::json::parse(job_);
  if (!before.is_object()) base::fail(where, ": no state of an evaluation; the file is damaged");
  for (const auto& [key, value] : now.items()) {
    const auto found = before.find(key);
    const nlohmann::json other = found == before.end() ? nlohmann::json() : *found;
    if (other != value)
      base::fail(where, ": belongs to another evaluation, its ", key, " is ", other.dump(),
                 ", not ", value.dump(),
                 "; give the same options again, or remove the file to begin anew");
  }
}

bool StateFile::load(Records& records) const {
  std::error_code fault;
  if (!fs::exists(path_, fault) && !fault) return false;
  const std::string where = path_.string();
  const vit::StateDict tensors = vit::read_safetensors(path_);
  check_job(to_text(tensors, kJob, where));
  auto failures = parse_failures(to_text(tensors, kFailures, where), records.pictures(), where);
  records.assign(tensors, std::move(failures), where);
  return true;
}

void StateFile::save(const Records& records) const {
  vit::StateDict tensors = records.tensors();
  tensors[kJob] = vit::text_tensor(job_);
  tensors[kFailures] = vit::text_tensor(failures_text(records.failures()));
  vit::write_safetensors(path_, tensors);
}

void StateFile::remove() const {
  std::error_code ignored;
  fs::remove(path_, ignored);
}

std::string failures_text(const std::map<int64_t, std::string>& failures) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [picture, reason] : failures) list.push_back({picture, reason});
  return base::json_text(list);
}

std::map<int64_t, std::string> parse_failures(const std::string& text, int64_t pictures,
                                              const std::string& where) {
  const nlohmann::json list = base::parse_json(text, where);
  std::map<int64_t, std::string> failures;
  for (const base::JsonNode& pair : base::JsonNode(list, where).elements()) {
    const auto parts = pair.elements();
    if (parts.size() != 2) pair.fail("expected a picture and a reason");
    failures[parts[0].integer(0, pictures - 1)] = parts[1].string();
  }
  return failures;
}

std::string file_fingerprint(const fs::path& path) {
  std::vector<fs::path> files;
  std::error_code fault;
  if (fs::is_directory(path, fault)) {
    fs::directory_iterator entry(path, fault);
    for (; !fault && entry != fs::directory_iterator(); entry.increment(fault))
      files.push_back(entry->path());
    std::sort(files.begin(), files.end());
  } else {
    files.push_back(path);
  }
  base::Fingerprint fingerprint;
  for (const fs::path& file : files) {
    std::error_code ignored;
    if (!fs::is_regular_file(file, ignored)) continue;
    fingerprint.add(file.filename().string());
    fingerprint.add(std::to_string(fs::file_size(file, ignored)));
    fingerprint.add(std::to_string(fs::last_write_time(file, ignored).time_since_epoch().count()));
  }
  return fingerprint.text();
}

}  // namespace eval
