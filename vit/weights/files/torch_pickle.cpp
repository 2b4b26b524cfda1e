#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/weights/files/torch_globals.h>
#include <vit/weights/files/torch_pickle.h>
#include <vit/weights/files/torch_state_dict.h>
#include <vit/weights/shape.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

using Kind = PickleValue::Kind;

constexpr size_t kMaxKey = 64;
constexpr size_t kMaxDims = 8;
// Calls may copy their arguments this often in all: a few bytes can name the same long list again
// and again.
constexpr size_t kMaxCopiedItems = size_t{1} << 22;
// A tensor may repeat the elements of a smaller storage up to this size.
constexpr int64_t kMaxExpandedElements = int64_t{1} << 20;

// What all tensors together may have in elements beyond those of their storages.
constexpr int64_t kMaxExpandedInAll = int64_t{1} << 24;

PickleValue of_global(const TorchGlobal& global) {
  return {Kind::global, static_cast<uint32_t>(global.kind), static_cast<int64_t>(global.dtype)};
}

TorchGlobal::Kind global_kind(const PickleValue& value) {
  return static_cast<TorchGlobal::Kind>(value.index);
}

int64_t count_of(const PickleMachine& machine, PickleRef ref, const char* what) {
  const auto& value = machine.value(ref);
  if (value.kind != Kind::integer || value.number < 0)
    machine.bad(std::string(what) + " of a tensor is no number from 0 on");
  return value.number;
}

std::vector<int64_t> counts_of(const PickleMachine& machine, PickleRef ref, const char* what) {
  const auto& value = machine.value(ref);
  if (value.kind != Kind::tuple && value.kind != Kind::list)
    machine.bad(std::string(what) + " of a tensor is no tuple");
  const auto& items = machine.sequence(value);
  if (items.size() > kMaxDims)
    machine.bad("a tensor has more than " + std::to_string(kMaxDims) + " dims");
  std::vector<int64_t> counts;
  for (const PickleRef item : items) counts.push_back(count_of(machine, item, what));
  return counts;
}

}  // namespace

PickleValue TorchWorld::find_global(std::string_view module, std::string_view name) {
  if (const auto global = find_torch_global(module, name)) return of_global(*global);
  const auto full =
      shortened(std::string(module.substr(0, 100)) + "." + std::string(name.substr(0, 100)));
  fail(where_, ": the pickle refers to ", full,
       ", which weights have no need of; it is not executed and the file is refused. If it is a "
       "whole model of your own, save model.state_dict() instead");
}

PickleValue TorchWorld::call(PickleMachine& machine, const PickleValue& callable,
                             const PickleSequence& args) {
  switch (global_kind(callable)) {
    case TorchGlobal::Kind::dict:
      return make_dict(machine, args);
    case TorchGlobal::Kind::size:
      if (args.size() != 1 ||
          (machine.value(args[0]).kind != Kind::tuple && machine.value(args[0]).kind != Kind::list))
        machine.bad("torch.Size of what is no tuple");
      return machine.value(args[0]);
    case TorchGlobal::Kind::harmless:
      return {Kind::opaque, 0, 0};
    case TorchGlobal::Kind::rebuild_tensor:
      return rebuild_tensor(machine, args, /*with_dtype=*/false);
    case TorchGlobal::Kind::rebuild_tensor_v3:
      return rebuild_tensor(machine, args, /*with_dtype=*/true);
    case TorchGlobal::Kind::rebuild_parameter:
      return rebuild_parameter(machine, args);
    case TorchGlobal::Kind::rebuild_other:
      return {Kind::opaque, 0, 0};
    case TorchGlobal::Kind::script_module:
      return machine.make_sequence(Kind::module, {});
    default:
      machine.bad("it calls what is no function");
  }
}

// dict(), dict([(key, value), …]), Counter({…}), defaultdict(factory)
PickleValue TorchWorld::make_dict(PickleMachine& machine, const PickleSequence& args) {
  PickleSequence items;
  if (!args.empty()) {
    const PickleValue source = machine.value(args[0]);
    if (source.kind == Kind::dict || source.kind == Kind::list) {
      const auto& given = machine.sequence(source);
      copied_items_ += given.size();
      if (copied_items_ > kMaxCopiedItems) machine.bad("it copies too many items");
      if (source.kind == Kind::dict) {
        items = given;
      } else {
        for (const PickleRef ref : given) {
          const auto& pair = machine.value(ref);
          if ((pair.kind != Kind::list && pair.kind != Kind::tuple) ||
              machine.sequence(pair).size() != 2)
            machine.bad("a dict is made of what are no pairs");
          const auto& parts = machine.sequence(pair);
          items.insert(items.end(), parts.begin(), parts.end());
        }
      }
    } else if (source.kind != Kind::global && source.kind != Kind::none) {
      machine.bad("a dict is made of what is none");
    }
  }
  return machine.make_sequence(Kind::dict, std::move(items));
}

