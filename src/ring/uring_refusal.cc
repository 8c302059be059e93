#include "ring/uring_refusal.h"

#include <cerrno>
#include <cstring>

namespace restante {

std::string uring_refusal(int error) {
    const std::string cause = std::string("io_uring is not available: ") + strerrordesc_np(error);
    switch (error) {
        case ENOSYS:
            return cause +
                   "; the kernel is older than 5.15 or a seccomp filter hides it (Docker's default "
                   "profile does: run with --security-opt seccomp=unconfined or a profile that "
                   "allows io_uring_setup, io_uring_enter and io_uring_register)";
        case EPERM:
        case EACCES:
            return cause +
                   "; allow it with `sysctl kernel.io_uring_disabled=0`, or in the container's "
                   "seccomp profile (io_uring_setup, io_uring_enter, io_uring_register)";
        case ENOMEM:
            return cause +
                   "; raise the limit of locked memory (`ulimit -l`, systemd: LimitMEMLOCK=) or "
                   "lower [runtime] reactors";
        case EMFILE:
        case ENFILE:
            return cause + "; raise the limit of open files (`ulimit -n`, systemd: LimitNOFILE=)";
        default: return cause + "; it needs Linux 5.15 or newer";
    }
}

}  // namespace restante
