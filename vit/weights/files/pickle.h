#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vit {

/// A Python object that a pickle builds. Objects refer to each other by number, so shared and
/// cyclic ones need no care, and freeing them does not recurse.
struct PickleValue {
  enum class Kind : uint8_t {
    none,
    boolean,
    integer,
    big_integer,  ///< more than 64 bits, as bytes
    real,
    text,
    bytes,
    tuple,
    list,
    dict,
    module,   ///< a TorchScript module: names and values of its attributes
    opaque,   ///< an object whose contents nobody needs
    global,   ///< an imported name that PickleWorld knows
    storage,  ///< what PickleWorld makes of a persistent id
    tensor,   ///< what PickleWorld makes of a call
  };
  Kind kind = Kind::none;
  /// text, bytes, big_integer: offset into the pickle, or PickleMachine::kDecoded and the number of
  /// a text that had to be decoded; tuple, list, dict, module: number of the sequence; else
  /// PickleWorld's own.
  uint32_t index = 0;
  /// boolean, integer: the value; text, bytes, big_integer: the length; else PickleWorld's own.
  int64_t number = 0;
};

using PickleRef = uint32_t;  ///< number of a PickleValue
using PickleSequence = std::vector<PickleRef>;

class PickleMachine;

/// What a pickle may reach outside itself. Nothing is imported or called: implementations look
/// names up in a list of their own and throw Error for those that are not on it.
class PickleWorld {
 public:
  virtual ~PickleWorld() = default;
  virtual PickleValue find_global(std::string_view module, std::string_view name) = 0;
  /// `callable` is a global; `args` are those of the call, in order.
  virtual PickleValue call(PickleMachine& machine, const PickleValue& callable,
                           const PickleSequence& args) = 0;
  virtual PickleValue persistent(PickleMachine& machine, const PickleValue& id) = 0;
  /// The same for protocol 0, which has the printed form of the id.
  virtual PickleValue persistent(PickleMachine& machine, std::string_view id) = 0;
};

/// Reads pickles of the protocols 0 to 5 (pickletools of Python; PEP 307, 3154, 574), never
/// executing anything. Uses memory in proportion to the pickle's own length.
class PickleMachine {
 public:
  using Kind = PickleValue::Kind;
  static constexpr uint32_t kDecoded = uint32_t{1} << 31;

  /// Reads one pickle at the start of `bytes`, which must outlive the machine. `where` begins error
  /// messages.
  PickleMachine(std::string_view bytes, std::string where, PickleWorld& world);

  /// The object that the pickle describes. Throws Error if it is not well-formed.
  PickleRef run();
  /// Bytes that the pickle took, after run().
  size_t length() const { return position_; }

  const PickleValue& value(PickleRef ref) const { return values_[ref]; }
  /// Items of a tuple or list; keys and values of a dict or module in turn.
  const PickleSequence& sequence(const PickleValue& value) const { return sequences_[value.index]; }
  /// Contents of a text, bytes or big_integer.
  std::string_view text(const PickleValue& value) const {
    if (value.index & kDecoded) return decoded_[value.index & ~kDecoded];
    return bytes_.substr(value.index, static_cast<size_t>(value.number));
  }
  PickleValue make_sequence(Kind kind, PickleSequence items);
  [[noreturn]] void bad(const std::string& what) const;

 private:
  bool step();
  bool step_protocol_0(uint8_t opcode);
  void step_protocol_4(uint8_t opcode);
  void push(PickleValue value);
  void push_text(Kind kind, size_t length);
  PickleRef pop();
  PickleRef top() const;
  PickleSequence pop_to_mark();
  PickleSequence pop_count(size_t count);
  void call();
  void build();
  void append(const PickleSequence& items);
  void set_items(const PickleSequence& items);
  void push_global(std::string_view module, std::string_view name);
  void remember(uint64_t slot);
  void recall(uint64_t slot);
  void push_long(size_t length);
  void push_decoded(Kind kind, std::string text);
  void push_integer(std::string_view digits);
  void push_unicode(std::string_view line);
  void push_quoted(std::string_view line);
  std::string_view take(size_t length);
  std::string_view take_line();
  template <typename T>
  T take_number();

  std::string_view bytes_;
  std::string where_;
  PickleWorld& world_;
  size_t position_ = 0;
  std::vector<PickleValue> values_;
  std::deque<std::string> decoded_;
  std::deque<PickleSequence> sequences_;  ///< a deque: calls hold one while they make others
  std::vector<PickleRef> stack_;
  std::vector<size_t> marks_;  ///< heights of the stack
  std::unordered_map<uint64_t, PickleRef> memo_;
};

}  // namespace vit
