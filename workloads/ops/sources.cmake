# Every op family of this build; register_ops.cpp registers each by one line.
set(NPUSIM_OP_SOURCES
  ops/arithmetic.cpp
  ops/broadcast.cpp
  ops/conv.cpp
  ops/conv_geometry.cpp
  ops/conv_gradients.cpp
  ops/loss.cpp
  ops/matrix_products.cpp
  ops/normalization.cpp
  ops/pool_gradients.cpp
  ops/pooling.cpp
  ops/reductions.cpp
  ops/register_ops.cpp
  ops/sgd.cpp
  ops/shapes.cpp
  ops/simple_op.cpp
  ops/softmax.cpp)
