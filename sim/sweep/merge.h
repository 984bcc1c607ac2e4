// SPDX-License-Identifier: Apache-2.0
// Several stores of one sweep, as shards leave them, made one.
#pragma once

#include <string>
#include <vector>

namespace npusim::sim {

/// Writes a new store with the outcome that counts of every config hash: a finished one before one
/// that another try may better. Throws base::InputError when the stores are not of the same sweep,
/// program and seed, or two of them state different outcomes for the same configs.
void merge_stores(const std::vector<std::string>& from, const std::string& to);

}  // namespace npusim::sim
