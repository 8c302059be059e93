#pragma once
/// What OpenSSL complains of, in words.

#include <string>

namespace restante {

/// The cause of what just failed on this thread: OpenSSL's own words and, where they are not clear
/// to an operator, a few more. Empties the error queue. Not escaped, but of OpenSSL's text only.
std::string take_tls_error();

}  // namespace restante
