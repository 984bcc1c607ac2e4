// SPDX-License-Identifier: Apache-2.0
// Several stores of one sweep, as shards leave them, made one.
#pragma once

#include <string>
#include <vector>

namespace npusim::sim {

/// Reads `from` only. Writes a new store, whole or not at all, with the outcome that counts of
/// every config hash: a finished one before one that another try may better. Throws
/// base::InputError when the stores are not of the same sweep, program and seed, two of them state
/// different outcomes for the same configs, or `to` is there already or cannot be written.
void merge_stores(const std::vector<std::string>& from, const std::string& to);

}  // namespace npusim::sim
