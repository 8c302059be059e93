#pragma once
/// Tells systemd how far the service is (sd_notify(3): Type=notify).

#include <string_view>

#include "base/fd.h"

namespace restante {

/// Does nothing where nobody asked to be told (no NOTIFY_SOCKET).
class ServiceManager {
public:
    /// To be made before confine(), which may forbid to connect to it later.
    ServiceManager();

    void ready() const { tell("READY=1"); }
    void reloading() const;  ///< followed by ready()
    void stopping() const { tell("STOPPING=1"); }

private:
    void tell(std::string_view state) const;

    Fd socket_;
};

}  // namespace restante
