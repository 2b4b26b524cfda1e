#include <charconv>
#include <string_view>
#include <vector>

#include <tome/pitome.h>
#include <tome/reducer.h>
#include <tome/reducer_spec.h>
#include <tome/threshold.h>
#include <vit/error.h>

namespace tome {
namespace {

/// What stands before the first `mark`, which goes with it from the front of `text`.
std::string_view take(std::string_view& text, char mark) {
  const auto end = text.find(mark);
  const auto piece = text.substr(0, end);
  text = end == text.npos ? std::string_view() : text.substr(end + 1);
  return piece;
}

/// One reducer's text, for reading its options and saying what is wrong with them.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text), rest_(text) { name_ = take(rest_, ':'); }

  std::string_view name() const { return name_; }

  /// Calls read(name, value) for each option.
  template <typename F>
  void each_option(const F& read) {
    if (rest_.ends_with(',')) bad(rest_);
    while (!rest_.empty()) {
      std::string_view value = take(rest_, ',');
      const auto name = take(value, '=');
      read(name, value);
    }
  }

  [[noreturn]] void bad(std::string_view part) const {
    vit::fail("reducer \"", text_, "\": cannot read \"", part, "\"; the forms are tome, ",
              "pitome:ratio=0.95,variant=bsm/ordered,alpha=1,margin=0.75 and ",
              "threshold:tau=0.8/0.7,shared=off, both with prop-attn=on or off; every option may ",
              "be left out, and a / separates the values of the first layers");
  }

  double number(std::string_view value) const {
    double result = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (error != std::errc() || end != value.data() + value.size()) bad(value);
    return result;
  }

  bool flag(std::string_view value) const {
    if (value != "on" && value != "off") bad(value);
    return value == "on";
  }

  template <typename F>
  auto list(std::string_view values, const F& read) const {
    std::vector<decltype(read(values))> result;
    if (values.ends_with('/')) bad(values);
    do result.push_back(read(take(values, '/')));
    while (!values.empty());
    return result;
  }
  std::vector<double> numbers(std::string_view values) const {
    return list(values, [this](std::string_view value) { return number(value); });
  }

 private:
  std::string_view text_, rest_, name_;
};

std::shared_ptr<const vit::TokenReducer> read_pitome(Reader& reader) {
  PitomeOptions options;
  reader.each_option([&](std::string_view name, std::string_view value) {
    if (name == "ratio") {
      options.ratio = reader.numbers(value);
    } else if (name == "margin") {
      options.margins = reader.numbers(value);
      if (options.margins.size() > 1) return;
      options.initial_margin = options.margins.front();
      options.margins.clear();
    } else if (name == "alpha") {
      options.alpha = reader.number(value);
    } else if (name == "prop-attn") {
      options.prop_attn = reader.flag(value);
    } else if (name == "variant") {
      options.variants = reader.list(value, [&](std::string_view variant) {
        if (variant != "ordered" && variant != "bsm") reader.bad(variant);
        return variant == "bsm" ? PitomeVariant::bsm : PitomeVariant::ordered;
      });
    } else {
      reader.bad(name);
    }
  });
  return std::make_shared<PitomeReducer>(std::move(options));
}

std::shared_ptr<const vit::TokenReducer> read_threshold(Reader& reader) {
  ThresholdOptions options;
  reader.each_option([&](std::string_view name, std::string_view value) {
    if (name == "tau")
      options.tau = reader.numbers(value);
    else if (name == "shared")
      options.shared = reader.flag(value);
    else if (name == "prop-attn")
      options.prop_attn = reader.flag(value);
    else
      reader.bad(name);
  });
  return std::make_shared<ThresholdReducer>(std::move(options));
}

}  // namespace

std::shared_ptr<const vit::TokenReducer> parse_reducer(const std::string& text,
                                                       const Options& merging) {
  Reader reader(text);
  if (reader.name() == "pitome") return read_pitome(reader);
  if (reader.name() == "threshold") return read_threshold(reader);
  if (reader.name() != "tome") reader.bad(reader.name());
  reader.each_option([&](std::string_view name, std::string_view) { reader.bad(name); });
  return make_reducer(merging);
}

}  // namespace tome
