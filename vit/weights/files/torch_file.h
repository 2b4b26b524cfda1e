#pragma once

#include <memory>
#include <string_view>

#include <vit/weights/files/zip.h>
#include <vit/weights/mapped_file.h>
#include <vit/weights/state_dict.h>

namespace vit {

// What torch.save writes. The weights are found in the dict of a training script too; names are
// as in the file. Nothing in the file is executed: a pickle that refers to anything but tensors,
// dicts and harmless metadata is refused. Throw Error naming the file and the fault.

/// The zip container of torch 1.6 and later. Storages are mapped, not copied.
StateDict read_torch_zip(const ZipArchive& archive);

/// Whether a file begins as those of the following do.
bool is_torch_legacy(std::string_view text);

/// Whether it has the magic number that those have in their first pickle.
bool has_torch_magic(std::string_view text);

/// The stream of pickles and storages of earlier versions.
StateDict read_torch_legacy(const std::shared_ptr<MappedFile>& file);

}  // namespace vit
