#pragma once

#include <string>

#include <apps/cli/options.h>

/// A subcommand of vitome.
struct Command {
  std::string name;
  std::string summary;  ///< for the overview
  cli::Options (*options)();
  int (*run)(const cli::Arguments&);  ///< returns the exit status
};

Command classify_command();
Command eval_command();
Command bench_command();
Command inspect_command();
Command forward_command();
Command pull_command();
Command convert_command();
Command train_command();
