#include "maildir/maildir_context.h"

#include <fmt/format.h>

namespace restante {

void MaildropPlace::write(Log& log, LogLevel level, std::string_view what) const {
    constexpr std::size_t path_octets_max = 512;
    if (!log.is_enabled(level)) return;
    log.write(level,
              fmt::format("maildrop {}: {}, user=<{}>, session=<{}>",
                          log_escaped(path, path_octets_max), what, log_escaped(user), session));
}

}  // namespace restante
