#pragma once
/// What of a ring's requests needs no waiting, by plain system calls.

#include <cstddef>
#include <cstdint>

#include "ring/descriptor_places.h"
#include "ring/file_sender.h"
#include "ring/operation.h"

namespace restante {

/// Of one ring: what Ring::attempt() does. What has begun here goes on from Operation::progress.
class InlineAnswers {
public:
    /// Both are the ring's.
    InlineAnswers(DescriptorPlaces& places, FileSender& file_sender)
        : places_(places), file_sender_(file_sender) {}

    /// `zero_copy`: such sends are left to the ring, which can.
    bool attempt(Operation& operation, bool zero_copy);
    /// Never waits.
    std::int64_t map(const Request& request);
    /// Others have had their turn: there may be sent as much again.
    void begin_turn() { sent_octets_ = 0; }

private:
    bool attempt_file(Operation& operation);
    bool attempt_send(Operation& operation);
    bool attempt_send_file(Operation& operation);

    DescriptorPlaces& places_;
    FileSender& file_sender_;
    std::size_t sent_octets_ = 0;  // since the last turn
};

}  // namespace restante
