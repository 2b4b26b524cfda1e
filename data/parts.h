#pragma once

#include <data/dataset.h>
#include <data/listing.h>

namespace data {

/// Throws PartsError if the folders of a listing are the parts of a data set (train, val, test, …),
/// each with the folders of the classes or with shards in it, and not classes. Warns where folders
/// of pictures have such names. Folders that are all among the class names that are looked for are
/// classes.
void check_parts(const Listing& listing, const OpenOptions& options);

}  // namespace data
