#pragma once

#include <cstddef>
#include <cstdint>

// libFuzzer's interface.
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
