#pragma once
/// Lines of a passwd-file, as Dovecot's: `user:{SCHEME}hash:uid:gid:gecos:home:shell:extra=fields`.
/// Fields after the second may be missing; extra fields are separated by spaces.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace restante {

/// Longest line, its end not counted.
inline constexpr std::size_t passwd_line_octets_max = 8 * 1024;

/// One user. Views into the line it was parsed from.
struct PasswdRecord {
    std::string_view name;        ///< is_user_name(); "" where the line has none
    std::string_view password;    ///< as stored; StoredPassword::parse() takes it
    std::string_view home;        ///< userdb_home, else the sixth field; "" = none
    std::string_view maildrop;    ///< userdb_mail's path: absolute, or "~/..." where home is set
    std::string_view allow_nets;  ///< NetworkList::parse() takes it; "" where it is not given
    bool may_log_in = true;       ///< false: nologin, or the password is locked
    bool may_use_pop3 = true;  ///< false: disablepop3 (Courier's name for it), unless it is 0 or no
    bool is_bound_to_nets = false;  ///< allow_nets is given
    bool has_ids = false;           ///< uid or gid is given (and means nothing here)

    /// `maildrop` with "~" replaced.
    std::string maildrop_path() const;
};

struct PasswdEntry {
    PasswdRecord record;
    const char* fault = nullptr;  ///< a literal, for an operator: why the line cannot be used
};

/// `line` is_passwd_entry(), without its end. Never echoes a part of the line.
PasswdEntry parse_passwd_line(std::string_view line);
/// The record of a line in which parse_passwd_line() found no fault and somebody who may log in:
/// the hash is not examined again.
PasswdRecord recall_passwd_line(std::string_view line);
/// False for blank lines and comments (`#`).
bool is_passwd_entry(std::string_view line);

/// Takes a file's text apart. Lines end in LF or CRLF; the last one may lack its end; a UTF-8 byte
/// order mark at the start is skipped.
class PasswdLineReader {
public:
    struct Line {
        std::uint64_t number;     ///< from 1
        std::uint64_t offset;     ///< of its first octet
        std::string_view text;    ///< without its end
        std::string_view stored;  ///< with its end
    };
    explicit PasswdLineReader(std::string_view text);
    std::optional<Line> next();

private:
    std::string_view text_;
    std::uint64_t at_ = 0;
    std::uint64_t number_ = 0;
};

}  // namespace restante
