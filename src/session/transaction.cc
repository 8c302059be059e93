#include "session/session.h"

namespace restante {
namespace {

/// Multi-line responses that a session gives between two turns of the ring.
constexpr std::uint32_t answers_in_a_turn_max = 8;

constexpr pop3::Reply no_such_message = pop3::Reply::err("no such message");

/// What the client is told when a message cannot be opened or read.
pop3::Reply refusal_of(const Error& error) {
    switch (error.kind) {
        case ErrorKind::exhausted:
        case ErrorKind::not_found:
            return pop3::Reply::err(pop3::ResponseCode::sys_temp, "message not available");
        default: return pop3::Reply::err(pop3::ResponseCode::sys_perm, "message not readable");
    }
}

}  // namespace

/// RFC 1939 §5: commands one after the other, until QUIT.
Task<Result<Departure>> Session::transaction() {
    enter(Phase::commands);
    bad_lines_ = 0;
    output_.limit(never);
    for (;;) {
        const Instant deadline = service_.ring.now() + service_.policy.idle_timeout;
        const Result<pop3::LineReader::Next> line = co_await next_line(LineKind::command, deadline);
        if (!line) co_return std::unexpected(line.error());
        Rest rest = take_lines(*line);
        if (has_too_many_bad_lines(pop3::State::transaction)) co_return Departure::bad_commands;
        if (rest.quits) co_return Departure::quit;
        if (!rest.answer) continue;
        const Result<void> answered = co_await std::move(*rest.answer);
        if (!answered) co_return std::unexpected(answered.error());
    }
}

/// Here, because a command is more than the frame that every idle session has should hold.
Session::Rest Session::take_lines(pop3::LineReader::Next line) {
    const std::optional<pop3::Command> command = answer_lines(line);
    if (!command) return {};
    if (command->verb == pop3::Verb::quit) return {.quits = true, .answer = std::nullopt};
    return {.quits = false, .answer = answer_at_length(*command)};
}

/// Answers `line` and those that came with it, as long as one line answers each; returns the first
/// other command.
std::optional<pop3::Command> Session::answer_lines(pop3::LineReader::Next line) {
    do {
        const std::optional<pop3::Command> command = parse(line, pop3::State::transaction);
        if (command && !answer(*command)) return command;
        if (has_too_many_bad_lines(pop3::State::transaction) || !output_.has_room_for_reply())
            break;
        line = reader_.next();
    } while (line.status != pop3::LineReader::Status::incomplete);
    return std::nullopt;
}

/// The commands that one line answers; false for the others.
bool Session::answer(const pop3::Command& command) {
    const std::string_view argument = command.arguments[0];
    const bool has_argument = command.argument_count > 0;
    switch (command.verb) {
        case pop3::Verb::stat:
            output_.stat(visit_->marks.count() - visit_->marks.marked_count(), remaining_octets());
            return true;
        case pop3::Verb::list:
        case pop3::Verb::uidl:
            if (has_argument) list_one(command.verb, argument);
            return has_argument;
        case pop3::Verb::dele: mark(argument); return true;
        case pop3::Verb::noop: output_.reply(pop3::Reply::ok()); return true;
        case pop3::Verb::rset:
            visit_->marks.unmark_all();
            output_.reply(pop3::Reply::ok());
            return true;
        case pop3::Verb::capa: capabilities(); return true;
        default: return false;
    }
}

/// The commands that a multi-line response answers.
Task<Result<void>> Session::answer_at_length(pop3::Command command) {
    Result<void> answered;
    if (has_had_its_turn()) co_await yield(service_.ring);
    if (command.verb == pop3::Verb::list || command.verb == pop3::Verb::uidl) {
        answered = co_await list_all(command.verb);
        co_return answered;
    }
    const std::optional<pop3::MessageNumber> number = find(command.arguments[0]);
    std::optional<pop3::BodyLines> body = pop3::BodyLines::all();
    if (command.verb == pop3::Verb::top) body = pop3::BodyLines::parse(command.arguments[1]);
    if (!number || !body) {
        output_.reply(!number ? no_such_message : pop3::Reply::err("wrong arguments"));
        co_return answered;
    }
    answered = co_await send_message(*number, *body);
    co_return answered;
}

/// Pipelined commands may all be answered without a wait: thousands of them must not stop the other
/// sessions.
bool Session::has_had_its_turn() {
    const Instant turn = service_.ring.now();
    if (turn != visit_->turn) visit_->answers_in_turn = 0;
    visit_->turn = turn;
    return ++visit_->answers_in_turn > answers_in_a_turn_max;
}

/// LIST and UIDL without an argument: those not marked as deleted (RFC 1939 §5, §7).
Task<Result<void>> Session::list_all(pop3::Verb verb) {
    output_.reply(pop3::Reply::ok("listing follows"));
    for (std::uint32_t index = 0; index < visit_->maildrop->count();) {
        index = list_some(verb, index);
        if (output_.has_room_for_reply()) continue;
        const Result<void> sent = co_await output_.send(true);
        if (!sent) co_return sent;
    }
    output_.terminate();
    co_return Result<void>();
}

/// As many lines as there is room for, from the message `index` on; returns the first that is not
/// listed.
std::uint32_t Session::list_some(pop3::Verb verb, std::uint32_t index) {
    pop3::ListingWriter lines(output_.line_room(pop3::short_line_octets_max),
                              pop3::MessageNumber::at(index));
    const pop3::Listing listing =
        verb == pop3::Verb::list ? pop3::Listing::octets : pop3::Listing::unique_ids;
    const std::uint32_t next = visit_->maildrop->list(listing, index, visit_->marks, lines);
    output_.wrote(lines.written());
    return next;
}

std::size_t Session::write_listing(pop3::Verb verb, pop3::MessageNumber number, bool ok,
                                   std::span<char> target) const {
    const MessageFacts message = visit_->maildrop->message(number.index());
    return verb == pop3::Verb::list
               ? pop3::write_scan_listing(number, message.octets, ok, target)
               : pop3::write_unique_id_listing(number, message.unique_id, ok, target);
}

void Session::list_one(pop3::Verb verb, std::string_view digits) {
    const std::optional<pop3::MessageNumber> number = find(digits);
    if (!number) return output_.reply(no_such_message);
    output_.wrote(
        write_listing(verb, *number, true, output_.line_room(pop3::short_line_octets_max)));
}

/// DELE (RFC 1939 §5): the message keeps its number and leaves STAT, LIST and UIDL.
void Session::mark(std::string_view digits) {
    const std::optional<pop3::MessageNumber> number = find(digits);
    if (!number) return output_.reply(no_such_message);
    visit_->marks.mark(*number, visit_->maildrop->message(number->index()).octets);
    output_.reply(pop3::Reply::ok("marked as deleted"));
}

/// RETR and TOP. What goes wrong before the status line refuses the command; after it, only closing
/// the connection keeps the client from taking a part for the whole.
Task<Result<void>> Session::send_message(pop3::MessageNumber number, pop3::BodyLines body) {
    const Result<MessageSource*> source = co_await visit_->maildrop->open_message(number.index());
    if (!source) {
        report_message(number, source.error());
        output_.reply(refusal_of(source.error()));
        co_return Result<void>();
    }
    const Output::Mark mark = output_.mark();
    const pop3::Octets octets = visit_->maildrop->message(number.index()).octets;
    if (body.is_all()) {
        output_.octets(octets);
    } else {
        output_.reply(pop3::Reply::ok("top of message follows"));
    }
    const Result<void> sent = co_await service_.delivery.deliver(**source, body, output_);
    visit_->maildrop->close_message();
    if (!sent) {
        const Result<void> refused = co_await refuse_message(number, sent.error(), mark);
        co_return refused;
    }
    Transfers& transfers = body.is_all() ? visit_->retrieved : visit_->topped;
    ++transfers.count;
    transfers.octets += octets;
    co_return sent;
}

/// A message that cannot be sent as it was listed. The session goes on where its status line, which
/// is behind `mark`, has not left yet.
Task<Result<void>> Session::refuse_message(pop3::MessageNumber number, Error error,
                                           Output::Mark mark) {
    report_message(number, error);
    if (error.kind == ErrorKind::peer_closed || error.kind == ErrorKind::timed_out) {
        co_return std::unexpected(error);
    }
    co_await visit_->maildrop->note_changed(number.index());
    if (!output_.take_back(mark)) co_return std::unexpected(error);
    output_.reply(refusal_of(error));
    co_return Result<void>();
}

pop3::Octets Session::remaining_octets() const {
    pop3::Octets octets = visit_->maildrop->octets();
    octets -= visit_->marks.marked_octets();
    return octets;
}

/// Nothing where there is no such message, or it is marked as deleted.
std::optional<pop3::MessageNumber> Session::find(std::string_view digits) const {
    const std::optional<pop3::MessageNumber> number = pop3::MessageNumber::parse(digits);
    if (!number || !visit_->marks.exists(*number) || visit_->marks.is_marked(*number))
        return std::nullopt;
    return number;
}

}  // namespace restante
