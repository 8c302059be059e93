#include "ring/uring_restrictions.h"

#include <doctest/doctest.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

#include "base/fd.h"

using namespace restante;

namespace {

/// A ring by hand, disabled at first: what a program that broke into the server could do with it.
class BareRing {
public:
    BareRing() {
        parameters_.flags = IORING_SETUP_R_DISABLED;
        const long made = ::syscall(SYS_io_uring_setup, 4, &parameters_);
        if (made < 0) return;
        ring_ = Fd(static_cast<int>(made));
        queue_octets_ = parameters_.cq_off.cqes + parameters_.cq_entries * sizeof(io_uring_cqe);
        queue_ = mapped(queue_octets_, IORING_OFF_SQ_RING);
        entries_ = mapped(entries_octets(), IORING_OFF_SQES);
    }
    BareRing(const BareRing&) = delete;
    BareRing& operator=(const BareRing&) = delete;
    ~BareRing() {
        if (queue_ != nullptr) ::munmap(queue_, queue_octets_);
        if (entries_ != nullptr) ::munmap(entries_, entries_octets());
    }

    bool is_there() const {
        if (!ring_.is_open()) std::puts("skipped: restrictions: io_uring is not available");
        return ring_.is_open();
    }
    int descriptor() const { return ring_.get(); }

    /// The result of one request.
    int ask(std::uint8_t opcode, std::uint8_t flags = 0) {
        auto& entry = static_cast<io_uring_sqe*>(entries_)[0];
        entry = {};
        entry.opcode = opcode;
        entry.flags = flags;
        entry.fd = -1;
        word(parameters_.sq_off.array) = 0;
        std::atomic_ref(word(parameters_.sq_off.tail)) += 1;
        ::syscall(SYS_io_uring_enter, ring_.get(), 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0);
        unsigned& head = word(parameters_.cq_off.head);
        const unsigned at = head & word(parameters_.cq_off.ring_mask);
        const int result = reinterpret_cast<io_uring_cqe*>(static_cast<char*>(queue_) +
                                                           parameters_.cq_off.cqes)[at]
                               .res;
        std::atomic_ref(head) += 1;
        return result;
    }

    /// 0 or errno of io_uring_register(2).
    int do_register(unsigned opcode, void* arguments, unsigned count) {
        const long done = ::syscall(SYS_io_uring_register, ring_.get(), opcode, arguments, count);
        return done < 0 ? errno : 0;
    }

private:
    std::size_t entries_octets() const { return parameters_.sq_entries * sizeof(io_uring_sqe); }
    void* mapped(std::size_t octets, off_t offset) const {
        void* place = ::mmap(nullptr, octets, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                             ring_.get(), offset);
        REQUIRE(place != MAP_FAILED);
        return place;
    }
    unsigned& word(unsigned offset) {
        return *reinterpret_cast<unsigned*>(static_cast<char*>(queue_) + offset);
    }

    io_uring_params parameters_{};
    Fd ring_;
    std::size_t queue_octets_ = 0;
    void* queue_ = nullptr;  // both queues (IORING_FEAT_SINGLE_MMAP)
    void* entries_ = nullptr;
};

}  // namespace

TEST_CASE("a restricted ring refuses to open, make, remove and send what the server never does") {
    BareRing ring;
    if (!ring.is_there()) return;
    REQUIRE(enable_restricted_ring(ring.descriptor()) == 0);
    for (const std::uint8_t opcode :
         {IORING_OP_OPENAT, IORING_OP_OPENAT2, IORING_OP_UNLINKAT, IORING_OP_RENAMEAT,
          IORING_OP_SENDMSG, IORING_OP_SOCKET, IORING_OP_PROVIDE_BUFFERS, IORING_OP_NOP}) {
        CAPTURE(static_cast<int>(opcode));
        CHECK(ring.ask(opcode) == -EACCES);
    }
}

TEST_CASE("what the server asks for is not refused") {
    BareRing ring;
    if (!ring.is_there()) return;
    REQUIRE(enable_restricted_ring(ring.descriptor()) == 0);
    for (const std::uint8_t opcode : {IORING_OP_READ, IORING_OP_SEND, IORING_OP_CLOSE}) {
        CAPTURE(static_cast<int>(opcode));
        CHECK(ring.ask(opcode) == -EBADF);  // of the descriptor -1
    }
}

TEST_CASE("registered files and other flags are refused to a restricted ring") {
    BareRing ring;
    if (!ring.is_there()) return;
    REQUIRE(enable_restricted_ring(ring.descriptor()) == 0);
    CHECK(ring.ask(IORING_OP_READ, IOSQE_FIXED_FILE) == -EACCES);
    CHECK(ring.ask(IORING_OP_READ, IOSQE_ASYNC) == -EACCES);
    int files[] = {0};
    CHECK(ring.do_register(IORING_REGISTER_FILES, files, 1) == EACCES);
    CHECK(ring.do_register(IORING_REGISTER_PERSONALITY, nullptr, 0) == EACCES);
}

TEST_CASE("restrictions are for good") {
    BareRing ring;
    if (!ring.is_there()) return;
    REQUIRE(enable_restricted_ring(ring.descriptor()) == 0);
    CHECK(enable_restricted_ring(ring.descriptor()) < 0);
    CHECK(ring.ask(IORING_OP_NOP) == -EACCES);
}
