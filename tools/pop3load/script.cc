#include "script.h"

#include <algorithm>

namespace pop3load {

std::span<const Profile> profiles() {
    using enum Phase;
    static const std::vector<Profile> all = {
        {"poll", "STAT: nothing new", {log_in, stat, quit}},
        {"sync", "CAPA, STAT, LIST, UIDL", {capa, log_in, stat, list, uidl, quit}},
        {"drain",
         "LIST, UIDL, RETR of every message (--delete, --delete-share: and DELE)",
         {log_in, stat, list, uidl, fetch_all, quit}},
        {"top", "TOP n --top-lines of every message", {log_in, stat, list, top_all, quit}},
        {"keep", "RETR round and round in one session", {log_in, list, fetch_cycle, quit}},
        {"noop", "NOOP, --commands a session", {log_in, noops, quit}},
        {"idle", "logged in, silent to the end of the run", {log_in, hold, quit}},
        {"idle-anonymous", "connected, not logged in", {hold, quit}},
        {"login-storm",
         "login and QUIT (--wrong-passwords SHARE); a cache is hot after a --warm-up over all "
         "users",
         {log_in, quit}},
        {"leave-on-server",
         "STAT, LIST, UIDL, RETR of what is new (--new-share)",
         {log_in, stat, list, uidl, fetch_new, quit}},
        {.name = "specmail2001",
         .meaning = "STAT, RETR and DELE of all that is there; three times in four that is nothing",
         .phases = {log_in, stat, list, uidl, fetch_all, quit},
         .is_specmail = true},
        {.name = "slow",
         .meaning = "drain, reading 6,000 octets a second",
         .phases = {log_in, stat, list, fetch_all, quit},
         .pauses_reading = true},
    };
    return all;
}

const Profile* find_profile(std::string_view name) {
    const auto found = std::ranges::find(profiles(), name, &Profile::name);
    return found == profiles().end() ? nullptr : &*found;
}

bool Profile::holds() const { return std::ranges::count(phases, Phase::hold) > 0; }

Script::Next Script::next(const Knowledge& knowledge, Command& command) {
    for (;;) {
        if (phase_ == profile_->phases.size()) return Next::done;
        const Phase phase = profile_->phases[phase_];
        const bool is_empty = knowledge.messages == 0;
        Next next = Next::done;
        switch (phase) {
            case Phase::capa: return once(Verb::capa, command);
            case Phase::log_in: next = log_in(command); break;
            case Phase::stat: return once(Verb::stat, command);
            case Phase::list:
            case Phase::uidl:
                if (!is_empty) return once(phase == Phase::list ? Verb::list : Verb::uidl, command);
                break;
            case Phase::hold: return Next::hold;
            case Phase::noops:
            case Phase::fetch_cycle: next = repeated(phase, knowledge, command); break;
            case Phase::quit: return once(Verb::quit, command);
            default: next = one_a_message(phase, knowledge, command); break;
        }
        if (next != Next::done) return next;
        finish_phase();
    }
}

Script::Next Script::once(Verb verb, Command& command) {
    command = {verb};
    finish_phase();
    return Next::command;
}

void Script::finish_phase() {
    ++phase_;
    step_ = 0;
}

void Script::leave() {
    const auto& phases = profile_->phases;
    phase_ = static_cast<std::size_t>(std::ranges::find(phases, Phase::quit) - phases.begin());
    step_ = 0;
    deletes_next_ = false;
}

Script::Next Script::log_in(Command& command) {
    switch (options_->login) {
        case LoginMethod::apop: return once(Verb::apop, command);
        case LoginMethod::auth_plain: return once(Verb::auth_plain, command);
        case LoginMethod::user_pass:
            if (step_ == 1) return once(Verb::pass, command);
            ++step_;
            command = {Verb::user};
            return Next::command;
    }
    return Next::done;
}

Script::Next Script::one_a_message(Phase phase, const Knowledge& knowledge, Command& command) {
    if (step_ == 0 && !knowledge.is_settled) return Next::wait;
    if (deletes_next_) {
        deletes_next_ = false;
        command = {Verb::dele, static_cast<std::uint32_t>(step_)};
        return Next::command;
    }
    if (phase == Phase::fetch_new) {
        if (step_ >= knowledge.new_messages.size()) return Next::done;
        command = {Verb::retr, knowledge.new_messages[step_++]};
        return Next::command;
    }
    if (step_ >= knowledge.messages.value_or(0)) return Next::done;
    const Verb verb = phase == Phase::top_all ? Verb::top : Verb::retr;
    command = {verb, static_cast<std::uint32_t>(++step_)};
    deletes_next_ = phase == Phase::fetch_all && random_.unit() < delete_share_;
    return Next::command;
}

Script::Next Script::repeated(Phase phase, const Knowledge& knowledge, Command& command) {
    if (step_ == 0 && !knowledge.is_settled) return Next::wait;
    if (step_ == options_->commands_per_session) return Next::done;
    const std::uint64_t step = step_++;
    if (phase == Phase::noops) {
        command = {Verb::noop};
        return Next::command;
    }
    const std::uint32_t messages = knowledge.messages.value_or(0);
    if (messages == 0) return Next::done;
    command = {Verb::retr, static_cast<std::uint32_t>(step % messages + 1)};
    return Next::command;
}

}  // namespace pop3load
