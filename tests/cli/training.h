#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace test {

/// A folder for each colour ("red", "green", "blue", in this order), with pictures of 16x16 pixels
/// in it that are mostly of that colour.
void write_pictures(const std::filesystem::path& folder, const std::vector<std::string>& colours,
                    int count);

/// The words of `vitome train` for them, and `more`.
std::vector<std::string> train_words(const std::filesystem::path& data,
                                     const std::filesystem::path& output,
                                     const std::vector<std::string>& more);

/// Options for a model that learns the colours in a second.
std::vector<std::string> small_model();

}  // namespace test
