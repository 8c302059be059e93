#include "ledger.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "base/decimal.h"

namespace pop3load {
namespace {

Finding unreadable(std::size_t line) {
    return {Fault::malformed_answer, fmt::format("line {} of a listing", line)};
}

/// Calls `take(message, rest of the line)` for every line "n rest"; the numbers must go up from 1.
template <typename Take>
std::expected<void, Finding> read_lines(std::string_view lines, std::vector<Listed>& messages,
                                        Take take) {
    const bool sets_count = messages.empty();
    std::size_t count = 0;
    while (!lines.empty()) {
        std::string_view line = lines.substr(0, lines.find("\r\n"));
        lines.remove_prefix(std::min(lines.size(), line.size() + 2));
        const std::optional<std::uint64_t> number = restante::take_decimal<std::uint64_t>(line);
        if (number != ++count || !line.starts_with(' ')) return std::unexpected(unreadable(count));
        line.remove_prefix(1);
        if (sets_count) messages.emplace_back();
        if (count > messages.size()) break;
        if (!take(messages[count - 1], line)) return std::unexpected(unreadable(count));
    }
    if (count == messages.size()) return {};
    return std::unexpected(
        Finding{Fault::wrong_count,
                fmt::format("LIST and UIDL disagree: {} messages and {}", messages.size(), count)});
}

/// RFC 1939 §7: one to 70 printable characters.
bool is_unique_id(std::string_view text) {
    constexpr std::size_t octets_max = 70;
    const auto is_printable = [](char octet) { return octet >= 0x21 && octet <= 0x7E; };
    return !text.empty() && text.size() <= octets_max && std::ranges::all_of(text, is_printable);
}

bool is_before(const Listed& first, const Listed& second) { return first.id_hash < second.id_hash; }

/// What is known of content goes on to be known. Both by id_hash, `after` with all of `before`.
void keep_contents(const std::vector<Listed>& before, std::vector<Listed>& after) {
    auto place = after.begin();
    for (const Listed& message : before) {
        while (place->id_hash != message.id_hash) ++place;
        place->content = message.content;
    }
}

}  // namespace

std::expected<void, Finding> read_list(std::string_view lines, std::vector<Listed>& messages) {
    return read_lines(lines, messages, [](Listed& message, std::string_view line) {
        const std::optional<std::uint64_t> octets = restante::take_decimal<std::uint64_t>(line);
        message.octets = octets.value_or(0);
        return octets.has_value();
    });
}

std::expected<void, Finding> read_uidl(std::string_view lines, std::vector<Listed>& messages) {
    return read_lines(lines, messages, [](Listed& message, std::string_view line) {
        message.id_hash = XXH3_64bits(line.data(), line.size());
        return is_unique_id(line);
    });
}

std::optional<Stat> read_stat(std::string_view status) {
    if (!status.starts_with("+OK ")) return std::nullopt;
    status.remove_prefix(4);
    const std::optional<std::uint64_t> count = restante::take_decimal<std::uint64_t>(status);
    if (!count || *count > UINT32_MAX || !status.starts_with(' ')) return std::nullopt;
    status.remove_prefix(1);
    const std::optional<std::uint64_t> octets = restante::take_decimal<std::uint64_t>(status);
    if (!octets) return std::nullopt;
    return Stat{static_cast<std::uint32_t>(*count), *octets};
}

std::optional<Finding> Ledger::check(std::span<Listed> listing) {
    std::vector<Listed> sorted(listing.begin(), listing.end());
    std::ranges::sort(sorted, is_before);
    const auto is_same_id = [](const Listed& a, const Listed& b) { return a.id_hash == b.id_hash; };
    if (std::ranges::adjacent_find(sorted, is_same_id) != sorted.end())
        return Finding{Fault::unique_id_repeated, "two messages with one unique-id"};
    std::vector<std::uint64_t> new_octets;
    for (Listed& message : listing) {
        if (removed_.contains(message.id_hash))
            return Finding{Fault::message_resurrected,
                           "a message is back whose removal was acknowledged"};
        message.is_new = !std::ranges::binary_search(known_, message, is_before);
        if (message.is_new) new_octets.push_back(message.octets);
    }
    for (const Listed& message : known_) {
        const auto found = std::ranges::lower_bound(sorted, message, is_before);
        if (found != sorted.end() && found->id_hash == message.id_hash) {
            if (found->octets == message.octets) continue;
            return Finding{Fault::wrong_octets, fmt::format("LIST said {} octets, then {}",
                                                            message.octets, found->octets)};
        }
        if (std::ranges::find(new_octets, message.octets) != new_octets.end())
            return Finding{Fault::unique_id_changed,
                           fmt::format("a message of {} octets has another unique-id than before",
                                       message.octets)};
        return Finding{
            Fault::message_lost,
            fmt::format("a message of {} octets is gone that nobody deleted", message.octets)};
    }
    keep_contents(known_, sorted);
    known_ = std::move(sorted);
    return std::nullopt;
}

std::optional<Finding> Ledger::check_count(std::uint64_t count) {
    const std::uint64_t count_before = std::exchange(count_min_, std::max(count, count_min_));
    if (count >= count_before) return std::nullopt;
    return Finding{Fault::message_lost,
                   fmt::format("{} messages of {} are gone that nobody deleted",
                               count_before - count, count_before)};
}

std::optional<Finding> Ledger::check_content(std::uint64_t id_hash, std::uint64_t content) {
    const auto found = std::ranges::lower_bound(known_, Listed{.id_hash = id_hash}, is_before);
    if (found == known_.end() || found->id_hash != id_hash) return std::nullopt;
    if (found->content == 0) found->content = content;
    if (found->content == content) return std::nullopt;
    return Finding{Fault::wrong_content, "it is another message than before under its unique-id"};
}

void Ledger::removed(std::uint64_t id_hash) {
    forget(id_hash);
    removed_.insert(id_hash);
}

void Ledger::forget(std::uint64_t id_hash) {
    if (count_min_ > 0) --count_min_;
    const auto found = std::ranges::lower_bound(known_, Listed{.id_hash = id_hash}, is_before);
    if (found != known_.end() && found->id_hash == id_hash) known_.erase(found);
}

}  // namespace pop3load
