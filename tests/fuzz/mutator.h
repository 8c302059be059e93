#pragma once
/// Inputs made of other inputs, for the round without libFuzzer.

#include <cstddef>
#include <random>
#include <string>
#include <vector>

namespace restante::fuzz {

/// The same inputs on every machine.
class Mutator {
public:
    /// `corpus` is not empty and outlives it.
    explicit Mutator(const std::vector<std::string>& corpus) : corpus_(corpus) {}

    /// One of the corpus with one to eight changes, at most `octets_max` long.
    std::string next(std::size_t octets_max);

private:
    std::size_t below(std::size_t limit) { return static_cast<std::size_t>(random_() % limit); }
    const std::string& any() { return corpus_[below(corpus_.size())]; }
    std::string part_of(const std::string& text);
    void change(std::string& text);

    const std::vector<std::string>& corpus_;
    std::mt19937_64 random_{20261121};
};

}  // namespace restante::fuzz
