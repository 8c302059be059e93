#include "command_line.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "exit_codes.h"
#include "load_command.h"
#include "options.h"
#include "script.h"
#include "seed.h"
#include "text_file.h"

namespace pop3load {
namespace {

const CLI::AsNumberWithUnit as_duration(std::map<std::string, std::int64_t>{{"us", 1'000},
                                                                            {"ms", 1'000'000},
                                                                            {"s", 1'000'000'000},
                                                                            {"m", 60'000'000'000},
                                                                            {"h",
                                                                             3'600'000'000'000}},
                                        CLI::AsNumberWithUnit::UNIT_REQUIRED, "DURATION");

/// An option that takes "500ms", "10s", "2m", `least` or more.
CLI::Option* add_duration(CLI::App& app, const std::string& name, Duration& target,
                          const std::string& help, Duration least = Duration(0)) {
    const auto set = [&target, name, least](const std::int64_t& nanoseconds) {
        if (nanoseconds < least.count())
            throw CLI::ValidationError(
                name, least.count() > 0 ? "no time at all: it must be above 0" : "below 0");
        target = Duration(nanoseconds);
    };
    return app.add_option_function<std::int64_t>(name, set, help)
        ->transform(as_duration)
        ->type_name("DURATION");
}

/// A number above 0.
CLI::Validator up_to(double most) {
    const auto fault = [most](const std::string& text) -> std::string {
        double value = 0;
        if (CLI::detail::lexical_cast(text, value) && value > 0 && value <= most) return "";
        return fmt::format("{} is no number above 0 and up to {:.0f}", text, most);
    };
    return {fault, ""};
}

/// An option that takes one of a few words.
template <typename Value>
CLI::Option* add_choice(CLI::App& app, const std::string& name, Value& target,
                        const std::vector<std::pair<std::string, Value>>& choices,
                        const std::string& help) {
    const auto set = [&target, name, choices](const std::string& text) {
        std::string words;
        for (const auto& [word, value] : choices) {
            words += (words.empty() ? "" : ", ") + word;
            if (word != text) continue;
            target = value;
            return;
        }
        throw CLI::ValidationError(name, fmt::format("\"{}\" is none of {}", text, words));
    };
    return app.add_option_function<std::string>(name, set, help)->type_name("WORD");
}

/// "0.8" or "80%" as a number of ones.
std::string without_percent(std::string text) {
    if (!text.ends_with('%')) return text;
    text.pop_back();
    double percent = 0;
    if (!CLI::detail::lexical_cast(text, percent))
        throw CLI::ValidationError("not a percentage: " + text + "%");
    return fmt::format("{}", percent / 100);
}

/// A share, from 0 to 1 or with a percent sign.
CLI::Option* add_share(CLI::App& app, const std::string& name, double& target,
                       const std::string& help) {
    return app.add_option(name, target, help)
        ->check(CLI::Range(0.0, 1.0))
        ->transform(without_percent)
        ->type_name("SHARE");
}

/// --verify: "all", "sample=1%" or a share alone.
void set_verify(Options& options, const std::string& text) {
    constexpr std::string_view prefix = "sample=";
    options.verify_strictly = text == "all";
    options.verify_share = 1;
    if (options.verify_strictly) return;
    const std::string share =
        without_percent(text.starts_with(prefix) ? text.substr(prefix.size()) : text);
    const bool is_number = CLI::detail::lexical_cast(share, options.verify_share);
    if (is_number && options.verify_share >= 0 && options.verify_share <= 1) return;
    throw CLI::ValidationError(
        "--verify", fmt::format("\"{}\" is neither all nor a share as in sample=1%", text));
}

/// The words as typed, but for the password: reports are passed on.
std::string told_command_line(int argc, char** argv) {
    constexpr std::string_view option = "--password";
    std::string line;
    for (int i = 0; i < argc; ++i) {
        const std::string_view word = argv[i];
        const bool is_password = i > 0 && argv[i - 1] == option;
        const bool has_password = word.starts_with(option) && word.substr(option.size(), 1) == "=";
        if (i > 0) line += ' ';
        line += is_password ? "..." : has_password ? "--password=..." : word;
    }
    return line;
}

std::string profile_help() {
    std::string help = "Profiles:\n";
    for (const Profile& profile : profiles()) {
        std::string name(profile.name);
        name.resize(18, ' ');
        help += "  " + name + std::string(profile.meaning) + '\n';
    }
    return help +
           "What others call tls-full, tls-resumed and stls is any of them with --tls implicit, "
           "with\n"
           "--tls-resumed 1 beside it, or with --tls starttls.\n";
}

void add_target(CLI::App& run, Options& options) {
    run.add_option("--host", options.host, "name or address of the server")
        ->capture_default_str()
        ->group("Target");
    run.add_option("--port", options.port, "its port")->capture_default_str()->group("Target");
    run.add_option("--source", options.source_addresses,
                   "local addresses to connect from, in turn: each has 28,000 ports")
        ->delimiter(',')
        ->group("Target");
    add_choice<TlsMode>(
        run, "--tls", options.tls,
        {{"none", TlsMode::none}, {"starttls", TlsMode::starttls}, {"implicit", TlsMode::implicit}},
        "none (the default), starttls (STLS) or implicit; trusts anyone")
        ->group("Target");
    add_share(run, "--tls-resumed", options.tls_resumed_share,
              "of the TLS sessions, how many resume (0 to 1)")
        ->group("Target");
}

void add_users(CLI::App& run, Options& options) {
    run.add_option("--user-format", options.user_format, "user names; {} is a number from 0")
        ->capture_default_str()
        ->group("Users");
    run.add_option("--user-count", options.user_count, "how many")
        ->check(CLI::Range(1U, UINT32_MAX))
        ->capture_default_str()
        ->group("Users");
    run.add_option("--password", options.password, "of all of them")
        ->capture_default_str()
        ->group("Users");
    run.add_option("--users-file", options.users_file, "lines NAME PASSWORD instead")
        ->group("Users");
    add_choice<LoginMethod>(run, "--auth", options.login,
                            {{"user", LoginMethod::user_pass},
                             {"apop", LoginMethod::apop},
                             {"plain", LoginMethod::auth_plain}},
                            "user (USER and PASS; the default), apop or plain (AUTH PLAIN)")
        ->group("Users");
}

void add_load(CLI::App& run, Options& options) {
    run.add_option("--profile", options.profile, "what a session does")
        ->capture_default_str()
        ->group("Load");
    CLI::Option* rate = run.add_option("--rate", options.rate,
                                       "open model: sessions that begin a second, come "
                                       "what may")
                            ->check(up_to(1e6))
                            ->group("Load");
    run.add_option("--connections", options.connections,
                   "closed model: so many at once, the next when one ends; each needs a user")
        ->check(CLI::Range(1U, 1'000'000U))
        ->excludes(rate)
        ->group("Load");
    add_choice<Arrivals>(run, "--arrivals", options.arrivals,
                         {{"poisson", Arrivals::poisson}, {"fixed", Arrivals::fixed}},
                         "poisson (the default) or fixed gaps")
        ->group("Load");
    add_duration(run, "--duration", options.duration, "measured time (10s)", Duration(1))
        ->group("Load");
    add_duration(run, "--warm-up", options.warm_up, "before it, not measured (1s)")->group("Load");
    add_duration(run, "--think", options.think, "mean pause before a command; exponential")
        ->group("Load");
    add_duration(run, "--timeout", options.timeout, "silence that ends a session (30s)",
                 Duration(1))
        ->group("Load");
    run.add_option("--in-flight", options.in_flight_max, "open model: sessions at once, a thread")
        ->check(CLI::Range(1U, 1'000'000U))
        ->capture_default_str()
        ->group("Load");
    run.add_option("--threads", options.threads, "0: one a core")
        ->check(CLI::Range(0U, 256U))
        ->capture_default_str()
        ->group("Load");
    run.add_option("--seed", options.seed,
                   "the same one: the same arrivals, users and choices (JSON.md, run)")
        ->capture_default_str()
        ->group("Load");
}

void add_profile_details(CLI::App& run, Options& options) {
    run.add_flag("--pipelined", options.pipelined, "send commands ahead (RFC 2449, PIPELINING)")
        ->group("Profile");
    run.add_option("--pipeline-depth", options.pipeline_depth, "how many")
        ->check(CLI::Range(2U, 1000U))
        ->capture_default_str()
        ->group("Profile");
    CLI::Option* all = run.add_flag_callback(
        "--delete", [&options] { options.delete_share = 1; }, "drain, slow: DELE what was fetched");
    all->group("Profile");
    add_share(run, "--delete-share", options.delete_share,
              "drain, slow: DELE of so many of the messages; the rest must stay (0 to 1)")
        ->excludes(all)
        ->group("Profile");
    add_share(
        run, "--new-share", options.new_share,
        "leave-on-server: of the sessions that find nothing new, so many fetch the last message "
        "all the same (0 to 1)")
        ->capture_default_str()
        ->group("Profile");
    run.add_option("--commands", options.commands_per_session, "noop, keep: before QUIT")
        ->check(up_to(1e9))
        ->capture_default_str()
        ->group("Profile");
    run.add_option("--top-lines", options.top_lines, "top: lines of the body")
        ->capture_default_str()
        ->group("Profile");
    add_share(run, "--wrong-passwords", options.wrong_password_share,
              "login-storm: of the logins (0 to 1)")
        ->group("Profile");
    run.add_option_function<std::string>(
           "--verify", [&options](const std::string& text) { set_verify(options, text); },
           "all: every message fetched must be one that `seed` wrote for its user, octet for "
           "octet; one without its mark is wrong. sample=1% (the default): so many of them are "
           "looked at, and those without a mark are only counted")
        ->type_name("WHAT")
        ->group("Profile");
}

void add_reports(CLI::App& run, Options& options) {
    run.add_option("--server-pid", options.server_pid, "measure this process tree as the server")
        ->group("Server");
    run.add_option("--server-cgroup", options.server_cgroup, "or this control group's folder")
        ->group("Server");
    run.add_option("--json", options.json_path, "write the results as JSON")->group("Reports");
    run.add_option("--csv", options.csv_path, "as CSV, by step; by second into FILE-seconds.csv")
        ->group("Reports");
    run.add_option("--hgrm", options.hgrm_path, "session latencies for HdrHistogram's plotter")
        ->group("Reports");
    run.add_option("--html", options.html_path, "one page with plots")->group("Reports");
    run.add_flag("--quiet", options.quiet, "no live view")->group("Reports");
    run.add_option("--threshold", options.thresholds, "\"p99<50ms,errors<0.1%\": or exit 1")
        ->group("Judgement");
    CLI::Option* find_max =
        run.add_option("--find-max", options.find_max, "search the highest rate these hold under")
            ->type_name("THRESHOLDS")
            ->group("Judgement");
    run.add_option("--stages", options.stages, "runs at these shares of --rate: 80%,100%,120%")
        ->delimiter(',')
        ->check(up_to(1000))
        ->transform(without_percent)
        ->excludes(find_max)
        ->group("Judgement");
}

void add_run_command(CLI::App& app, Options& options, int& exit_code) {
    CLI::App* run = app.add_subcommand("run", "Put load on a server and check its answers");
    add_target(*run, options);
    add_users(*run, options);
    add_load(*run, options);
    add_profile_details(*run, options);
    add_reports(*run, options);
    run->footer(
        profile_help() +
        "\n--find-max and --stages run one after the other on the same mail: what one deletes, "
        "the next does not find.\nExit: 0 held, 1 a wrong answer or a threshold, 2 usage, 4 the "
        "generator fell "
        "behind (it was more than\n10 ms late itself at p95, or at the highest percentile "
        "that a threshold asks of the server) or could not\ngo on.\nNobody else may delete "
        "mail meanwhile: it would "
        "count as lost.");
    run->callback([&] { exit_code = load_command(options); });
}

/// --messages and --sizes: a number, or a file of "VALUE WEIGHT" lines.
Distribution read_distribution(const std::string& option, const std::string& text) {
    std::uint64_t value = 0;
    if (CLI::detail::lexical_cast(text, value)) return Distribution::constant(value);
    const std::expected<std::string, std::string> content = read_text_file(text);
    if (!content) throw CLI::ValidationError(option, "neither a number nor a file: " + text);
    std::expected<Distribution, std::string> parsed = Distribution::parse(*content);
    if (!parsed) throw CLI::ValidationError(option, text + ": " + parsed.error());
    return *parsed;
}

void add_seed_files(CLI::App& seed, SeedOptions& options) {
    seed.add_option("--maildir", options.folder,
                    "as the server's [storage] maildir: /tmp/mail/{user}")
        ->required();
    seed.add_option("--user-format", options.user_format, "user names; {} is a number from 0")
        ->capture_default_str();
    seed.add_option("--user-count", options.user_count, "how many")->capture_default_str();
    seed.add_option("--password", options.password, "of all of them")->capture_default_str();
    seed.add_option("--passwd-file", options.passwd_file, "write the server's user database here");
    seed.add_option("--scheme", options.scheme, "of its passwords: PLAIN or SHA512-CRYPT")
        ->capture_default_str();
    seed.add_option("--users-file", options.users_file, "write NAME PASSWORD lines here");
    seed.add_option("--owner", options.owner, "of the files: USER or USER:GROUP");
    seed.add_flag("--add", options.may_add, "into folders that are not empty");
}

void add_seed_command(CLI::App& app, SeedOptions& options, int& exit_code) {
    CLI::App* seed = app.add_subcommand("seed", "Make maildrops, the same for the same --seed");
    add_seed_files(*seed, options);
    const auto of_profile = [&options](const std::string& name) {
        const std::optional<MailProfile> profile = find_mail_profile(name);
        if (!profile) throw CLI::ValidationError("--mail", "no mail profile " + name);
        options.counts = profile->counts;
        options.sizes = profile->sizes;
        options.has_retry_pool = profile->has_retry_pool;
    };
    std::string names;
    for (const std::string_view name : mail_profile_names())
        names += (names.empty() ? "" : ", ") + std::string(name);
    seed->add_option_function<std::string>("--mail", of_profile, names);
    const auto set_counts = [&](const std::string& text) {
        options.counts = read_distribution("--messages", text);
    };
    const auto set_sizes = [&](const std::string& text) {
        options.sizes = read_distribution("--sizes", text);
    };
    seed->add_option_function<std::string>("--messages", set_counts,
                                           "in a maildrop: a number, or a file of VALUE WEIGHT");
    seed->add_option_function<std::string>("--sizes", set_sizes,
                                           "octets on the wire: a number, or such a file");
    add_choice<LineEnds>(
        *seed, "--line-ends", options.line_ends,
        {{"lf", LineEnds::lf}, {"crlf", LineEnds::crlf}, {"wire-ready", LineEnds::wire_ready}},
        "lf (the default), crlf, or wire-ready: CRLF and no line begins with a dot");
    seed->add_flag("--stored-size", options.has_stored_size, ",S= in the names");
    seed->add_flag("--wire-size", options.has_wire_size, ",W= in the names");
    seed->add_flag("--seen", options.is_seen, "in cur/, seen; otherwise in new/");
    seed->add_option("--pool", options.pool_messages,
                     "so many files; the messages are hard links to them");
    seed->add_option("--seed", options.seed, "the same one gives the same mail")
        ->capture_default_str();
    seed->add_option("--threads", options.threads, "0: one a core")->capture_default_str();
    seed->add_flag("--quiet", options.quiet, "no progress");
    seed->callback([&] { exit_code = seed_maildrops(options); });
}

}  // namespace

int run_command_line(int argc, char** argv) {
    CLI::App app(
        "Load for POP3 servers: open-loop, checked, honest about its own part\n\n"
        "Examples:\n"
        "  pop3load seed --maildir '/tmp/mail/{user}' --user-count 1000 --mail poll20\n"
        "  pop3load run --port 1110 --rate 500 --user-count 1000\n"
        "  pop3load run --port 1110 --profile drain --connections 32 --html report.html\n"
        "  pop3load run --port 1110 --find-max 'p99<50ms,errors<0.1%'\n",
        "pop3load");
    app.require_subcommand(1);
    Options options;
    SeedOptions seed_options;
    options.command_line = told_command_line(argc, argv);
    int exit_code = exit_ok;
    try {
        add_run_command(app, options, exit_code);
        add_seed_command(app, seed_options, exit_code);
        app.parse(argc, argv);
        return exit_code;
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error);
        return code == 0 ? exit_ok : exit_usage;
    } catch (const std::exception& cause) {
        std::fprintf(stderr, "pop3load: %s\n", cause.what());
        return exit_failed;
    }
}

}  // namespace pop3load
