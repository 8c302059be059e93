#pragma once
/// Which descriptors lie on far storage (file_types.h).

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ring/operation.h"

namespace restante {

/// Of one ring: where each descriptor lies that it has opened. What it has not opened lies where
/// the mail root does.
class DescriptorPlaces {
public:
    explicit DescriptorPlaces(bool root_is_near) : root_is_near_(root_is_near) {}

    bool is_far(const Request& request) const;
    /// Whether a look into the kernel's caches cannot wait for another machine or process.
    bool may_attempt(const Request& request) const;
    /// Of an operation for a helper: sets `is_far` and `finds_place`.
    void prepare(Operation& operation) const;
    /// Of an operation on files that has ended.
    void note(const Operation& operation);
    /// Of a descriptor that will be closed: whether the close may wait.
    bool forget(int fd);

private:
    enum class Place : std::uint8_t { unknown, near, far_directory, far_file };

    Place place_of(int fd) const {
        const auto at = static_cast<std::size_t>(fd);
        return fd < 0 || at >= places_.size() ? Place::unknown : places_[at];
    }

    const bool root_is_near_;
    std::vector<Place> places_;  // by descriptor
};

}  // namespace restante
