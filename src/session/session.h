#pragma once
/// One POP3 session: run() awaits authorization(), then transaction(), then update() (RFC 1939 §3).

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "auth/sasl.h"
#include "auth/verifier.h"
#include "base/log.h"
#include "base/probe.h"
#include "maildir/delivery.h"
#include "maildir/store.h"
#include "net/stream.h"
#include "pop3/command.h"
#include "pop3/deletion_marks.h"
#include "pop3/line_reader.h"
#include "ring/socket_address.h"
#include "session/output.h"

namespace restante {

/// What the configuration says to every session of a server.
struct SessionPolicy {
    std::string hostname;  ///< of APOP timestamps
    bool allow_cleartext = false;
    bool apop = false;
    bool plain = true;  ///< AUTH PLAIN
    bool login = true;  ///< AUTH LOGIN
    Duration login_timeout{};
    Duration idle_timeout{};
    Duration failed_delay{};
    Duration failed_delay_max{};
};

/// What a session works with; its reactor's, outlives it.
struct SessionService {
    Ring& ring;
    Verifier& verifier;
    Store& store;
    Delivery& delivery;
    BufferPool& buffers;
    Log& log;
    const SessionPolicy& policy;
};

/// Why a state ended.
enum class Departure : std::uint8_t {
    authenticated,      ///< on to TRANSACTION
    quit_early,         ///< QUIT in AUTHORIZATION
    quit,               ///< QUIT in TRANSACTION: on to UPDATE
    bad_commands,       ///< too many bad lines
    failed_logins,      ///< too many failed logins or refused mechanisms
    logged_out,         ///< UPDATE has ended well
    update_incomplete,  ///< UPDATE could not remove everything
};

/// Has an address; lives until its on_end was called.
class Session {
public:
    /// Longest id, its NUL included.
    static constexpr std::size_t id_octets_max = 17;

    Session(const SessionService& service, Handle socket, const SocketAddress& peer,
            const SocketAddress& local);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// Runs to the first wait. `on_end(context)` is called once, last, and may destroy the session.
    void start(void (*on_end)(void*), void* context);
    /// The server stops: a session that waits for its client ends without UPDATE; one in UPDATE
    /// finishes it.
    void interrupt();
    /// From the login on, to the end.
    bool is_logged_in() const { return marks_.has_value(); }

private:
    struct Transfers {
        std::uint64_t count = 0;
        pop3::Octets octets;
    };
    enum class Login : std::uint8_t { done, refused, too_many_failures };

    Task<void> run();
    Task<Result<Departure>> authorization();
    Task<Result<Departure>> transaction();
    Task<Result<Departure>> update();

    // authorization.cc
    void greet();
    void user(std::string_view name);
    Task<Result<Login>> try_login(pop3::Command command);
    Task<Result<Login>> pass(std::string_view password);
    Task<Result<Login>> apop(std::string_view name, std::string_view digest);
    Task<Result<Login>> auth(pop3::Command command);
    Task<Result<Login>> auth_exchange(SaslMechanism mechanism,
                                      std::optional<std::string_view> initial);
    Task<Result<Login>> log_in(Proof proof, const char* method);
    Task<Result<Login>> open_maildrop(const Account& account);
    Task<Result<Login>> fail_login(Instant asked);
    Login refuse_exchange(std::string_view text);
    void list_mechanisms();
    bool offers(SaslMechanism mechanism) const;

    // transaction.cc
    bool answer(const pop3::Command& command);
    Task<Result<void>> answer_at_length(pop3::Command command);
    Task<Result<void>> list_all(pop3::Verb verb);
    Task<Result<void>> send_message(pop3::MessageNumber number, pop3::BodyLines body);
    Task<Result<void>> refuse_message(pop3::MessageNumber number, Error error, Output::Mark mark);
    void list_one(pop3::Verb verb, std::string_view digits);
    std::uint32_t list_some(pop3::Verb verb, std::uint32_t index);
    std::size_t write_listing(pop3::Verb verb, pop3::MessageNumber number, bool ok,
                              std::span<char> target) const;
    void mark(std::string_view digits);
    pop3::Octets remaining_octets() const;
    std::optional<pop3::MessageNumber> find(std::string_view digits) const;

    // session.cc
    /// Which limit a line has (pop3/limits.h).
    enum class LineKind : std::uint8_t { command, sasl_response };
    /// Sends what is to be sent and waits for a line. Overlong ones come with their status.
    Task<Result<pop3::LineReader::Next>> next_line(LineKind kind, Instant deadline);
    std::size_t line_octets_max(LineKind kind) const;
    /// The line as a command of `state`; a bad one has been replied to and counted, and is empty
    /// here.
    std::optional<pop3::Command> parse(const pop3::LineReader::Next& line, pop3::State state);
    bool has_too_many_bad_lines(pop3::State state) const;
    void capabilities();
    void enter(Phase phase);

    // report.cc
    void report_login();
    void report_end(const Result<Departure>& end);
    std::string login_report(const Result<Departure>& end) const;
    std::string session_report(const Result<Departure>& end) const;
    std::string addresses() const;
    void report_message(pop3::MessageNumber number, const Error& error);

    const SessionService service_;
    Stream stream_;
    pop3::LineReader reader_;
    Output output_;
    const SocketAddress peer_;
    const SocketAddress local_;
    char id_[id_octets_max];

    std::string user_;       // as the client gave it, then the account's
    std::string timestamp_;  // of APOP, with its angle brackets; empty where APOP is off
    const char* method_ = "";
    bool user_given_ = false;
    const char* refused_ = nullptr;  // why a right password did not log in
    Instant login_deadline_;
    std::unique_ptr<Maildrop> maildrop_;
    std::optional<pop3::DeletionMarks> marks_;
    Transfers topped_;     // TOP
    Transfers retrieved_;  // RETR
    pop3::Octets maildrop_octets_;
    std::uint32_t bad_lines_ = 0;
    std::uint32_t failed_logins_ = 0;
    std::uint32_t refused_mechanisms_ = 0;
    bool interrupted_ = false;

    Instant started_;
    Phase phase_ = Phase::connect;
    Instant phase_started_;
    std::array<Duration, phases> phase_times_{};

    Task<void> running_;
};

}  // namespace restante
