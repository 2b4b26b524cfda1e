#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/weights/files/pickle.h>
#include <vit/weights/state_dict.h>

namespace vit {

/// A run of elements that lies outside the pickle and that tensors are views of.
struct TorchStorage {
  std::string key;
  at::ScalarType dtype = at::kByte;
  int64_t elements = 0;
  bool typed = true;      ///< false: bytes whose dtype the tensors on it say
  int64_t announced = 0;  ///< elements before that dtype was known
  int64_t bytes() const { return elements * static_cast<int64_t>(c10::elementSize(dtype)); }
};

/// The names that torch.save writes, and what comes of them: tensors over storages, dicts, and
/// objects of known harmless classes, which are not looked into.
class TorchWorld : public PickleWorld {
 public:
  explicit TorchWorld(std::string where) : where_(std::move(where)) {}

  PickleValue find_global(std::string_view module, std::string_view name) override;
  PickleValue call(PickleMachine& machine, const PickleValue& callable,
                   const PickleSequence& args) override;
  PickleValue persistent(PickleMachine& machine, const PickleValue& id) override;
  PickleValue persistent(PickleMachine& machine, std::string_view id) override;

  const std::vector<TorchStorage>& storages() const { return storages_; }
  /// Null if the pickle does not mention it.
  const TorchStorage* find_storage(const std::string& key) const;

  /// The weights in the pickled object: it is a dict of tensors, or has one in it, or is a
  /// TorchScript module with parameters and buffers. Sparse, quantised and other tensors that are
  /// more than a view of a storage are left out. `read_storage` gives all elements of a storage, in
  /// one dim.
  StateDict state_dict(const PickleMachine& machine, PickleRef root,
                       const std::function<at::Tensor(const TorchStorage&)>& read_storage) const;

 private:
  struct View {
    uint32_t storage;
    int64_t offset;
    std::vector<int64_t> sizes;
    std::vector<int64_t> strides;
    bool negative = false;   ///< its values are those of the storage times -1
    bool conjugate = false;  ///< its values are the conjugates of those of the storage
  };

  PickleValue rebuild_tensor(PickleMachine& machine, const PickleSequence& args, bool with_dtype);
  PickleValue rebuild_parameter(PickleMachine& machine, const PickleSequence& args) const;
  PickleValue make_dict(PickleMachine& machine, const PickleSequence& args);
  PickleValue add_storage(const PickleMachine& machine, const PickleValue& type,
                          std::string_view key, int64_t elements);
  static void read_marks(const PickleMachine& machine, const PickleValue& marks,
                         at::ScalarType dtype, View& view);
  void check_extent(const PickleMachine& machine, const View& view, const TorchStorage& storage);

  std::string where_;
  std::vector<TorchStorage> storages_;
  std::map<std::string, uint32_t> storage_of_key_;
  std::vector<View> views_;
  size_t copied_items_ = 0;
  int64_t expanded_elements_ = 0;
};

}  // namespace vit
