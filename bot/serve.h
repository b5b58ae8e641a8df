/* `envbot serve`: starts the threads, stops them. */
#ifndef SERVE_H
#define SERVE_H

#include "config.h"

/* Runs until SIGTERM or SIGINT; what is in hand is finished, within ten seconds. Returns the exit
   code: 0 stopped as asked, 1 could not start or Slack refuses for good. */
int serve(const struct config *config);

#endif
