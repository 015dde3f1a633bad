/* Rank r's parent is (r - 1) / 2, its children 2r + 1 and 2r + 2: no rank ever talks to more than three,
 * whatever the size of the world. Messages of one kind pass a link at most once each (PROGRESS and INSPECT
 * again and again, one in flight):
 *
 *      STOP      either way      stop; passed on to every link but the one it came by
 *      INSPECT   either way      show what you do; passed on in the same way
 *      PROGRESS  either way      still here; upwards, how far the sender's subtree is
 *      DONE      up              the sender's subtree has nothing left to do
 *      FINISH    down            nobody has anything left to do
 *      BYE       up              the last message of the sender's subtree
 *
 * Why every message is received before its receiver leaves, so that nothing is left over for the next
 * round: MPI keeps the order between two ranks. Downwards, FINISH is the last message, since nothing is
 * sent down after it; a rank leaves only after its parent's FINISH. Upwards, BYE is the last, sent when
 * nothing comes from below any more; a rank leaves only after each child's BYE. It terminates because DONE
 * rises once all subtrees are done, then FINISH falls, then BYE rises. */
#include "control_impl.h"

#include <stdlib.h>

#include "world_impl.h"

enum kind { STOP, INSPECT, PROGRESS, DONE, FINISH, BYE, KINDS };
enum { PARENT, LEFT, RIGHT, LINKS };

static const double progress_every_seconds = 0.1;

typedef struct message {
  int64_t kind;
  parcel_tally tally;
  parcel_stop stop;
} message;

typedef struct link {
  int peer;           /* MPI_PROC_NULL where the tree ends */
  bool is_quiet;      /* it owes nothing any more: a child after DONE */
  double heard;       /* MPI_Wtime of its last message */
  parcel_tally tally; /* last heard from below */
  message out[KINDS]; /* what is in flight, and its request */
  MPI_Request requests[KINDS];
} link;

struct parcel_control {
  const parcel_world *world;
  MPI_Comm comm;
  link links[LINKS];
  int children_done, children_gone, children; /* DONE heard, BYE heard, of how many */
  parcel_tally tally;                         /* of this rank */
  double next_progress;                       /* MPI_Wtime of the next PROGRESS */
  parcel_stop stop;                           /* the first STOP known */
  int rank, inspections;                      /* INSPECT heard how often */
  bool is_done, is_finishing, is_gone;        /* DONE sent, FINISH known, BYE sent */
};

static void must(const parcel_control *control, int code, const char *doing)
{
  parcel_world_check_mpi(control->world, code, doing);
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
  to->out[kind] = (message){.kind = kind, .tally = parcel__control_tally(control), .stop = control->stop};
  must(control,
       MPI_Isend(&to->out[kind], (int)sizeof(message), MPI_BYTE, to->peer, PARCEL_TAG_CONTROL, control->comm,
                 &to->requests[kind]),
       "MPI_Isend of a control message");
}

static void send_to_others(parcel_control *control, const link *from, enum kind kind)
{
  for (int l = 0; l < LINKS; ++l)
    if (&control->links[l] != from)
      send(control, &control->links[l], kind);
}

static void pass_stop_on(parcel_control *control, const link *from, parcel_stop stop)
{
  if (control->stop.reason || control->is_finishing)
    return;
  control->stop = stop;
  send_to_others(control, from, STOP);
}

static void pass_inspection_on(parcel_control *control, const link *from)
{
  if (!control->is_finishing)
    send_to_others(control, from, INSPECT);
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
  const bool is_from_below = from != &control->links[PARENT];
  from->heard = MPI_Wtime();
  if (is_from_below)
    from->tally = in->tally;
  switch ((enum kind)in->kind) {
  case STOP: pass_stop_on(control, from, in->stop); break;
  case INSPECT:
    ++control->inspections;
    pass_inspection_on(control, from);
    break;
  case DONE:
    ++control->children_done;
    from->is_quiet = true;
    break;
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
  control->world = world;
  control->comm = parcel_world_comm(world);
  control->rank = rank;
  control->next_progress = MPI_Wtime() + progress_every_seconds;
  control->links[PARENT].peer = rank > 0 ? (rank - 1) / 2 : MPI_PROC_NULL;
  for (int side = 0; side < 2; ++side) {
    const int64_t child = 2 * (int64_t)rank + 1 + side;
    control->links[LEFT + side].peer = child < size ? (int)child : MPI_PROC_NULL;
    control->children += child < size;
  }
  for (int l = 0; l < LINKS; ++l) {
    control->links[l].heard = MPI_Wtime();
    for (int kind = 0; kind < KINDS; ++kind)
      control->links[l].requests[kind] = MPI_REQUEST_NULL;
  }
  *out = control;
  return PARCEL_OK;
}

void parcel__control_stop(parcel_control *control, parcel_stop_reason reason, int detail)
{
  pass_stop_on(control, NULL, (parcel_stop){.reason = reason, .detail = detail, .rank = control->rank});
}

parcel_stop parcel__control_stopping(const parcel_control *control)
{
  return control->stop;
}

void parcel__control_inspect(parcel_control *control)
{
  pass_inspection_on(control, NULL);
}

int parcel__control_inspections(const parcel_control *control)
{
  return control->inspections;
}

int parcel__control_silent_rank(const parcel_control *control, double seconds)
{
  const double now = MPI_Wtime();
  for (int l = 0; l < LINKS && !control->is_finishing; ++l) {
    const link *link = &control->links[l];
    if (link->peer != MPI_PROC_NULL && !link->is_quiet && now - link->heard > seconds)
      return link->peer;
  }
  return -1;
}

parcel_tally parcel__control_tally(const parcel_control *control)
{
  parcel_tally sum = control->tally;
  for (int l = LEFT; l < LINKS; ++l) {
    sum.positions += control->links[l].tally.positions;
    sum.failures += control->links[l].tally.failures;
  }
  return sum;
}

static bool is_all_sent(parcel_control *control)
{
  for (int l = 0; l < LINKS; ++l)
    for (int kind = 0; kind < KINDS; ++kind)
      if (is_in_flight(control, &control->links[l], (enum kind)kind))
        return false;
  return true;
}

/* Upwards until this rank is done, downwards until all are: the ranks below wait for that. */
static void send_progress(parcel_control *control)
{
  const double now = MPI_Wtime();
  if (now < control->next_progress || control->is_finishing)
    return;
  control->next_progress = now + progress_every_seconds;
  for (int l = control->is_done ? LEFT : PARENT; l < LINKS; ++l)
    send(control, &control->links[l], PROGRESS);
}

bool parcel__control_poll(parcel_control *control, parcel_tally tally, bool is_over)
{
  link *parent = &control->links[PARENT];
  const bool is_root = parent->peer == MPI_PROC_NULL;
  const bool was_finishing = control->is_finishing;

  control->tally = tally;
  receive_all(control);
  if (is_over && !control->is_done && control->children_done == control->children) {
    control->is_done = true;
    control->is_finishing = is_root;
    send(control, parent, DONE);
  }
  send_progress(control);
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
