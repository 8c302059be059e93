// A message on its way out: ByteStuffer, MessageMeter and HeadCutter against the plain passes, at
// any split; undoing the stuffing gives the message back. Input: an octet for the split, one for
// TOP's lines, then the message.
#include <algorithm>
#include <string>

#include "base/assert.h"
#include "fuzz/input.h"
#include "fuzz/target.h"
#include "pop3/byte_stuffer.h"
#include "pop3/head_cutter.h"
#include "pop3/message_meter.h"
#include "sim/wire_reply.h"
#include "unit/pop3_plain_passes.h"

namespace restante::fuzz {
namespace {

std::string stuffed(std::string_view message, std::uint8_t split, std::uint64_t& octets) {
    std::string wire;
    pop3::ByteStuffer stuffer;
    for (Pieces pieces(message, split); !pieces.is_over();) {
        const std::string_view piece = pieces.next();
        const std::size_t before = wire.size();
        wire.resize(before + 2 * piece.size());
        wire.resize(before + stuffer.feed(piece, std::span(wire).subspan(before)));
    }
    octets = stuffer.octets().value();
    char end[pop3::ByteStuffer::finish_octets_max];
    return wire.append(end, stuffer.finish(end));
}

std::string plain_stuffed(std::string_view message) {
    pop3::test::PlainStuffer stuffer;
    std::string wire = stuffer.feed(message);
    if (!wire.empty() && !wire.ends_with('\n')) wire += "\r\n";
    return wire + ".\r\n";
}

/// Headers, the blank line and `lines` of the body; all where there is no blank line.
std::string_view plain_head(std::string_view message, std::uint64_t lines) {
    bool in_body = false;
    for (std::size_t at = 0; at < message.size();) {
        if (in_body && lines-- == 0) return message.substr(0, at);
        const std::size_t end = std::min(message.find('\n', at), message.size() - 1);
        const std::string_view line = message.substr(at, end + 1 - at);
        in_body = in_body || line == "\n" || line == "\r\n";
        at = end + 1;
    }
    return message;
}

void check_head(std::string_view message, std::uint8_t split, std::uint64_t lines) {
    pop3::HeadCutter cutter(pop3::BodyLines::first(lines));
    std::size_t octets = 0;
    for (Pieces pieces(message, split); !pieces.is_over() && !cutter.done();) {
        const std::string_view piece = pieces.next();
        const std::size_t taken = cutter.feed(piece);
        ASSERT(taken == piece.size() || cutter.done());
        octets += taken;
    }
    ASSERT(message.substr(0, octets) == plain_head(message, lines));
}

}  // namespace

void fuzz_message(std::string_view input) {
    Input parts(input);
    const std::uint8_t split = parts.octet();
    const std::uint8_t lines = parts.octet();
    const std::string_view message = parts.rest();

    pop3::MessageMeter meter;
    for (Pieces pieces(message, split); !pieces.is_over();) meter.feed(pieces.next());
    const pop3::MessageMeasure measure = meter.finish();
    ASSERT(measure == pop3::test::plain_measure(message));

    std::uint64_t octets = 0;
    std::string wire = stuffed(message, split, octets);
    ASSERT(wire == plain_stuffed(message));
    ASSERT(octets == measure.octets.value());
    if (measure.wire_ready) ASSERT(wire == std::string(message) + ".\r\n");

    std::string response = "+OK\r\n" + wire;
    const auto reply = sim::take_reply(response, true);
    ASSERT(reply && response.empty());
    ASSERT(reply->text == sim::wire_form(message));
    ASSERT(reply->text.size() == octets);
    check_head(message, split, lines);
}

}  // namespace restante::fuzz
