#include <algorithm>
#include <utility>

// File names may hold commas: positional arguments are not to be split.
#define CXXOPTS_VECTOR_DELIMITER '\0'
#include <cxxopts.hpp>

#include <apps/cli/options.h>
#include <apps/cli/text.h>
#include <apps/cli/usage_error.h>
#include <base/text.h>

namespace cli {
namespace {

constexpr const char* kHelp = "help";
constexpr const char* kFiles = "files";
constexpr std::size_t kHelpWidth = 96;
constexpr std::size_t kHelpColumn = 26;

std::string indented(const std::string& text, std::size_t indent) {
  std::string lines;
  for (const std::string& line : wrap(text, kHelpWidth - indent))
    lines += std::string(indent, ' ') + line + '\n';
  return lines;
}

// cxxopts knows names of one letter with one dash only, but people write --r like all the others.
std::vector<std::string> one_letter_names_short(const std::vector<std::string>& words) {
  std::vector<std::string> result;
  bool only_files = false;
  for (const std::string& word : words) {
    only_files = only_files || word == "--";
    const std::string name = word.substr(0, word.find('='));
    if (only_files || name.size() != 3 || !name.starts_with("--") || name[2] == '-') {
      result.push_back(word);
      continue;
    }
    result.push_back(name.substr(1));
    if (word.size() > name.size()) result.push_back(word.substr(name.size() + 1));
  }
  return result;
}

}  // namespace

Options::Options(std::string command, std::string usage, std::string summary, bool takes_files)
    : command_(std::move(command)),
      usage_(std::move(usage)),
      summary_(std::move(summary)),
      takes_files_(takes_files),
      options_{{"", kHelp, "", "", ""}} {}

Options& Options::group(std::string title) {
  group_ = std::move(title);
  return *this;
}

Options& Options::value(std::string name, std::string placeholder, std::string help,
                        std::string preset) {
  options_.push_back(
      {group_, std::move(name), std::move(placeholder), std::move(help), std::move(preset)});
  return *this;
}

Options& Options::flag(std::string name, std::string help) {
  options_.push_back({group_, std::move(name), "", std::move(help), ""});
  return *this;
}

Options& Options::example(std::string command, std::string meaning) {
  examples_.push_back({std::move(command), std::move(meaning)});
  return *this;
}

bool Options::has(const std::string& name) const {
  return std::any_of(options_.begin(), options_.end(),
                     [&](const Option& option) { return option.name == name; });
}

Arguments Options::parse(const std::vector<std::string>& words) const {
  cxxopts::Options parser(command_);
  // Unknown options come back as such, so that the message can say what was meant.
  parser.allow_unrecognised_options();
  auto add = parser.add_options();
  for (const Option& option : options_) {
    const std::string names = option.name == kHelp ? "h,help" : option.name;
    if (option.placeholder.empty())
      add(names, option.help);
    else
      add(names, option.help, cxxopts::value<std::string>()->default_value(option.preset));
  }
  add(kFiles, "", cxxopts::value<std::vector<std::string>>());
  parser.parse_positional(kFiles);

  check_values(words);
  const std::vector<std::string> readable = one_letter_names_short(words);
  std::vector<const char*> argv{command_.c_str()};
  for (const std::string& word : readable) argv.push_back(word.c_str());
  try {
    return collect(parser.parse(static_cast<int>(argv.size()), argv.data()), words);
  } catch (const cxxopts::exceptions::exception& error) {
    usage_error(error.what());
  }
}

/// What cxxopts would take without a word: an option in the place of a value, a value for a flag.
void Options::check_values(const std::vector<std::string>& words) const {
  for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i)
    for (const Option& option : options_) {
      const std::string shown = "--" + option.name;
      if (option.placeholder.empty() && words[i].starts_with(shown + "="))
        usage_error(shown, " takes no value");
      if (!option.placeholder.empty() && words[i] == shown &&
          (i + 1 == words.size() || words[i + 1].starts_with("--")))
        usage_error(shown, " needs a value: ", shown, " ", option.placeholder);
    }
}

