// SPDX-License-Identifier: Apache-2.0
// Opaque: an op of another name that this build does not know, from an imported model. It has the
// shapes and types that the model declares and no values; it runs on the host, whatever it is, and
// is charged one copy of what it writes beside the transfers.
#include <sstream>

#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

constexpr int kMostTensors = 64;

class Opaque final : public SimpleOp {
 public:
  Opaque()
      : SimpleOp({"Opaque",
                  "an op that this build does not know: timing only, on the host",
                  OpClass::vector,
                  0,
                  kMostTensors,
                  {{"op_type", std::string(), true, "what the model calls it"},
                   {"output_shapes", std::vector<std::int64_t>{}, true,
                    "for each output its rank and its dimensions"},
                   {"output_types", std::string(), true, "element types, separated by spaces"}}}) {}
  bool host_only() const override { return true; }
  int max_outputs() const override { return kMostTensors; }
  bool reads_values() const override { return true; }
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    std::vector<OutputSpec> outputs;
    const std::vector<std::int64_t>& shapes = view.integers("output_shapes");
    std::istringstream types(view.text("output_types"));
    std::size_t at = 0;
    for (std::string type; types >> type;) {
      OutputSpec output;
      output.type = type_named(type);
      if (at >= shapes.size() || shapes[at] < 0 ||
          shapes[at] > static_cast<std::int64_t>(shapes.size() - at - 1))
        shape_error("output_shapes ends early");
      const auto rank = static_cast<std::size_t>(shapes[at]);
      const auto first = shapes.begin() + static_cast<std::ptrdiff_t>(at + 1);
      output.shape.assign(first, first + static_cast<std::ptrdiff_t>(rank));
      at += rank + 1;
      outputs.push_back(std::move(output));
    }
    if (at != shapes.size() || static_cast<int>(outputs.size()) != view.output_count())
      shape_error("output_shapes and output_types do not describe the outputs");
    return outputs;
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    std::int64_t elements = 0;
    for (int i = 0; i < view.output_count(); ++i) elements += elements_of(view.output(i));
    return {{"copy", elements}};
  }
  void forward(Evaluation& e) const override {
    throw base::InputError(e.view.node().name + ": the values of " + e.view.text("op_type") +
                               " cannot be computed (--no-numerics runs timing only)",
                           "unsupported-op");
  }

 private:
  static ElementType type_named(const std::string& name) {
    for (const ElementType type :
         {ElementType::floating, ElementType::boolean, ElementType::int8, ElementType::int16,
          ElementType::int32, ElementType::int64, ElementType::uint8, ElementType::uint16,
          ElementType::uint32, ElementType::uint64})
      if (name == name_of(type)) return type;
    shape_error("output_types names an unknown type \"" + name + "\"");
  }
};

}  // namespace

void register_opaque(OpRegistry& registry) {
  registry.add(std::make_unique<Opaque>());
}

}  // namespace npusim::workloads
