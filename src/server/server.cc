#include "server/server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <future>
#include <thread>

#include "auth/passwd_verifier.h"
#include "base/fd.h"
#include "maildir/maildir_store.h"
#include "net/listener.h"
#include "ring/uring_ring.h"
#include "server/privileges.h"
#include "server/reactor.h"
#include "server/signals.h"

namespace restante {
namespace {

/// Descriptors beside those of sessions: rings, listeners, logs, folders being listed.
constexpr rlim_t spare_descriptors = 256;
constexpr rlim_t descriptors_a_session = 2;  // socket and maildrop

/// Everything the reactors share; read-only once they run.
struct Shared {
    const Config& config;
    SessionPolicy policy;
    StoreOptions store;
    PasswdVerifierOptions verifier;
    UringOptions uring;
    HelperPool helpers{default_helper_sizes()};
    std::shared_ptr<const PasswdTable> users;
    std::size_t reactors = 1;
    Fd log_file;
};

