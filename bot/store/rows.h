/* How an answer of libpq becomes rows. For store/db.c; everybody else reads rows through
   store/db.h and knows no libpq. */
#ifndef STORE_ROWS_H
#define STORE_ROWS_H

#include "store/db.h"

#include <libpq-fe.h>

/* Takes result over; freed with ctx. */
struct rows *rows_new(const void *ctx, PGresult *result);

#endif
