#pragma once

#include <cstdint>
#include <initializer_list>

namespace train {

/// What SplitMix64 does to a counter: each bit of `z` changes all bits of the result.
inline uint64_t finalize(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/// The step of SplitMix64's counter.
inline constexpr uint64_t kSeedStep = 0x9e3779b97f4a7c15u;

/// A seed made of several numbers (run, epoch, picture), each of which changes all of its bits.
/// Everything random in training comes from such seeds, so that what
/// happens at a step does not depend on how the run came there.
inline uint64_t combine_seeds(std::initializer_list<uint64_t> parts) {
  uint64_t seed = 0;
  for (const uint64_t part : parts) seed = finalize(seed + part + kSeedStep);
  return seed;
}

}  // namespace train
