#include <set>

#include <base/json.h>
#include <base/text.h>

namespace base {
namespace {

constexpr size_t kMaxDepth = 64;

// Keys of the objects that are open while the parser goes through the text.
class StructureCheck {
 public:
  explicit StructureCheck(const std::string& where) : where_(where) {}

  bool operator()(int depth, nlohmann::json::parse_event_t event, const nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (static_cast<size_t>(depth) > kMaxDepth)
      fail(where_, ": JSON nested deeper than ", kMaxDepth, " levels");
    if (event == Event::object_start) {
      keys_.emplace_back();
    } else if (event == Event::object_end) {
      keys_.pop_back();
    } else if (event == Event::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys_.back().insert(key).second)
        fail(where_, ": the key \"", shortened(key), "\" occurs twice in one object");
    }
    return true;
  }

 private:
  const std::string& where_;
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& where) {
  if (text.empty()) fail(where, ": empty, expected JSON");
  if (text.starts_with("\xEF\xBB\xBF")) fail(where, ": JSON begins with a byte order mark");
  // The parser takes NUL for the end of its input and would ignore what follows.
  if (text.find('\0') != text.npos) fail(where, ": not valid JSON: it contains a NUL byte");
  StructureCheck check(where);
  try {
    return nlohmann::json::parse(text.begin(), text.end(), std::ref(check));
  } catch (const nlohmann::json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    std::string what = error.what();
    what = what.substr(std::min(what.find("] ") + 2, what.size()));
    fail(where, ": not valid JSON: ", shortened(what, 300));
  }
}

std::string JsonNode::place(const std::string& key) const { return where_ + ": " + shortened(key); }

void JsonNode::fail_type(const char* expected) const {
  // The value of a scalar helps, that of a list or object would flood the message.
  if (value_->is_structured()) fail("expected ", expected, ", got an ", value_->type_name());
  fail("expected ", expected, ", got ", shortened(value_->dump()));
}

std::optional<JsonNode> JsonNode::find(const std::string& key) const {
  if (!is_object()) fail_type("an object");
  const auto member = value_->find(key);
  if (member == value_->end() || member->is_null()) return std::nullopt;
  return JsonNode(*member, place(key));
}

JsonNode JsonNode::at(const std::string& key) const {
  auto member = find(key);
  if (!member) fail("\"", key, "\" is missing");
  return *member;
}

std::vector<std::pair<std::string, JsonNode>> JsonNode::members() const {
  if (!is_object()) fail_type("an object");
  std::vector<std::pair<std::string, JsonNode>> result;
  result.reserve(value_->size());
  for (const auto& [key, value] : value_->items())
    result.emplace_back(key, JsonNode(value, place(key)));
  return result;
}

std::vector<JsonNode> JsonNode::elements() const {
  if (!is_array()) fail_type("a list");
  std::vector<JsonNode> result;
  result.reserve(value_->size());
  for (const auto& value : *value_)
    result.emplace_back(value, where_ + "[" + std::to_string(result.size()) + "]");
  return result;
}

int64_t JsonNode::integer(int64_t low, int64_t high) const {
  if (!value_->is_number_integer()) fail_type("an integer");
  const bool fits = !value_->is_number_unsigned() || value_->get<uint64_t>() <= uint64_t{INT64_MAX};
  const int64_t result = fits ? value_->get<int64_t>() : INT64_MAX;
  if (!fits || result < low || result > high)
    fail(value_->dump(), " is out of range, expected ", low, " to ", high);
  return result;
}

double JsonNode::number() const {
  if (!value_->is_number()) fail_type("a number");
  return value_->get<double>();
}

bool JsonNode::boolean() const {
  if (!value_->is_boolean()) fail_type("true or false");
  return value_->get<bool>();
}

const std::string& JsonNode::string() const {
  if (!value_->is_string()) fail_type("a string");
  return value_->get_ref<const std::string&>();
}

}  // namespace base
