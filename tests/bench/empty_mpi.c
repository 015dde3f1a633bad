/* The peer of tests/bench/start_up.py: the least an MPI program can do. */
#include <stddef.h>

#include <mpi.h>

int main(void)
{
  MPI_Init(NULL, NULL);
  MPI_Finalize();
  return 0;
}
