/* Nanoseconds per question to a layout, beside the functions that others use for the same question, and
 * milliseconds per plan. Every competitor answers the same questions, in turns, and their answers are added
 * up and compared: what is faster and wrong does not count.
 *
 * usage: bench_layout [ROUNDS]
 *
 * ScaLAPACK and PETSc take part if they were found when this was built. Their indices have 32 bits (on
 * Debian), hence the size of the array here. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <parcel/block.h>
#include <parcel/layout.h>
#include <parcel/plan.h>

#ifdef BENCH_WITH_PETSC
#include <petscis.h>
#endif

enum { PARTS = 1000, BLOCK = 64, QUERIES = 1 << 17, PASSES = 8, MOST_ROUNDS = 1000 };

static const parcel_index size = 1000000000;
static const parcel_index long_size = 1000000000000; /* of plans */

static parcel_layout *block_layout;
static parcel_layout *cyclic_layout;
static parcel_layout *weighted_layout;

/* ---- the questions: a position, or a part and a local index; anew for each layout ---- */

static parcel_index positions[QUERIES];
static int parts[QUERIES];
static parcel_index locals[QUERIES];
static parcel_index cuts[PARTS + 1]; /* of the weighted layout */

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t random_bits(void)
{
  static uint64_t state = 2026;
  uint64_t z = state += 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

static void ask_about(const parcel_layout *layout)
{
  for (int i = 0; i < QUERIES; ++i) {
    positions[i] = (parcel_index)(random_bits() % (uint64_t)size);
    parts[i] = parcel_layout_owner(layout, positions[i]);
    locals[i] = parcel_layout_local(layout, positions[i]);
  }
}

/* One competitor: the sum of its answers to all questions. In an expression i is the number of the question.
 * */
#define COMPETITOR(name, expression)                                                                         \
  static parcel_index name(void)                                                                             \
  {                                                                                                          \
    parcel_index sum = 0;                                                                                    \
    for (int i = 0; i < QUERIES; ++i)                                                                        \
      sum += (expression);                                                                                   \
    return sum;                                                                                              \
  }

/* ---- Parcel ---- */

COMPETITOR(parcel_block_owner_free, parcel_block_owner(size, PARTS, positions[i]))
COMPETITOR(parcel_block_owner_of, parcel_layout_owner(block_layout, positions[i]))
COMPETITOR(parcel_block_local_of, parcel_layout_local(block_layout, positions[i]))
COMPETITOR(parcel_block_global_of, parcel_layout_global(block_layout, parts[i], locals[i]))
COMPETITOR(parcel_cyclic_owner_of, parcel_layout_owner(cyclic_layout, positions[i]))
COMPETITOR(parcel_cyclic_local_of, parcel_layout_local(cyclic_layout, positions[i]))
COMPETITOR(parcel_cyclic_global_of, parcel_layout_global(cyclic_layout, parts[i], locals[i]))
COMPETITOR(parcel_cyclic_count_of, parcel_layout_count(cyclic_layout, parts[i]))
COMPETITOR(parcel_weighted_owner_of, parcel_layout_owner(weighted_layout, positions[i]))
COMPETITOR(parcel_weighted_local_of, parcel_layout_local(weighted_layout, positions[i]))
COMPETITOR(parcel_weighted_global_of, parcel_layout_global(weighted_layout, parts[i], locals[i]))

/* ---- the formulas in C, inlined and unchecked: the least that a call could cost ---- */

static volatile int given_parts = PARTS; /* not known to the compiler, as it is not in a program */
static volatile int given_block = BLOCK;

static parcel_index formula_block_owner(void)
{
  const parcel_index q = size / given_parts;
  const parcel_index r = size % given_parts;
  const parcel_index border = r * (q + 1);
  parcel_index sum = 0;
  for (int i = 0; i < QUERIES; ++i)
    sum += positions[i] < border ? positions[i] / (q + 1) : (positions[i] - border) / q + r;
  return sum;
}

/* The statements of ScaLAPACK 2.2 TOOLS/indxg2p.f, indxg2l.f, indxl2g.f and numroc.f with ISRCPROC = 0, in
 * integers of the given type. */
#define SCALAPACK_FORMULAS(suffix, type)                                                                     \
  static parcel_index formula_owner_##suffix(void)                                                           \
  {                                                                                                          \
    const type nb = (type)given_block, nprocs = (type)given_parts;                                           \
    parcel_index sum = 0;                                                                                    \
    for (int i = 0; i < QUERIES; ++i) {                                                                      \
      const type indxglob = (type)(positions[i] + 1);                                                        \
      sum += (parcel_index)((indxglob - 1) / nb % nprocs);                                                   \
    }                                                                                                        \
    return sum;                                                                                              \
  }                                                                                                          \
  static parcel_index formula_local_##suffix(void)                                                           \
  {                                                                                                          \
    const type nb = (type)given_block, nprocs = (type)given_parts;                                           \
    parcel_index sum = 0;                                                                                    \
    for (int i = 0; i < QUERIES; ++i) {                                                                      \
      const type indxglob = (type)(positions[i] + 1);                                                        \
      sum += (parcel_index)(nb * ((indxglob - 1) / (nb * nprocs)) + (indxglob - 1) % nb + 1 - 1);            \
    }                                                                                                        \
    return sum;                                                                                              \
  }                                                                                                          \
  static parcel_index formula_global_##suffix(void)                                                          \
  {                                                                                                          \
    const type nb = (type)given_block, nprocs = (type)given_parts;                                           \
    parcel_index sum = 0;                                                                                    \
    for (int i = 0; i < QUERIES; ++i) {                                                                      \
      const type indxloc = (type)(locals[i] + 1), iproc = (type)parts[i];                                    \
      sum += (parcel_index)(nprocs * nb * ((indxloc - 1) / nb) + (indxloc - 1) % nb +                        \
                            (nprocs + iproc) % nprocs * nb + 1 - 1);                                         \
    }                                                                                                        \
    return sum;                                                                                              \
  }                                                                                                          \
  static parcel_index formula_count_##suffix(void)                                                           \
  {                                                                                                          \
    const type nb = (type)given_block, nprocs = (type)given_parts, n = (type)size;                           \
    parcel_index sum = 0;                                                                                    \
    for (int i = 0; i < QUERIES; ++i) {                                                                      \
      const type mydist = (nprocs + (type)parts[i]) % nprocs;                                                \
      const type nblocks = n / nb;                                                                           \
      const type extrablks = nblocks % nprocs;                                                               \
      sum += (parcel_index)(nblocks / nprocs * nb) + (parcel_index)(mydist < extrablks    ? nb               \
                                                                    : mydist == extrablks ? n % nb           \
                                                                                          : 0);              \
    }                                                                                                        \
    return sum;                                                                                              \
  }

SCALAPACK_FORMULAS(32, int)
SCALAPACK_FORMULAS(64, int64_t)

/* The part that a binary search in the cut points finds. */
static int search(parcel_index position)
{
  int low = 0;
  int high = PARTS;
  while (high - low > 1) {
    const int middle = low + (high - low) / 2;
    if (position < cuts[middle])
      high = middle;
    else
      low = middle;
  }
  return low;
}

COMPETITOR(search_owner, search(positions[i]))
COMPETITOR(search_local, positions[i] - cuts[search(positions[i])])
COMPETITOR(search_global, cuts[parts[i]] + locals[i])

/* ---- ScaLAPACK's own functions ---- */

#ifdef BENCH_WITH_SCALAPACK
extern int indxg2p_(const int *indxglob, const int *nb, const int *iproc, const int *isrcproc,
                    const int *nprocs);
extern int indxg2l_(const int *indxglob, const int *nb, const int *iproc, const int *isrcproc,
                    const int *nprocs);
extern int indxl2g_(const int *indxloc, const int *nb, const int *iproc, const int *isrcproc,
                    const int *nprocs);
extern int numroc_(const int *n, const int *nb, const int *iproc, const int *isrcproc, const int *nprocs);

static const int nb = BLOCK;
static const int nprocs = PARTS;
static const int zero = 0;

static int fortran(parcel_index index)
{
  return (int)index + 1;
}

COMPETITOR(scalapack_owner, indxg2p_(&(int){fortran(positions[i])}, &nb, &zero, &zero, &nprocs))
COMPETITOR(scalapack_local, indxg2l_(&(int){fortran(positions[i])}, &nb, &zero, &zero, &nprocs) - 1)
COMPETITOR(scalapack_global, indxl2g_(&(int){fortran(locals[i])}, &nb, &parts[i], &zero, &nprocs) - 1)
COMPETITOR(scalapack_count, numroc_(&(int){(int)size}, &nb, &parts[i], &zero, &nprocs))
#endif

/* ---- PETSc's layout: public in petscis.h, filled in as PetscLayoutSetUp does on PARTS ranks ---- */

#ifdef BENCH_WITH_PETSC
static PetscInt block_range[PARTS + 1];
static PetscInt weighted_range[PARTS + 1];
static struct _n_PetscLayout block_map = {.size = PARTS, .range = block_range};
static struct _n_PetscLayout weighted_map = {.size = PARTS, .range = weighted_range};

static void prepare_petsc(void)
{
  block_map.N = weighted_map.N = (PetscInt)size;
  for (int part = 0; part <= PARTS; ++part) {
    weighted_range[part] = (PetscInt)cuts[part];
    block_range[part] = part == PARTS ? (PetscInt)size : (PetscInt)parcel_block_span(size, PARTS, part).begin;
  }
}

static int petsc_owner(PetscLayout map, parcel_index position)
{
  PetscMPIInt owner = -1;
  return PetscLayoutFindOwner(map, (PetscInt)position, &owner) ? -1 : owner;
}

static parcel_index petsc_local(PetscLayout map, parcel_index position)
{
  PetscMPIInt owner = -1;
  PetscInt local = -1;
  return PetscLayoutFindOwnerIndex(map, (PetscInt)position, &owner, &local) ? -1 : local;
}

COMPETITOR(petsc_block_owner, petsc_owner(&block_map, positions[i]))
COMPETITOR(petsc_block_local, petsc_local(&block_map, positions[i]))
COMPETITOR(petsc_block_global, block_range[parts[i]] + locals[i])
COMPETITOR(petsc_weighted_owner, petsc_owner(&weighted_map, positions[i]))
COMPETITOR(petsc_weighted_local, petsc_local(&weighted_map, positions[i]))
COMPETITOR(petsc_weighted_global, weighted_range[parts[i]] + locals[i])
#endif

/* ---- plans: of every part, from the first move to the last; the answer is the positions moved ---- */

static parcel_layout *plan_from;
static parcel_layout *plan_to;
static parcel_index planned_moves;

static parcel_index plan_all_parts(void)
{
  parcel_index moved = 0;
  planned_moves = 0;
  for (int part = 0; part < PARTS; ++part) {
    parcel_plan plan;
    parcel_move move;
    if (parcel_plan_of_sender(plan_from, plan_to, part, &plan))
      return -1;
    for (; parcel_plan_next(&plan, &move); ++planned_moves)
      moved += move.count;
  }
  return moved;
}

/* ---- the race ---- */

typedef struct competitor {
  const char *name;
  parcel_index (*run)(void);
} competitor;

enum { MOST_COMPETITORS = 8 };

static int rounds = 9;

static double seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void fail(const char *what)
{
  fprintf(stderr, "bench_layout: %s: %s\n", what, parcel_last_error());
  exit(1);
}

static int compare(const void *left, const void *right)
{
  const double a = *(const double *)left;
  const double b = *(const double *)right;
  return (a > b) - (a < b);
}

/* The seconds of one run of `passes` times all questions. */
static double measure(const competitor *who, int passes, parcel_index expected)
{
  const double begin = seconds();
  for (int pass = 0; pass < passes; ++pass)
    if (who->run() != expected)
      fail(who->name);
  return (seconds() - begin) / passes;
}

/* The competitors, of whom the first is the measure, in turns. unit: seconds that are printed as 1. */
static void race(const char *title, const competitor competitors[], int count, int passes, double unit,
                 const char *unit_name)
{
  static double times[MOST_COMPETITORS][MOST_ROUNDS];
  const parcel_index expected = competitors[0].run();
  for (int c = 0; c < count; ++c)
    measure(&competitors[c], 1, expected); /* warm up, and check */
  for (int round = 0; round < rounds; ++round)
    for (int c = 0; c < count; ++c)
      times[c][round] = measure(&competitors[c], passes, expected) / unit;
  printf("%s\n", title);
  for (int c = 0; c < count; ++c)
    qsort(times[c], (size_t)rounds, sizeof times[c][0], compare);
  for (int c = 0; c < count; ++c)
    printf("  %-44s %8.2f %s   ratio %5.2f   (%.2f to %.2f, %d rounds)\n", competitors[c].name,
           times[c][rounds / 2], unit_name, times[c][rounds / 2] / times[0][rounds / 2], times[c][0],
           times[c][rounds - 1], rounds);
}

#define RACE(title, ...)                                                                                     \
  race(title, (const competitor[]){__VA_ARGS__},                                                             \
       (int)(sizeof((const competitor[]){__VA_ARGS__}) / sizeof(competitor)), PASSES, 1e-9 * QUERIES, "ns")

#ifdef BENCH_WITH_SCALAPACK
#define SCALAPACK(name, run) {name, run},
#else
#define SCALAPACK(name, run)
#endif
#ifdef BENCH_WITH_PETSC
#define PETSC(name, run) {name, run},
#else
#define PETSC(name, run)
#endif

static void race_block(void)
{
  ask_about(block_layout);
  RACE("block, owner", {"parcel_layout_owner", parcel_block_owner_of},
       PETSC("PetscLayoutFindOwner", petsc_block_owner){"parcel_block_owner", parcel_block_owner_free},
       {"formula in C, inlined", formula_block_owner});
  RACE("block, local", {"parcel_layout_local", parcel_block_local_of},
       PETSC("PetscLayoutFindOwnerIndex", petsc_block_local));
  RACE("block, global", {"parcel_layout_global", parcel_block_global_of},
       PETSC("PetscLayout range[part] + local, inlined", petsc_block_global));
}

static void race_cyclic(void)
{
  ask_about(cyclic_layout);
  RACE("cyclic, owner", {"parcel_layout_owner", parcel_cyclic_owner_of},
       SCALAPACK("INDXG2P", scalapack_owner){"its formula in C, inlined, 32 bit", formula_owner_32},
       {"its formula in C, inlined, 64 bit", formula_owner_64});
  RACE("cyclic, local", {"parcel_layout_local", parcel_cyclic_local_of},
       SCALAPACK("INDXG2L", scalapack_local){"its formula in C, inlined, 32 bit", formula_local_32},
       {"its formula in C, inlined, 64 bit", formula_local_64});
  RACE("cyclic, global", {"parcel_layout_global", parcel_cyclic_global_of},
       SCALAPACK("INDXL2G", scalapack_global){"its formula in C, inlined, 32 bit", formula_global_32},
       {"its formula in C, inlined, 64 bit", formula_global_64});
  RACE("cyclic, count", {"parcel_layout_count", parcel_cyclic_count_of},
       SCALAPACK("NUMROC", scalapack_count){"its formula in C, inlined, 32 bit", formula_count_32},
       {"its formula in C, inlined, 64 bit", formula_count_64});
}

static void race_weighted(void)
{
  ask_about(weighted_layout);
  RACE("weighted, owner", {"parcel_layout_owner", parcel_weighted_owner_of},
       PETSC("PetscLayoutFindOwner, same cut points",
             petsc_weighted_owner){"binary search in C, inlined, 64 bit", search_owner});
  RACE("weighted, local", {"parcel_layout_local", parcel_weighted_local_of},
       PETSC("PetscLayoutFindOwnerIndex, same cut points",
             petsc_weighted_local){"binary search in C, inlined, 64 bit", search_local});
  RACE("weighted, global", {"parcel_layout_global", parcel_weighted_global_of},
       PETSC("PetscLayout range[part] + local, inlined",
             petsc_weighted_global){"cuts[part] + local, inlined, 64 bit", search_global});
}

static void race_plan(const char *title, parcel_layout *from, parcel_layout *to)
{
  plan_from = from;
  plan_to = to;
  if (plan_all_parts() != long_size)
    fail(title);
  printf("%" PRId64 " moves: ", planned_moves);
  race(title, (const competitor[]){{"all parts, as senders", plan_all_parts}}, 1, 1, 1e-3, "ms");
}

static void fill_weights(double weights[])
{
  for (int part = 0; part < PARTS; ++part)
    weights[part] = 1 + (double)(random_bits() % 1000);
}

static void make_layouts(const double weights[])
{
  if (parcel_layout_block(size, PARTS, &block_layout) ||
      parcel_layout_cyclic(size, PARTS, BLOCK, &cyclic_layout) ||
      parcel_layout_weighted(size, PARTS, weights, &weighted_layout))
    fail("making layouts");
  for (int part = 0; part < PARTS; ++part)
    cuts[part + 1] = cuts[part] + parcel_layout_count(weighted_layout, part);
}

static void race_plans(const double weights[])
{
  parcel_layout *block = NULL;
  parcel_layout *ceiling = NULL;
  parcel_layout *weighted = NULL;
  parcel_layout *coarse = NULL;
  parcel_layout *fine = NULL;
  if (parcel_layout_block(long_size, PARTS, &block) ||
      parcel_layout_ceiling(long_size, PARTS - 1, &ceiling) ||
      parcel_layout_weighted(long_size, PARTS, weights, &weighted) ||
      parcel_layout_cyclic(long_size, PARTS, 100000000, &coarse) ||
      parcel_layout_cyclic(long_size, PARTS, 1000000, &fine))
    fail("making layouts of plans");
  race_plan("block to ceiling of one part less", block, ceiling);
  race_plan("block to weighted", block, weighted);
  race_plan("weighted to cyclic, blocks of 10^8", weighted, coarse);
  race_plan("block to cyclic, blocks of 10^6", block, fine);
  parcel_layout_free(&fine);
  parcel_layout_free(&coarse);
  parcel_layout_free(&weighted);
  parcel_layout_free(&ceiling);
  parcel_layout_free(&block);
}

int main(int argc, char **argv)
{
  double weights[PARTS];
  rounds = argc > 1 ? atoi(argv[1]) : rounds;
  if (rounds < 1 || rounds > MOST_ROUNDS)
    return 2;
  fill_weights(weights);
  make_layouts(weights);
#ifdef BENCH_WITH_PETSC
  prepare_petsc();
#endif
  printf("%" PRId64 " positions, %d parts, cyclic blocks of %d; per question\n", size, PARTS, BLOCK);
  race_block();
  race_cyclic();
  race_weighted();
  printf("plans of %" PRId64 " positions, %d parts\n", long_size, PARTS);
  race_plans(weights);
  parcel_layout_free(&weighted_layout);
  parcel_layout_free(&cyclic_layout);
  parcel_layout_free(&block_layout);
  return 0;
}
