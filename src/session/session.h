#pragma once
/// One POP3 session: run() awaits authorization(), then transaction(), then by way of end()
/// update() (RFC 1939 §3).

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "auth/sasl_exchange.h"
#include "auth/sasl_mechanism.h"
#include "auth/tally.h"
#include "auth/throttle.h"
#include "auth/verifier.h"
#include "base/log.h"
#include "base/probe.h"
#include "maildir/delivery.h"
#include "maildir/store.h"
#include "net/stream.h"
#include "net/tls_mode.h"
#include "pop3/command.h"
#include "pop3/deletion_marks.h"
#include "pop3/line_reader.h"
#include "ring/socket_address.h"
#include "session/output.h"

namespace restante {

/// What the configuration says to every session of a server.
struct SessionPolicy {
    SaslPolicy sasl;          ///< its hostname is that of APOP timestamps, too
    bool kernel_tls = false;  ///< may be used: it is asked for, and there
    Duration login_timeout{};
    Duration idle_timeout{};
    std::uint32_t sessions_per_user = 0;  ///< of an account without a bound of its own; 0 = none
};

class TlsCertificates;

/// What a session works with; its reactor's, outlives it.
struct SessionService {
    Ring& ring;
    Verifier& verifier;
    Store& store;
    Delivery& delivery;
    BufferPool& buffers;
    Log& log;
    const SessionPolicy& policy;
    const TlsCertificates* certificates;  ///< null: no listener has TLS
    Throttle& throttle;                   ///< of all reactors
    Tally& user_sessions;                 ///< likewise
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
            const SocketAddress& local, TlsMode tls);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// Runs to the first wait. `on_end(context)` is called once, last, and may destroy the session.
    void start(void (*on_end)(void*), void* context);
    /// The server stops: a session that waits for its client ends without UPDATE; one in UPDATE
    /// finishes it.
    void interrupt();
    /// From the login on, to the end.
    bool is_logged_in() const { return visit_ != nullptr; }

private:
    struct Transfers {
        std::uint64_t count = 0;
        pop3::Octets octets;
    };
    /// What a session has from its login on.
    struct Visit {
        Visit(std::unique_ptr<Maildrop> opened, Tally::Place taken)
            : place(std::move(taken)),
              maildrop(std::move(opened)),
              marks(maildrop->count()),
              maildrop_octets(maildrop->octets()) {}
        Tally::Place place;                  ///< among the user's sessions
        std::unique_ptr<Maildrop> maildrop;  ///< until the end of UPDATE
        pop3::DeletionMarks marks;
        const pop3::Octets maildrop_octets;
        Transfers topped;     ///< TOP
        Transfers retrieved;  ///< RETR
        Instant turn{};       ///< of the ring, and what it has answered at length in it
        std::uint32_t answers_in_turn = 0;
    };
    struct PhaseTimes {
        Instant entered;  // the present one
        std::array<Duration, phases> spent{};
    };
    enum class Login : std::uint8_t { done, refused, too_many_failures };

    Task<void> run();
    Task<void> end(const Result<Departure>& left);
    Task<Result<Departure>> authorization();
    Task<Result<Departure>> transaction();
    Task<Result<Departure>> update();

    static constexpr pop3::Reply cleartext_disabled =
        pop3::Reply::err(pop3::ResponseCode::auth, "cleartext authentication is disabled");

    // authorization.cc
    Task<Result<std::optional<Departure>>> obey(const pop3::LineReader::Next& line);
    Task<Result<std::optional<Departure>>> begin();
    Task<Result<void>> secure();
    Task<Result<void>> start_tls();
    void greet();
    void user(std::string_view name);
    Task<Result<Login>> try_login(pop3::Command command);
    Task<Result<Login>> pass(std::string_view password);
    Task<Result<Login>> apop(std::string_view name, std::string_view digest);
    Task<Result<Login>> log_in(Proof proof, const char* method);
    Task<Result<Login>> open_maildrop(const Account& account);
    std::optional<Tally::Place> place_of(const Account& account);
    Login refuse_opening(OpenRefusal refusal);
    /// `last_words`: a challenge that tells the client why, before the reply does; "" = none.
    Task<Result<Login>> fail_login(Instant asked, std::string_view last_words = {});
    Task<Result<void>> delay_reply(Instant until);
    Login refuse_now(const Error& error);
    void note_master(std::string_view master);
    LoginOrigin origin() const { return {peer_, login_deadline()}; }
    Instant login_deadline() const { return started_ + service_.policy.login_timeout; }

