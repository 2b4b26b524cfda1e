#pragma once

#include <c10/core/Device.h>

#include <apps/cli/options.h>
#include <train/settings.h>

namespace train {

/// The command line of `vitome train`.
cli::Options options();

/// What it says about learning; the defaults of fine-tuning differ from those of training from
/// random weights. Throws cli::UsageError.
Settings settings_of(const cli::Arguments& arguments, bool fine_tunes, c10::Device device);

}  // namespace train
