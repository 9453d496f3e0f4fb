#ifndef KEEPSAKE_SERVICE_SETTINGS_H
#define KEEPSAKE_SERVICE_SETTINGS_H

#include "base/conf.h"

/* Every key of keepsake.conf, for all programs: one file, one table. */
extern const struct conf_key settings[];
extern const size_t settings_count;

#define ENDPOINT_BYTES 256

/**
 * Where ${server} is met by ${client}: what [section] key says, else the
 * ipc endpoint "ipc://RUN/SERVER.CLIENT/socket".  Both ends ask here, so
 * that they agree.
 */
void settings_endpoint(const struct conf *conf, const char *section,
    const char *key, const char *server, const char *client,
    char out[static ENDPOINT_BYTES]);

/**
 * What a process is called in file and folder names: ${program}, but of a
 * gateway what [gateway] name says, for there may be several.
 */
const char *settings_instance(const struct conf *conf, const char *program);

#define SETTINGS_PATH_BYTES 4096

/** A file of the key folder: [common] keys + "/" + ${name}${suffix}. */
void settings_key_path(const struct conf *conf, const char *name,
    const char *suffix, char out[static SETTINGS_PATH_BYTES]);

#endif
