# The ops, one family a file, and the shipped networks.
npusim_test(workloads_ops_test
  SOURCES
    ops_approximated_test.cpp
    ops_binary_test.cpp
    ops_collectives_test.cpp
    ops_constants_test.cpp
    ops_conv_test.cpp
    ops_ctc_test.cpp
    ops_detection_test.cpp
    ops_elementwise_test.cpp
    ops_loss_test.cpp
    ops_matrix_test.cpp
    ops_movement_test.cpp
    ops_network_test.cpp
    ops_norm_test.cpp
    ops_phases_test.cpp
    ops_pool_test.cpp
    ops_quantized_test.cpp
    ops_reduce_test.cpp
    ops_sequence_test.cpp
    ops_signal_test.cpp
    ops_support.cpp
    ops_transposed_test.cpp
    ops_unary_test.cpp
    ops_volume_test.cpp
    short_operands_test.cpp
  LINK npusim::workloads)
npusim_test(every_op_test
  SOURCES
    every_op_rows.cpp
    every_op_test.cpp
    ops_support.cpp
  LINK npusim::workloads rapidcheck)
