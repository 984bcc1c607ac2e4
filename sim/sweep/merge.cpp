// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/merge.h"

#include <unistd.h>

#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "sim/sweep/store.h"

namespace npusim::sim {
namespace {

void check_same(const StoreHeader& first, const std::string& first_path, const StoreHeader& other,
                const std::string& path) {
  if (first.sweep != other.sweep)
    throw base::InputError(path + " is of another sweep than " + first_path, "store");
  if (first.identity != other.identity)
    throw base::InputError(path + " starts from other settings than " + first_path + ": " +
                               other.identity + " and " + first.identity,
                           "store");
}

bool same(const PointOutcome& a, const PointOutcome& b) {
  return a.status == b.status && a.reason == b.reason && a.metrics == b.metrics;
}

}  // namespace

void merge_stores(const std::vector<std::string>& from, const std::string& to) {
  std::error_code ignored;
  if (std::filesystem::exists(to, ignored))
    throw base::InputError(to + " is there already: a merge writes a new store", "store-exists");
  StoreHeader header;
  std::map<std::string, StoredPoint> merged;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const SweepStore store = SweepStore::read(from[i]);
    if (i == 0) header = store.header();
    check_same(header, from[0], store.header(), from[i]);
    store.for_each([&](StoredPoint&& point) {
      const auto [found, added] = merged.emplace(point.outcome.config_hash, point);
      if (added) return;
      const bool had = is_finished(found->second.outcome.status);
      const bool has = is_finished(point.outcome.status);
      if (had && has && !same(found->second.outcome, point.outcome))
        throw base::InputError(from[i] + " states another outcome of config " +
                                   point.outcome.config_hash + " than the stores before it",
                               "store");
      if (!had && has) found->second = std::move(point);
    });
  }
  const std::string unfinished = to + ".unfinished." + std::to_string(::getpid());
  try {
    SweepStore store = SweepStore::create(unfinished, header);
    for (const auto& [hash, point] : merged) store.append(point);
    store.commit();
  } catch (const base::InputError& error) {
    for (const char* beside : {"", "-wal", "-journal"})
      std::filesystem::remove(unfinished + beside, ignored);
    std::vector<base::Diagnostic> mistakes = error.diagnostics();
    for (base::Diagnostic& mistake : mistakes) {
      mistake.file = to;
      if (!mistake.allowed.empty()) mistake.allowed = "room on the disk";  // a merge starts anew
    }
    throw base::InputError(std::move(mistakes));
  }
  std::error_code failed;
  std::filesystem::rename(unfinished, to, failed);
  if (!failed) return;
  std::filesystem::remove(unfinished, ignored);
  throw base::InputError("cannot write " + to + ": " + failed.message(), "store");
}

}  // namespace npusim::sim
