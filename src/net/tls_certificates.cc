#include "net/tls_certificates.h"

#include <sys/stat.h>

#include <utility>

#include "net/tls_pair.h"

namespace restante {
namespace {

std::vector<std::string> files_of(const TlsSettings& settings) {
    std::vector<std::string> files;
    const auto add = [&](const std::string& path) {
        if (!path.empty()) files.push_back(path);
    };
    const auto add_pairs = [&](const std::vector<TlsPair>& pairs) {
        for (const TlsPair& pair : pairs) {
            add(pair.certificate);
            add(pair.key);
            add(pair.ocsp);
        }
    };
    add_pairs(settings.pairs);
    for (const TlsName& name : settings.names) add_pairs(name.pairs);
    add(settings.ticket_keys);
    if (settings.client_certificates != ClientCertificates::none) add(settings.client_ca);
    return files;
}

std::int64_t nanoseconds(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

TlsCertificates::TlsCertificates(TlsSettings settings, WallTime now)
    : settings_(std::move(settings)), tickets_(std::make_shared<TlsTicketKeys>(now)) {}

std::expected<TlsCertificates::Opened, std::string> TlsCertificates::open(TlsSettings settings,
                                                                          WallTime now) {
    Opened opened;
    opened.certificates.reset(new TlsCertificates(std::move(settings), now));
    opened.notices = opened.certificates->load(now);
    if (opened.certificates->current() != nullptr) return opened;
    return std::unexpected(opened.certificates->complaint_);
}

std::vector<TlsNotice> TlsCertificates::check(WallTime now) {
    if (settings_.ticket_keys.empty()) tickets_->rotate(now);
    // What is not in force is tried each time: two files of a renewal change one after the other.
    if (!complaint_.empty() || stamps_of(settings_) != stamps_) return load(now);
    const std::shared_ptr<const TlsContext> context = current();
    if (staple_end_said_ || now < context->staples_end()) return {};
    staple_end_said_ = true;
    return {{LogLevel::warn,
             "TLS: a stapled OCSP response has ended and is sent no more; fetch a new one"}};
}

std::vector<TlsNotice> TlsCertificates::reload(TlsSettings settings, WallTime now) {
    if (settings.ticket_keys.empty() && !settings_.ticket_keys.empty()) {
        tickets_ = std::make_shared<TlsTicketKeys>(now);
    }
    settings_ = std::move(settings);
    complaint_.clear();
    return load(now);
}

TlsCertificates::Stamps TlsCertificates::stamps_of(const TlsSettings& settings) {
    Stamps stamps;
    for (const std::string& path : files_of(settings)) {
        struct stat status {};
        Stamp& stamp = stamps[path];
        if (::stat(path.c_str(), &status) != 0) continue;
        stamp = {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size),
                 nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
    }
    return stamps;
}

std::vector<TlsNotice> TlsCertificates::load(WallTime now) {
    Stamps stamps = stamps_of(settings_);  // before reading: a later change is seen the next time
    const bool is_changed = stamps != stamps_;
    stamps_ = std::move(stamps);
    const std::expected<void, std::string> keys = load_ticket_keys();
    if (!keys) return complain(keys.error(), is_changed);
    std::expected<TlsContext::Made, std::string> made = TlsContext::make(settings_, tickets_, now);
    if (!made) return complain(made.error(), is_changed);
    const bool is_first = current() == nullptr;
    current_.store(std::move(made->context));
    complaint_.clear();
    staple_end_said_ = false;
    std::vector<TlsNotice> notices;
    if (!is_first) notices.push_back({LogLevel::info, "TLS: certificates and keys read again"});
    for (std::string& warning : made->warnings) {
        notices.push_back({LogLevel::warn, std::move(warning)});
    }
    return notices;
}

std::expected<void, std::string> TlsCertificates::load_ticket_keys() {
    const std::string& path = settings_.ticket_keys;
    if (path.empty()) return {};
    const std::expected<Secret, std::string> octets = read_tls_file("TLS ticket keys", path);
    if (!octets) return std::unexpected(octets.error());
    return tickets_->adopt(octets->text(), path);
}

std::vector<TlsNotice> TlsCertificates::complain(std::string sentence, bool is_changed) {
    const bool is_news = is_changed || sentence != complaint_;
    complaint_ = std::move(sentence);
    if (!is_news) return {};
    return {{LogLevel::error, complaint_ + "; the certificates in force stay"}};
}

}  // namespace restante
