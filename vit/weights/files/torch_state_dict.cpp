#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>
#include <unordered_map>

#include <vit/error.h>
#include <vit/weights/files/torch_state_dict.h>
#include <vit/weights/module_names.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

using Kind = PickleValue::Kind;
using Named = std::pair<std::string, PickleRef>;

// Real names are far shorter; what is longer would only be copied and compared at length.
constexpr size_t kMaxName = 4096;

// Where training scripts put the model. The first that is there counts: running averages before the
// weights they are of, as in timm, and DINO's teacher, which is one, before its student.
constexpr std::string_view kUsual[] = {
    "state_dict_ema", "model_ema", "state_dict", "model", "model_state_dict", "module",
    "teacher",        "student",   "ema",        "net",   "network",          "weights"};

/// A dict of tensors, and where it lies.
struct Place {
  const PickleValue* dict = nullptr;
  const PickleValue* parent = nullptr;  ///< the dict that it is a value of
  std::string key = {};                 ///< of it there
};

/// Calls `visit(key, value)` for the items of a dict whose keys are texts.
template <typename Visit>
void for_each_item(const PickleMachine& machine, const PickleValue& dict, const Visit& visit) {
  const auto& items = machine.sequence(dict);
  for (size_t i = 0; i < items.size(); i += 2)
    if (const auto& key = machine.value(items[i]); key.kind == Kind::text)
      visit(machine.text(key), items[i + 1]);
}

/// The value of the last item with this key.
const PickleValue* find_item(const PickleMachine& machine, const PickleValue& dict,
                             std::string_view wanted) {
  const PickleValue* found = nullptr;
  for_each_item(machine, dict, [&](std::string_view key, PickleRef value) {
    if (key == wanted) found = &machine.value(value);
  });
  return found;
}

/// Looks into dicts, each of them once: a few bytes can refer to a long one again and again.
class Search {
 public:
  Search(const PickleMachine& machine, const std::string& where)
      : machine_(machine), where_(where) {}

  Place find(const PickleValue& root);

 private:
  static bool may_hold(Kind kind) {
    return kind == Kind::dict || kind == Kind::list || kind == Kind::tuple;
  }
  bool has_tensors(const PickleValue& dict);
  bool has_vision_transformer(const PickleValue& dict);
  const Place& next_under_usual_names(const PickleValue& dict);
  Place under_usual_names(const Place& root);
  std::vector<Place> find_all(const PickleValue& root);

  const PickleMachine& machine_;
  const std::string& where_;
  // By the number of a dict.
  std::unordered_map<uint32_t, bool> has_tensors_, has_vision_transformer_;
  std::unordered_map<uint32_t, Place> next_;
};

bool Search::has_tensors(const PickleValue& dict) {
  const auto [known, is_new] = has_tensors_.try_emplace(dict.index, false);
  if (!is_new) return known->second;
  const auto& items = machine_.sequence(dict);
  for (size_t i = 1; i < items.size() && !known->second; i += 2)
    known->second = machine_.value(items[i]).kind == Kind::tensor;
  return known->second;
}

bool Search::has_vision_transformer(const PickleValue& dict) {
  const auto [known, is_new] = has_vision_transformer_.try_emplace(dict.index, false);
  if (!is_new) return known->second;
  bool& found = known->second;
  for_each_item(machine_, dict, [&](std::string_view key, PickleRef value) {
    found = found || (machine_.value(value).kind == Kind::tensor && key.size() <= kMaxName &&
                      names_vision_transformer(without_wrappers(key)));
  });
  return found;
}

/// The dict under the first of the usual names, one with tensors if there is any.
const Place& Search::next_under_usual_names(const PickleValue& dict) {
  const auto [known, is_new] = next_.try_emplace(dict.index);
  Place& next = known->second;
  if (!is_new) return next;
  for (const auto name : kUsual) {
    const auto* inner = find_item(machine_, dict, name);
    if (!inner || inner->kind != Kind::dict) continue;
    const bool holds = has_tensors(*inner);
    if (holds || !next.dict) next = {inner, &dict, std::string(name)};
    if (holds) break;
  }
  return next;
}

/// The dict with the tensors: the outer one, or one that lies in it under the usual names.
Place Search::under_usual_names(const Place& root) {
  constexpr int kMaxNesting = 4;
  Place place = root;
  for (int level = 0; level < kMaxNesting; ++level) {
    const Place& next = next_under_usual_names(*place.dict);
    if (!next.dict) break;
    if (has_tensors(*next.dict)) return next;
    if (has_tensors(*place.dict)) break;
    place = next;
  }
  return root;
}

