// What other programs and other reactors do between the calls of one: listings that change while
// they are read, messages rewritten under a session, indexes written by somebody else.
#include <doctest/doctest.h>

#include <cerrno>
#include <functional>
#include <memory>

#include "maildir/maildir_store.h"
#include "maildir/scan.h"
#include "passing_ring.h"
#include "pop3/deletion_marks.h"
#include "sim/sim_await.h"
#include "sim/talk.h"

namespace restante::sim {
namespace {

using Kind = Request::Kind;

const std::string maildrop = World::maildrop("mrose");
const std::string first_path = maildrop + "/new/1130000000.M1P2.pop";
const std::string second_path = maildrop + "/cur/1130000001.M1P2.pop:2,S";
const std::string index_path = maildrop + "/restante.index";
constexpr std::uint64_t files_device = 0xBEEF;

/// The simulated kernel, which answers at once, with something in between: other programs that act
/// just after an operation, and a file system whose listings and files have numbers of their own
/// (overlayfs).
class InterposedRing final : public PassingRing {
public:
    explicit InterposedRing(SimRing& ring) : PassingRing(ring), ring_(ring) {}
    /// Runs `action` once, just after the `nth` operation of `kind` from now (from 1).
    void after(Kind kind, unsigned nth, std::function<void()> action) {
        actions_.push_back({kind, nth, std::move(action)});
    }
    bool is_overlay = false;

    bool attempt(Operation& operation) override {
        operation.result = ask(ring_, with_own_device(operation.request));
        if (is_overlay) disguise(operation.request);
        run_actions(operation.request.kind);
        return true;
    }

private:
    struct Action {
        Kind kind;
        unsigned left;
        std::function<void()> run;
    };
    Request with_own_device(const Request& request) const {
        if (request.kind != Kind::remove) return request;
        const std::uint64_t device = ring_.files().device();
        for (Removal& removal : request.removals) {
            if (is_overlay) removal.device = removal.device == files_device ? device : 0;
        }
        return request;
    }
    void disguise(const Request& request) const {
        const bool has_status = request.kind == Kind::open || request.kind == Kind::status ||
                                request.kind == Kind::status_at;
        if (has_status && request.file_status != nullptr &&
            request.file_status->kind == FileKind::regular)
            request.file_status->device = files_device;
        if (request.kind != Kind::list_directory) return;
        DirectoryListing other;
        for (const DirectoryListing::Entry& entry : request.listing->entries())
            other.add(entry.name, entry.inode + 1'000'000, entry.kind);
        *request.listing = std::move(other);
    }
    void run_actions(Kind kind) {
        for (std::size_t i = 0; i < actions_.size(); ++i) {
            Action& action = actions_[i];
            if (action.kind == kind && action.left > 0 && --action.left == 0) action.run();
        }
    }

    SimRing& ring_;
    std::vector<Action> actions_;
};

class KeptLog final : public Log {
public:
    bool is_enabled(LogLevel) const override { return true; }
    void write(LogLevel, std::string_view message) override { text += std::string(message) + '\n'; }
    std::string text;
};

/// A maildrop with messages 1 (in new/) and 2 (in cur/), and two reactors' stores.
struct TwoReactors {
    explicit TwoReactors(const SimOptions& sim = {}) : sim_ring(sim), ring(sim_ring) {
        for (const char* part : {"/new", "/cur", "/tmp"}) files().make_directory(maildrop + part);
        files().write_file(first_path, "From: a\n\none\n");
        files().write_file(second_path, "From: b\n\ntwo\n");
        rest();
    }
    SimFileSystem& files() { return sim_ring.files(); }
    void rest() { sim_ring.run_for(std::chrono::seconds(1)); }
    std::unique_ptr<Maildrop> open(MaildirStore& store) {
        OpenedMaildrop opened = finish(sim_ring, store.open({"mrose", {}, {}, {}}));
        REQUIRE(opened.has_value());
        return std::move(*opened);
    }
    /// "id octets, id octets, "
    std::string seen(MaildirStore& store) { return listing(*open(store)); }
    static std::string listing(const Maildrop& opened) {
        std::string text;
        for (std::uint32_t at = 0; at < opened.count(); ++at) {
            const MessageFacts facts = opened.message(at);
            text +=
                std::string(facts.unique_id) + ' ' + std::to_string(facts.octets.value()) + ", ";
        }
        return text;
    }
    Result<MessageSource*> retrieve(Maildrop& opened, std::uint32_t index) {
        return finish(sim_ring, opened.open_message(index));
    }
    void note(Maildrop& opened, std::uint32_t index) {
        finish(sim_ring, opened.note_changed(index));
    }
    CommitOutcome remove_all(Maildrop& opened) {
        pop3::DeletionMarks marks(opened.count());
        for (std::uint32_t at = 0; at < opened.count(); ++at)
            marks.mark(pop3::MessageNumber::at(at), opened.message(at).octets);
        return finish(sim_ring, opened.commit(marks));
    }
    std::size_t left() {
        return files().list(maildrop + "/new").size() + files().list(maildrop + "/cur").size();
    }
    std::uint64_t operations_of(Kind kind) const { return sim_ring.operations_of(kind); }

