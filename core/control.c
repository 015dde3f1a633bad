/* Rank r's parent is (r - 1) / 2, its children 2r + 1 and 2r + 2: no rank ever talks to more than three,
 * whatever the size of the world. Messages of one kind pass a link at most once each (PROGRESS again and
 * again, one in flight):
 *
 *      STOP      either way      stop; passed on to every link but the one it came by
 *      PROGRESS  up              positions done in the sender's subtree
 *      DONE      up              the sender's subtree has nothing left to do
 *      FINISH    down            nobody has anything left to do
 *      BYE       up              the last message of the sender's subtree
 *
 * Why every message is received before its receiver leaves, so that nothing is left over for the next
 * round: MPI keeps the order between two ranks. Downwards, FINISH is the last message, since STOP is not
 * passed on after it; a rank leaves only after its parent's FINISH. Upwards, BYE is the last; a rank
 * leaves only after each child's BYE. It terminates because DONE rises once all subtrees are done, then
 * FINISH falls, then BYE rises. */
#include "control_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "world_impl.h"

enum kind { STOP, PROGRESS, DONE, FINISH, BYE, KINDS };
enum { PARENT, LEFT, RIGHT, LINKS };

static const double progress_every_seconds = 0.1;

typedef struct message {
  int64_t kind;
  int64_t positions;
} message;

typedef struct link {
  int peer;               /* MPI_PROC_NULL where the tree ends */
  parcel_index positions; /* last heard from below */
  message out[KINDS];     /* what is in flight, and its request */
  MPI_Request requests[KINDS];
} link;

struct parcel_control {
  MPI_Comm comm;
  link links[LINKS];
  int children_done, children_gone, children;       /* DONE heard, BYE heard, of how many */
  parcel_index positions;                           /* of this rank */
  double next_progress;                             /* MPI_Wtime of the next PROGRESS */
  bool is_stopping, is_done, is_finishing, is_gone; /* STOP known, DONE sent, FINISH known, BYE sent */
};

static void must(const parcel_control *control, int code, const char *doing)
{
  if (parcel_mpi_check(code, doing) == PARCEL_OK)
    return;
  fprintf(stderr, "parcel: the ranks cannot talk to each other any more: %s\n", parcel_last_error());
  MPI_Abort(control->comm, 1);
}

static bool is_in_flight(parcel_control *control, link *to, enum kind kind)
{
  int is_sent = 0;
  must(control, MPI_Test(&to->requests[kind], &is_sent, MPI_STATUS_IGNORE), "MPI_Test of a control message");
  return !is_sent;
}

static void send(parcel_control *control, link *to, enum kind kind)
{
  if (is_in_flight(control, to, kind))
    return;
  to->out[kind] = (message){.kind = kind, .positions = parcel__control_positions(control)};
  must(control,
       MPI_Isend(&to->out[kind], (int)sizeof(message), MPI_BYTE, to->peer, PARCEL_TAG_CONTROL, control->comm,
                 &to->requests[kind]),
       "MPI_Isend of a control message");
}

static void pass_stop_on(parcel_control *control, const link *from)
{
  if (control->is_stopping || control->is_finishing)
    return;
  control->is_stopping = true;
  for (int l = 0; l < LINKS; ++l)
    if (&control->links[l] != from)
      send(control, &control->links[l], STOP);
}

static link *link_to(parcel_control *control, int peer)
{
  for (int l = LEFT; l < LINKS; ++l)
    if (control->links[l].peer == peer)
      return &control->links[l];
  return &control->links[PARENT];
}

static void take(parcel_control *control, link *from, const message *in)
{
  if (from != &control->links[PARENT])
    from->positions = in->positions;
  switch ((enum kind)in->kind) {
  case STOP: pass_stop_on(control, from); break;
  case DONE: ++control->children_done; break;
  case FINISH: control->is_finishing = true; break;
  case BYE: ++control->children_gone; break;
  case PROGRESS:
  case KINDS: break;
  }
}

static void receive_all(parcel_control *control)
{
  for (;;) {
    int has_message = 0;
    MPI_Status envelope;
    message in;
    must(control, MPI_Iprobe(MPI_ANY_SOURCE, PARCEL_TAG_CONTROL, control->comm, &has_message, &envelope),
         "MPI_Iprobe for control messages");
    if (!has_message)
      return;
    must(control,
         MPI_Recv(&in, (int)sizeof in, MPI_BYTE, envelope.MPI_SOURCE, PARCEL_TAG_CONTROL, control->comm,
                  MPI_STATUS_IGNORE),
         "MPI_Recv of a control message");
    take(control, link_to(control, envelope.MPI_SOURCE), &in);
  }
}

parcel_status parcel__control_open(const parcel_world *world, parcel_control **out)
{
  const int rank = parcel_world_rank(world);
  const int size = parcel_world_size(world);
  parcel_control *control = calloc(1, sizeof *control);
  if (!control)
    return parcel_fail(PARCEL_MEMORY, "no memory for the control messages of a sweep");
  control->comm = parcel_world_comm(world);
  control->next_progress = MPI_Wtime() + progress_every_seconds;
  control->links[PARENT].peer = rank > 0 ? (rank - 1) / 2 : MPI_PROC_NULL;
  for (int side = 0; side < 2; ++side) {
    const int64_t child = 2 * (int64_t)rank + 1 + side;
    control->links[LEFT + side].peer = child < size ? (int)child : MPI_PROC_NULL;
    control->children += child < size;
  }
  for (int l = 0; l < LINKS; ++l)
    for (int kind = 0; kind < KINDS; ++kind)
      control->links[l].requests[kind] = MPI_REQUEST_NULL;
  *out = control;
  return PARCEL_OK;
}

void parcel__control_stop(parcel_control *control)
{
  pass_stop_on(control, NULL);
}

bool parcel__control_is_stopping(const parcel_control *control)
{
  return control->is_stopping;
}

parcel_index parcel__control_positions(const parcel_control *control)
{
  return control->positions + control->links[LEFT].positions + control->links[RIGHT].positions;
}

static bool is_all_sent(parcel_control *control)
{
  for (int l = 0; l < LINKS; ++l)
    for (int kind = 0; kind < KINDS; ++kind)
      if (is_in_flight(control, &control->links[l], (enum kind)kind))
        return false;
  return true;
}

bool parcel__control_poll(parcel_control *control, parcel_index positions, bool is_over)
{
  link *parent = &control->links[PARENT];
  const bool is_root = parent->peer == MPI_PROC_NULL;
  const bool was_finishing = control->is_finishing;

  control->positions = positions;
  receive_all(control);
  if (is_over && !control->is_done && control->children_done == control->children) {
    control->is_done = true;
    control->is_finishing = is_root;
    send(control, parent, DONE);
  }
  if (!control->is_done && MPI_Wtime() >= control->next_progress) {
    control->next_progress = MPI_Wtime() + progress_every_seconds;
    send(control, parent, PROGRESS);
  }
  if (control->is_finishing && !was_finishing) {
    send(control, &control->links[LEFT], FINISH);
    send(control, &control->links[RIGHT], FINISH);
  }
  if (control->is_finishing && !control->is_gone && control->children_gone == control->children) {
    control->is_gone = true;
    send(control, parent, BYE);
  }
  return control->is_gone && is_all_sent(control);
}

void parcel__control_close(parcel_control **control)
{
  free(*control);
  *control = NULL;
}
