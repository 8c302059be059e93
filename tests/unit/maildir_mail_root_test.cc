#include "maildir/mail_root.h"

#include <doctest/doctest.h>

#include <optional>
#include <vector>

namespace restante {
namespace {

/// Notes what is closed; nothing else is asked of it.
class ClosingRing final : public Ring {
public:
    bool attempt(Operation&) override {
        FAIL("not asked");
        return false;
    }
    void submit(Operation&) override { FAIL("not asked"); }
    void cancel(Operation&) override { FAIL("not asked"); }
    void close(int fd) override { closed.push_back(fd); }
    void turn() override { FAIL("not asked"); }
    void wake() override { FAIL("not asked"); }
    Instant now() const override { return Instant(); }
    WallTime wall_time() const override { return {}; }
    void fill_random(std::span<std::byte>) override { FAIL("not asked"); }

    std::vector<int> closed;
};

constexpr Instant start = Instant(std::chrono::hours(1));

FileStatus folder(std::uint64_t device, std::uint64_t inode) {
    FileStatus status;
    status.device = device;
    status.inode = inode;
    return status;
}

const FileStatus mounted = folder(7, 2);

using Closed = std::vector<int>;

}  // namespace

TEST_CASE("the mail root stays open while somebody works below it, and no longer") {
    ClosingRing ring;
    MailRoot root;
    CHECK_FALSE(root.is_known(start));
    REQUIRE(root.accept(Handle(ring, 10), mounted, start));
    std::optional<MailRoot::Lease> first(root.lease());
    std::optional<MailRoot::Lease> second(root.lease());
    CHECK(first->get() == 10);
    MailRoot::Lease moved = std::move(*first);
    first.reset();
    CHECK(root.is_known(start));
    second.reset();
    CHECK(ring.closed.empty());
    CHECK(moved.get() == 10);
    { const MailRoot::Lease last = std::move(moved); }
    CHECK(ring.closed == Closed{10});
    CHECK_FALSE(root.is_known(start));
}

TEST_CASE("the mail root is looked at again after 10 ms, and keeps its first descriptor") {
    ClosingRing ring;
    MailRoot root;
    REQUIRE(root.accept(Handle(ring, 10), mounted, start));
    const MailRoot::Lease lease = root.lease();
    const Instant later = start + MailRoot::look_interval;
    CHECK(root.is_known(later - Duration(1)));
    CHECK_FALSE(root.is_known(later));
    REQUIRE(root.accept(Handle(ring, 11), mounted, later));
    CHECK(ring.closed == Closed{11});
    CHECK(root.is_known(later));
    CHECK(root.lease().get() == 10);
}

TEST_CASE("another mail root than the first is refused, though the first was closed") {
    ClosingRing ring;
    MailRoot root;
    REQUIRE(root.accept(Handle(ring, 10), mounted, start));
    { const MailRoot::Lease lease = root.lease(); }
    CHECK_FALSE(root.accept(Handle(ring, 12), folder(7, 3), start));
    CHECK_FALSE(root.accept(Handle(ring, 13), folder(8, 2), start));
    CHECK_FALSE(root.is_known(start));
    CHECK(ring.closed == Closed{10, 12, 13});
    CHECK(root.accept(Handle(ring, 14), mounted, start));
    CHECK(root.lease().get() == 14);
}

}  // namespace restante
