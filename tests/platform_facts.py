"""What the tests must know of the MPI and HDF5 that they run on."""

import os
import unittest

MPI = os.environ.get("PARCEL_MPI", "openmpi4")  # openmpi4, openmpi5, mpich, unknown
IS_OPEN_MPI = MPI.startswith("openmpi")
HAS_PARALLEL_HDF5 = os.environ.get("PARCEL_HDF5_IS_PARALLEL", "1") == "1"

# mpirun without its paragraph about ranks that failed.
QUIET = ("--quiet",) if MPI == "openmpi4" else ()

# mpirun without a batch system, whatever the environment says.
WITHOUT_BATCH_SYSTEM = {
    "openmpi4": ("--noprefix", "--mca", "plm", "isolated", "--mca", "ras", "^slurm"),
    "openmpi5": ("--prtemca", "plm", "^slurm", "--prtemca", "ras", "^slurm"),
    "mpich": ("-launcher", "fork", "-rmk", "user"),
}.get(MPI, ())

# Open MPI binds ranks only where each has a slot of its own.
BINDING = {"OMPI_MCA_rmaps_base_oversubscribe": None, "PRTE_MCA_rmaps_default_mapping_policy": None}

# Its mpirun passes signals on and keeps the exit code all the same.
only_open_mpi = unittest.skipUnless(IS_OPEN_MPI, "only Open MPI does this")
only_open_mpi_4 = unittest.skipUnless(MPI == "openmpi4", "only Open MPI 4 does this")
not_open_mpi_5_with_bars = unittest.skipIf(MPI == "openmpi5", "Open MPI 5 sends unfinished lines of stderr to stdout")
not_open_mpi_5_with_two_programs = unittest.skipIf(MPI == "openmpi5", "Open MPI 5's mpirun crashes on two programs")
