#pragma once
/// What most files include and nobody here changes, compiled once: only to build faster. Release is
/// built without it, so a file that lacks an include is found.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>