PickleValue TorchWorld::rebuild_parameter(PickleMachine& machine,
                                          const PickleSequence& args) const {
  if (args.empty() || machine.value(args[0]).kind != Kind::tensor)
    machine.bad("a parameter is made of what is no tensor");
  return machine.value(args[0]);
}

// (storage, offset, size, stride, requires_grad, hooks[, dtype][, metadata])
PickleValue TorchWorld::rebuild_tensor(PickleMachine& machine, const PickleSequence& args,
                                       bool with_dtype) {
  if (args.size() < (with_dtype ? 7u : 4u)) machine.bad("a tensor is made of too few arguments");
  const PickleValue storage = machine.value(args[0]);
  if (storage.kind != Kind::storage) machine.bad("a tensor is made of what is no storage");
  View view{storage.index, count_of(machine, args[1], "the offset"),
            counts_of(machine, args[2], "the size"), counts_of(machine, args[3], "the stride")};
  auto& source = storages_[storage.index];
  if (with_dtype) {
    const auto& type = machine.value(args[6]);
    if (type.kind != Kind::global || global_kind(type) != TorchGlobal::Kind::dtype)
      machine.bad("the dtype of a tensor is none");
    const auto dtype = static_cast<at::ScalarType>(type.number);
    const auto size = static_cast<int64_t>(c10::elementSize(dtype));
    if (source.bytes() % size) machine.bad("a storage is no multiple of its element size");
    const int64_t elements = source.bytes() / size;
    if (source.typed && source.dtype != dtype) machine.bad("a storage is used with two dtypes");
    source.dtype = dtype;
    source.elements = elements;
    source.typed = true;
  }
  if (!source.typed) machine.bad("the dtype of a storage is unknown");
  if (c10::isQIntType(source.dtype)) machine.bad("a plain tensor is made of quantised numbers");
  check_extent(machine, view, source);
  if (const size_t marks = with_dtype ? 7 : 6; args.size() > marks)
    read_marks(machine, machine.value(args[marks]), source.dtype, view);
  views_.push_back(std::move(view));
  return {Kind::tensor, static_cast<uint32_t>(views_.size() - 1), 0};
}

// Views that torch has not computed yet say so: {"neg": True}, {"conj": True}.
void TorchWorld::read_marks(const PickleMachine& machine, const PickleValue& marks,
                            at::ScalarType dtype, View& view) {
  if (marks.kind == Kind::none) return;
  if (marks.kind != Kind::dict) machine.bad("the marks of a tensor are no dict");
  const bool is_complex = dtype == at::kComplexFloat || dtype == at::kComplexDouble;
  const bool is_real =
      dtype == at::kFloat || dtype == at::kDouble || dtype == at::kHalf || dtype == at::kBFloat16;
  const auto& items = machine.sequence(marks);
  for (size_t i = 0; i < items.size(); i += 2) {
    const auto& key = machine.value(items[i]);
    const auto& value = machine.value(items[i + 1]);
    if (value.kind != Kind::boolean) machine.bad("a tensor has a mark that is not known");
    if (value.number == 0) continue;
    const auto name = key.kind == Kind::text ? machine.text(key) : std::string_view();
    if (name == "neg" && (is_real || is_complex))
      view.negative = true;
    else if (name == "conj" && is_complex)
      view.conjugate = true;
    else
      machine.bad("a tensor has a mark that is not known");
  }
}

void TorchWorld::check_extent(const PickleMachine& machine, const View& view,
                              const TorchStorage& storage) {
  if (view.sizes.size() != view.strides.size())
    machine.bad("a tensor has " + std::to_string(view.sizes.size()) + " dims, but " +
                std::to_string(view.strides.size()) + " strides");
  const auto bytes = checked_bytes(view.sizes, 1);
  if (!bytes) machine.bad("the size " + shape_text(view.sizes) + " of a tensor overflows");
  int64_t last = view.offset;
  bool overflow = false;
  for (size_t i = 0; i < view.sizes.size(); ++i) {
    int64_t step = 0;
    overflow =
        overflow ||
        __builtin_mul_overflow(std::max<int64_t>(view.sizes[i] - 1, 0), view.strides[i], &step) ||
        __builtin_add_overflow(last, step, &last);
  }
  const int64_t elements = *bytes;
  if (overflow || (elements > 0 ? last >= storage.elements : view.offset > storage.elements))
    machine.bad("a tensor of size " + shape_text(view.sizes) + " and stride " +
                shape_text(view.strides) + " from element " + std::to_string(view.offset) +
                " on reaches past the " + std::to_string(storage.elements) +
                " elements of its storage");
  const bool expands = elements > storage.elements;
  const bool too_far = elements > std::max(storage.elements, kMaxExpandedElements);
  if (expands && !too_far) expanded_elements_ += elements;
  if (too_far || expanded_elements_ > kMaxExpandedInAll)
    machine.bad("a tensor of size " + shape_text(view.sizes) + " repeats a storage of " +
                std::to_string(storage.elements) + " elements far too often");
}

