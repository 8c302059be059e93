#pragma once
/// Whether the kernel can send TLS records, so that mail goes out by sendfile under TLS too.

#include <string>

namespace restante {

/// Why not on this machine: a sentence for `restante doctor`; "" where it can. Asks the kernel with
/// a connection of its own over loopback: once, at the start. That it can does not say that it
/// knows the cipher of each connection: TlsEngine::is_kernel_tls_sending() does.
std::string kernel_tls_problem();

}  // namespace restante
