#pragma once
/// The operations that io_uring has, by number: what a completion's user_data leads back to.

#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "ring/operation.h"

namespace restante {

/// user_data of an operation is generation << 32 | slot; a completion that came late, for a slot
/// that somebody else has now, is an assertion and never a delivery. Bits 62 and 63 are free for
/// marks of the ring.
class OperationSlots {
public:
    /// The operation's user_data until vacate().
    std::uint64_t occupy(Operation& operation) {
        if (first_free_ == none) {
            first_free_ = static_cast<std::uint32_t>(slots_.size());
            slots_.push_back({});
        }
        operation.slot = first_free_;
        Slot& slot = slots_[first_free_];
        first_free_ = slot.next_free;
        slot.operation = &operation;
        return data_of(operation);
    }
    std::uint64_t data_of(const Operation& operation) const {
        return std::uint64_t{slots_[operation.slot].generation} << 32 | operation.slot;
    }
    /// Of a completion that must be of the slot's present operation.
    Operation& at(std::uint64_t data) const {
        Operation* operation = find(data);
        ASSERT(operation != nullptr);
        return *operation;
    }
    /// nullptr: it has completed.
    Operation* find(std::uint64_t data) const {
        const auto index = static_cast<std::uint32_t>(data);
        ASSERT(index < slots_.size());
        const Slot& slot = slots_[index];
        const bool is_same = slot.generation == ((data >> 32) & generation_mask);
        return is_same ? slot.operation : nullptr;
    }
    void vacate(const Operation& operation) {
        Slot& slot = slots_[operation.slot];
        slot.operation = nullptr;
        slot.generation = (slot.generation + 1) & generation_mask;
        slot.next_free = first_free_;
        first_free_ = operation.slot;
    }

private:
    static constexpr std::uint32_t generation_mask = 0x3FFF'FFFF;
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    struct Slot {
        Operation* operation = nullptr;
        std::uint32_t generation = 0;
        std::uint32_t next_free = none;
    };
    std::vector<Slot> slots_;
    std::uint32_t first_free_ = none;
};

}  // namespace restante
