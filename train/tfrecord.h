#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace train {

/// CRC-32C (Castagnoli, RFC 3720) of `data`.
uint32_t crc32c(std::string_view data);

/// `data` as a record of a TFRecord file: its length (8 bytes), their checksum (4), the data, and
/// its checksum (4), little endian. A reader notices a record that is cut off or changed.
std::string tfrecord(std::string_view data);

}  // namespace train
