#pragma once

#include <distributed/group.h>
#include <eval/records.h>

namespace eval {

/// Every process gets what all of them have recorded; no picture may be finished in two of them.
void gather(distributed::Group& group, Records& records);

}  // namespace eval