// ("storage", type, key, location, elements[, view]); where it was does not matter here.
PickleValue TorchWorld::persistent(PickleMachine& machine, const PickleValue& id) {
  const auto is = [&](PickleRef ref, Kind kind) { return machine.value(ref).kind == kind; };
  if (id.kind != Kind::tuple) machine.bad("a persistent id is no tuple");
  const auto& parts = machine.sequence(id);
  if (parts.size() < 5 || parts.size() > 6 || !is(parts[0], Kind::text) ||
      machine.text(machine.value(parts[0])) != "storage" || !is(parts[1], Kind::global) ||
      !is(parts[2], Kind::text) || !is(parts[4], Kind::integer))
    machine.bad("a persistent id is no storage");
  if (parts.size() == 6 && !is(parts[5], Kind::none))
    machine.bad("views of storages, as torch wrote them before 0.4, are not supported");
  const auto& type = machine.value(parts[1]);
  return add_storage(machine, type, machine.text(machine.value(parts[2])),
                     machine.value(parts[4]).number);
}

// "('storage', <class 'torch.FloatStorage'>, '0', 'cpu', 6)"
PickleValue TorchWorld::persistent(PickleMachine& machine, std::string_view id) {
  const auto take_up_to = [&](std::string_view mark) {
    const size_t end = id.find(mark);
    if (end == id.npos) machine.bad("a persistent id is no storage");
    const auto part = id.substr(0, end);
    id.remove_prefix(end + mark.size());
    return part;
  };
  const bool begins_well = take_up_to("<class '") == "('storage', ";
  const auto type = take_up_to("'>, '");
  const auto key = take_up_to("', '");
  take_up_to("', ");  // where it was
  int64_t elements = -1;
  const auto parsed = std::from_chars(id.data(), id.data() + id.size(), elements);
  id.remove_prefix(static_cast<size_t>(parsed.ptr - id.data()));
  const size_t dot = type.rfind('.');
  if (!begins_well || dot == type.npos || parsed.ec != std::errc() ||
      (id != ")" && id != ", None)"))
    machine.bad("a persistent id is no storage");
  return add_storage(machine, find_global(type.substr(0, dot), type.substr(dot + 1)), key,
                     elements);
}

PickleValue TorchWorld::add_storage(const PickleMachine& machine, const PickleValue& type,
                                    std::string_view key, int64_t elements) {
  const auto kind = global_kind(type);
  if (kind != TorchGlobal::Kind::storage_type && kind != TorchGlobal::Kind::untyped_storage)
    machine.bad("the type of a storage is none");
  if (key.size() > kMaxKey) machine.bad("the key of a storage is too long");

  TorchStorage storage{std::string(key), static_cast<at::ScalarType>(type.number), elements,
                       kind == TorchGlobal::Kind::storage_type, elements};
  const auto item_size = static_cast<int64_t>(c10::elementSize(storage.dtype));
  if (storage.elements < 0 || storage.elements > INT64_MAX / item_size)
    machine.bad("a storage cannot have " + std::to_string(storage.elements) + " elements");
  const auto [found, is_new] =
      storage_of_key_.try_emplace(storage.key, static_cast<uint32_t>(storages_.size()));
  if (is_new) {
    storages_.push_back(std::move(storage));
  } else if (const auto& known = storages_[found->second];
             known.bytes() != storage.bytes() ||
             (known.dtype != storage.dtype && kind != TorchGlobal::Kind::untyped_storage)) {
    machine.bad("the storage " + storage.key + " is described in two ways");
  }
  return {Kind::storage, found->second, 0};
}

const TorchStorage* TorchWorld::find_storage(const std::string& key) const {
  const auto found = storage_of_key_.find(key);
  return found == storage_of_key_.end() ? nullptr : &storages_[found->second];
}

StateDict TorchWorld::state_dict(
    const PickleMachine& machine, PickleRef root,
    const std::function<at::Tensor(const TorchStorage&)>& read_storage) const {
  std::map<uint32_t, at::Tensor> storages;
  StateDict tensors;
  // What marked views may copy in all: a few bytes can name one large storage again and again.
  int64_t may_copy = kMaxExpandedInAll;
  for (const auto& [name, ref] : find_state_dict(machine, root, where_)) {
    const View& view = views_[machine.value(ref).index];
    const auto& storage = storages_[view.storage];
    auto [found, is_new] = storages.try_emplace(view.storage);
    if (is_new) {
      found->second = read_storage(storage);
      may_copy += storage.elements;
    }
    auto& tensor = tensors[name];
    tensor = checked_bytes(view.sizes, 1) == 0
                 ? at::empty(view.sizes, storage.dtype)
                 : found->second.as_strided(view.sizes, view.strides, view.offset);
    if (!view.conjugate && !view.negative) continue;
    may_copy -= tensor.numel();
    if (may_copy < 0) fail(where_, ": negative or conjugate views repeat storages far too often");
    if (view.conjugate) tensor = tensor.conj().resolve_conj();
    if (view.negative) tensor = tensor.neg();
  }
  if (tensors.empty())
    fail(where_,
         ": no tensors where a state dict is expected: neither in the file's dict nor under "
         "the usual names (state_dict, model, …)");
  return tensors;
}

}  // namespace vit
