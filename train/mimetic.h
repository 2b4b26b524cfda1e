#pragma once

#include <cstdint>

#include <vit/vision_transformer.h>

namespace train {

/// Random weights that begin like a trained Vision Transformer (Trockman and Kolter, Mimetic
/// Initialization of Self-Attention Layers, arXiv 2305.09828): the product of the query and key
/// weights of each head is near the identity and that of value and output weights near its
/// negative, learned positions begin as two-dimensional sinusoids, so that tokens attend to their
/// neighbours at once. Small data sets and short runs gain most, where the model averages over its
/// patches: a class token has no such position. The other weights stay as they are. Throws
/// base::Error where heads of queries have their keys in common.
void mimetic_init(vit::VisionTransformer& model, uint64_t seed);

}  // namespace train
