#include "auth/introspection.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/assert.h"
#include "base/free_with.h"
#include "base/wipe.h"

namespace restante {
namespace {

/// Handles that are kept, with their connections.
constexpr std::size_t idle_handles_max = 8;
/// The same trouble is logged once in this time.
constexpr Duration trouble_log_interval = std::chrono::seconds(10);
constexpr long http_ok = 200;

/// application/x-www-form-urlencoded. Tokens have printable ASCII only.
std::string form_of(std::string_view token) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string form = "token_type_hint=access_token&token=";
    form.reserve(form.size() + 3 * token.size());  // no copies of a secret on the way
    for (const char octet : token) {
        const bool is_plain = (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') ||
                              (octet >= '0' && octet <= '9') || octet == '-' || octet == '.' ||
                              octet == '_' || octet == '~';
        if (is_plain) {
            form += octet;
            continue;
        }
        form += '%';
        form += digits[static_cast<unsigned char>(octet) >> 4];
        form += digits[static_cast<unsigned char>(octet) & 0x0FU];
    }
    return form;
}

std::size_t take_answer(char* octets, std::size_t, std::size_t size, void* answer) {
    auto& text = *static_cast<std::string*>(answer);
    if (text.size() + size > token_json_octets_max) return 0;  // ends the transfer
    text.append(octets, size);
    return size;
}

/// On a helper thread. The references outlive it.
class IntrospectionWork final : public Work {
public:
    IntrospectionWork(CURL* handle, std::string_view token, const IntrospectionSettings& settings)
        : handle_(handle), form_(form_of(token)), settings_(settings) {}
    void run() override;

    const std::string& answer() const { return answer_.text(); }
    /// What went wrong, for the log; empty where there is an answer.
    std::string trouble;

private:
    void set_options(curl_slist* headers, std::string& answer, char* cause);

    CURL* const handle_;
    const Secret form_;
    const IntrospectionSettings& settings_;
    Secret answer_;
};

void IntrospectionWork::run() {
    std::array<char, CURL_ERROR_SIZE> cause{};
    std::string answer;
    const std::unique_ptr<curl_slist, FreeWith<curl_slist_free_all>> headers(
        curl_slist_append(nullptr, "Accept: application/json"));
    set_options(headers.get(), answer, cause.data());
    const CURLcode outcome = curl_easy_perform(handle_);
    long status = 0;
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    answer_ = Secret(std::move(answer));
    curl_easy_reset(handle_);  // keeps the connection; forgets the token, the secret, the buffers
    if (outcome == CURLE_WRITE_ERROR) {
        trouble = "the answer is longer than 64 KiB";
    } else if (outcome != CURLE_OK) {
        trouble = cause[0] != '\0' ? cause.data() : curl_easy_strerror(outcome);
    } else if (status != http_ok) {
        trouble = "HTTP status " + std::to_string(status) +
                  (status == 401 ? " (are client_id and client_secret right?)" : "");
    }
}

void IntrospectionWork::set_options(curl_slist* headers, std::string& answer, char* cause) {
    const auto set = [this](CURLoption option, auto value) {
        ASSERT(curl_easy_setopt(handle_, option, value) == CURLE_OK);
    };
    set(CURLOPT_ERRORBUFFER, cause);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_URL, settings_.endpoint.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROXY, "");  // not what the environment says
    set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!settings_.ca_file.empty()) set(CURLOPT_CAINFO, settings_.ca_file.c_str());
    if (!settings_.client_id.empty()) {
        set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
        set(CURLOPT_USERNAME, settings_.client_id.c_str());
        set(CURLOPT_PASSWORD, settings_.client_secret.c_str());
    }
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(settings_.timeout.count()));
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings_.timeout.count()));
    set(CURLOPT_HTTPHEADER, headers);
    set(CURLOPT_POSTFIELDSIZE, static_cast<long>(form_.text().size()));
    set(CURLOPT_POSTFIELDS, form_.text().data());
    set(CURLOPT_WRITEFUNCTION, &take_answer);
    set(CURLOPT_WRITEDATA, &answer);
}

