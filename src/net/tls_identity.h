#pragma once
/// Who is at the other end of a TLS connection, and by what both ends know the connection: for
/// tls_engine.cc.

#include <optional>
#include <string>

struct ssl_st;

namespace restante {

/// Whether there is a tls-exporter, and on TLS 1.2 a tls-unique.
bool can_export_binding(ssl_st* ssl);
std::optional<std::string> tls_exporter_binding(ssl_st* ssl);
std::optional<std::string> tls_unique_binding(ssl_st* ssl);
std::optional<std::string> tls_server_end_point_binding(ssl_st* ssl);

/// Both as TlsEngine has them.
std::optional<std::string> client_certificate_user(ssl_st* ssl);
std::string client_certificate_fault(ssl_st* ssl);

}  // namespace restante
