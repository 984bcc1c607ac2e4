// SPDX-License-Identifier: Apache-2.0
// What `npusim describe` prints for each kind. Files are read strictly; base::InputError when
// invalid.
#pragma once

#include <string>

namespace npusim::tools {

std::string describe_npu(const std::string& file);
std::string describe_mac_unit(const std::string& file);
std::string describe_workload(const std::string& file);
std::string describe_recipe(const std::string& file);
std::string describe_scenario(const std::string& file);
std::string describe_suite(const std::string& file);
std::string describe_sweep(const std::string& file);
std::string describe_cluster(const std::string& file);
std::string describe_op(const std::string& name);
std::string describe_organisation(const std::string& name);
std::string describe_format(const std::string& name);
std::string describe_rounding(const std::string& name);

}  // namespace npusim::tools