    SimRing sim_ring;
    InterposedRing ring;
    KeptLog log;
    BufferPool buffers;
    StoreOptions options{MaildropPath::parse("/var/vmail/{user}").value(), {}, true};
    MaildirStore one{ring, log, buffers, options};
    MaildirStore other{ring, log, buffers, options};
};

const std::string both = "1130000000.M1P2.pop 16, 1130000001.M1P2.pop 16, ";

}  // namespace

TEST_CASE("a message that was removed while the folders were listed is not listed") {
    TwoReactors reactors;
    CHECK(reactors.seen(reactors.one) == both);  // known: it need not be read to be listed
    reactors.files().write_file(maildrop + "/new/.hidden", "");
    reactors.rest();
    reactors.ring.after(Kind::list_directory, 1, [&reactors] {
        reactors.files().unlink(first_path);
        reactors.sim_ring.clock().advance(2 * file_time_granularity);
    });
    CHECK(reactors.seen(reactors.one) == "1130000001.M1P2.pop 16, ");
    reactors.rest();
    CHECK(reactors.seen(reactors.one) == "1130000001.M1P2.pop 16, ");
}

TEST_CASE("a file replaced under its name while the folders were listed is one message") {
    TwoReactors reactors;
    reactors.ring.after(Kind::list_directory, 1, [&reactors] {
        reactors.files().write_file(first_path, "From: a\n\nanother\n");
    });
    CHECK(reactors.seen(reactors.one) == "1130000000.M1P2.pop 20, 1130000001.M1P2.pop 16, ");
}

TEST_CASE("folders that change during each listing: the union, and it is not trusted") {
    TwoReactors reactors;
    for (unsigned pass = 1; pass <= 4; ++pass) {
        reactors.ring.after(Kind::list_directory, 2 * pass, [&reactors, pass] {
            reactors.sim_ring.clock().advance(SimClock::tick);
            reactors.files().write_file(maildrop + "/new/114000000" + std::to_string(pass) + ".x",
                                        "From: c\n\n");
            reactors.sim_ring.clock().advance(2 * file_time_granularity);
        });
    }
    const std::string seen = reactors.seen(reactors.one);
    CHECK(seen.starts_with(both));
    CHECK(seen.contains("1140000003.x"));
    CHECK_FALSE(seen.contains("1140000004.x"));
    reactors.rest();
    CHECK(reactors.seen(reactors.one).contains("1140000004.x"));
}

TEST_CASE("young folders are listed once, when they are old enough for that to be trusted") {
    TwoReactors reactors;
    reactors.files().write_file(maildrop + "/new/1140000001.x", "From: c\n\n");
    const std::uint64_t before = reactors.operations_of(Kind::list_directory);
    CHECK(reactors.seen(reactors.one).contains("1140000001.x"));
    CHECK(reactors.operations_of(Kind::list_directory) - before == 2);
    reactors.rest();
    CHECK(reactors.seen(reactors.one).contains("1140000001.x"));
    CHECK(reactors.operations_of(Kind::list_directory) - before == 2);
    CHECK(reactors.seen(reactors.one).contains("1140000001.x"));
    CHECK(reactors.operations_of(Kind::list_directory) - before == 2);
}

TEST_CASE("all messages noted as changed are refused, and measured anew at the next login") {
    TwoReactors reactors;
    CHECK(reactors.seen(reactors.other) == both);
    reactors.rest();
    std::unique_ptr<Maildrop> opened = reactors.open(reactors.one);
    reactors.files().overwrite_file(first_path, "From: a\n\no\ne\n");  // as long as it was
    reactors.files().overwrite_file(second_path, "From: b\n\n\n\n\n\n");
    const std::uint64_t written = reactors.operations_of(Kind::replace_file);
    reactors.note(*opened, 0);
    reactors.note(*opened, 1);
    reactors.note(*opened, 0);
    CHECK(reactors.operations_of(Kind::replace_file) - written == 2);
    const std::uint64_t opens = reactors.operations_of(Kind::open);
    for (const std::uint32_t index : {0u, 1u}) {
        const Result<MessageSource*> source = reactors.retrieve(*opened, index);
        REQUIRE_FALSE(source.has_value());
        CHECK(source.error().kind == ErrorKind::exhausted);
    }
    CHECK(reactors.operations_of(Kind::open) == opens);
    CHECK(TwoReactors::listing(*opened) == both);  // fixed for the session
    opened.reset();
    SUBCASE("by the same reactor") {
        CHECK(reactors.seen(reactors.one) == "1130000000.M1P2.pop 17, 1130000001.M1P2.pop 19, ");
    }
    SUBCASE("by another, which has the maildrop in its memory") {
        CHECK(reactors.seen(reactors.other) == "1130000000.M1P2.pop 17, 1130000001.M1P2.pop 19, ");
    }
}

TEST_CASE("a message that could not be read is read by the reactor that comes next") {
    TwoReactors reactors;
    reactors.files().set_open_error(first_path, -EACCES);
    std::unique_ptr<Maildrop> opened = reactors.open(reactors.one);
    CHECK(reactors.retrieve(*opened, 0).error().kind == ErrorKind::refused);
    opened.reset();
    reactors.files().set_open_error(first_path, 0);
    opened = reactors.open(reactors.other);
    CHECK(reactors.retrieve(*opened, 0).has_value());
}

TEST_CASE("a maildrop in memory is taken only while restante.index is what it was") {
    TwoReactors reactors;
    CHECK(reactors.seen(reactors.one) == both);
    const std::uint64_t reads = reactors.operations_of(Kind::read);
    CHECK(reactors.seen(reactors.one) == both);
    CHECK(reactors.operations_of(Kind::read) == reads);
    reactors.files().write_file(index_path, reactors.files().read_file(index_path));
    CHECK(reactors.seen(reactors.one) == both);
    CHECK(reactors.operations_of(Kind::read) == reads + 1);
    CHECK(reactors.seen(reactors.one) == both);
    CHECK(reactors.operations_of(Kind::read) == reads + 1);
}

TEST_CASE("a maildrop in memory is taken also where restante.index, the same, cannot be opened") {
    TwoReactors reactors;
    CHECK(reactors.seen(reactors.one) == both);
    reactors.files().write_file(maildrop + "/another-program's", "");  // so the index is asked for
    reactors.rest();
    reactors.files().set_open_error(index_path, -EACCES);
    const std::uint64_t listings = reactors.operations_of(Kind::list_directory);
    CHECK(reactors.seen(reactors.one) == both);
    CHECK(reactors.operations_of(Kind::list_directory) == listings);
    CHECK_FALSE(reactors.log.text.contains("restante.index cannot be read"));
    CHECK(reactors.seen(reactors.other) == both);
    CHECK(reactors.operations_of(Kind::list_directory) > listings);
    CHECK(reactors.log.text.contains("restante.index cannot be read"));
}

TEST_CASE("restante.index is not held open while there is no room for it") {
    TwoReactors reactors;
    CHECK(reactors.seen(reactors.one) == both);
    reactors.rest();
    IndexMemory::Share taken(*reactors.options.index_memory);
    taken.exceed(taken.memory().octets_max());
    std::size_t held = 0;
    reactors.ring.after(Kind::sleep, 2, [&] {
        held = reactors.sim_ring.open_descriptor_count();
        taken.resize(0);
    });
    const std::uint64_t reads = reactors.operations_of(Kind::read);
    const std::size_t held_before = reactors.sim_ring.open_descriptor_count();
    CHECK(reactors.seen(reactors.other) == both);
    CHECK(held == held_before + 2);  // the mail root and the maildrop
    CHECK(reactors.operations_of(Kind::read) == reads + 1);
}

TEST_CASE("where restante.index could not be replaced, what is in memory counts, not the file") {
    TwoReactors reactors;
    CHECK(reactors.seen(reactors.one) == both);
    reactors.rest();
    const std::string older = reactors.files().read_file(index_path);
    reactors.files().write_file(maildrop + "/new/1140000001.x", "From: c\n\n");
    reactors.rest();
    SUBCASE("full disk") { reactors.files().set_full(true); }
    SUBCASE("an older file was restored") {}
    CHECK(reactors.seen(reactors.one).ends_with("1140000001.x 11, "));
    reactors.files().set_full(false);
    reactors.files().write_file(index_path, older);
    // Read again, from the older file's point of view: the message would be new.
    reactors.files().write_file(maildrop + "/new/1140000002.x", "From: d\n\n");
    const std::uint64_t reads = reactors.operations_of(Kind::read);
    CHECK(reactors.seen(reactors.one).ends_with("1140000001.x 11, 1140000002.x 11, "));
    CHECK(reactors.operations_of(Kind::read) - reads == 2);  // the older index, one message
}

TEST_CASE("an operator who removes restante.index is obeyed by what is in memory, too") {
    TwoReactors reactors;
    for (int i = 0; i < 3; ++i) {  // made again each time: not the first of its line
        reactors.files().write_file(maildrop + "/new/.hidden", "");
        reactors.rest();
        CHECK(reactors.seen(reactors.one) == both);
    }
    reactors.rest();
    reactors.files().unlink(index_path);
    reactors.files().write_file(maildrop + "/dovecot-uidlist",
                                "3 V1 N3\n1 :1130000000.M1P2.pop\n2 :1130000001.M1P2.pop\n");
    static constexpr std::string_view as_dovecot = "0000000100000001 16, 0000000200000001 16, ";
    SUBCASE("at once") { CHECK(reactors.seen(reactors.one) == as_dovecot); }
    SUBCASE("after another reactor") {
        CHECK(reactors.seen(reactors.other) == as_dovecot);
        CHECK(reactors.seen(reactors.one) == as_dovecot);
    }
}

TEST_CASE("where listings have inodes, and files devices, of their own: sent, renamed, removed") {
    TwoReactors reactors;
    reactors.ring.is_overlay = true;
    std::unique_ptr<Maildrop> opened = reactors.open(reactors.one);
    reactors.files().rename(first_path, maildrop + "/cur/1130000000.M1P2.pop:2,S");
    CHECK(reactors.retrieve(*opened, 0).has_value());
    CHECK(reactors.retrieve(*opened, 1).has_value());
    opened->close_message();
    CHECK(reactors.remove_all(*opened) == CommitOutcome::done);
    CHECK(reactors.left() == 0);
}

TEST_CASE("another file under a renamed message's base name is neither sent nor removed") {
    TwoReactors reactors;
    std::unique_ptr<Maildrop> opened = reactors.open(reactors.one);
    reactors.files().unlink(first_path);
    reactors.files().write_file(maildrop + "/cur/1130000000.M1P2.pop:2,S", "From: x\n\nabc\n");
    CHECK(reactors.retrieve(*opened, 0).error().kind == ErrorKind::not_found);
    CHECK(reactors.remove_all(*opened) == CommitOutcome::done);
    CHECK(reactors.left() == 1);
}

TEST_CASE("a marked message that cannot be removed keeps no renamed one from it") {
    TwoReactors reactors;
    std::unique_ptr<Maildrop> opened = reactors.open(reactors.one);
    reactors.files().rename(first_path, maildrop + "/cur/1130000000.M1P2.pop:2,S");
    SUBCASE("its removal fails") {
        reactors.sim_ring.plan_fault({.kind = Kind::remove, .error = -EACCES, .skip = 1});
        CHECK(reactors.remove_all(*opened) == CommitOutcome::incomplete);
        CHECK(reactors.log.text.contains("Permission denied: cur/1130000001.M1P2.pop:2,S"));
    }
    SUBCASE("its folder cannot be opened") {
        reactors.files().rename(second_path, maildrop + "/new/1130000001.M1P2.pop");
        reactors.sim_ring.plan_fault({.kind = Kind::open, .error = -EACCES, .skip = 1});
        CHECK(reactors.remove_all(*opened) == CommitOutcome::incomplete);
    }
    CHECK(reactors.left() == 1);
    CHECK_FALSE(reactors.log.text.contains("renamed as fast as they are removed"));
}

TEST_CASE("thousands of messages renamed at once are found with one listing") {
    TwoReactors reactors;
    const auto name = [](int i) { return std::to_string(1140000000 + i) + ".M1P2.pop"; };
    for (int i = 0; i < 2000; ++i)
        reactors.files().write_file(maildrop + "/new/" + name(i), "From: c\n\n");
    reactors.rest();
    std::unique_ptr<Maildrop> opened = reactors.open(reactors.one);
    for (int i = 0; i < 2000; ++i)
        reactors.files().rename(maildrop + "/new/" + name(i),
                                maildrop + "/cur/" + name(i) + ":2,S");
    SUBCASE("long ago") { reactors.rest(); }
    SUBCASE("just now") {}
    const std::uint64_t before = reactors.operations_of(Kind::list_directory);
    for (std::uint32_t index = 0; index < opened->count(); ++index)
        REQUIRE(reactors.retrieve(*opened, index).has_value());
    CHECK(reactors.operations_of(Kind::list_directory) - before == 2);
    reactors.files().rename(maildrop + "/cur/" + name(7) + ":2,S",
                            maildrop + "/cur/" + name(7) + ":2,RS");
    CHECK(reactors.retrieve(*opened, 9).has_value());
    reactors.files().unlink(maildrop + "/cur/" + name(8) + ":2,S");
    CHECK(reactors.retrieve(*opened, 9).has_value());  // name(7)
    CHECK_FALSE(reactors.retrieve(*opened, 10).has_value());
}

}  // namespace restante::sim