    // auth.cc
    /// A response of the client; or why there is none, for the client.
    using SaslResponse = std::expected<Secret, std::string_view>;
    Task<Result<Login>> auth(pop3::Command command);
    Task<Result<Login>> auth_exchange(SaslMechanism mechanism,
                                      std::optional<std::string_view> initial);
    Task<Result<SaslResponse>> sasl_response(std::string_view challenge);
    SaslResponse decode_response(std::string_view line);
    Task<Result<SaslStep>> consult(SaslExchange& exchange, SaslStep step,
                                   std::optional<Account>& account);
    Login refuse_exchange(std::string_view text);
    Login refuse_mechanism(bool is_cleartext_one);
    void list_mechanisms();
    /// What TLS brings along: whether, and what. The latter costs some digests.
    SaslGround ground() const;
    SaslChannel channel() const;

    // transaction.cc
    /// What lines that were received leave to be done.
    struct Rest {
        bool quits = false;
        std::optional<Task<Result<void>>> answer;
    };
    Rest take_lines(pop3::LineReader::Next line);
    std::optional<pop3::Command> answer_lines(pop3::LineReader::Next line);
    bool answer(const pop3::Command& command);
    Task<Result<void>> answer_at_length(pop3::Command command);
    bool has_had_its_turn();
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
    /// Towards the next line: what is sent and received.
    class LineSteps {
    public:
        LineSteps(Session& session, LineKind kind, Instant deadline)
            : session_(session), deadline_(deadline), kind_(kind) {}
        std::optional<Request> next();
        void take(const Operation& ended);
        const Result<pop3::LineReader::Next>& result() const { return result_; }
        Ring& ring() const { return session_.stream_.ring(); }
        Operation*& in_flight() { return session_.stream_.in_flight(); }

    private:
        std::optional<Request> end(Result<pop3::LineReader::Next> result);

        Session& session_;
        Instant deadline_;
        Result<pop3::LineReader::Next> result_{
            pop3::LineReader::Next{pop3::LineReader::Status::incomplete, {}}};
        LineKind kind_;
        bool is_sending_ = false;
        bool has_ended_ = false;
    };
    /// Sends what is to be sent and waits for a line: `co_await next_line(...)` is a
    /// Result<LineReader::Next>. Overlong ones come with their status.
    Sequence<LineSteps> next_line(LineKind kind, Instant deadline) {
        return Sequence(LineSteps(*this, kind, deadline));
    }
    std::size_t line_octets_max(LineKind kind) const;
    /// The line as a command of `state`; a bad one has been replied to and counted, and is empty
    /// here.
    std::optional<pop3::Command> parse(const pop3::LineReader::Next& line, pop3::State state);
    bool has_too_many_bad_lines(pop3::State state) const;
    void feed(std::span<const char> octets);
    Result<pop3::LineReader::Next> received_line(LineKind kind);
    Result<bool> decrypt();
    /// `result` of a receive that brought nothing: 0 or -errno.
    static Error receive_error(std::int64_t result);
    void capabilities();
    bool is_secure() const { return stream_.tls() != nullptr; }
    bool allows_cleartext() const {
        return offers_user(service_.policy.sasl, {.is_encrypted = is_secure()});
    }
    void enter(Phase phase);

    // report.cc
    void report_login();
    void report_end(const Result<Departure>& end);
    std::string login_report(const Result<Departure>& end) const;
    void report_session(const Result<Departure>& end) const;
    std::string addresses() const;
    std::int64_t seconds_since_start() const;
    void report_message(pop3::MessageNumber number, const Error& error);

    const SessionService& service_;
    Stream stream_;
    pop3::LineReader reader_;
    Output output_;
    const SocketAddress peer_;
    const SocketAddress local_;
    const TlsMode tls_mode_;
    char id_[id_octets_max];
    std::uint16_t bad_lines_ = 0;
    std::uint16_t failed_logins_ = 0;
    std::uint16_t refused_mechanisms_ = 0;

    std::string user_;                              // as the client gave it, then the account's
    std::unique_ptr<const std::string> timestamp_;  // of APOP, with its angle brackets; or none
    const char* method_ = "";
    const char* refused_ = nullptr;  // why a right password did not log in
    std::unique_ptr<Visit> visit_;
    bool user_given_ = false;
    bool is_in_exchange_ = false;       // of AUTH, or it was given up
    bool has_tried_cleartext_ = false;  // where that is not allowed
    bool took_token_ = false;           // this exchange of AUTH, for a hash
    bool interrupted_ = false;
    Phase phase_ = Phase::connect;

    Instant started_;
    std::unique_ptr<PhaseTimes> phase_times_;  // where the log is to have them

    Task<void> running_;
};

}  // namespace restante
