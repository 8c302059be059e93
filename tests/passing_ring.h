#pragma once
/// What rings are made of that stand between a server and its ring.

#include "ring/ring.h"

namespace restante {

/// Asks another ring for everything; whoever derives from it changes what it is there to change.
class PassingRing : public Ring {
public:
    /// `inner` outlives it.
    explicit PassingRing(Ring& inner) : inner_(inner) {}

    bool attempt(Operation& operation) override { return inner_.attempt(operation); }
    void submit(Operation& operation) override { inner_.submit(operation); }
    void cancel(Operation& operation) override { inner_.cancel(operation); }
    void close(int fd) override { inner_.close(fd); }
    void turn() override { inner_.turn(); }
    void wake() override { inner_.wake(); }
    Instant now() const override { return inner_.now(); }
    WallTime wall_time() const override { return inner_.wall_time(); }
    void fill_random(std::span<std::byte> target) override { inner_.fill_random(target); }

protected:
    Ring& inner() const { return inner_; }

private:
    Ring& inner_;
};

}  // namespace restante