Arguments Options::collect(const cxxopts::ParseResult& parsed,
                           const std::vector<std::string>& words) const {
  if (!parsed.unmatched().empty()) {
    // cxxopts takes "-batch" apart into letters; people want to see the word they wrote.
    const std::string& part = parsed.unmatched().front();
    const auto word = std::find_if(words.begin(), words.end(),
                                   [&](const auto& w) { return w.starts_with(part); });
    const std::string whole = word == words.end() ? part : *word;
    const std::string shown = whole.substr(0, whole.find('='));
    std::vector<std::string> names;
    for (const Option& option : options_) names.push_back("--" + option.name);
    usage_error("unknown option '", base::printable(shown), "'.",
                did_you_mean("--" + shown.substr(shown.find_first_not_of('-')), names));
  }
  Arguments arguments;
  arguments.command_line_ = command_;
  for (const std::string& word : words) arguments.command_line_ += " " + shell_quoted(word);
  for (const Option& option : options_) {
    Arguments::Value& value = arguments.values_[option.name];
    value.given = parsed.count(option.name) > 0;
    if (!option.placeholder.empty()) value.text = parsed[option.name].as<std::string>();
  }
  if (parsed.count(kFiles)) arguments.files_ = parsed[kFiles].as<std::vector<std::string>>();
  if (!takes_files_ && !arguments.files_.empty())
    usage_error("unexpected argument '", base::printable(arguments.files_.front()), "'");
  return arguments;
}

std::string Options::help() const {
  std::string text = "Usage: " + command_ + " " + usage_ + "\n\n" + indented(summary_, 0);
  const std::string* group = nullptr;
  for (const Option& option : options_) {
    if (option.group.empty()) continue;
    if (!group || *group != option.group) text += "\n" + option.group + ":\n";
    group = &option.group;
    std::string line = "  --" + option.name;
    if (!option.placeholder.empty()) line += " " + option.placeholder;
    std::string help = option.help;
    if (!option.preset.empty()) help += " (default: " + option.preset + ")";
    help = indented(help, kHelpColumn);
    // The option stands on the first line of its help, or on a line of its own if it is too long.
    if (line.size() + 2 <= kHelpColumn)
      text += line + help.substr(line.size());
    else
      text += line + "\n" + help;
  }
  if (!examples_.empty()) text += "\nExamples:\n";
  for (const Example& example : examples_)
    text += "  " + example.command + "\n" + indented(example.meaning, 6);
  return text;
}

bool Arguments::has(const std::string& name) const { return values_.at(name).given; }

const std::string& Arguments::text(const std::string& name) const { return values_.at(name).text; }

int64_t Arguments::integer(const std::string& name, int64_t low, int64_t high) const {
  const auto value = base::parse_integer(text(name));
  if (!value || *value < low || *value > high)
    usage_error("--", name, " is '", base::printable(text(name)),
                "', expected a whole number from ", low, " to ", high);
  return *value;
}

double Arguments::number(const std::string& name, double low, double high) const {
  const auto value = base::parse_number(text(name));
  if (!value || *value < low || *value > high)
    usage_error("--", name, " is '", base::printable(text(name)), "', expected a number from ", low,
                " to ", high);
  return *value;
}

const std::string& Arguments::choice(const std::string& name,
                                     const std::vector<std::string>& choices) const {
  const std::string& value = text(name);
  if (std::find(choices.begin(), choices.end(), value) == choices.end())
    usage_error("--", name, " is '", base::printable(value), "', expected ",
                base::join(choices, ", "), ".", did_you_mean(value, choices));
  return value;
}

std::vector<int64_t> Arguments::integers(const std::string& name, int64_t low, int64_t high) const {
  std::vector<int64_t> values;
  for (const std::string& part : base::split(text(name), ',')) {
    const auto value = base::parse_integer(part);
    if (!value || *value < low || *value > high)
      usage_error("--", name, " is '", base::printable(text(name)),
                  "', expected whole numbers from ", low, " to ", high, " between commas");
    if (std::find(values.begin(), values.end(), *value) != values.end())
      usage_error("--", name, " lists ", *value, " twice");
    values.push_back(*value);
  }
  return values;
}

}  // namespace cli
