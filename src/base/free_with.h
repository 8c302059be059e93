#pragma once
/// Owners of what C libraries make.

namespace restante {

/// A deleter: std::unique_ptr<BIO, FreeWith<BIO_free>>. nullptr never gets to it.
template <auto free_function>
struct FreeWith {
    template <class Object>
    void operator()(Object* object) const {
        free_function(object);
    }
};

}  // namespace restante
