#pragma once

#include <ATen/autocast_mode.h>

namespace vit {

/// Matrix products in bfloat16 while it lives, if `enabled`.
class Autocast {
 public:
  Autocast(c10::DeviceType device, bool enabled) : device_(device) {
    at::autocast::increment_nesting();
    at::autocast::set_autocast_enabled(device_, enabled);
    at::autocast::set_autocast_dtype(device_, at::kBFloat16);
  }
  ~Autocast() {
    at::autocast::set_autocast_enabled(device_, false);
    // The weights as they were converted for this pass.
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  c10::DeviceType device_;
};

}  // namespace vit
