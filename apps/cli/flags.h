#pragma once

#include <string>

#include <base/error.h>

namespace cli {

/// The message of an error of the libraries, which names settings as fields of structs, with the
/// option of the command line behind each: "choose a smaller Settings::batch (--batch)".
std::string with_flags(const base::SettingError& error);

}  // namespace cli
