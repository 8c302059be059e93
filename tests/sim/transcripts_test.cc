// Every transcript against the whole server in the simulator: as written, sent ahead, one octet at
// a time, and at random splits under many seeds.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>

#include "maildir/maildir_name.h"
#include "sim/world.h"
#include "transcript.h"
#include "transcript_player.h"

namespace restante::sim {
namespace {

using restante_test::Action;
using restante_test::ActionKind;
using restante_test::Pace;
using restante_test::Player;
using restante_test::Transcript;

constexpr int random_seeds = 6;
constexpr std::uint64_t seeds_a_strategy = 4;

std::vector<Transcript> all_transcripts() {
    std::vector<Transcript> transcripts;
    for (const auto& file : std::filesystem::directory_iterator("tests/transcripts")) {
        if (file.path().extension() != ".pop3") continue;
        restante_test::ParsedTranscript parsed = restante_test::read_transcript(file.path());
        CHECK_MESSAGE(parsed.transcript.has_value(), file.path().string(), ":", parsed.error_line,
                      ": ", parsed.error);
        if (parsed.transcript) transcripts.push_back(std::move(*parsed.transcript));
    }
    return transcripts;
}

WorldSettings settings_of(const Transcript& transcript, std::string_view strategy) {
    WorldSettings settings = delivered_by(strategy);
    for (const restante_test::Setting& setting : transcript.settings) {
        settings.emplace_back(setting.key, setting.value);
    }
    return settings;
}

/// One run of one transcript.
class Run {
public:
    Run(const Transcript& transcript, Pace pace, const SimOptions& options,
        std::string_view strategy)
        : transcript_(transcript),
          world_(options, settings_of(transcript, strategy)),
          player_(transcript, pace, md5_hex) {
        world_.add_user(restante_test::standard_user, transcript.password);
        for (const restante_test::StoredMessage& message : transcript.messages) {
            deliver(message.file_name, message.octets);
        }
        if (transcript.has_maildrop && transcript.messages.empty()) {
            for (const char* part : {"/new", "/cur", "/tmp"}) {
                world_.files().make_directory(World::maildrop(restante_test::standard_user) + part);
            }
        }
        for (const std::uint32_t number : transcript.removals_that_fail) {
            world_.ring().plan_fault(
                {.kind = Request::Kind::remove, .error = -EIO, .skip = number - 1});
        }
        world_.wait(std::chrono::seconds(1));  // the mail is no longer of this instant
    }

    /// What went wrong, "" = nothing.
    std::string play() {
        while (!player_.is_over()) carry_out(player_.action());
        if (const std::string failure = player_.failure(); !failure.empty()) return failure;
        for (auto& [number, client] : clients_) client.close();
        world_.settle();
        return check_left();
    }

private:
    void deliver(const std::string& file_name, const std::string& octets) {
        world_.deliver(restante_test::standard_user, file_name, octets);
        bases_.emplace_back(base_name(file_name));
    }

    void carry_out(const Action& action) {
        const auto client = clients_.find(action.connection);
        switch (action.kind) {
            case ActionKind::connect: clients_.emplace(action.connection, world_.connect()); break;
            case ActionKind::send: client->second.send(action.octets); break;
            case ActionKind::close: client->second.close(); break;
            case ActionKind::wait: world_.wait(action.duration); break;
            case ActionKind::receive: return receive(action.connection, client->second);
            case ActionKind::outside_remove: world_.files().unlink(path_of(action.number)); break;
            case ActionKind::outside_flag: flag(action.number); break;
            case ActionKind::outside_deliver: deliver(action.file_name, action.octets); break;
        }
        player_.done();
    }

    void receive(std::uint32_t number, Client& client) {
        world_.ring().run_until(
            [&client] { return !client.received().empty() || client.has_server_closed(); });
        const std::string octets = client.take_received();
        if (!octets.empty()) return player_.received(number, octets);
        if (client.has_server_closed()) return player_.server_closed(number);
        player_.fail("the server sends nothing and does not close");
    }

    std::string path_of(std::uint32_t number) {
        for (const char* part : {"/new/", "/cur/"}) {
            const std::string folder = World::maildrop(restante_test::standard_user) + part;
            for (const std::string& name : world_.files().list(folder)) {
                if (base_name(name) == bases_[number - 1]) return folder + name;
            }
        }
        FAIL("no message ", number);
        return {};
    }

    void flag(std::uint32_t number) {
        const std::string target =
            World::maildrop(restante_test::standard_user) + "/cur/" + bases_[number - 1] + ":2,S";
        world_.files().rename(path_of(number), target);
    }

    std::string check_left() {
        const std::vector<std::string> names = world_.messages(restante_test::standard_user);
        std::vector<std::uint32_t> left;
        for (std::uint32_t number = 1; number <= bases_.size(); ++number) {
            if (std::ranges::find(names, bases_[number - 1]) != names.end()) left.push_back(number);
        }
        if (left == transcript_.left && left.size() == names.size()) return {};
        std::string text = "left in the maildrop:";
        for (const std::uint32_t number : left) text += " " + std::to_string(number);
        return text;
    }

    const Transcript& transcript_;
    World world_;
    Player player_;
    std::map<std::uint32_t, Client> clients_;
    std::vector<std::string> bases_;  // by message number
};

void play_all(Pace pace, const SimOptions& options, std::string_view strategy = "auto") {
    for (const Transcript& transcript : all_transcripts()) {
        const std::string failure = Run(transcript, pace, options, strategy).play();
        CHECK_MESSAGE(failure.empty(), transcript.name, ", delivery by ", strategy, ", seed ",
                      options.seed, ":\n", failure);
    }
}

}  // namespace

TEST_CASE("every transcript, as written") {
    play_all(Pace::as_written, {.shuffle = false, .short_reads = false});
}

TEST_CASE("every transcript, sent ahead as far as it goes (RFC 2449 §6.8, PIPELINING)") {
    play_all(Pace::eager, {.short_reads = false});
}

TEST_CASE("every transcript, one octet at a time") {
    play_all(Pace::as_written, {.octet_by_octet = true});
    play_all(Pace::eager, {.octet_by_octet = true});
}

TEST_CASE("every transcript, at random splits and orders") {
    for (int seed = 1; seed <= random_seeds; ++seed) {
        play_all(seed % 2 == 0 ? Pace::eager : Pace::as_written,
                 {.seed = static_cast<std::uint64_t>(seed)});
    }
}

TEST_CASE("every transcript, by every delivery strategy: the same octets") {
    for (const std::string_view strategy : delivery_strategies) {
        for (std::uint64_t seed = 1; seed <= seeds_a_strategy; ++seed) {
            play_all(seed % 2 == 0 ? Pace::eager : Pace::as_written, {.seed = seed}, strategy);
        }
    }
}

TEST_CASE("every transcript, with nothing answered inline and with everything") {
    play_all(Pace::as_written, {.seed = 3, .inline_answers = InlineAnswers::never});
    play_all(Pace::as_written, {.seed = 4, .inline_answers = InlineAnswers::always});
}

}  // namespace restante::sim
