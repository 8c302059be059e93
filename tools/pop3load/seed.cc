#include "seed.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "auth/user_name.h"
#include "ending_signals.h"
#include "exit_codes.h"
#include "maildir/maildrop_path.h"
#include "readable.h"
#include "seed_accounts.h"
#include "seed_crew.h"
#include "seed_folder.h"
#include "seed_plan.h"
#include "seed_pool.h"
#include "users.h"

namespace pop3load {
namespace {

using restante::MaildropPath;

/// One message is made in memory.
constexpr std::uint64_t message_octets_max = 1 << 30;
constexpr std::uint64_t maildrop_messages_max = 10'000'000;
constexpr std::uint32_t threads_max = 64;
/// In the names of messages: when the first of a maildrop is said to have come.
constexpr std::uint64_t first_second = 1'672'531'200;
constexpr std::string_view pool_folder = ".pop3load-pool";

constexpr std::array<std::string_view, 4> profile_names = {"specmail2001", "poll20", "poll1000",
                                                           "poll10000"};
/// SPECmail2001's median.
constexpr std::uint64_t poll_message_octets = 3'000;

std::unexpected<SeedFailure> usage(std::string sentence) {
    return std::unexpected(SeedFailure{exit_usage, std::move(sentence)});
}

std::unexpected<SeedFailure> failed(std::string sentence) {
    return std::unexpected(SeedFailure{exit_failed, std::move(sentence)});
}

/// What the options come to, once they are found sound.
struct Job {
    const SeedOptions& options;
    Users users;
    MaildropPath path;
    std::string
        root;  ///< in which the maildrops are; the one maildrop where there are no users in it
    std::optional<Owner> owner;
    SeedTotals totals;
    std::uint32_t threads;
};

std::expected<std::string, std::string> path_of(const MaildropPath& path, std::string_view user) {
    const auto expanded = path.expand({.user = user, .home = {}, .maildrop = {}, .session = {}});
    if (expanded && restante::is_user_name(user)) return *expanded;
    return std::unexpected(fmt::format(
        "no maildrop can be made of the folder for \"{}\": a name, and its domain where the folder "
        "has {{domain}}, are printable, not empty, without / and :, and begin with no dot",
        user));
}

std::optional<std::string> fault_of(const SeedOptions& options) {
    if (options.folder.find("{home}") != std::string::npos) {
        return "the folder cannot have {home}: seeded users have none";
    }
    for (const Distribution::Row& row : options.sizes.rows()) {
        if (row.value <= message_octets_max) continue;
        return fmt::format("a message of {} octets is too large: at most {}", count_text(row.value),
                           count_text(message_octets_max));
    }
    for (const Distribution::Row& row : options.counts.rows()) {
        if (row.value <= maildrop_messages_max) continue;
        return fmt::format("{} messages in a maildrop are too many: at most {}",
                           count_text(row.value), count_text(maildrop_messages_max));
    }
    if (options.pool_messages > maildrop_messages_max) {
        return fmt::format("a pool of {} messages is too large: at most {}",
                           count_text(options.pool_messages), count_text(maildrop_messages_max));
    }
    if (options.threads > threads_max) {
        return fmt::format("{} threads are too many: at most {}", options.threads, threads_max);
    }
    return std::nullopt;
}

std::uint32_t threads_of(const SeedOptions& options) {
    if (options.threads > 0) return options.threads;
    return std::clamp(std::thread::hardware_concurrency(), 1U, threads_max);
}

/// Whether every user has a maildrop of one's own.
Done check_paths(const MaildropPath& path, const Users& users) {
    const std::size_t last = users.count() - 1;
    const auto first = path_of(path, users.name(0));
    if (!first) return std::unexpected(first.error());
    const auto other = path_of(path, users.name(last));
    if (!other) return std::unexpected(other.error());
    if (last == 0 || *first != *other) return {};
    return std::unexpected(fmt::format(
        "the folder is {} for every user: put {{user}} or {{local}} where its name belongs",
        *first));
}

/// Everything that can be found wrong before anything is made.
std::expected<Job, SeedFailure> plan_job(const SeedOptions& options) {
    std::optional<std::string> fault = fault_of(options);
    if (fault) return usage(std::move(*fault));
    std::expected<Users, std::string> users =
        Users::numbered(options.user_format, options.user_count, options.password);
    if (!users) return usage(users.error());
    const auto path = MaildropPath::parse(options.folder);
    if (!path) return usage(fmt::format("folder \"{}\": {}", options.folder, path.error()));
    const Done paths = check_paths(*path, *users);
    if (!paths) return usage(paths.error());
    const auto owner = find_owner(options.owner);
    if (!owner) return usage(owner.error());
    const Done accounts = check_account_files(options);
    if (!accounts) return usage(accounts.error());

    const bool has_users = options.folder.find('{') != std::string::npos;
    Job job{options,
            std::move(*users),
            *path,
            has_users ? path->root() : options.folder,
            *owner,
            plan_totals(options),
            threads_of(options)};
    const auto is_used = has_entries(job.root);
    if (!is_used) return failed(is_used.error());
    if (*is_used && !options.may_add) {
        return failed(fmt::format("{} is not empty: name a folder that is, or add to it with --add",
                                  job.root));
    }
    const Done room = check_room(job.root, job.totals.stored_octets, job.totals.files);
    if (!room) return failed(room.error());
    return job;
}

/// The name of message `number` of a maildrop, as a mail server would give it: time, microseconds,
/// origin. The first two do not count alike: names such as 1700000123.M123 can collide in a
/// server's hash of names (Dovecot's is one) and make it dearer than it is.
class MessageName {
public:
    const char* make(const SeedOptions& options, std::uint64_t number, MessagePool::Facts facts) {
        text_.clear();
        const auto out = std::back_inserter(text_);
        fmt::format_to(out, "{}.M{:06}R{:x}.pop3load", first_second + number,
                       number * 618'033 % 1'000'000, options.seed);
        if (options.has_stored_size) fmt::format_to(out, ",S={}", facts.stored_octets);
        if (options.has_wire_size) fmt::format_to(out, ",W={}", facts.octets);
        if (options.is_seen) fmt::format_to(out, ":2,S");
        text_.push_back('\0');
        return text_.data();
    }

private:
    fmt::memory_buffer text_;
};

/// Makes one maildrop and fills it.
class MaildropMaker {
public:
    MaildropMaker(const Job& job, MessagePool* pool, Progress& progress)
        : job_(job), pool_(pool), progress_(progress) {}

