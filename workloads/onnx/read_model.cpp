// SPDX-License-Identifier: Apache-2.0
#include "workloads/onnx/read_model.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/logging.h>
#include <onnx/onnx_pb.h>

#include <cmath>
#include <filesystem>

#include "base/whole_file.h"
#include "workloads/onnx/data_type.h"
#include "workloads/onnx/names.h"
#include "workloads/onnx/tensor_proto.h"
#include "workloads/onnx/wire_check.h"

namespace npusim::workloads::onnx {
namespace {

/// protobuf keeps sizes in int.
constexpr std::uint64_t kMostBytes = 0x7FFFFFFF;

template <class Message>
void parse_bytes(Message& message, std::string_view bytes, const Place& file, const char* what) {
  if (bytes.size() > kMostBytes) file.fail("too-large", "the file is larger than 2 GB");
  const google::protobuf::LogSilencer quiet;  // it would print what is reported below
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    file.fail("bad-onnx", std::string("this is no ") + what +
                              ": truncated, damaged, nested too deep or of another kind");
}

std::string printable(const std::string& name, const Place& place) {
  check_name(name, place);
  return name;
}

double finite(float value, const Place& place) {
  if (std::isnan(value)) place.fail("not-a-number", "the attribute is not a number (NaN)");
  return static_cast<double>(value);
}

class ModelReader {
 public:
  ModelReader(const std::string& file, const std::string& folder)
      : root_{file, "", ""}, folder_(folder) {}

  Model read(const ::onnx::ModelProto& proto) {
    Model model;
    model.file = root_.file;
    model.ir_version = proto.ir_version();
    model.producer = producer_of(proto);
    read_opsets(proto, model);
    if (!proto.has_graph()) root_.fail("bad-onnx", "the model has no graph");
    const Place graph = root_.at("graph");
    model.graph_name = printable(proto.graph().name(), graph.at("name"));
    if (proto.graph().sparse_initializer_size() > 0)
      graph.at("sparse_initializer").fail("unsupported-sparse", "sparse initializers are not read");
    for (int i = 0; i < proto.graph().initializer_size(); ++i)
      model.initializers.push_back(initializer(
          proto.graph().initializer(i), graph.at("initializer", static_cast<std::size_t>(i))));
    for (int i = 0; i < proto.graph().input_size(); ++i)
      model.inputs.push_back(
          value(proto.graph().input(i), graph.at("input", static_cast<std::size_t>(i))));
    for (int i = 0; i < proto.graph().output_size(); ++i)
      model.outputs.push_back(
          value(proto.graph().output(i), graph.at("output", static_cast<std::size_t>(i))));
    for (int i = 0; i < proto.graph().value_info_size(); ++i)
      model.declared.push_back(
          value(proto.graph().value_info(i), graph.at("value_info", static_cast<std::size_t>(i))));
    for (int i = 0; i < proto.graph().node_size(); ++i)
      model.nodes.push_back(
          node(proto.graph().node(i), graph.at("node", static_cast<std::size_t>(i))));
    return model;
  }

 private:
  std::string producer_of(const ::onnx::ModelProto& proto) const {
    const std::string version = printable(proto.producer_version(), root_.at("producer_version"));
    return printable(proto.producer_name(), root_.at("producer_name")) +
           (version.empty() ? "" : " " + version);
  }

  void read_opsets(const ::onnx::ModelProto& proto, Model& model) const {
    for (const auto& opset : proto.opset_import()) {
      const std::string domain = opset.domain() == "ai.onnx" ? "" : opset.domain();
      model.opsets[printable(domain, root_.at("opset_import"))] = opset.version();
    }
    if (model.opsets.empty()) root_.at("opset_import").fail("missing-opset", "no opset is named");
  }

  TensorData initializer(const ::onnx::TensorProto& proto, const Place& place) const {
    TensorData tensor = decode_tensor(proto, place, folder_);
    if (tensor.name.empty()) place.fail("bad-name", "an initializer without a name");
    return tensor;
  }

  static ValueDef value(const ::onnx::ValueInfoProto& proto, const Place& place) {
    ValueDef def;
    def.name = printable(proto.name(), place.at("name"));
    if (def.name.empty()) place.fail("bad-name", "a graph input or output without a name");
    if (!proto.has_type() || !proto.type().has_tensor_type()) return def;
    const Place named = place.named("tensor " + shown(def.name));
    const auto& tensor = proto.type().tensor_type();
    const auto type = data_type_of(tensor.elem_type());
    if (!type && tensor.elem_type() != 0)
      named.at("type").fail("unknown-type",
                            "unknown data type " + std::to_string(tensor.elem_type()), "1 to 16");
    def.type = type.value_or(DataType::undefined);
    def.has_shape = tensor.has_shape();
    if (tensor.shape().dim_size() > kMostDimensions)
      named.at("shape").fail("too-large",
                             "more than " + std::to_string(kMostDimensions) + " dimensions");
    for (const auto& dim : tensor.shape().dim()) def.shape.push_back(dimension(dim, named));
    return def;
  }

