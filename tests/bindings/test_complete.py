"""The bindings have every function and constant of the headers, with the same parameters in the same order,
and each list of calls has every function. This reads the sources: it needs no compiler and no library."""
import ast
import os
import re
import unittest

SOURCE = os.environ["PARCEL_SOURCE"]
HEADERS = os.path.join(SOURCE, "partition", "include", "parcel")


def read(*path):
    with open(os.path.join(SOURCE, *path)) as file:
        return file.read()


def c_functions():
    """{name: [parameter, ...]} of all prototypes."""
    text = "".join(read(HEADERS, name) for name in sorted(os.listdir(HEADERS)))
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    prototypes = re.findall(r"^PARCEL_API[^;(]*?\b(parcel_\w+)\(([^)]*)\)", text, re.M)
    return {name: [re.search(r"(\w+|\.\.\.)(\[\])?$", item.strip())[1] for item in parameters.split(",")]
            if parameters != "void" else [] for name, parameters in prototypes}


def c_constants():
    """{name: value} of all enumerators and the numbers that callers need."""
    found = {}
    for header, prefix in (("base.h", "PARCEL_"), ("schedule.h", "PARCEL_SCHEDULE_")):
        for name, value in re.findall(r"^\s*X\((\w+), (-?\d+),", read(HEADERS, header), re.M):
            found[prefix + name] = int(value)
    for name, value in re.findall(r"\b(PARCEL_GRID_\w+)\s*=\s*(\d+)", read(HEADERS, "grid.h")):
        found[name] = int(value)
    return found


C_FUNCTIONS, C_CONSTANTS = c_functions(), c_constants()


def fortran_functions():
    text = re.sub(r"&\n\s*", "", read("partition", "bindings", "parcel.f90"))
    found = re.findall(r"^ *[^!\n]*?\b(?:function|subroutine) (parcel_\w+)\((.*?)\)", text, re.M)
    return {name: parameters.replace(" ", "").split(",") if parameters else [] for name, parameters in found}


def python_functions():
    """{name: [parameter, ...]} of what is a def or is made by _function(name, result, parameter=...)."""
    found = {}
    for node in ast.parse(read("partition", "bindings", "parcel_partition.py")).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = [item.arg for item in node.args.posonlyargs + node.args.args]
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            if getattr(node.value.func, "id", "") == "_function":
                name, made = node.targets[0].id, node.value.args[0].value
                assert name == made, f"{name} calls {made}"
                found[name] = [item.arg.rstrip("_") for item in node.value.keywords]
    return {name: parameters for name, parameters in found.items() if name.startswith("parcel_")}


class Bindings(unittest.TestCase):
    # Text comes back without a buffer, and parcel_fail takes it as it is.
    text_functions = {"parcel_range_format": ["range"], "parcel_layout_format": ["layout"],
                      "parcel_fail": ["status", "text"]}

    def test_the_headers_are_understood(self):
        self.assertGreater(len(C_FUNCTIONS), 80)
        self.assertEqual(C_FUNCTIONS["parcel_layout_weighted"], ["n", "parts", "weights", "out"])
        self.assertEqual(C_FUNCTIONS["parcel_fail"], ["status", "format", "..."])
        text = "".join(read(HEADERS, name) for name in os.listdir(HEADERS))
        self.assertEqual(len(re.findall(r"^PARCEL_API", text, re.M)), len(C_FUNCTIONS))
        self.assertEqual(len(C_CONSTANTS), 21 + 3 + 7)

    def test_fortran_has_every_function_with_its_parameters(self):
        self.assertEqual(fortran_functions(), {**C_FUNCTIONS, **self.text_functions})

    def test_python_has_every_function_with_its_parameters(self):
        self.assertEqual(python_functions(), {**C_FUNCTIONS, **self.text_functions})

    def test_fortran_has_every_constant(self):
        text = read("partition", "bindings", "parcel.f90")
        found = dict(re.findall(r"\b(parcel_\w+) = (-?\d+)", text))
        for name, value in C_CONSTANTS.items():
            name = {"PARCEL_RANGE": "parcel_out_of_range"}.get(name, name.lower())
            self.assertEqual(found.get(name), str(value), name)

    def test_python_has_every_constant(self):
        found = {}
        for node in ast.parse(read("partition", "bindings", "parcel_partition.py")).body:
            value = getattr(node, "value", None)
            if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "range":
                values = range(*(ast.literal_eval(item) for item in value.args))
                found.update(zip((item.id for item in node.targets[0].elts), values))
        self.assertEqual(found, C_CONSTANTS)

    def test_every_function_is_called_in_every_language(self):
        for language in ("c", "f90", "py"):
            text = read("tests", "bindings", "calls." + language)
            called = set(re.findall(r"\bparcel_\w+", text))
            self.assertEqual(set(C_FUNCTIONS) - called, set(), language)


unittest.main()
