#include <algorithm>
#include <utility>

#include <apps/cli/options.h>
#include <apps/cli/text.h>
#include <apps/cli/usage_error.h>

namespace cli {
namespace {

constexpr std::size_t kHelpWidth = 96;
constexpr std::size_t kHelpColumn = 26;

std::string indented(const std::string& text, std::size_t indent) {
  std::string lines;
  for (const std::string& line : wrap(text, kHelpWidth - indent))
    lines += std::string(indent, ' ') + line + '\n';
  return lines;
}

}  // namespace

Options::Options(std::string command, std::string usage, std::string summary, bool takes_files)
    : command_(std::move(command)),
      usage_(std::move(usage)),
      summary_(std::move(summary)),
      takes_files_(takes_files),
      options_{{"", "help", "", "", ""}} {}

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

const Options::Option* Options::find(const std::string& name) const {
  for (const Option& option : options_)
    if (option.name == name) return &option;
  return nullptr;
}

const Options::Option& Options::known(const std::string& word, const std::string& name) const {
  if (const Option* option = find(name)) return *option;
  std::vector<std::string> names;
  for (const Option& option : options_) names.push_back("--" + option.name);
  usage_error("unknown option '", printable(word), "'.", did_you_mean("--" + name, names));
}

Arguments Options::parse(const std::vector<std::string>& words) const {
  Arguments arguments;
  for (const Option& option : options_) arguments.values_[option.name].text = option.preset;
  bool only_files = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (only_files || word == "-" || word.empty() || word[0] != '-') {
      if (!takes_files_) usage_error("unexpected argument '", printable(word), "'");
      arguments.files_.push_back(word);
      continue;
    }
    if (word == "--") {
      only_files = true;
      continue;
    }
    const std::size_t dashes = word.starts_with("--") ? 2 : 1;
    const std::size_t equals = word.find('=');
    const std::string shown = word.substr(0, equals);
    const std::string name = shown == "-h" ? "help" : shown.substr(dashes);
    const Option& option = known(shown, name);
    if (dashes == 1 && shown.size() > 2)
      usage_error("unknown option '", printable(shown), "'. Did you mean '-", shown, "'?");
    Arguments::Value& value = arguments.values_[option.name];
    value.given = true;
    if (option.placeholder.empty()) {
      if (equals != std::string::npos) usage_error(shown, " takes no value");
    } else if (equals != std::string::npos) {
      value.text = word.substr(equals + 1);
    } else if (i + 1 == words.size() || words[i + 1].starts_with("--")) {
      usage_error(shown, " needs a value: ", shown, " ", option.placeholder);
    } else {
      value.text = words[++i];
    }
  }
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
  const auto value = parse_integer(text(name));
  if (!value || *value < low || *value > high)
    usage_error("--", name, " is '", printable(text(name)), "', expected a whole number from ", low,
                " to ", high);
  return *value;
}

double Arguments::number(const std::string& name, double low, double high) const {
  const auto value = parse_number(text(name));
  if (!value || *value < low || *value > high)
    usage_error("--", name, " is '", printable(text(name)), "', expected a number from ", low,
                " to ", high);
  return *value;
}

const std::string& Arguments::choice(const std::string& name,
                                     const std::vector<std::string>& choices) const {
  const std::string& value = text(name);
  if (std::find(choices.begin(), choices.end(), value) == choices.end())
    usage_error("--", name, " is '", printable(value), "', expected ", join(choices, ", "), ".",
                did_you_mean(value, choices));
  return value;
}

std::vector<int64_t> Arguments::integers(const std::string& name, int64_t low, int64_t high) const {
  std::vector<int64_t> values;
  for (const std::string& part : split(text(name), ',')) {
    const auto value = parse_integer(part);
    if (!value || *value < low || *value > high)
      usage_error("--", name, " is '", printable(text(name)), "', expected whole numbers from ",
                  low, " to ", high, " between commas");
    if (std::find(values.begin(), values.end(), *value) != values.end())
      usage_error("--", name, " lists ", *value, " twice");
    values.push_back(*value);
  }
  return values;
}

}  // namespace cli
