#include "ring/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace restante {

// An operation lies in the slot of the first tick at which its deadline has passed. `slot` of an
// Operation is its ring's; the wheel finds the slot again from the deadline.
std::uint64_t TimerWheel::tick_at(Instant when) const {
    if (when <= start_) return 0;
    return static_cast<std::uint64_t>((when - start_ + tick - Duration(1)) / tick);
}

void TimerWheel::add(Operation& operation) {
    ASSERT(operation.request.deadline != never);
    ASSERT(!operation.timed);
    const std::uint64_t due = std::max(tick_at(operation.request.deadline), swept_);
    const std::size_t slot = due % slots;
    operation.timer_slot = static_cast<std::uint16_t>(slot);
    operation.timed = true;
    operation.timer_previous = nullptr;
    operation.timer_next = heads_[slot];
    if (heads_[slot] != nullptr) heads_[slot]->timer_previous = &operation;
    heads_[slot] = &operation;
    occupied_[slot / 64] |= std::uint64_t{1} << (slot % 64);
    ++count_;
}

void TimerWheel::remove(Operation& operation) {
    if (!operation.timed) return;
    const std::size_t slot = operation.timer_slot;
    if (operation.timer_previous != nullptr)
        operation.timer_previous->timer_next = operation.timer_next;
    if (operation.timer_next != nullptr)
        operation.timer_next->timer_previous = operation.timer_previous;
    if (heads_[slot] == &operation) heads_[slot] = operation.timer_next;
    if (heads_[slot] == nullptr) occupied_[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
    operation.timed = false;
    --count_;
}

Operation* TimerWheel::pop_expired(Instant now) {
    if (count_ == 0 || now < start_) return nullptr;
    const auto last = static_cast<std::uint64_t>((now - start_) / tick);
    if (last >= swept_ + slots) swept_ = last - slots + 1;  // one round sees every slot
    for (; swept_ <= last; ++swept_) {
        for (Operation* operation = heads_[swept_ % slots]; operation != nullptr;
             operation = operation->timer_next) {
            if (operation->request.deadline > now) continue;  // of a later round
            remove(*operation);
            return operation;
        }
    }
    return nullptr;
}

Instant TimerWheel::next_look() const {
    if (count_ == 0) return never;
    std::uint64_t ahead = 0;
    while (ahead < slots) {
        const std::size_t slot = (swept_ + ahead) % slots;
        const std::uint64_t word = occupied_[slot / 64] >> (slot % 64);
        if (word != 0) return start_ + (swept_ + ahead + std::countr_zero(word)) * tick;
        ahead += 64 - slot % 64;
    }
    return start_ + (swept_ + slots) * tick;
}

}  // namespace restante
