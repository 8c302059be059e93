#include "auth/passwd_line.h"

#include "auth/network_list.h"
#include "auth/password_scheme.h"
#include "auth/user_name.h"

namespace restante {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

/// What is before the next `separator`, which is taken off with it.
std::string_view take_field(std::string_view& rest, char separator) {
    const std::size_t end = rest.find(separator);
    const std::string_view field = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    return field;
}

/// Sets the maildrop from the value of userdb_mail; why it cannot be one, where it cannot.
const char* read_mail_location(std::string_view value, PasswdRecord& record) {
    constexpr std::string_view maildir = "maildir:";
    if (!value.starts_with(maildir)) return "userdb_mail is not maildir:PATH";
    value.remove_prefix(maildir.size());
    record.maildrop = value.substr(0, value.find(':'));  // INDEX= and the like follow
    if (record.maildrop.find('%') != std::string_view::npos) return "userdb_mail has a %-variable";
    if (!record.maildrop.starts_with('/') && !record.maildrop.starts_with("~/")) {
        return "userdb_mail is not an absolute path";
    }
    return nullptr;
}

/// `extra` is the eighth field and all after it: values may hold colons.
const char* read_extra_fields(std::string_view extra, PasswdRecord& record) {
    const char* fault = nullptr;
    while (!extra.empty()) {
        std::string_view value = take_field(extra, ' ');
        const std::string_view key = take_field(value, '=');
        if (key == "nologin") record.may_log_in = false;
        if (key == "userdb_home") record.home = value;
        if (key == "disablepop3") record.may_use_pop3 = value == "0" || value == "no";
        if (key == "allow_nets") {
            record.is_bound_to_nets = true;
            record.allow_nets = value;
        }
        if (key == "userdb_mail" && fault == nullptr) fault = read_mail_location(value, record);
    }
    if (fault == nullptr && record.maildrop.starts_with('~') && !record.home.starts_with('/')) {
        fault = "userdb_mail is relative to a home that is no absolute path";
    }
    return fault;
}

/// `rest` is what follows the name.
const char* read_fields(std::string_view rest, PasswdRecord& record) {
    record.password = take_field(rest, ':');
    const std::string_view uid = take_field(rest, ':');
    const std::string_view gid = take_field(rest, ':');
    record.has_ids = !uid.empty() || !gid.empty();
    take_field(rest, ':');  // gecos
    record.home = take_field(rest, ':');
    take_field(rest, ':');  // shell
    return read_extra_fields(rest, record);
}

const char* examine_password(PasswdRecord& record) {
    if (record.password.empty()) return "no password";
    const std::expected<StoredPassword, PasswordFault> stored =
        StoredPassword::parse(record.password);
    if (!stored) return describe(stored.error());
    if (stored->is_locked()) record.may_log_in = false;
    return nullptr;
}

const char* examine_networks(const PasswdRecord& record) {
    if (!record.is_bound_to_nets) return nullptr;
    const std::expected<NetworkList, const char*> networks = NetworkList::parse(record.allow_nets);
    return networks ? nullptr : networks.error();
}

}  // namespace

std::string PasswdRecord::maildrop_path() const {
    if (!maildrop.starts_with('~')) return std::string(maildrop);
    return std::string(home) + std::string(maildrop.substr(1));
}

bool is_passwd_entry(std::string_view line) {
    return !line.starts_with('#') && line.find_first_not_of(" \t") != std::string_view::npos;
}

PasswdEntry parse_passwd_line(std::string_view line) {
    PasswdEntry entry;
    PasswdRecord& record = entry.record;
    std::string_view rest = line;
    const std::string_view name = take_field(rest, ':');
    if (!is_user_name(name)) {
        entry.fault = name.empty() ? "no user name" : "not a possible user name";
        return entry;
    }
    record.name = name;
    if (line.size() > passwd_line_octets_max) {
        entry.fault = "line is too long";
        return entry;
    }
    if (line.find('\0') != std::string_view::npos) {
        entry.fault = "NUL in the line";
        return entry;
    }
    entry.fault = read_fields(rest, record);
    if (entry.fault == nullptr) entry.fault = examine_password(record);
    if (entry.fault == nullptr) entry.fault = examine_networks(record);
    return entry;
}

PasswdRecord recall_passwd_line(std::string_view line) {
    PasswdRecord record;
    std::string_view rest = line;
    record.name = take_field(rest, ':');
    read_fields(rest, record);
    return record;
}

PasswdLineReader::PasswdLineReader(std::string_view text) : text_(text) {
    if (text_.starts_with(byte_order_mark)) at_ = byte_order_mark.size();
}

std::optional<PasswdLineReader::Line> PasswdLineReader::next() {
    if (at_ >= text_.size()) return std::nullopt;
    const std::size_t end = text_.find('\n', at_);
    const std::size_t after = end == std::string_view::npos ? text_.size() : end + 1;
    Line line{++number_, at_, {}, text_.substr(at_, after - at_)};
    line.text = line.stored;
    if (line.text.ends_with('\n')) line.text.remove_suffix(1);
    if (line.text.ends_with('\r')) line.text.remove_suffix(1);
    at_ = after;
    return line;
}

}  // namespace restante
