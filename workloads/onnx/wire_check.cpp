// SPDX-License-Identifier: Apache-2.0
#include "workloads/onnx/wire_check.h"

#include <google/protobuf/io/coded_stream.h>

#include <climits>
#include <cstdint>

namespace npusim::workloads::onnx {
namespace {

/// Messages of onnx.proto that contain others.
enum class Message { leaf, model, graph, node, attribute, tensor, sparse_tensor, function, other };

struct Field {
  Message in;
  int number;
  Message type;
};

/// Fields that hold messages. `other` messages (types, metadata) may hold any of themselves.
constexpr Field kFields[] = {
    {Message::model, 7, Message::graph},
    {Message::model, 8, Message::other},
    {Message::model, 14, Message::other},
    {Message::model, 20, Message::other},
    {Message::model, 25, Message::function},
    {Message::graph, 1, Message::node},
    {Message::graph, 5, Message::tensor},
    {Message::graph, 11, Message::other},
    {Message::graph, 12, Message::other},
    {Message::graph, 13, Message::other},
    {Message::graph, 14, Message::other},
    {Message::graph, 15, Message::sparse_tensor},
    {Message::node, 5, Message::attribute},
    {Message::attribute, 5, Message::tensor},
    {Message::attribute, 6, Message::graph},
    {Message::attribute, 10, Message::tensor},
    {Message::attribute, 11, Message::graph},
    {Message::attribute, 14, Message::other},
    {Message::attribute, 15, Message::other},
    {Message::attribute, 22, Message::sparse_tensor},
    {Message::attribute, 23, Message::sparse_tensor},
    {Message::sparse_tensor, 1, Message::tensor},
    {Message::sparse_tensor, 2, Message::tensor},
    {Message::function, 7, Message::node},
    {Message::function, 9, Message::other},
};

Message type_of(Message in, int number) {
  if (in == Message::other) return Message::other;
  for (const Field& field : kFields)
    if (field.in == in && field.number == number) return field.type;
  return Message::leaf;
}

class Counter {
 public:
  explicit Counter(std::string_view bytes)
      : stream_(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                static_cast<int>(bytes.size())) {
    stream_.SetTotalBytesLimit(INT_MAX);
  }

  /// False: too many parts. Damage ends the count, the parser will find it again.
  bool count(Message message, int depth) {
    if (depth > kDeepest) return false;
    while (const std::uint32_t tag = stream_.ReadTag()) {
      std::uint64_t ignored = 0;
      switch (tag & 7U) {
        case 0:
          if (!stream_.ReadVarint64(&ignored)) return true;
          break;
        case 1:
          if (!stream_.Skip(8)) return true;
          break;
        case 2:
          if (!count_part(type_of(message, static_cast<int>(tag >> 3U)), depth)) return false;
          break;
        case 5:
          if (!stream_.Skip(4)) return true;
          break;
        default:
          return true;
      }
    }
    return true;
  }

 private:
  static constexpr int kDeepest = 100;

  bool count_part(Message type, int depth) {
    std::uint32_t length = 0;
    if (!stream_.ReadVarint32(&length) || length > INT_MAX) return true;
    if (++parts_ > kMostParts) return false;
    if (type == Message::leaf || type == Message::tensor) {
      stream_.Skip(static_cast<int>(length));
      return true;
    }
    const auto limit = stream_.PushLimit(static_cast<int>(length));
    const bool fits = count(type, depth + 1);
    stream_.Skip(stream_.BytesUntilLimit());
    stream_.PopLimit(limit);
    return fits;
  }

  google::protobuf::io::CodedInputStream stream_;
  long parts_ = 0;
};

}  // namespace

bool has_sane_size(std::string_view model) {
  return Counter(model).count(Message::model, 0);
}

}  // namespace npusim::workloads::onnx
