#include <parcel/signals.h>

#include <stddef.h>

static volatile sig_atomic_t caught;

static void note(int signal_number)
{
  caught = signal_number;
}

const volatile sig_atomic_t *parcel_signals_catch(void)
{
  static const int stopping[] = {SIGINT, SIGTERM};
  struct sigaction action = {.sa_handler = note, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
  sigemptyset(&action.sa_mask);
  for (size_t s = 0; s < sizeof stopping / sizeof *stopping; ++s)
    if (sigaction(stopping[s], &action, NULL) != 0) {
      parcel_fail(PARCEL_SYSTEM, "sigaction for signal %d: %m", stopping[s]);
      return NULL;
    }
  return &caught;
}
