// What a power cut, or the end of the process, at any moment of a session that removes messages may
// leave behind (design: what +OK acknowledged does not come back; nothing unmarked is ever lost).
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "sim/talk.h"

namespace restante::sim {
namespace {

constexpr int seeds = 12;
constexpr std::uint64_t never_again = ~std::uint64_t{0};
const std::string maildrop = World::maildrop("mrose");

struct StoredMessage {
    const char* file_name;
    const char* unique_id;
    const char* octets;
    bool is_marked;
};

constexpr StoredMessage stored[] = {
    {"1130000000.M1P2.pop", "1130000000.M1P2.pop", "From: a\n\none\n", true},
    {"1130000001.M1P2.pop:2,S", "1130000001.M1P2.pop", "From: b\n\ntwo\n", false},
    {"1130000002.M1P2.pop,S=14:2,", "1130000002.M1P2.pop", "From: c\n\nthree", true},
    {"1130000003.M1P2.pop", "1130000003.M1P2.pop", "From: d\r\n\r\n.four\r\n", false},
    {"1130000004.M1P2.pop", "1130000004.M1P2.pop", "", true},
};

/// unique-id to octets as the client holds them, of all that is there.
std::map<std::string, std::string> fetch_all(World& world) {
    std::map<std::string, std::string> messages;
    Talk talk(world, "mrose");
    REQUIRE(talk.greeting() == "+OK logged in");
    for (std::size_t number = 1;; ++number) {
        const std::string listed = talk.ask("UIDL " + std::to_string(number));
        if (!listed.starts_with("+OK")) break;
        const std::optional<std::string> text = talk.text("RETR " + std::to_string(number));
        REQUIRE(text.has_value());
        const std::string size = talk.ask("LIST " + std::to_string(number));
        CHECK(size.ends_with(" " + std::to_string(text->size())));
        messages.emplace(listed.substr(listed.rfind(' ') + 1), *text);
    }
    return messages;
}

class CrashRun {
public:
    explicit CrashRun(std::uint64_t seed, bool has_index) : world_({.seed = seed}) {
        world_.add_user("mrose", talk_password);
        for (const StoredMessage& message : stored) {
            world_.deliver("mrose", message.file_name, message.octets);
        }
        world_.wait(std::chrono::seconds(1));
        if (has_index) Talk(world_, "mrose").ask("STAT");
        world_.wait(std::chrono::seconds(1));
    }

    World& world() { return world_; }

    /// Marks and quits in one go; what happens is told by what is received.
    void start() {
        client_.emplace(world_.connect());
        std::string commands = "USER mrose\r\nPASS " + std::string(talk_password) + "\r\n";
        for (std::size_t i = 0; i < std::size(stored); ++i) {
            if (stored[i].is_marked) commands += "DELE " + std::to_string(i + 1) + "\r\n";
        }
        client_->send(commands + "QUIT\r\n");
    }
    bool is_over() { return client_->has_server_closed(); }
    bool is_acknowledged() { return client_->received().ends_with("+OK bye\r\n"); }
    Client& client() { return *client_; }

    void check_what_is_left() {
        const std::map<std::string, std::string> left = fetch_all(world_);
        std::size_t expected = 0;
        for (const StoredMessage& message : stored) {
            const auto found = left.find(message.unique_id);
            expected += found != left.end();
            if (found != left.end()) CHECK(found->second == wire_form(message.octets));
            if (!message.is_marked) CHECK(found != left.end());
            if (message.is_marked && is_acknowledged()) CHECK(found == left.end());
        }
        CHECK(left.size() == expected);
        CHECK(fetch_all(world_) == left);  // and it stays so
    }

private:
    World world_;
    std::optional<Client> client_;
};

/// False where the session was over before the n-th change.
bool survives_power_cut(std::uint64_t seed, bool has_index, std::uint64_t changes) {
    CrashRun run(seed, has_index);
    run.world().ring().crash_after(changes);
    run.start();
    run.world().ring().run_until([&run] { return run.is_over(); });
    const bool has_crashed = run.world().ring().has_crashed();
    run.world().ring().crash_after(never_again);
    if (has_crashed) run.world().restart_after_power_cut();
    CHECK((has_crashed || run.is_acknowledged()));
    run.check_what_is_left();
    return has_crashed;
}

}  // namespace

TEST_CASE("a power cut after any change: unmarked mail is whole, acknowledged removals are final") {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        for (const bool has_index : {false, true}) {
            std::uint64_t changes = 1;
            while (survives_power_cut(seed, has_index, changes)) ++changes;
            CAPTURE(seed);
            CHECK(changes >= 6);  // three removals, two folders synced
        }
    }
}