  static Dimension dimension(const ::onnx::TensorShapeProto_Dimension& proto, const Place& place) {
    Dimension result;
    if (proto.has_dim_param()) result.symbol = printable(proto.dim_param(), place.at("shape"));
    // Exporters write 0 or -1 for "unknown" as well; a graph input of no elements is useless.
    if (proto.has_dim_value() && proto.dim_value() > 0) result.value = proto.dim_value();
    if (proto.has_dim_value() && proto.dim_value() < -1)
      place.at("shape").fail("negative-dimension",
                             "dimension " + std::to_string(proto.dim_value()) + " is negative");
    return result;
  }

  NodeDef node(const ::onnx::NodeProto& proto, const Place& outer) const {
    NodeDef def;
    def.name = printable(proto.name(), outer.at("name"));
    def.op = printable(proto.op_type(), outer.at("op_type"));
    def.domain = printable(proto.domain(), outer.at("domain"));
    if (def.domain == "ai.onnx") def.domain.clear();
    const Place place =
        outer.named("node " + (def.name.empty() ? "" : shown(def.name) + " ") + "(" + def.op + ")");
    if (def.op.empty()) place.fail("bad-name", "a node without an op");
    for (const std::string& name : proto.input())
      def.inputs.push_back(printable(name, place.at("input")));
    for (const std::string& name : proto.output())
      def.outputs.push_back(printable(name, place.at("output")));
    for (const auto& attribute : proto.attribute()) {
      const std::string name = printable(attribute.name(), place.at("attribute"));
      const Place at = place.at("attribute").at(name);
      if (!def.attributes.emplace(name, attribute_value(attribute, at)).second)
        at.fail("duplicate-attribute", "the attribute is there twice");
    }
    return def;
  }

  AttributeValue attribute_value(const ::onnx::AttributeProto& proto, const Place& place) const {
    using Proto = ::onnx::AttributeProto;
    switch (type_of(proto)) {
      case Proto::FLOAT:
        return finite(proto.f(), place);
      case Proto::INT:
        return std::int64_t{proto.i()};
      case Proto::STRING:
        return proto.s();
      case Proto::TENSOR:
        return decode_tensor(proto.t(), place.at("t"), folder_);
      case Proto::FLOATS: {
        std::vector<double> values;
        for (const float element : proto.floats()) values.push_back(finite(element, place));
        return values;
      }
      case Proto::INTS:
        return std::vector<std::int64_t>(proto.ints().begin(), proto.ints().end());
      case Proto::STRINGS:
        return std::vector<std::string>(proto.strings().begin(), proto.strings().end());
      case Proto::GRAPH:
      case Proto::GRAPHS:
        return OpaqueValue{"graph"};
      case Proto::SPARSE_TENSOR:
      case Proto::SPARSE_TENSORS:
        return OpaqueValue{"sparse tensor"};
      case Proto::TENSORS:
        return OpaqueValue{"list of tensors"};
      case Proto::TYPE_PROTO:
      case Proto::TYPE_PROTOS:
        return OpaqueValue{"type"};
      case Proto::UNDEFINED:
        break;
    }
    place.fail("wrong-type", "the attribute has no known type");
  }

  /// Files of IR version 1 leave the type out.
  static ::onnx::AttributeProto::AttributeType type_of(const ::onnx::AttributeProto& proto) {
    using Proto = ::onnx::AttributeProto;
    if (proto.has_type() && proto.type() != Proto::UNDEFINED) return proto.type();
    if (proto.has_f()) return Proto::FLOAT;
    if (proto.has_i()) return Proto::INT;
    if (proto.has_s()) return Proto::STRING;
    if (proto.has_t()) return Proto::TENSOR;
    if (proto.has_g()) return Proto::GRAPH;
    if (proto.floats_size() > 0) return Proto::FLOATS;
    if (proto.ints_size() > 0) return Proto::INTS;
    if (proto.strings_size() > 0) return Proto::STRINGS;
    return Proto::UNDEFINED;
  }

  Place root_;
  std::string folder_;
};

}  // namespace

Model parse_model(std::string_view bytes, const std::string& name, const std::string& folder) {
  const Place file{name, "", ""};
  if (bytes.size() > kMostBytes) file.fail("too-large", "the file is larger than 2 GB");
  if (!has_sane_size(bytes))
    file.fail("too-large", "the model has more than " + std::to_string(kMostParts) +
                               " parts or nests them too deep");
  ::onnx::ModelProto proto;
  parse_bytes(proto, bytes, file, "ONNX model");
  return ModelReader(name, folder).read(proto);
}

Model read_model(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  return parse_model(base::read_whole_file(path, kMostBytes), path,
                     parent.empty() ? "." : parent.string());
}

TensorData parse_tensor(std::string_view bytes, const std::string& name) {
  ::onnx::TensorProto proto;
  parse_bytes(proto, bytes, {name, "", ""}, "ONNX tensor");
  return decode_tensor(proto, {name, "", ""}, "");
}

TensorData read_tensor(const std::string& path) {
  return parse_tensor(base::read_whole_file(path, kMostBytes), path);
}

}  // namespace npusim::workloads::onnx
