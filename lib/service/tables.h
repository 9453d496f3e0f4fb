#ifndef KEEPSAKE_SERVICE_TABLES_H
#define KEEPSAKE_SERVICE_TABLES_H

/*
 * Tables that every service has in each account; a service's own are below
 * TABLE_SHARED.  Stored: never renumber.
 */
#define TABLE_SHARED       0xf0
#define TABLE_ANSWERS      0xf0 /* answers.c */
#define TABLE_ANSWER_TIMES 0xf1
#define TABLE_OUTBOX       0xf2 /* outbox.c */
#define TABLE_ACCOUNT_KEY  0xf3 /* keyring.c */
#define TABLE_NAMES        0xf4 /* erase.c */
#define TABLE_AUDIT        0xf5 /* audit.c */

#endif
