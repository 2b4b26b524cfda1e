#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <data/byte_source.h>
#include <data/tar.h>

namespace data {

/// Members of a shard that share a name up to the first dot of its last part.
struct Sample {
  std::string key;
  std::optional<TarMember> picture;
  /// By what follows the last dot (".cls"), those whose name has just one dot first.
  std::vector<std::pair<std::string, TarMember>> labels;
  /// Members that are pictures with names of several parts and nobody's picture: those of a sample
  /// that has no other and more than one ("a.left.png", "a.right.png"), and those that have a label
  /// of their own ("a.2.png", "a.2.cls").
  std::vector<std::string> several;
};

/// The samples of a shard, in its order. The picture of a sample is "key.jpg" or, where there is no
/// such member, the only one of the kind "key.name.jpg"; its labels are "key.cls", ".json" or
/// ".txt" and then those of the kinds "key.name.cls" and "key.label.txt". Throws base::Error naming
/// the shard where a sample has two pictures.
std::vector<Sample> list_samples(const ByteSource& shard);

/// Says of a sample with `several` that names end at their first dot.
std::string explain_dots(const Sample& sample);

}  // namespace data
