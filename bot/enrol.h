/* `envbot enrol`: an approver's secret for one-time codes, made and shown on the operator's
   terminal. */
#ifndef ENROL_H
#define ENROL_H

#include "config.h"

/* Enrols the Slack user of this workspace, or takes the enrolment away. What it says goes to stdout
   and stderr. Returns the exit code: 0 done, 1 no or failed, 2 not a user id. */
int enrol(const struct config *config, const char *user, bool remove);

#endif
