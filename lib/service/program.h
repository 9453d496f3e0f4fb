#ifndef KEEPSAKE_SERVICE_PROGRAM_H
#define KEEPSAKE_SERVICE_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"
#include "bus/bus.h"
#include "bus/loop.h"
#include "service/manager.h"
#include "service/sandbox.h"

/* What every server process begins and ends with. */

struct program {
	const char *name; /* "auth": its section, key files and log name */
	struct conf *conf;
	struct bus *bus;
	struct loop *loop;
	struct manager manager;
	struct sandbox sandbox;
	uint64_t started_ms;     /* on clock_interval_ms */
	loop_fn *stop_requested; /* on TERM or INT; called once */
	void *stop_arg;
	int signal_fd;
	bool stopping;
	const char *verify; /* a backup to be verified, not served; or NULL */
};

/** What program_begin has the caller do next. */
enum program_outcome { PROGRAM_GO_ON, PROGRAM_DONE, PROGRAM_FAILED };

/**
 * Read the options (--config FILE, --check-config, --print-config, --verify,
 * --health, --version, --help), the configuration and the keys; no core dumps;
 * secrets' arena; bus with its self-test; loop; TERM and INT.
 *
 * name   as above; borrowed for good
 * about  one line for --help
 *
 * PROGRAM_GO_ON  ${self} is ready, for program_end
 * PROGRAM_DONE   asked for no more than that; exit 0
 * PROGRAM_FAILED said why; exit 1 (2 where the options were wrong)
 */
enum program_outcome program_begin(struct program *self, const char *name,
    const char *about, int argc, char **argv, int *exit_code_out);

/** The file that --config of ${argv} names, or the default. */
const char *program_config(char *const *argv);

/** Log as [common] of the configuration says. */
void program_log_as(const struct conf *conf);

/**
 * Enter the sandbox for good, log event=ready, tell the service manager, and
 * run the loop until it is stopped.
 */
enum status program_run(struct program *self);

void program_end(struct program *self);

/**
 * Fill ${out} with the public keys of ${role}: KEYS/ROLE.public and all of
 * KEYS/ROLE-*.public, so that several gateways have a key each.
 *
 * STATUS_NOT_FOUND  not one; logged
 */
enum status program_allow(
    const struct program *self, const char *role, struct allow_list *out);

/** Read the public key of ${peer}, KEYS/PEER.public; logged where missing. */
enum status program_peer_key(const struct program *self, const char *peer,
    uint8_t out[static CURVE_KEY_BYTES]);

#endif
