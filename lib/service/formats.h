#ifndef KEEPSAKE_SERVICE_FORMATS_H
#define KEEPSAKE_SERVICE_FORMATS_H

/*
 * The format of each service's database, as this version writes it: for tools
 * that have to know before they start a service.  Each service's main.c says
 * that it is its own.
 */
#define FORMAT_AUTH    2
#define FORMAT_STORE   3
#define FORMAT_BINDING 2
#define FORMAT_NOTIFY  2

#endif