    Done make(std::uint64_t number, const std::atomic<bool>& stopped) const {
        const auto path = path_of(job_.path, job_.users.name(number));
        if (!path) return std::unexpected(path.error());
        for (const char* part : {"cur", "new", "tmp"}) {
            const Done made = make_folders(fmt::format("{}/{}", *path, part), job_.owner);
            if (!made) return made;
        }
        const std::string folder_path = *path + (job_.options.is_seen ? "/cur" : "/new");
        const auto folder = open_folder(folder_path);
        if (!folder) return std::unexpected(folder.error());
        MaildropPlan plan(job_.options, number);
        const Target target{folder->get(), folder_path, job_.users.name(number)};
        return pool_ != nullptr ? link_messages(plan, target, stopped)
                                : write_messages(plan, target, stopped);
    }

private:
    struct Target {
        int folder;
        const std::string& path;
        std::string_view user;
    };

    Done write_messages(MaildropPlan& plan, const Target& target,
                        const std::atomic<bool>& stopped) const {
        MessageName name;
        for (std::uint64_t i = 0; i < plan.count() && !stopped; ++i) {
            const PlannedMessage message = plan.next();
            const std::string text =
                seed_message(message.identity, message.octets, job_.options.line_ends, target.user);
            const char* own_name = name.make(job_.options, i, {message.octets, text.size()});
            const Done done =
                write_new_file({target.folder, target.path, own_name, text}, job_.owner);
            if (!done) return done;
            progress_.add(1);
        }
        return {};
    }

    Done link_messages(MaildropPlan& plan, const Target& target,
                       const std::atomic<bool>& stopped) const {
        MessageName name;
        const std::uint64_t start = plan.pool_start(pool_->count());
        for (std::uint64_t i = 0; i < plan.count() && !stopped; ++i) {
            const std::uint64_t index = (start + i) % pool_->count();
            const char* own_name = name.make(job_.options, i, pool_->facts(index));
            const Done done = pool_->link(index, target.folder, target.path, own_name);
            if (!done) return done;
            progress_.add(1);
        }
        return {};
    }