using Url = std::unique_ptr<CURLU, FreeWith<curl_url_cleanup>>;

std::string part_of(CURLU* url, CURLUPart which, unsigned flags = 0) {
    char* part = nullptr;
    if (curl_url_get(url, which, &part, flags) != CURLUE_OK) return {};
    std::string text(part);
    curl_free(part);
    return text;
}

}  // namespace

IntrospectionSettings::~IntrospectionSettings() { wipe(client_secret); }

std::expected<void, std::string> prepare_introspection(const IntrospectionSettings& settings) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return std::unexpected("libcurl cannot be made ready");
    }
    const Url url(curl_url());
    if (url == nullptr ||
        curl_url_set(url.get(), CURLUPART_URL, settings.endpoint.c_str(), 0) != CURLUE_OK) {
        return std::unexpected("the introspection end point is no URL (https://HOST/PATH)");
    }
    const std::string scheme = part_of(url.get(), CURLUPART_SCHEME);
    const std::string host = part_of(url.get(), CURLUPART_HOST);
    const bool is_local = host == "localhost" || host == "[::1]" || host == "127.0.0.1";
    if (scheme != "https" && !(scheme == "http" && is_local)) {
        return std::unexpected(
            "the introspection end point is not https:// (http:// is for this machine alone: "
            "tokens would be read on the way)");
    }
    return {};
}

std::uint16_t introspection_port(const IntrospectionSettings& settings) {
    const Url url(curl_url());
    if (url == nullptr) return 0;
    curl_url_set(url.get(), CURLUPART_URL, settings.endpoint.c_str(), 0);
    std::uint16_t port = 0;
    const std::string text = part_of(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
    std::from_chars(text.data(), text.data() + text.size(), port);
    return port;
}

/// nullptr where there is no memory for one.
Introspection::Handle Introspection::take_handle() {
    if (idle_.empty()) return Handle(curl_easy_init());
    Handle handle = std::move(idle_.back());
    idle_.pop_back();
    return handle;
}

Task<Result<TokenUser>> Introspection::user_of(TokenQuery query) {
    const auto address = std::to_underlying(throttle_.key_of(query.origin.peer));
    const std::optional<Tally::Place> place =
        of_addresses_.take(address, introspections_an_address_max);
    if (!place) co_return std::unexpected(report("too many of one address wait for an answer"));
    if (under_way_ == introspections_max) {
        co_return std::unexpected(report("too many wait for an answer"));
    }
    Handle handle = take_handle();
    if (handle == nullptr) {
        co_return std::unexpected(report("out of memory"));
    }
    IntrospectionWork work(handle.get(), query.token, *settings_);
    ++under_way_;
    const std::int64_t ran = co_await perform(ring_, Request::offload(introspection_helper, work));
    --under_way_;
    if (idle_.size() < idle_handles_max) idle_.push_back(std::move(handle));
    if (ran < 0) {
        co_return std::unexpected(report("too many wait for a helper"));
    }
    if (!work.trouble.empty()) {
        co_return std::unexpected(report(work.trouble));
    }
    co_return user_of_claims(work.answer(), TokenSource::introspection, settings_->expected,
                             ring_.wall_time());
}

/// `cause` may quote what the end point said.
Error Introspection::report(std::string_view cause) {
    const Instant now = ring_.now();
    if (!said_at_ || now - *said_at_ >= trouble_log_interval) {
        said_at_ = now;
        log_.write(LogLevel::error, "token end point " + settings_->endpoint + ": " +
                                        log_escaped(cause) +
                                        "; logins by token are refused with "
                                        "[SYS/TEMP]");
    }
    return Error{ErrorKind::exhausted, 0, "ask about a token"};
}

}  // namespace restante
