#pragma once

#include <memory>

#include <hub/monitor.h>
#include <hub/settings.h>

namespace hub {

/// From now on vit::load("hf:org/name") and "hf:org/name@revision" mean a model of the hub, which
/// is downloaded unless the cache has it. Takes the settings of the environment at each load.
/// `monitor`, if there is one, watches the downloads, from any thread that loads.
void enable(std::shared_ptr<Monitor> monitor = nullptr);

/// The same with those settings.
void enable(Settings settings, std::shared_ptr<Monitor> monitor = nullptr);

/// vit::load() knows no hub any more.
void disable();

}  // namespace hub
