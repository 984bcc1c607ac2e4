// SPDX-License-Identifier: Apache-2.0
// The shipped JSON Schemas, and documents changed in one place.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "tests/source_dir.h"

namespace npusim::test {

class JsonSchema {
 public:
  /// `file`: below configs/schema.
  explicit JsonSchema(const std::string& file)
      : text_(nlohmann::json::parse(std::ifstream(source_dir() + "/configs/schema/" + file))) {
    valijson::SchemaParser(valijson::SchemaParser::kDraft7)
        .populateSchema(valijson::adapters::NlohmannJsonAdapter(text_), schema_);
  }
  bool accepts(const nlohmann::json& document) const {
    valijson::Validator validator(valijson::Validator::kStrongTypes);
    return validator.validate(schema_, valijson::adapters::NlohmannJsonAdapter(document), nullptr);
  }

 private:
  nlohmann::json text_;
  valijson::Schema schema_;
};

struct Change {
  const char* pointer;
  const char* value;  ///< JSON; nullptr removes the key
  bool good;
};

inline nlohmann::json changed(nlohmann::json document, const Change& change) {
  const nlohmann::json::json_pointer pointer(change.pointer);
  if (change.value != nullptr)
    document[pointer] = nlohmann::json::parse(change.value);
  else
    document[pointer.parent_pointer()].erase(pointer.back());
  return document;
}

}  // namespace npusim::test
