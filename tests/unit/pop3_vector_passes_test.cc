/// ByteStuffer and MessageMeter with each set of vector instructions that this machine has, against
/// plain loops.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <hwy/targets.h>

#include "pop3/byte_stuffer.h"
#include "pop3/message_meter.h"
#include "unit/pop3_plain_passes.h"

using pop3::ByteStuffer;
using pop3::MessageMeasure;
using pop3::MessageMeter;
using pop3::test::plain_measure;
using pop3::test::PlainStuffer;

namespace {

/// Calls `each` with every set of instructions that was compiled and can run here in force.
template <class Each>
void for_each_target(Each each) {
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
        INFO(hwy::TargetName(target));
        hwy::SetSupportedTargetsForTest(target);
        each();
    }
    hwy::SetSupportedTargetsForTest(0);
}

/// An array of exactly so many octets, so that AddressSanitizer sees one read or written too many.
class Piece {
public:
    explicit Piece(std::size_t octets) : octets_(octets), data_(new char[octets]) {}
    explicit Piece(std::string_view text) : Piece(text.size()) {
        std::ranges::copy(text, data_.get());
    }
    std::span<char> octets() const { return {data_.get(), octets_}; }

private:
    std::size_t octets_;
    std::unique_ptr<char[]> data_;
};

struct Passed {
    std::string wire;
    std::uint64_t octets = 0;
    MessageMeasure measure;
    friend bool operator==(const Passed&, const Passed&) = default;
};

Passed plainly_passed(std::string_view message) {
    PlainStuffer stuffer;
    std::string wire = stuffer.feed(message);
    return {std::move(wire), stuffer.octets(), plain_measure(message)};
}

/// Through both passes in pieces that end at each of `splits`, which ascend, and at the end.
Passed passed(std::string_view message, std::span<const std::size_t> splits) {
    ByteStuffer stuffer;
    MessageMeter meter;
    Passed result;
    std::size_t from = 0;
    for (std::size_t index = 0; index <= splits.size(); ++index) {
        const std::size_t to = index < splits.size() ? splits[index] : message.size();
        const Piece in(message.substr(from, to - from));
        const Piece out(2 * (to - from));
        const std::size_t written = stuffer.feed(in.octets(), out.octets());
        result.wire.append(out.octets().data(), written);
        meter.feed(in.octets());
        from = to;
    }
    result.octets = stuffer.octets().value();
    result.measure = meter.finish();
    return result;
}

class RandomTexts {
public:
    std::size_t below(std::size_t bound) {
        return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_);
    }
    /// Line ends, dots and octets of all kinds, as dense as `kind` says: from every other octet to
    /// none in a hundred.
    std::string text() {
        const std::size_t specials = std::size_t{2} << below(7);  // one octet in so many
        const std::string_view special = one_of(special_sets);
        std::string text;
        for (std::size_t left = below(700); left > 0; --left) {
            text += below(specials) == 0 ? special[below(special.size())] : ordinary();
            if (text.ends_with('\r') && below(2) == 0) text += '\n';
            if (text.ends_with('\n') && below(8) == 0) text += '.';
        }
        return text;
    }
    std::vector<std::size_t> splits(std::size_t octets) {
        std::vector<std::size_t> splits(below(5));
        for (std::size_t& split : splits) split = below(octets + 1);
        std::ranges::sort(splits);
        return splits;
    }

private:
    static constexpr std::string_view special_sets[] = {"\n", "\r", ".\n", "\r\n.", "\n\n\r."};

    std::string_view one_of(std::span<const std::string_view> sets) {
        return sets[below(sets.size())];
    }
    char ordinary() {
        return below(4) == 0 ? static_cast<char>(below(256)) : 'x';  // NUL and 8-bit as well
    }

    std::mt19937 random_{4};
};

constexpr std::string_view alphabet = "\r\n.x";

/// The `number`th text of so many octets, of alphabet.size() to their power.
std::string text_of(std::size_t octets, std::size_t number) {
    std::string text(octets, ' ');
    for (char& octet : text) {
        octet = alphabet[number % alphabet.size()];
        number /= alphabet.size();
    }
    return text;
}

/// Each text of `octets` octets behind `lead`, cut at every place in it.
void check_texts(std::size_t octets, const std::string& lead) {
    std::size_t texts = 1;
    for (std::size_t octet = 0; octet < octets; ++octet) texts *= alphabet.size();
    for (std::size_t number = 0; number < texts; ++number) {
        const std::string message = lead + text_of(octets, number);
        const Passed expected = plainly_passed(message);
        for (std::size_t split = lead.size(); split <= message.size(); ++split) {
            if (passed(message, std::span(&split, 1)) == expected) continue;
            CAPTURE(message);
            CAPTURE(split);
            FAIL("differs from the plain loop");
        }
    }
}

}  // namespace

TEST_CASE("any vector instructions stuff and measure every short message as the plain loops do") {
    for_each_target([] {
        for (std::size_t octets = 0; octets <= 6; ++octets) check_texts(octets, "");
    });
    for (const std::size_t octets : {7, 8}) check_texts(octets, "");
}

TEST_CASE("any vector instructions see line ends and dots across the edges of their registers") {
    for_each_target([] {
        for (std::size_t lead = 13; lead <= 131; ++lead) {
            check_texts(3, std::string(lead, 'x'));
            check_texts(2, std::string(lead, 'x') + std::string(70, '\n'));
        }
    });
}

TEST_CASE("any vector instructions give what the plain loops give, at random texts and splits") {
    for_each_target([] {
        RandomTexts random;
        for (int round = 0; round < 2000; ++round) {
            const std::string message = random.text();
            const std::vector<std::size_t> splits = random.splits(message.size());
            CAPTURE(round);
            CAPTURE(message);
            REQUIRE(passed(message, splits) == plainly_passed(message));
        }
    });
}

TEST_CASE("a message of nothing but stuffed dots doubles, and its first dots are recorded") {
    std::string message;
    for (int line = 0; line < 1000; ++line) message += ".\n";
    for_each_target([&message] {
        const Passed result = passed(message, {});
        CHECK(result == plainly_passed(message));
        CHECK(result.wire.size() == 2 * message.size());
        CHECK(result.octets == 3000);
        CHECK(result.measure.stuffed_dots == 1000);
    });
}
