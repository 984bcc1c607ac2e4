#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the node cases of the installed `onnx` package as backend-test folders.

usage: gen_onnx_cases.py FOLDER

FOLDER/CASE/model.onnx and FOLDER/CASE/test_data_set_N/{input,output}_K.pb, as `npusim onnx-test` reads
them. Cases with values that are no plain tensors (sequences, optionals, strings) are left out.
"""

import pathlib
import sys
import warnings

import numpy


def collect():
    """The node cases; those of onnx 1.12 use names that NumPy 1.24 has dropped."""
    for name, kind in {"float": float, "bool": bool, "int": int, "object": object, "str": str}.items():
        if name not in numpy.__dict__:
            setattr(numpy, name, kind)
    warnings.simplefilter("ignore")
    from onnx.backend.test.case.node import collect_testcases

    try:
        return collect_testcases(None)
    except TypeError:  # before the argument existed
        return collect_testcases()


def as_tensor(value, name):
    """A TensorProto, or None when the value is no tensor of numbers."""
    from onnx import numpy_helper

    if not isinstance(value, (numpy.ndarray, numpy.generic)):
        return None
    array = numpy.asarray(value)
    return None if array.dtype.kind in "OSU" else numpy_helper.from_array(array, name)


def tensors_of(values, declared):
    names = [info.name for info in declared] + [""] * len(values)
    return [as_tensor(value, name) for value, name in zip(values, names)]


def write_case(case, folder):
    """True when the case was written."""
    graph = case.model.graph
    data_sets = [(tensors_of(inputs, graph.input), tensors_of(outputs, graph.output))
                 for inputs, outputs in case.data_sets]
    if any(tensor is None for pair in data_sets for tensors in pair for tensor in tensors):
        return False
    home = folder / case.name
    for number, pair in enumerate(data_sets):
        data = home / f"test_data_set_{number}"
        data.mkdir(parents=True, exist_ok=True)
        for kind, tensors in zip(("input", "output"), pair):
            for k, tensor in enumerate(tensors):
                (data / f"{kind}_{k}.pb").write_bytes(tensor.SerializeToString())
    (home / "model.onnx").write_bytes(case.model.SerializeToString())
    return True


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    folder = pathlib.Path(arguments[0])
    written = [write_case(case, folder) for case in collect()]
    print(f"{sum(written)} cases written, {len(written) - sum(written)} left out")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
