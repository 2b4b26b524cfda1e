#pragma once

/// On a class that crosses from one library to another as an exception. What public headers declare
/// is exported without it (cmake/VitomeTargets.cmake).
#define VITOME_API __attribute__((visibility("default")))
