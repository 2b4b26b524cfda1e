#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include <eval/records.h>

namespace eval {

/// The file from which an interrupted evaluation goes on.
class StateFile {
 public:
  /// `job` is a JSON object of all that the numbers depend on: a file of another job is refused.
  StateFile(std::filesystem::path path, std::string job);

  /// Takes over what the file has; false if there is none. Throws base::Error if it belongs to
  /// another job, saying what differs, or is damaged.
  bool load(Records& records) const;

  /// Replaces the file as a whole: whenever the program ends, there is the old one or the new one.
  void save(const Records& records) const;

  /// When the work is done.
  void remove() const;

 private:
  void check_job(const std::string& text) const;

  std::filesystem::path path_;
  std::string job_;
};

/// Reasons by picture as JSON, and back again. The latter throws base::Error that begins with
/// `where`.
std::string failures_text(const std::map<int64_t, std::string>& failures);
std::map<int64_t, std::string> parse_failures(const std::string& text, int64_t pictures,
                                              const std::string& where);

/// A short text that differs where files do: their names, sizes and times of change. Of a folder
/// those of its files.
std::string file_fingerprint(const std::filesystem::path& path);

}  // namespace eval
