// Every delivery strategy sends the same octets, and none ends a message it has not sent whole.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "net/stream.h"
#include "passing_ring.h"
#include "session/output.h"
#include "sim/sim_await.h"
#include "sim/talk.h"

namespace restante::sim {
namespace {

using Kind = Request::Kind;

constexpr std::string_view end_of_response = "\r\n.\r\n";
const std::string path_of_first = World::maildrop("mrose") + "/new/1130000000.M1P2.pop";

/// A message body as RFC 1939 §3 has it on the wire, an octet at a time: the oracle.
std::string stuffed(std::string_view message) {
    std::string wire;
    char before = '\n';
    for (const char octet : message) {
        if (octet == '.' && before == '\n') wire += '.';
        if (octet == '\n' && before != '\r') wire += '\r';
        wire += octet;
        before = octet;
    }
    return wire + (before == '\n' ? ".\r\n" : "\r\n.\r\n");
}

/// Headers, blank line and `lines` of the body (RFC 1939 §7), a line at a time.
std::string_view top_of(std::string_view message, std::size_t lines) {
    bool is_body = false;
    std::size_t after = 0;
    while (after < message.size() && (!is_body || lines-- > 0)) {
        const std::size_t end = std::min(message.find('\n', after), message.size() - 1) + 1;
        const std::string_view line = message.substr(after, end - after);
        after = end;
        if (line == "\n" || line == "\r\n") is_body = true;
    }
    return message.substr(0, after);
}

/// `count` lines of `text` between lines that need nothing.
std::string with_lines(std::string_view text, int count, std::string_view line_end) {
    std::string message = "Subject: x" + std::string(line_end) + std::string(line_end);
    for (int i = 0; i < count; ++i) {
        message += std::string(text) + std::string(line_end) + "between" + std::string(line_end);
    }
    return message;
}

/// At least `octets` of it.
std::string large(std::size_t octets, std::string_view line_end) {
    std::string message = "From: a" + std::string(line_end) + std::string(line_end);
    for (int number = 0; message.size() < octets; ++number) {
        message += "line " + std::to_string(number) + " of a large message, 72 octets or so long";
        message += line_end;
    }
    return message;
}

std::vector<std::string> small_messages() {
    return {
        "",
        ".",
        "x",
        "\n",
        "\r\n",
        ".\r\n",
        ".\n",
        "\r",
        "From: a\n\none\n.two\n..\n.\n",
        "From: a\r\n\r\nready for the wire\r\n",
        "From: a\r\n\r\nno final line end",
        "From: a\r\n\r\nends in cr\r",
        "From: a\r\n\r\none bare\nline end\r\n",
        ".first octet\r\n\r\nof a header\r\n.\r\n",
        with_lines(".dot", 1, "\r\n"),
        with_lines(".", 16, "\r\n"),
        with_lines("..", 17, "\r\n"),
        with_lines(".", 16, "\n"),
        ".\r\n.\r\n.\r\n",
        "no blank line\r\nat all\r\n",
    };
}

std::vector<std::string> large_messages() {
    std::string dotted = large(300'000, "\r\n") + ".\r\n" + large(300'000, "\r\n");
    std::string dots;
    while (dots.size() < 200'000) dots += ".\r\n";
    return {
        large(600'000, "\n"),   large(600'000, "\r\n"),   dotted + ".last\r\n",      dots,
        large(3'000'000, "\n"), large(3'000'000, "\r\n"), std::string(300'000, 'x'),
    };
}

/// One maildrop with `messages`, one client that is logged in; what it receives, octet for octet.
class Wire {
public:
    Wire(const SimOptions& options, std::string_view strategy,
         const std::vector<std::string>& messages)
        : world(options, delivered_by(strategy)) {
        for (const char* user : {"mrose", "other"}) world.add_user(user, talk_password);
        for (std::size_t i = 0; i < messages.size(); ++i) {
            world.deliver("mrose", std::to_string(1130000000 + i) + ".M1P2.pop", messages[i]);
        }
        world.deliver("other", "1130000000.M1P2.pop", "From: b\n\ntwo\n");
        world.wait(std::chrono::seconds(1));  // the mail is no longer of this instant
        talk.emplace(world, "mrose");
        CHECK(talk->greeting() == "+OK logged in");
    }
    Client& client() { return talk->client(); }
    std::string ask(std::string_view commands) {
        client().send(commands);
        world.settle();
        return client().take_received();
    }
    void check_others_are_unharmed() {
        CHECK(Talk(world, "other").text("RETR 1") == "From: b\r\n\r\ntwo\r\n");
    }

    World world;
    std::optional<Talk> talk;
};

std::string retr_answer(std::string_view message) {
    return "+OK " + std::to_string(wire_form(message).size()) + " octets\r\n" + stuffed(message);
}

std::string top_answer(std::string_view message, std::size_t lines) {
    return "+OK top of message follows\r\n" + stuffed(top_of(message, lines));
}

/// Shows where they part, not megabytes.
void check_same(std::string_view got, std::string_view expected) {
    const auto parting = std::ranges::mismatch(got, expected);
    const auto at = static_cast<std::size_t>(parting.in1 - got.begin());
    const std::size_t around = at - std::min<std::size_t>(at, 20);
    CHECK_MESSAGE(got == expected, got.size(), " octets, expected ", expected.size(),
                  "; they part at ", at, ": ", std::string(got.substr(around, 40)), " expected ",
                  std::string(expected.substr(around, 40)));
}

/// Each by itself, then all of them pipelined.
void check_messages(const std::vector<std::string>& messages, std::string_view strategy,
                    const SimOptions& options) {
    CAPTURE(std::string(strategy));
    CAPTURE(options.seed);
    Wire wire(options, strategy, messages);
    std::string commands;
    std::string answers;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        CAPTURE(i);
        const std::string number = std::to_string(i + 1);
        check_same(wire.ask("RETR " + number + "\r\n"), retr_answer(messages[i]));
        for (const std::size_t lines : {0, 5, 100'000}) {
            const std::string command = "TOP " + number + " " + std::to_string(lines) + "\r\n";
            check_same(wire.ask(command), top_answer(messages[i], lines));
        }
        commands += "RETR " + number + "\r\n";
        answers += retr_answer(messages[i]);
    }
    check_same(wire.ask(commands), answers);
}

/// Tells what was asked for.
class WatchedRing final : public PassingRing {
public:
    using PassingRing::PassingRing;
    bool attempt(Operation& operation) override {
        asked_.push_back(operation.request);
        return PassingRing::attempt(operation);
    }
    const std::vector<Request>& asked() const { return asked_; }

private:
    std::vector<Request> asked_;
};

/// The seam itself, in the simulator: one file, one client, no session. What is read is told.
class Seam final : public MessageSource {
public:
    Seam(DeliveryStrategy strategy, const std::string& message)
        : ring_({.short_reads = false, .cold_probability = 0}),
          delivery_(make_delivery(strategy, watched_, buffers_)) {
        ring_.files().write_file("/message", message);
        FileStatus status;
        file_ = ask_for_handle(ring_, Request::open_file(AT_FDCWD, "/message", status));
        modified_ = status.modified;
        pop3::MessageMeter meter;
        meter.feed(message);
        measure_ = meter.finish();
    }
    const pop3::MessageMeasure& measure() const override { return measure_; }
    bool is_as_measured() const override { return true; }
    WallTime modified() const override { return modified_; }
    Request read(std::uint64_t offset, std::span<char> target) override {
        octets_read_ += target.size();
        furthest_ = std::max<std::uint64_t>(furthest_, offset + target.size());
        return Request::read(file_.get(), target, offset);
    }
    std::optional<int> file() const override { return file_.get(); }

    std::string deliver(pop3::BodyLines body) {
        const int listener = ring_.listen("192.0.2.25:110");
        Client client = ring_.connect(listener);
        SocketAddress peer;
        SocketAddress local;
        Handle socket = ask_for_handle(ring_, Request::accept(listener, peer, &local));
        Stream stream(Handle(watched_, socket.release()));
        Output output(buffers_, stream, std::chrono::minutes(10));
        output.octets(measure_.octets);
        const Result<void> delivered = finish(ring_, delivery_->deliver(*this, body, output));
        CHECK(delivered.has_value());
        const Result<void> sent = finish(ring_, output.send(false));
        CHECK(sent.has_value());
        stream.close();
        ring_.close(listener);
        const std::string received = client.take_received();
        return received.substr(received.find('\n') + 1);  // behind the status line
    }
    /// Requests that sent something, in their order.
    std::vector<Request> sends() const {
        std::vector<Request> sends;
        std::ranges::copy_if(watched_.asked(), std::back_inserter(sends), [](const Request& each) {
            return each.kind == Kind::send || each.kind == Kind::send_file;
        });
        return sends;
    }
    std::uint64_t octets_read() const { return octets_read_; }
    /// Where the last octet that was read ends.
    std::uint64_t furthest() const { return furthest_; }
    std::uint64_t operations_of(Kind kind) const { return ring_.operations_of(kind); }

private:
    SimRing ring_;
    WatchedRing watched_{ring_};
    BufferPool buffers_;
    std::unique_ptr<Delivery> delivery_;
    Handle file_;
    pop3::MessageMeasure measure_;
    WallTime modified_;
    std::uint64_t octets_read_ = 0;
    std::uint64_t furthest_ = 0;
};

constexpr std::size_t slow_octets = 16 * 1024;

/// A message under transfer to a client that has stopped reading.
struct Transfer {
    Transfer(std::string_view strategy, std::string message_, const SimOptions& options)
        : message(std::move(message_)), wire(options, strategy, {message}) {
        wire.client().stop_reading();
        wire.client().send("RETR 1\r\n");
        wire.world.settle();
    }
    /// The client reads on: all that comes.
    std::string rest() {
        wire.client().resume_reading();
        wire.world.settle();
        return wire.client().take_received();
    }
    std::string message;
    Wire wire;
};

/// `change` happens to every kind of message in mid-RETR, under every strategy.
template <class Change, class Judge>
void change_under_transfer(Change change, Judge judge) {
    const std::string plain = large(600'000, "\r\n");
    for (const std::string_view strategy : delivery_strategies) {
        for (const std::string& message : {large(600'000, "\n"), plain, plain + ".\r\n" + plain}) {
            for (std::uint64_t seed = 1; seed <= 3; ++seed) {
                CAPTURE(std::string(strategy));
                CAPTURE(seed);
                Transfer transfer(strategy, message, {.seed = seed});
                change(transfer.wire.world.files(), message);
                judge(transfer, transfer.rest());
                transfer.wire.check_others_are_unharmed();
            }
        }
    }
}

void check_whole(Transfer& transfer, const std::string& received) {
    check_same(received, retr_answer(transfer.message));
}

/// Whole where all of it had been taken before (a simulated mapping is a copy); else it is not
/// ended.
void check_whole_or_not_ended(Transfer& transfer, const std::string& received) {
    if (!transfer.wire.client().has_server_closed()) return check_whole(transfer, received);
    CHECK(received.starts_with("+OK "));
    CHECK_FALSE(received.ends_with(end_of_response));
}

}  // namespace

TEST_CASE("every strategy sends messages of every make, octet for octet") {
    for (const std::string_view strategy : delivery_strategies) {
        check_messages(small_messages(), strategy, {.seed = 1, .cold_probability = 0});
        check_messages(small_messages(), strategy, {.seed = 2, .cold_probability = 0.5});
        check_messages(small_messages(), strategy, {.seed = 3, .octet_by_octet = true});
        check_messages(large_messages(), strategy, {.seed = 4, .cold_probability = 0});
        check_messages(large_messages(), strategy, {.seed = 5, .cold_probability = 0.3});
    }
}

TEST_CASE("a strategy uses its means, and only where it may") {
    const std::string ready = large(600'000, "\r\n");
    const std::string lf = large(600'000, "\n");
    const auto count = [](DeliveryStrategy strategy, const std::string& message, Kind kind) {
        Seam seam(strategy, message);
        check_same(seam.deliver(pop3::BodyLines::all()), stuffed(message));
        return seam.operations_of(kind);
    };
    for (const DeliveryStrategy strategy :
         {DeliveryStrategy::automatic, DeliveryStrategy::sendfile, DeliveryStrategy::splice,
          DeliveryStrategy::uring_splice}) {
        CHECK(count(strategy, ready, Kind::send_file) > 0);
        CHECK(count(strategy, ready, Kind::read) == 0);
        CHECK(count(strategy, lf, Kind::send_file) == 0);
        CHECK(count(strategy, with_lines(".", 17, "\r\n"), Kind::send_file) == 0);
    }
    for (const DeliveryStrategy strategy :
         {DeliveryStrategy::mmap, DeliveryStrategy::mmap_zerocopy}) {
        for (const std::string& message : {ready, lf}) {
            CHECK(count(strategy, message, Kind::map) > 0);
            CHECK(count(strategy, message, Kind::read) == 0);
        }
    }
    for (const std::string& message : {ready, lf}) {
        CHECK(count(DeliveryStrategy::copy, message, Kind::send_file) == 0);
        CHECK(count(DeliveryStrategy::copy, message, Kind::map) == 0);
    }
}

TEST_CASE("a strategy sends files by the call that it is named for, and mappings as it says") {
    const std::string ready = large(600'000, "\r\n");
    const auto second_send = [&ready](DeliveryStrategy strategy) {  // the first: the status line
        Seam seam(strategy, ready);
        seam.deliver(pop3::BodyLines::all());
        return seam.sends().at(1);
    };
    for (const auto& [strategy, sending] :
         {std::pair(DeliveryStrategy::automatic, FileSending::splice),
          std::pair(DeliveryStrategy::sendfile, FileSending::sendfile),
          std::pair(DeliveryStrategy::splice, FileSending::splice),
          std::pair(DeliveryStrategy::uring_splice, FileSending::uring_splice)}) {
        CHECK(second_send(strategy).kind == Kind::send_file);
        CHECK(second_send(strategy).sending == sending);
    }
    for (const auto& [strategy, zero_copy] : {std::pair(DeliveryStrategy::mmap, false),
                                              std::pair(DeliveryStrategy::mmap_zerocopy, true)}) {
        CHECK(second_send(strategy).kind == Kind::send);
        CHECK(second_send(strategy).zero_copy == zero_copy);
    }
}

TEST_CASE("auto copies what is smaller than 16 KiB, and splices the rest") {
    constexpr std::size_t threshold = 16 * 1024;
    const auto files_sent = [](std::size_t octets) {
        std::string message = large(octets, "\r\n");
        message.erase(9, message.size() - octets);  // of the first line
        Seam seam(DeliveryStrategy::automatic, message);
        check_same(seam.deliver(pop3::BodyLines::all()), stuffed(message));
        return seam.operations_of(Kind::send_file);
    };
    CHECK(files_sent(threshold - 1) == 0);
    CHECK(files_sent(threshold) > 0);
}

TEST_CASE("whatever sends a message, no segment of it leaves before it is full but the last") {
    const std::string plain = large(300'000, "\r\n");
    for (const DeliveryStrategy strategy :
         {DeliveryStrategy::automatic, DeliveryStrategy::copy, DeliveryStrategy::sendfile,
          DeliveryStrategy::splice, DeliveryStrategy::mmap, DeliveryStrategy::uring_splice}) {
        for (const std::string& message : {plain, plain + ".\r\n" + plain, large(300'000, "\n")}) {
            Seam seam(strategy, message);
            seam.deliver(pop3::BodyLines::all());
            std::vector<Request> sends = seam.sends();
            REQUIRE(sends.size() > 1);
            CHECK_FALSE(sends.back().more);
            sends.pop_back();
            CHECK(std::ranges::all_of(sends, &Request::more));
        }
    }
}

TEST_CASE("what is copied is read once; TOP reads the headers, then no page too many") {
    static constexpr std::uint64_t page_octets = 4096;
    const std::string message = large(600'000, "\n");
    Seam copied(DeliveryStrategy::copy, message);
    copied.deliver(pop3::BodyLines::all());
    CHECK(copied.octets_read() == message.size());
    for (const DeliveryStrategy strategy :
         {DeliveryStrategy::automatic, DeliveryStrategy::copy, DeliveryStrategy::mmap}) {
        for (const std::size_t lines : {0, 5, 100, 5000}) {
            Seam seam(strategy, message);
            const std::string_view top = top_of(message, lines);
            check_same(seam.deliver(pop3::BodyLines::first(lines)), stuffed(top));
            const std::uint64_t pages = (top.size() + page_octets - 1) / page_octets;
            CHECK(seam.furthest() <= (lines == 0 ? top.size() : pages * page_octets));
            CHECK(seam.octets_read() == seam.furthest());
            if (pages == 1) CHECK(seam.operations_of(Kind::read) == 1);
            CHECK(seam.operations_of(Kind::send_file) == 0);
        }
    }
}

TEST_CASE("a message truncated in mid-RETR is never ended with a '.', by any strategy") {
    const auto truncate_to = [](double part) {
        return [part](SimFileSystem& files, const std::string& message) {
            const double left = static_cast<double>(message.size()) * part;
            files.overwrite_file(path_of_first, message.substr(0, static_cast<std::size_t>(left)));
        };
    };
    change_under_transfer(truncate_to(0), check_whole_or_not_ended);
    change_under_transfer(truncate_to(0.7), check_whole_or_not_ended);
}

TEST_CASE("a message removed, renamed or replaced in mid-RETR is sent whole, by every strategy") {
    const std::string cur = World::maildrop("mrose") + "/cur/1130000000.M1P2.pop:2,S";
    change_under_transfer(
        [](SimFileSystem& files, const std::string&) { files.unlink(path_of_first); }, check_whole);
    change_under_transfer(
        [&](SimFileSystem& files, const std::string&) { files.rename(path_of_first, cur); },
        check_whole);
    change_under_transfer(
        [](SimFileSystem& files, const std::string&) {
            files.write_file(path_of_first, "From: somebody else\n\n");
        },
        check_whole);
}

TEST_CASE("a message that grows in mid-RETR is sent as it was listed, or not ended") {
    change_under_transfer(
        [](SimFileSystem& files, const std::string& message) {
            files.overwrite_file(path_of_first, message + "and more\n");
        },
        check_whole_or_not_ended);
}

TEST_CASE(
    "a message overwritten in place in mid-RETR, as long as it was, is never ended with a "
    "mixture") {
    change_under_transfer(
        [](SimFileSystem& files, const std::string& message) {
            files.overwrite_file(path_of_first, std::string(message.size(), '\n'));
        },
        check_whole_or_not_ended);
}

TEST_CASE(
    "a message overwritten in place before RETR is ended only where its octets are as listed") {
    for (const std::string_view strategy : delivery_strategies) {
        const std::string message = large(600'000, "\r\n");
        Wire wire({}, strategy, {message});
        wire.world.files().overwrite_file(path_of_first, std::string(message.size(), '\n'));
        const std::string received = wire.ask("RETR 1\r\n");
        CHECK_FALSE(received.ends_with(end_of_response));
        CHECK(wire.client().has_server_closed());
        wire.check_others_are_unharmed();
    }
}

TEST_CASE("a client that reads slowly but always gets the whole of a message, by every strategy") {
    const std::string message = large(3'000'000, "\r\n");
    for (const std::string_view strategy : delivery_strategies) {
        CAPTURE(std::string(strategy));
        Transfer transfer(strategy, message, {.cold_probability = 0});
        std::string received;
        for (std::size_t i = 0; i < message.size() / slow_octets + 10; ++i) {  // 3.2 kB/s, 16 min
            transfer.wire.client().resume_reading();
            received += transfer.wire.client().take_received();
            transfer.wire.client().stop_reading();
            transfer.wire.world.wait(std::chrono::seconds(5));
        }
        check_same(received + transfer.rest(), retr_answer(message));
    }
}

TEST_CASE("a client that takes nothing for long is closed, by every strategy") {
    for (const std::string_view strategy : delivery_strategies) {
        Transfer transfer(strategy, large(3'000'000, "\r\n"), {.cold_probability = 0});
        transfer.wire.world.wait(std::chrono::minutes(11));
        CHECK_FALSE(transfer.rest().ends_with(end_of_response));
        CHECK(transfer.wire.client().has_server_closed());
        transfer.wire.check_others_are_unharmed();
    }
}

}  // namespace restante::sim
