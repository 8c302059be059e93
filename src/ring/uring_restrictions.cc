#include "ring/uring_restrictions.h"

#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

namespace restante {
namespace {

io_uring_restriction operation(std::uint8_t opcode) {
    io_uring_restriction allowed{};
    allowed.opcode = IORING_RESTRICTION_SQE_OP;
    allowed.sqe_op = opcode;
    return allowed;
}

io_uring_restriction registering(std::uint8_t opcode) {
    io_uring_restriction allowed{};
    allowed.opcode = IORING_RESTRICTION_REGISTER_OP;
    allowed.register_op = opcode;
    return allowed;
}

io_uring_restriction flags(std::uint8_t mask) {
    io_uring_restriction allowed{};
    allowed.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    allowed.sqe_flags = mask;
    return allowed;
}

// liburing 2.3 declares io_uring_register_restrictions() and io_uring_enable_rings() but does not
// export them.
int register_with(int ring, unsigned opcode, const void* arguments, unsigned count) {
    const long result = ::syscall(SYS_io_uring_register, ring, opcode, arguments, count);
    return result < 0 ? -errno : static_cast<int>(result);
}

}  // namespace

int enable_restricted_ring(int ring) {
    // The last three are of Linux 5.18, 5.19 and 6.0: a kernel refuses a list with one that it does
    // not know as a whole.
    const std::array allowed = {operation(IORING_OP_ACCEPT),
                                operation(IORING_OP_ASYNC_CANCEL),
                                operation(IORING_OP_CLOSE),
                                operation(IORING_OP_POLL_ADD),
                                operation(IORING_OP_READ),
                                operation(IORING_OP_RECV),
                                operation(IORING_OP_SEND),
                                operation(IORING_OP_SPLICE),
                                operation(IORING_OP_TIMEOUT),
                                operation(IORING_OP_TIMEOUT_REMOVE),
                                operation(IORING_OP_WRITE),
                                flags(IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS | IOSQE_BUFFER_SELECT),
                                registering(IORING_UNREGISTER_RING_FDS),
                                registering(IORING_REGISTER_PBUF_RING),
                                operation(IORING_OP_SEND_ZC)};
    constexpr unsigned newer = 3;
    const auto all = static_cast<unsigned>(allowed.size());
    int result = register_with(ring, IORING_REGISTER_RESTRICTIONS, allowed.data(), all);
    if (result == -EINVAL) {
        result = register_with(ring, IORING_REGISTER_RESTRICTIONS, allowed.data(), all - newer);
    }
    if (result < 0) return result;
    return register_with(ring, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
}

}  // namespace restante
