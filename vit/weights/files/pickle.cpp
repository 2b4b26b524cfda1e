#include <limits>
#include <utility>

#include <vit/error.h>
#include <vit/weights/files/bytes.h>
#include <vit/weights/files/pickle.h>
#include <vit/weights/files/pickle_opcodes.h>
#include <vit/weights/text.h>

namespace vit {

using namespace pickle_opcode;

namespace {

// Offsets are kept in 31 bits; no pickle of names and shapes comes near.
constexpr size_t kMaxBytes = std::numeric_limits<int32_t>::max();
constexpr size_t kMaxValues = size_t{1} << 23;

}  // namespace

PickleMachine::PickleMachine(std::string_view bytes, std::string where, PickleWorld& world)
    : bytes_(bytes.substr(0, kMaxBytes)), where_(std::move(where)), world_(world) {}

void PickleMachine::bad(const std::string& what) const {
  fail(where_, ": pickle, before byte ", position_, ": ", what);
}

PickleRef PickleMachine::run() {
  while (step()) {
  }
  return pop();
}

PickleValue PickleMachine::make_sequence(Kind kind, PickleSequence items) {
  sequences_.push_back(std::move(items));
  return {kind, static_cast<uint32_t>(sequences_.size() - 1), 0};
}

std::string_view PickleMachine::take(size_t length) {
  if (length > bytes_.size() - position_) bad("it ends too early");
  const auto taken = bytes_.substr(position_, length);
  position_ += length;
  return taken;
}

template <typename T>
T PickleMachine::take_number() {
  return load_number<T>(take(sizeof(T)).data());
}

std::string_view PickleMachine::take_line() {
  const size_t end = bytes_.find('\n', position_);
  if (end == bytes_.npos) bad("it ends too early");
  const auto line = take(end - position_);
  take(1);
  return line;
}

void PickleMachine::push(PickleValue value) {
  if (values_.size() >= kMaxValues)
    bad("it has more than " + std::to_string(kMaxValues) + " objects");
  stack_.push_back(static_cast<PickleRef>(values_.size()));
  values_.push_back(value);
}

void PickleMachine::push_text(Kind kind, size_t length) {
  const auto offset = static_cast<uint32_t>(position_);
  take(length);
  push({kind, offset, static_cast<int64_t>(length)});
}

PickleRef PickleMachine::top() const {
  const size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= floor) bad("it takes an object from an empty stack");
  return stack_.back();
}

PickleRef PickleMachine::pop() {
  const PickleRef ref = top();
  stack_.pop_back();
  return ref;
}

PickleSequence PickleMachine::pop_count(size_t count) {
  const size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() - floor < count) bad("it takes an object from an empty stack");
  const auto first = stack_.end() - static_cast<ptrdiff_t>(count);
  PickleSequence items(first, stack_.end());
  stack_.erase(first, stack_.end());
  return items;
}

PickleSequence PickleMachine::pop_to_mark() {
  if (marks_.empty()) bad("a mark is missing");
  auto items = pop_count(stack_.size() - marks_.back());
  marks_.pop_back();
  return items;
}

void PickleMachine::push_global(std::string_view module, std::string_view name) {
  push(world_.find_global(module, name));
}

void PickleMachine::call() {
  const PickleValue args = value(pop());
  const PickleValue callable = value(pop());
  if (callable.kind != Kind::global) bad("it calls what is no function");
  if (args.kind != Kind::tuple) bad("the arguments of a call are no tuple");
  push(world_.call(*this, callable, sequence(args)));
}

// Only the attributes of modules are of use here; other state just has to belong to an object.
void PickleMachine::build() {
  const PickleValue state = value(pop());
  const auto& target = value(top());
  const Kind kind = target.kind;
  if (kind == Kind::module) {
    if (state.kind != Kind::dict) bad("the attributes of a module are no dict");
    // Moved, not copied: a few bytes could ask for many copies of a long list.
    auto attributes = std::exchange(sequences_[state.index], {});
    auto& known = sequences_[target.index];
    known.insert(known.end(), attributes.begin(), attributes.end());
    return;
  }
  if (kind != Kind::opaque && kind != Kind::dict && kind != Kind::tensor)
    bad("it sets the state of what has none");
}

void PickleMachine::append(const PickleSequence& items) {
  const auto& target = value(top());
  if (target.kind != Kind::list) bad("it appends to what is no list");
  auto& list = sequences_[target.index];
  list.insert(list.end(), items.begin(), items.end());
}

void PickleMachine::set_items(const PickleSequence& items) {
  const auto& target = value(top());
  if (target.kind != Kind::dict) bad("it sets items of what is no dict");
  if (items.size() % 2) bad("a dict has a key without a value");
  auto& dict = sequences_[target.index];
  dict.insert(dict.end(), items.begin(), items.end());
}

void PickleMachine::remember(uint64_t slot) {
  // Slots are numbered in turn, and each takes bytes of its own.
  if (slot > position_) bad("the memo slot " + std::to_string(slot) + " cannot be in use");
  memo_[slot] = top();
}

void PickleMachine::recall(uint64_t slot) {
  const auto found = memo_.find(slot);
  if (found == memo_.end()) bad("it refers to an object that it has not described");
  stack_.push_back(found->second);
}

