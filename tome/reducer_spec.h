#pragma once

#include <memory>
#include <string>

#include <tome/tome.h>
#include <vit/token_reducer.h>

namespace tome {

/// Reads a reducer from text: "tome", which merges as `merging` says; "pitome:ratio=0.95" with
/// variant, alpha and margin besides, "threshold:tau=0.8" with shared. Options are separated by
/// commas, values of single layers by "/" (the last one holds for all that follow); prop-attn=on or
/// off can be said of both. Null for a "tome" that merges nothing. Throws vit::Error that shows the
/// forms.
std::shared_ptr<const vit::TokenReducer> parse_reducer(const std::string& text,
                                                       const Options& merging = {});

}  // namespace tome