/// All dicts in an object that hold a Vision Transformer.
std::vector<Place> Search::find_all(const PickleValue& root) {
  constexpr size_t kMaxObjects = 1 << 16;
  std::vector<Place> found, pending{{&root}};
  std::set<std::pair<Kind, uint32_t>> seen;
  while (!pending.empty() && seen.size() < kMaxObjects) {
    const Place place = std::move(pending.back());
    pending.pop_back();
    const PickleValue& object = *place.dict;
    if (!seen.emplace(object.kind, object.index).second) continue;
    if (object.kind != Kind::dict) {
      for (const PickleRef item : machine_.sequence(object))
        if (may_hold(machine_.value(item).kind))
          pending.push_back({&machine_.value(item), nullptr, place.key});
      continue;
    }
    if (const Place inner = under_usual_names(place); has_vision_transformer(*inner.dict)) {
      const bool is_new = std::ranges::none_of(
          found, [&](const Place& other) { return other.dict->index == inner.dict->index; });
      if (is_new) found.push_back(inner);
      continue;
    }
    for_each_item(machine_, object, [&](std::string_view key, PickleRef item) {
      const auto& value = machine_.value(item);
      if (may_hold(value.kind) && key.size() <= kMaxName)
        pending.push_back({&value, &object, std::string(key)});
    });
  }
  return found;
}

Place Search::find(const PickleValue& root) {
  const bool is_dict = root.kind == Kind::dict;
  const Place usual = is_dict ? under_usual_names({&root}) : Place();
  if (is_dict && has_vision_transformer(*usual.dict)) return usual;
  const auto found = find_all(root);
  if (found.size() == 1) return found.front();
  if (found.size() > 1) {
    std::vector<std::string> keys;
    for (const auto& place : found) keys.push_back(in_quotes(place.key));
    std::ranges::sort(keys);
    constexpr size_t kShown = 8;
    std::string list;
    for (size_t i = 0; i < keys.size() && i < kShown; ++i) list += (i ? ", " : "") + keys[i];
    fail(where_, ": holds several Vision Transformers, in the dicts ", list,
         "; save the one that is meant alone");
  }
  if (!is_dict) fail(where_, ": the file holds no dict of tensors; save model.state_dict()");
  return usual;
}

/// Tensors of a dict, or those of a TorchScript module and the modules in it,
/// "blocks.0.norm1.bias".
std::vector<Named> named_tensors(const PickleMachine& machine, const PickleValue& root,
                                 const std::string& where) {
  constexpr size_t kMaxModules = 1 << 16, kMaxDepth = 64;
  struct Module {
    const PickleValue* value;
    std::string prefix;
    size_t depth;
  };
  std::vector<Named> tensors;
  std::vector<Module> pending{{&root, "", 0}};
  for (size_t seen = 0; !pending.empty(); ++seen) {
    const Module module = std::move(pending.back());
    pending.pop_back();
    if (seen > kMaxModules || module.depth > kMaxDepth)
      fail(where, ": its modules are nested too deeply or too often");
    for_each_item(machine, *module.value, [&](std::string_view name, PickleRef ref) {
      const auto& value = machine.value(ref);
      const bool is_module = value.kind == Kind::module && root.kind == Kind::module;
      if (value.kind != Kind::tensor && !is_module) return;
      if (module.prefix.size() + name.size() > kMaxName)
        fail(where, ": a tensor's name has ", module.prefix.size() + name.size(), " bytes");
      std::string full = module.prefix + std::string(name);
      if (is_module)
        pending.push_back({&value, full + ".", module.depth + 1});
      else
        tensors.emplace_back(std::move(full), ref);
    });
  }
  return tensors;
}

}  // namespace

std::vector<Named> find_state_dict(const PickleMachine& machine, PickleRef root,
                                   const std::string& where) {
  const auto& object = machine.value(root);
  if (object.kind == Kind::module) return named_tensors(machine, object, where);
  if (object.kind != Kind::dict && object.kind != Kind::list && object.kind != Kind::tuple)
    fail(where, ": the file holds no dict of tensors; save model.state_dict()");
  const Place place = Search(machine, where).find(object);
  auto tensors = named_tensors(machine, *place.dict, where);
  if (!place.parent) return tensors;

  std::vector<Named> heads;
  for_each_item(machine, *place.parent, [&](std::string_view key, PickleRef ref) {
    const auto& value = machine.value(ref);
    if (value.kind != Kind::dict || value.index == place.dict->index || key.size() > kMaxName ||
        !names_head(key))
      return;
    for (auto& [name, tensor] : named_tensors(machine, value, where))
      heads.emplace_back(std::string(key) + "." + name, tensor);
  });
  if (heads.empty()) return tensors;
  for (auto& [name, tensor] : tensors) name = place.key + "." + name;
  tensors.insert(tensors.end(), std::make_move_iterator(heads.begin()),
                 std::make_move_iterator(heads.end()));
  return tensors;
}

}  // namespace vit
