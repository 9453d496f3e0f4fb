#ifndef KEEPSAKE_SERVICE_FIGURES_H
#define KEEPSAKE_SERVICE_FIGURES_H

#include "service/server.h"
#include "watch/exposition.h"

/**
 * Every figure of ${server}, as keepsakectl(8) shows it, as a metric: its
 * name, type and help are a row of a table.  One without a row becomes
 * keepsake_FIGURE, untyped.
 */
void figures_expose(struct server *server, struct exposition *out);

#endif
