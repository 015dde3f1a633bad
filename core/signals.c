#include <parcel/signals.h>

#include <stddef.h>

static parcel_signals caught;

static void stop(int signal_number)
{
  caught.stop = signal_number;
}

static void inspect(int signal_number)
{
  (void)signal_number;
  caught.inspect = (caught.inspect + 1) % 1000;
}

static parcel_status set_handler(int signal_number, void (*handler)(int), unsigned flags)
{
  struct sigaction action = {.sa_handler = handler, .sa_flags = (int)(flags | SA_RESTART)};
  sigemptyset(&action.sa_mask);
  if (sigaction(signal_number, &action, NULL) != 0)
    return parcel_fail(PARCEL_SYSTEM, "sigaction for signal %d: %m", signal_number);
  return PARCEL_OK;
}

const parcel_signals *parcel_signals_catch(void)
{
  if (set_handler(SIGINT, stop, SA_RESETHAND) || set_handler(SIGTERM, stop, SA_RESETHAND) ||
      set_handler(SIGUSR1, stop, 0) || set_handler(SIGUSR2, inspect, 0))
    return NULL;
  return &caught;
}
