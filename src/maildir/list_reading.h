#pragma once
/// What the readers of other servers' lists share: lines, fields, and a bounded list of what was
/// wrong.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/decimal.h"

namespace restante {

/// A line that was not understood; the others count.
struct ListComplaint {
    std::uint32_t line;  ///< from 1
    const char* reason;  ///< a string literal for the log
};

/// The first complaints, and how many there were.
class ListComplaints {
public:
    static constexpr std::size_t kept_max = 16;
    void add(std::uint32_t line, const char* reason) {
        if (kept_.size() < kept_max) kept_.push_back({line, reason});
        ++total_;
    }
    std::span<const ListComplaint> kept() const { return kept_; }
    std::uint64_t total() const { return total_; }

private:
    std::vector<ListComplaint> kept_;
    std::uint64_t total_ = 0;
};

/// Cuts `text` at its first `separator`: what precedes it is returned, what follows stays in
/// `text`.
inline std::string_view take_field(std::string_view& text, char separator) {
    const std::size_t end = text.find(separator);
    const std::string_view field = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return field;
}

/// Cuts `text` at its last `separator`: what follows it is returned. Without one, nothing, and
/// `text` stays.
inline std::optional<std::string_view> take_last_field(std::string_view& text, char separator) {
    const std::size_t at = text.rfind(separator);
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view field = text.substr(at + 1);
    text = text.substr(0, at);
    return field;
}

}  // namespace restante
