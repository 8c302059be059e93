#include "server/config_document.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace restante {

void Findings::add(FilePosition at, std::string sentence) {
    findings_.push_back({at, std::move(sentence)});
}

std::vector<std::string> Findings::lines() const {
    std::vector<Finding> sorted = findings_;
    std::ranges::stable_sort(sorted, [](const Finding& a, const Finding& b) {
        return std::tuple(a.at.line == 0, a.at) < std::tuple(b.at.line == 0, b.at);
    });
    std::vector<std::string> lines;
    for (const Finding& finding : sorted) {
        std::string line = path_ + ':';
        if (finding.at.line != 0) {
            line += std::to_string(finding.at.line) + ':' + std::to_string(finding.at.column) + ':';
        }
        lines.push_back(line + ' ' + finding.sentence);
    }
    return lines;
}

}  // namespace restante