TEST_CASE("a power cut after the reply to QUIT brings nothing back") {
    for (std::uint64_t seed = 1; seed <= 4 * seeds; ++seed) {
        CrashRun run(seed, seed % 2 == 0);
        run.start();
        run.world().ring().run_until([&run] { return run.is_acknowledged(); });
        run.world().ring().crash_after(1);
        Talk(run.world(), "mrose").ask("STAT");  // its index is the change
        if (!run.world().ring().has_crashed()) continue;
        run.world().restart_after_power_cut();
        run.check_what_is_left();
    }
}

TEST_CASE("the process killed after any number of turns: nothing unmarked is lost") {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        for (std::size_t turns = 0;; ++turns) {
            CrashRun run(seed, seed % 2 == 0);
            run.start();
            std::size_t left = turns;
            run.world().ring().run_until([&] { return run.is_over() || left-- == 0; });
            if (run.is_over()) break;
            run.world().ring().kill();
            run.world().restart_after_power_cut();
            run.check_what_is_left();
        }
    }
}

TEST_CASE("a connection that breaks after any number of turns: all marked are gone, or none") {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        for (std::size_t turns = 0;; ++turns) {
            CrashRun run(seed, seed % 2 == 0);
            run.start();
            std::size_t left = turns;
            run.world().ring().run_until([&] { return run.is_over() || left-- == 0; });
            const bool is_over = run.is_over();
            run.client().reset();
            run.world().wait(std::chrono::seconds(1));
            run.check_what_is_left();
            const std::size_t messages = run.world().messages("mrose").size();
            CHECK((messages == 2 || messages == 5));
            if (is_over) break;
        }
    }
}

TEST_CASE("without QUIT and its line end nothing is removed, however the session ends") {
    for (const std::string_view end : {"", "Q", "QUIT", "QUIT\r", "QUIT now\r\n", "XQUIT\r\n"}) {
        for (int way = 0; way < 5; ++way) {
            CrashRun run(static_cast<std::uint64_t>(way) + 1, false);
            Talk talk(run.world(), "mrose");
            for (int number = 1; number <= 5; ++number) {
                CHECK(talk.ask("DELE " + std::to_string(number)).starts_with("+OK"));
            }
            talk.client().send(end);
            switch (way) {
                case 0: talk.client().reset(); break;
                case 1: talk.client().close(); break;
                case 2: talk.client().finish(); break;
                case 3: run.world().wait(std::chrono::minutes(11)); break;
                default: run.world().restart(); break;
            }
            run.world().settle();
            CHECK(run.world().messages("mrose").size() == 5);
        }
    }
}

TEST_CASE("an id that the index alone knows outlives a power cut: it was written durably") {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        World world({.seed = seed});
        world.add_user("mrose", talk_password);
        world.deliver("mrose", "1130000000.M1P2.pop", "From: a\n\none\n");
        world.deliver("mrose", "1130000000.M1P2.pop:2,S", "From: b\n\ntwo\n");
        world.wait(std::chrono::seconds(1));
        std::map<std::string, std::string> expected = fetch_all(world);
        REQUIRE(expected.size() == 2);
        // What is left would get the id of the one that is gone, its name.
        CHECK(expected.erase("1130000000.M1P2.pop") == 1);
        {
            Talk talk(world, "mrose");
            const bool is_first = talk.ask("UIDL 1") == "+OK 1 1130000000.M1P2.pop";
            talk.ask(is_first ? "DELE 1" : "DELE 2");
            CHECK(talk.ask("QUIT") == "+OK bye");
        }
        if (seed % 2 == 0) CHECK(fetch_all(world) == expected);
        world.files().stop();
        world.restart_after_power_cut();
        CHECK(fetch_all(world) == expected);
    }
}

TEST_CASE("not durable: +OK without a sync, and still nothing unmarked is lost") {
    World world({.seed = 5}, {{"pop3.durable", "false"}});
    world.add_user("mrose", talk_password);
    for (const StoredMessage& message : stored) {
        world.deliver("mrose", message.file_name, message.octets);
    }
    Talk talk(world, "mrose");
    talk.ask("DELE 1");
    CHECK(talk.ask("QUIT") == "+OK bye");
    CHECK(world.ring().operations_of(Request::Kind::sync) == 0);
    world.ring().crash_after(1);
    Talk(world, "mrose").ask("QUIT");
    REQUIRE(world.ring().has_crashed());
    world.restart_after_power_cut();
    CHECK(fetch_all(world).size() >= 4);
}

}  // namespace restante::sim
