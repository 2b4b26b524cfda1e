#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace train {

/// Messages `tensorflow.Event` as protocol buffers, which is what the records of an event file
/// hold. `wall_time` is in seconds since 1970. Bytes of texts that are no UTF-8 become U+FFFD.

/// The first one of a file, without which readers do not take it for theirs.
std::string version_event(double wall_time);

/// Says that a run (re)starts at `step`: what earlier files have from there on no longer counts.
std::string start_event(double wall_time, int64_t step);

/// A point of the curve `tag`; curves are of float32.
std::string scalar_event(double wall_time, int64_t step, std::string_view tag, double value);

/// A text for the text dashboard, in Markdown.
std::string text_event(double wall_time, int64_t step, std::string_view tag,
                       std::string_view markdown);

}  // namespace train