void PickleMachine::push_long(size_t length) {
  if (length > sizeof(int64_t)) return push_text(Kind::big_integer, length);
  const auto digits = take(length);
  int64_t number = !digits.empty() && (digits.back() & 0x80) ? -1 : 0;
  std::memcpy(&number, digits.data(), digits.size());
  push({Kind::integer, 0, number});
}

bool PickleMachine::step() {
  const auto opcode = take_number<uint8_t>();
  switch (opcode) {
    case kStop:
      return false;
    case kProto:
      if (take_number<uint8_t>() > 5) bad("an unknown protocol");
      break;
    case kMark:
      marks_.push_back(stack_.size());
      break;
    case kPop:
      if (!marks_.empty() && stack_.size() == marks_.back())
        marks_.pop_back();
      else
        pop();
      break;
    case kPopMark:
      pop_to_mark();
      break;
    case kDup:
      stack_.push_back(top());
      break;
    case kNone:
      push({Kind::none, 0, 0});
      break;
    case kNewTrue:
    case kNewFalse:
      push({Kind::boolean, 0, opcode == kNewTrue});
      break;
    case kBinInt:
      push({Kind::integer, 0, take_number<int32_t>()});
      break;
    case kBinInt1:
      push({Kind::integer, 0, take_number<uint8_t>()});
      break;
    case kBinInt2:
      push({Kind::integer, 0, take_number<uint16_t>()});
      break;
    case kLong1:
      push_long(take_number<uint8_t>());
      break;
    case kLong4:
      push_long(take_number<uint32_t>());
      break;
    case kBinFloat:
      take(sizeof(double));
      push({Kind::real, 0, 0});
      break;
    case kShortBinString:
      push_text(Kind::text, take_number<uint8_t>());
      break;
    case kBinString:
    case kBinUnicode:
      push_text(Kind::text, take_number<uint32_t>());
      break;
    case kShortBinBytes:
      push_text(Kind::bytes, take_number<uint8_t>());
      break;
    case kBinBytes:
      push_text(Kind::bytes, take_number<uint32_t>());
      break;
    case kEmptyTuple:
      push(make_sequence(Kind::tuple, {}));
      break;
    case kTuple1:
    case kTuple2:
    case kTuple3:
      push(make_sequence(Kind::tuple, pop_count(opcode - kTuple1 + size_t{1})));
      break;
    case kTuple:
      push(make_sequence(Kind::tuple, pop_to_mark()));
      break;
    case kEmptyList:
      push(make_sequence(Kind::list, {}));
      break;
    case kList:
      push(make_sequence(Kind::list, pop_to_mark()));
      break;
    case kAppend:
      append(pop_count(1));
      break;
    case kAppends:
      append(pop_to_mark());
      break;
    case kEmptyDict:
      push(make_sequence(Kind::dict, {}));
      break;
    case kDict: {
      auto items = pop_to_mark();
      push(make_sequence(Kind::dict, {}));
      set_items(items);
      break;
    }
    case kSetItem:
      set_items(pop_count(2));
      break;
    case kSetItems:
      set_items(pop_to_mark());
      break;
    case kBinPut:
      remember(take_number<uint8_t>());
      break;
    case kLongBinPut:
      remember(take_number<uint32_t>());
      break;
    case kBinGet:
      recall(take_number<uint8_t>());
      break;
    case kLongBinGet:
      recall(take_number<uint32_t>());
      break;
    case kGlobal: {
      const auto module = take_line();
      push_global(module, take_line());
      break;
    }
    case kReduce:
    case kNewObj:
      call();
      break;
    case kBuild:
      build();
      break;
    case kBinPersId: {
      const PickleValue id = value(pop());
      push(world_.persistent(*this, id));
      break;
    }
    default:
      if (!step_protocol_0(opcode)) step_protocol_4(opcode);
  }
  return true;
}

void PickleMachine::step_protocol_4(uint8_t opcode) {
  switch (opcode) {
    case kFrame:
      // Frames only tell a reader how much to fetch at once.
      if (take_number<uint64_t>() > bytes_.size() - position_) bad("a frame ends past the data");
      break;
    case kShortBinUnicode:
      push_text(Kind::text, take_number<uint8_t>());
      break;
    case kBinUnicode8:
      push_text(Kind::text, take_number<uint64_t>());
      break;
    case kBinBytes8:
    case kByteArray8:
      push_text(Kind::bytes, take_number<uint64_t>());
      break;
    case kEmptySet:
      push({Kind::opaque, 0, 0});
      break;
    case kAddItems:
      pop_to_mark();
      if (value(top()).kind != Kind::opaque) bad("it adds items to what is no set");
      break;
    case kFrozenSet:
      pop_to_mark();
      push({Kind::opaque, 0, 0});
      break;
    case kNewObjEx:
      if (value(pop()).kind != Kind::dict) bad("keyword arguments are no dict");
      call();
      break;
    case kStackGlobal: {
      const PickleValue name = value(pop());
      const PickleValue module = value(pop());
      if (name.kind != Kind::text || module.kind != Kind::text) bad("a global's name is no text");
      push_global(text(module), text(name));
      break;
    }
    case kMemoize:
      remember(memo_.size());
      break;
    default: {
      constexpr char kDigits[] = "0123456789abcdef";
      bad(std::string("the opcode 0x") + kDigits[opcode >> 4] + kDigits[opcode & 15] +
          " is unknown or not allowed");
    }
  }
}

}  // namespace vit
