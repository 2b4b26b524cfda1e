#include <exception>
#include <iostream>

#include <ATen/Version.h>
#include <c10/util/Exception.h>
#include <torch/version.h>

#include <apps/cli/flags.h>
#include <apps/cli/host.h>
#include <apps/cli/memory.h>
#include <apps/cli/standard_output.h>
#include <apps/cli/text.h>
#include <apps/cli/usage_error.h>
#include <apps/command.h>
#include <base/error.h>
#include <base/text.h>

namespace {

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

std::vector<Command> all_commands() {
  return {classify_command(), eval_command(),    train_command(),   bench_command(),
          inspect_command(),  forward_command(), convert_command(), pull_command()};
}

std::string overview(const std::vector<Command>& commands) {
  std::string text =
      "ViToMe runs Vision Transformers on LibTorch, faster by merging similar tokens.\n\n"
      "Usage: vitome COMMAND [options]\n\nCommands:\n";
  for (const Command& command : commands)
    text +=
        "  " + command.name + std::string(12 - command.name.size(), ' ') + command.summary + "\n";
  return text +
         "\n  vitome COMMAND --help   options and examples of a command\n"
         "  vitome --version        versions of vitome and LibTorch, CPU capability\n";
}

std::string version() {
  return std::string("vitome ") + VITOME_VERSION + "\nLibTorch " + TORCH_VERSION +
         "\nCPU capability " + at::get_cpu_capability() + "\n";
}

const Command& find_command(const std::vector<Command>& commands, const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : commands) {
    if (command.name == name) return command;
    names.push_back(command.name);
  }
  cli::usage_error("unknown ", name.starts_with("-") ? "option" : "command", " '",
                   base::printable(name), "'.", cli::did_you_mean(name, names));
}

// `context` becomes the words that lead to the help text in question.
int run(std::vector<std::string> words, std::string& context) {
  const std::vector<Command> commands = all_commands();
  if (words.empty() || words == std::vector<std::string>{"help"} || words.front() == "--help" ||
      words.front() == "-h") {
    std::cout << overview(commands);
    return 0;
  }
  if (words.front() == "--version") {
    std::cout << version();
    return 0;
  }
  if (words.front() == "help") words = {words[1], "--help"};
  const Command& command = find_command(commands, words.front());
  context += " " + command.name;
  words.erase(words.begin());

  const cli::Options options = command.options();
  const cli::Arguments arguments = options.parse(words);
  if (arguments.has("help")) {
    std::cout << options.help();
    return 0;
  }
  try {
    return command.run(arguments);
  } catch (const std::exception& error) {
    const auto memory = cli::out_of_memory(error);
    if (!memory) throw;
    base::fail(*memory, options.has("batch")
                            ? "; a smaller --batch (" + arguments.text("batch") + " now) needs less"
                            : "");
  }
}

}  // namespace

int main(int argc, char** argv) {
  cli::return_freed_memory();
  cli::respect_cpu_quota();
  std::ios::sync_with_stdio(false);
  const cli::StandardOutput standard_output;
  std::string context = "vitome";
  try {
    const int status = run({argv + 1, argv + argc}, context);
    cli::flush_standard_output();
    return status;
  } catch (const std::exception& error) {
    std::cout.flush();
    const auto* usage = dynamic_cast<const cli::UsageError*>(&error);
    const auto* setting = dynamic_cast<const base::SettingError*>(&error);
    const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
    std::cerr << context << ": "
              << (torch_error ? torch_error->what_without_backtrace()
                  : setting   ? cli::with_flags(*setting)
                              : error.what())
              << "\n";
    if (usage) std::cerr << "Run '" << context << " --help' for what is possible.\n";
    return usage ? kExitUsage : kExitFailure;
  }
}
