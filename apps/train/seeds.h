#pragma once

#include <cstdint>
#include <initializer_list>

namespace train {

/// A seed made of several numbers (run, epoch, picture), each of which changes all of its bits
/// (the finalizer of SplitMix64). Everything random in training comes from such seeds, so that what
/// happens at a step does not depend on how the run came there.
inline uint64_t combine_seeds(std::initializer_list<uint64_t> parts) {
  uint64_t seed = 0;
  for (const uint64_t part : parts) {
    seed += part + 0x9e3779b97f4a7c15u;
    seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9u;
    seed = (seed ^ (seed >> 27)) * 0x94d049bb133111ebu;
    seed ^= seed >> 31;
  }
  return seed;
}

}  // namespace train