    const Job& job_;
    MessagePool* pool_;
    Progress& progress_;
};

/// Nothing where all went well.
std::optional<SeedFailure> failure_of(const CrewOutcome& outcome, const Job& job,
                                      std::uint64_t messages) {
    if (outcome.end == CrewEnd::done) return std::nullopt;
    const std::string made = fmt::format("{} of {} messages were made in {}", count_text(messages),
                                         count_text(job.totals.messages), job.root);
    if (outcome.end == CrewEnd::failed) {
        return SeedFailure{exit_failed, fmt::format("{}; {}", outcome.error, made)};
    }
    return SeedFailure{exit_failed,
                       fmt::format("interrupted: {}; remove them before you seed it again", made)};
}

/// The pool, filled; none where the options ask for none.
std::expected<std::unique_ptr<MessagePool>, SeedFailure> make_pool(const Job& job) {
    if (job.totals.pool_messages == 0) return nullptr;
    const std::string above = fmt::format("{}/{}", job.path.root(), pool_folder);
    const Done made = make_folders(above, job.owner);
    if (!made) return failed(made.error());
    auto pool = MessagePool::make(fmt::format("{}/{:x}", above, job.options.seed),
                                  plan_pool(job.options, job.totals.pool_messages),
                                  job.options.line_ends, job.owner);
    if (!pool) return failed(pool.error());
    Progress progress("messages of the pool", job.totals.pool_messages, job.options.quiet);
    const Work fill = [&](std::uint64_t index, const std::atomic<bool>&) {
        progress.add(1);
        return (*pool)->fill(index);
    };
    const CrewOutcome outcome = run_crew(job.totals.pool_messages, job.threads, fill, progress);
    std::optional<SeedFailure> failure = failure_of(outcome, job, 0);
    if (failure) return std::unexpected(std::move(*failure));
    return std::move(*pool);
}

std::string summary_of(const Job& job, double seconds) {
    std::string text = fmt::format(
        "{} messages ({}) for {} user{} in {}, made in {}", count_text(job.totals.messages),
        octets_text(static_cast<double>(job.totals.octets)), count_text(job.users.count()),
        job.users.count() == 1 ? "" : "s", job.options.folder, duration_text(seconds * 1e9));
    if (job.totals.pool_messages > 0) {
        text += fmt::format("; they are links to {} files", count_text(job.totals.pool_messages));
    }
    if (job.totals.pool_messages > job.options.pool_messages) {
        text += ", as many as the fullest maildrop has messages";
    }
    return text;
}

}  // namespace

std::span<const std::string_view> mail_profile_names() { return profile_names; }

std::optional<MailProfile> find_mail_profile(std::string_view name) {
    const Distribution sizes = Distribution::constant(poll_message_octets);
    if (name == "specmail2001") {
        return MailProfile{Distribution::specmail_counts(), Distribution::specmail_sizes(), true};
    }
    if (name == "poll20") return MailProfile{Distribution::constant(20), sizes};
    if (name == "poll1000") return MailProfile{Distribution::constant(1'000), sizes};
    if (name == "poll10000") return MailProfile{Distribution::constant(10'000), sizes};
    return std::nullopt;
}

std::expected<std::string, SeedFailure> try_seed(const SeedOptions& options) {
    const auto begun = std::chrono::steady_clock::now();
    const HeldSignals held;
    const std::expected<Job, SeedFailure> job = plan_job(options);
    if (!job) return std::unexpected(job.error());
    const Done root = make_folders(job->root, job->owner);
    if (!root) return failed(root.error());
    const auto pool = make_pool(*job);
    if (!pool) return std::unexpected(pool.error());

    Progress progress("messages", job->totals.messages, options.quiet);
    const MaildropMaker maker(*job, pool->get(), progress);
    const Work work = [&](std::uint64_t number, const std::atomic<bool>& stopped) {
        return maker.make(number, stopped);
    };
    const CrewOutcome outcome = run_crew(job->users.count(), job->threads, work, progress);
    std::optional<SeedFailure> failure = failure_of(outcome, *job, progress.done());
    if (failure) return std::unexpected(std::move(*failure));
    const Done accounts = write_account_files(options, job->users);
    if (!accounts) return failed(accounts.error());
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begun;
    return summary_of(*job, time.count());
}

int seed_maildrops(const SeedOptions& options) {
    const std::expected<std::string, SeedFailure> made = try_seed(options);
    if (!made) {
        fmt::print(stderr, "pop3load seed: {}.\n", made.error().sentence);
        return made.error().exit_code;
    }
    if (!options.quiet) fmt::print("{}.\n", *made);
    return exit_ok;
}

}  // namespace pop3load
