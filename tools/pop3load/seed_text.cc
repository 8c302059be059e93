#include "seed_text.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "random.h"

namespace pop3load {
namespace {

constexpr std::string_view octets_keyword = "octets=";
constexpr std::string_view sum_keyword = " sum=";
constexpr std::string_view user_keyword = " user=";
constexpr std::size_t octets_digits = 12;
constexpr std::size_t hash_digits = 16;
/// Messages from this many octets on carry a file in base64 after their text.
constexpr std::uint64_t attachment_octets_min = 12'000;
/// From here on there is room for the headers of MIME.
constexpr std::uint64_t mime_octets_min = 600;
/// Of a line of base64 (RFC 2045 §6.8).
constexpr std::size_t base64_line_octets = 76;
constexpr std::size_t text_line_octets_max = 78;
/// Now and then a line is as long as mailing programs write them that never wrap.
constexpr std::size_t long_line_octets_max = 900;

constexpr std::string_view line_end = "\r\n";

constexpr std::array<std::string_view, 16> first_names = {
    "Anna",  "Boris", "Carla", "David", "Elena", "Felix", "Greta", "Hugo",
    "Irene", "Jonas", "Klara", "Leo",   "Maria", "Nils",  "Olga",  "Paul"};
constexpr std::array<std::string_view, 8> subjects = {
    "Minutes of Tuesday's meeting", "Re: your order",     "Invoice",          "Holiday pictures",
    "Fwd: the timetable",           "Re: Re: the budget", "A short question", "News of the week"};
constexpr std::array<std::string_view, 7> days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

// What the lines of text are cut from; where a line starts in it is random.
constexpr std::string_view prose =
    "I have read the draft you sent on Monday and agree with most of it, but the third part needs "
    "another look before it goes out. Could you ask the people in the workshop whether the parts "
    "have come? They promised them for last week, and nobody has seen a delivery note since. The "
    "train leaves at twenty past seven, so we should meet at the station a little earlier. If it "
    "rains we can still take the bus; it stops in front of the library every half an hour. Please "
    "find the figures of the last quarter below, with the corrections that were made on Friday. "
    "The difference of 1,240.50 comes from two bills that were counted twice. Thank you for the "
    "pictures, the children liked the one with the boat best and have pinned it above the desk. "
    "Nothing has changed with the house: the roof is done, the windows are not, and the painter "
    "says that he will come when the weather allows. We would be glad if you stayed for dinner. "
    "As for the meeting, I would move it to the afternoon, since the room is taken until noon and "
    "half of us travel in the morning anyway. Let me know what you think, and bring the old maps "
    "if you can find them; there is a question about the path behind the mill that only they can "
    "settle. The manual says to turn it off, wait for a minute, and turn it on again. It helped. ";

/// No more of these in a row are no letter and no digit.
constexpr std::size_t prose_skip_max = 2;

/// Octets that look like a compressed file in base64; any piece of it does.
class Base64Pool {
public:
    Base64Pool() {
        constexpr std::string_view alphabet =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        Random random(1);
        for (char& octet : octets_) octet = alphabet[random.below(alphabet.size())];
    }
    std::string_view piece(Random& random, std::size_t octets) const {
        return {octets_.data() + random.below(octets_.size() - octets), octets};
    }

private:
    std::array<char, 16 * 1024> octets_;
};

const Base64Pool& base64_pool() {
    static const Base64Pool pool;
    return pool;
}

/// `octets` of prose, up to long_line_octets_max; begins with a letter or a digit, ends in no
/// blank.
void append_prose(std::string& text, Random& random, std::size_t octets) {
    if (octets == 0) return;
    std::size_t at = random.below(prose.size() - long_line_octets_max - prose_skip_max);
    while (std::string_view(" .,:;").find(prose[at]) != std::string_view::npos) ++at;
    text += prose.substr(at, octets);
    if (text.back() == ' ') text.back() = '.';
}

/// How long the next line is, its end not counted, where `left` >= 2 are left for it and those
/// after it. Never leaves 1 octet, which no line fits into.
std::size_t line_octets(std::size_t wanted, std::size_t left) {
    return left < wanted + 2 * line_end.size() ? left - line_end.size() : wanted;
}

std::size_t wanted_text_octets(std::uint64_t dice) {
    if (dice % 64 == 0) return 100 + (dice >> 8) % (long_line_octets_max - 100);
    if (dice % 8 == 1) return 0;  // between two paragraphs
    return 20 + (dice >> 8) % (text_line_octets_max - 20);
}

/// Exactly `octets` (not 1) of lines of text. With dots, one line in 512 begins with one or two,
/// and some are nothing else (in real mail about one in 1,400 does).
void append_text(std::string& text, Random& random, std::uint64_t octets, bool with_dots) {
    const std::uint64_t after = text.size() + octets;
    while (text.size() < after) {
        const std::uint64_t dice = random.next();
        const bool is_dotted = with_dots && (dice >> 47) % 512 == 0;
        const std::uint64_t dots = 1 + (dice >> 56) % 2;
        const bool is_dots_alone = is_dotted && (dice >> 58) % 4 == 0;
        const std::size_t line =
            line_octets(is_dots_alone ? dots : wanted_text_octets(dice), after - text.size());
        const std::size_t dots_here = is_dotted ? std::min<std::size_t>(line, dots) : 0;
        text.append(dots_here, '.');
        append_prose(text, random, line - dots_here);
        text += line_end;
    }
}

/// Exactly `octets` (not 1) of lines of base64.
void append_base64(std::string& text, Random& random, std::uint64_t octets) {
    const Base64Pool& pool = base64_pool();
    const std::uint64_t after = text.size() + octets;
    while (text.size() < after) {
        text += pool.piece(random, line_octets(base64_line_octets, after - text.size()));
        text += line_end;
    }
}

/// What stands around the two parts of a message with a file.
struct Envelope {
    explicit Envelope(std::uint64_t identity) : boundary(fmt::format("=_{:016x}", identity)) {}
    std::string before_text() const {
        return fmt::format("--{}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n", boundary);
    }
    std::string before_file() const {
        return fmt::format(
            "--{}\r\nContent-Type: application/octet-stream; name=\"pictures.zip\"\r\n"
            "Content-Disposition: attachment; filename=\"pictures.zip\"\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n",
            boundary);
    }
    std::string after_file() const { return fmt::format("\r\n--{}--\r\n", boundary); }
    std::string boundary;
};

/// Exactly `octets` of a multipart body: a letter and a file.
void append_parts(std::string& text, Random& random, std::uint64_t octets, std::uint64_t identity,
                  bool with_dots) {
    const Envelope envelope(identity);
    const std::uint64_t after = text.size() + octets;
    text += envelope.before_text();
    append_text(text, random, 300 + random.below(2'000), with_dots);
    text += envelope.before_file();
    const std::string end = envelope.after_file();
    append_base64(text, random, after - end.size() - text.size());
    text += end;
}

/// Some moment of January 2023, which began with a Sunday.
std::string date_of(std::uint64_t dice) {
    const auto day = static_cast<unsigned>(dice % 28);
    return fmt::format("{}, {} Jan 2023 {:02}:{:02}:{:02} +0000", days[day % days.size()], day + 1,
                       (dice >> 8) % 24, (dice >> 16) % 60, (dice >> 24) % 60);
}

/// All but the blank line; the sum is zeros until it is known. At most 274 octets for a message
/// without room for those of MIME.
std::string headers_of(std::uint64_t identity, std::uint64_t octets, std::string_view user,
                       Random& random) {
    const std::string_view from = first_names[random.below(first_names.size())];
    const std::string_view to = first_names[random.below(first_names.size())];
    const std::string whose =
        user.empty() ? "" : fmt::format("{}{:0{}x}", user_keyword, user_hash(user), hash_digits);
    std::string text = fmt::format(
        "From: {0} <{0}@example.org>\r\n{1}octets={2:0{3}} sum={4:0{5}x}{9}\r\n"
        "To: {6}@example.net\r\nDate: {7}\r\nMessage-ID: <{8:016x}@example.org>\r\n",
        from, self_description_keyword, octets, octets_digits, 0, hash_digits, to,
        date_of(random.next()), identity, whose);
    if (octets < mime_octets_min) return text;
    text += fmt::format("Subject: {}\r\nMIME-Version: 1.0\r\n",
                        subjects[random.below(subjects.size())]);
    if (octets < attachment_octets_min) {
        return text + "Content-Type: text/plain; charset=us-ascii\r\n";
    }
    return text + fmt::format("Content-Type: multipart/mixed; boundary=\"{}\"\r\n",
                              Envelope(identity).boundary);
}

void write_sum(std::string& text) {
    const std::string_view whole(text);
    const std::size_t mark_at = whole.find(self_description_keyword);
    const std::uint64_t sum =
        sum_around(whole.substr(0, mark_at), whole.substr(whole.find(line_end, mark_at)));
    const std::size_t at = whole.find(sum_keyword, mark_at) + sum_keyword.size();
    fmt::format_to_n(text.begin() + static_cast<std::ptrdiff_t>(at), hash_digits, "{:0{}x}", sum,
                     hash_digits);
}

/// Every CR is one of a CRLF.
void remove_carriage_returns(std::string& text) {
    char* target = text.data();
    const char* source = text.data();
    const char* const end = source + text.size();
    while (source < end) {
        const void* found = std::memchr(source, '\r', static_cast<std::size_t>(end - source));
        const char* const stop = found != nullptr ? static_cast<const char*>(found) : end;
        const auto octets = static_cast<std::size_t>(stop - source);
        std::memmove(target, source, octets);
        target += octets;
        source = stop + 1;
    }
    text.resize(static_cast<std::size_t>(target - text.data()));
}

/// Takes `digits` digits from the front of `text`.
std::optional<std::uint64_t> take_number(std::string_view& text, std::size_t digits, int base) {
    if (text.size() < digits) return std::nullopt;
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number, base);
    if (error != std::errc() || end != text.data() + digits) return std::nullopt;
    text.remove_prefix(digits);
    return number;
}

}  // namespace

std::uint64_t sum_around(std::string_view before, std::string_view after) {
    const std::uint64_t first = XXH3_64bits(before.data(), before.size());
    return XXH3_64bits_withSeed(after.data(), after.size(), first);
}

std::uint64_t user_hash(std::string_view user) { return XXH3_64bits(user.data(), user.size()); }

std::string seed_message(std::uint64_t identity, std::uint64_t octets, LineEnds line_ends,
                         std::string_view user) {
    ASSERT(octets <= seed_octets_max);
    octets = std::max(octets, seed_octets_min);
    const bool with_dots = line_ends != LineEnds::wire_ready;
    Random random(identity);
    std::string text = headers_of(identity, octets, user, random);
    text.reserve(octets);
    text += line_end;
    const std::size_t body_at = text.size();
    ASSERT(body_at + line_end.size() <= octets);
    if (octets < attachment_octets_min) {
        append_text(text, random, octets - body_at, with_dots);
    } else {
        append_parts(text, random, octets - body_at, identity, with_dots);
    }
    ASSERT(text.size() == octets);
    write_sum(text);
    if (line_ends == LineEnds::lf) remove_carriage_returns(text);
    return text;
}

std::optional<SelfDescription> parse_self_description(std::string_view line) {
    if (!line.starts_with(self_description_keyword)) return std::nullopt;
    line.remove_prefix(self_description_keyword.size());
    if (!line.starts_with(octets_keyword)) return std::nullopt;
    line.remove_prefix(octets_keyword.size());
    const std::optional<std::uint64_t> octets = take_number(line, octets_digits, 10);
    if (!octets || !line.starts_with(sum_keyword)) return std::nullopt;
    line.remove_prefix(sum_keyword.size());
    const std::optional<std::uint64_t> sum = take_number(line, hash_digits, 16);
    if (!sum) return std::nullopt;
    if (line.empty()) return SelfDescription{*octets, *sum, std::nullopt};
    if (!line.starts_with(user_keyword)) return std::nullopt;
    line.remove_prefix(user_keyword.size());
    const std::optional<std::uint64_t> user = take_number(line, hash_digits, 16);
    if (!user || !line.empty()) return std::nullopt;
    return SelfDescription{*octets, *sum, user};
}

MarkVerdict judge_by_mark(std::string_view message, std::string_view user) {
    const std::string_view head = message.substr(0, message.find("\r\n\r\n"));
    for (std::size_t at = 0; at < head.size();) {
        const std::size_t end = std::min(head.find(line_end, at), head.size());
        const auto said = parse_self_description(head.substr(at, end - at));
        const std::size_t line_at = std::exchange(at, end + line_end.size());
        if (!said) continue;
        const bool is_own = !said->user || *said->user == user_hash(user) ||
                            *said->user == user_hash(user.substr(0, user.find('@')));
        if (!is_own) return {true, "it is another user's"};
        if (said->octets != message.size())
            return {true, fmt::format("it was seeded with {} octets", said->octets)};
        if (said->sum != sum_around(message.substr(0, line_at), message.substr(end)))
            return {true, "its headers or its body are not those that were seeded"};
        return {true, ""};
    }
    return {false, ""};
}

}  // namespace pop3load
