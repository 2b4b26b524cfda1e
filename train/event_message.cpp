#include <bit>

#include <nlohmann/json.hpp>

#include <base/json_text.h>
#include <train/event_message.h>

// The field numbers are those of event.proto, summary.proto, tensor.proto and tensor_shape.proto of
// TensorBoard (tensorboard/compat/proto).
namespace train {
namespace {

/// A protocol buffer that is being written.
class Message {
 public:
  Message& integer(int field, int64_t value) {
    key(field, 0);
    varint(static_cast<uint64_t>(value));
    return *this;
  }
  Message& float64(int field, double value) {
    key(field, 1);
    fixed(std::bit_cast<uint64_t>(value), 8);
    return *this;
  }
  Message& float32(int field, float value) {
    key(field, 5);
    fixed(std::bit_cast<uint32_t>(value), 4);
    return *this;
  }
  Message& bytes(int field, std::string_view value) {
    key(field, 2);
    varint(value.size());
    data_ += value;
    return *this;
  }
  Message& message(int field, const Message& value) { return bytes(field, value.data_); }

  const std::string& data() const { return data_; }

 private:
  void key(int field, int wire_type) { varint(static_cast<uint64_t>(field << 3 | wire_type)); }
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) data_.push_back(static_cast<char>(value | 0x80));
    data_.push_back(static_cast<char>(value));
  }
  void fixed(uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) data_.push_back(static_cast<char>(value >> (8 * i)));
  }

  std::string data_;
};

// Readers drop an event with a text that is no UTF-8 (of a file name, say).
std::string valid_utf8(std::string_view text) {
  using Json = nlohmann::json;
  return Json::parse(base::json_text(Json(text)));
}

Message event(double wall_time, int64_t step) {
  Message event;
  event.float64(1, wall_time);
  if (step != 0) event.integer(2, step);  // as protocol buffers leave out what is the default
  return event;
}

// Event.summary with one Summary.Value.
std::string summary_event(double wall_time, int64_t step, const Message& value) {
  return event(wall_time, step).message(5, Message().message(1, value)).data();
}

}  // namespace

std::string version_event(double wall_time) {
  return event(wall_time, 0).bytes(3, "brain.Event:2").data();
}

std::string start_event(double wall_time, int64_t step) {
  constexpr int64_t kStart = 1;  // SessionLog.SessionStatus
  return event(wall_time, step).message(7, Message().integer(1, kStart)).data();
}

std::string scalar_event(double wall_time, int64_t step, std::string_view tag, double value) {
  Message point;
  point.bytes(1, valid_utf8(tag)).float32(2, static_cast<float>(value));
  return summary_event(wall_time, step, point);
}

std::string text_event(double wall_time, int64_t step, std::string_view tag,
                       std::string_view markdown) {
  constexpr int64_t kString = 7;                                        // DataType
  constexpr int64_t kTensorClass = 2;                                   // DataClass
  const Message shape = Message().message(2, Message().integer(1, 1));  // one dimension of size 1
  Message tensor;
  tensor.integer(1, kString).message(2, shape).bytes(8, valid_utf8(markdown));
  Message metadata;
  metadata.message(1, Message().bytes(1, "text")).integer(4, kTensorClass);
  Message value;
  value.bytes(1, valid_utf8(tag)).message(8, tensor).message(9, metadata);
  return summary_event(wall_time, step, value);
}

}  // namespace train
