#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cxxopts {
class ParseResult;
}

namespace cli {

class Arguments;

/// What a command accepts: it reads command lines (by cxxopts) and writes the help text from the
/// same list.
class Options {
 public:
  /// `usage` is what stands after the command's name, such as "[options] FILES...". Words that are
  /// no options are refused unless `takes_files`. There is always a flag "help" (-h).
  Options(std::string command, std::string usage, std::string summary, bool takes_files = false);

  /// Title above the options that follow.
  Options& group(std::string title);

  /// An option `--name VALUE`. `preset` is its value when it is not given.
  Options& value(std::string name, std::string placeholder, std::string help,
                 std::string preset = "");

  /// An option without value.
  Options& flag(std::string name, std::string help);

  Options& example(std::string command, std::string meaning);

  const std::string& command() const { return command_; }

  /// Whether there is an option or flag of that name.
  bool has(const std::string& name) const;

  /// "--name VALUE", "--name=VALUE", "-n VALUE" for names of one letter, "--" before words that
  /// only look like options. The last of repeated options counts. Throws UsageError naming what is
  /// wrong.
  Arguments parse(const std::vector<std::string>& words) const;

  std::string help() const;

 private:
  struct Option {
    std::string group;
    std::string name;
    std::string placeholder;  // empty for a flag
    std::string help;
    std::string preset;
  };
  struct Example {
    std::string command;
    std::string meaning;
  };
  void check_values(const std::vector<std::string>& words) const;
  Arguments collect(const cxxopts::ParseResult& parsed,
                    const std::vector<std::string>& words) const;

  std::string command_;
  std::string usage_;
  std::string summary_;
  bool takes_files_;
  std::vector<Option> options_;
  std::string group_;
  std::vector<Example> examples_;
};

/// A command line that Options has read. Asking for a name that Options lacks throws
/// std::out_of_range.
class Arguments {
 public:
  /// Given on the command line.
  bool has(const std::string& name) const;

  /// The value given, or the preset.
  const std::string& text(const std::string& name) const;

  /// Throw UsageError that shows the value and what is expected.
  int64_t integer(const std::string& name, int64_t low, int64_t high) const;
  double number(const std::string& name, double low, double high) const;
  const std::string& choice(const std::string& name, const std::vector<std::string>& choices) const;

  /// Whole numbers between commas: at least one, none twice.
  std::vector<int64_t> integers(const std::string& name, int64_t low, int64_t high) const;

  /// Words that are no options, in their order.
  const std::vector<std::string>& files() const { return files_; }

  /// The command line as it was given, with the command's name, quoted for a shell.
  const std::string& command_line() const { return command_line_; }

 private:
  friend class Options;
  struct Value {
    std::string text;
    bool given = false;
  };
  std::map<std::string, Value> values_;
  std::vector<std::string> files_;
  std::string command_line_;
};

}  // namespace cli
