#pragma once

// Catch2 v3 has many small headers, v2 one; the tests build with either.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
namespace Catch {
using namespace Matchers;  // where v3 has ContainsSubstring and the others
inline auto ContainsSubstring(const std::string& text) { return Matchers::Contains(text); }
}  // namespace Catch
#endif
