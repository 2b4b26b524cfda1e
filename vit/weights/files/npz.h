#pragma once

#include <vit/weights/files/zip.h>
#include <vit/weights/state_dict.h>

namespace vit {

/// The arrays of a NumPy archive (.npz), mapped where they are neither compressed nor unaligned nor
/// big-endian.
/// bfloat16, which NumPy does not know and JAX writes as two bytes without a type, is read as such.
/// Throws Error naming the file, the member and the fault; arrays of objects are never unpickled.
StateDict read_npz(const ZipArchive& archive);

/// Whether it is such an archive: by its name, or because all in it are arrays.
bool is_npz(const ZipArchive& archive);

}  // namespace vit
