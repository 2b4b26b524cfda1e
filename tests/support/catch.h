#pragma once

#include <string>

// Catch2 v3 has many small headers, v2 one; the tests build with either.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
namespace Catch {
using namespace Matchers;
}  // namespace Catch
using Catch::Approx;
#else
#include <catch2/catch.hpp>
namespace Catch {
using namespace Matchers;
inline auto ContainsSubstring(const std::string& text) { return Matchers::Contains(text); }
}  // namespace Catch
#endif
