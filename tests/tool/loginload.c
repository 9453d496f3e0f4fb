/*
 * loginload curve COUNT
 * loginload argon2 COUNT
 * loginload login ENROLMENT ACCOUNTS COUNT PID...
 * loginload compare ENROLMENT NAMES PID
 *
 * What a login costs the server; lines of "name<tab>value".
 *
 * curve    CPU of the curve operations of a server's part in one login:
 *          OPAQUE's, the X25519 of the sealed name, the ticket's signature
 * argon2   logins a second of a server that stretches the password itself:
 *          Argon2id, 64 MiB, t = 3, on as many cores as there are
 * login    ACCOUNTS terminals, each a process with an account of its own,
 *          log in COUNT times each; CPU of the processes PID meanwhile
 * compare  wrong passwords for known and for unknown names, NAMES of each,
 *          three for each name, in random order: time to the verdict, one
 *          line each ("known" or "unknown", nanoseconds), and what PID did
 *          meanwhile, as CPU and as writes, for each kind
 *
 * The terminals' own Argon2id is replaced by a hash, so that it does not
 * take the machine from the server: auth cannot tell.
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/arena.h"
#include "crypto/auth_keys.h"
#include "load.h"

#define PIDS_MAX 8
#define TRIES    3 /* before a lane is closed */

/* ---- curve and argon2 ---- */

static int command_curve(int argc, char **argv)
{
	unsigned long count = number_from(argv[0]);
	static const uint8_t seed[AUTH_SEED_BYTES] = { 1 };
	uint8_t ke1[OPAQUE_KE1_BYTES], ke2[OPAQUE_KE2_BYTES], e[32], E[32];
	uint8_t rx[32], tx[32], signature[crypto_sign_BYTES];
	struct opaque_expected expected;
	struct opaque_login login;
	struct auth_keys *keys = NULL;

	(void)argc;
	if (auth_keys_new(&keys, seed) != STATUS_OK ||
	    opaque_login_start(&login, ke1, slice_text(load_password)) !=
		STATUS_OK)
		errx(1, "no keys");
	crypto_kx_keypair(E, e);
	uint64_t begin = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (unsigned long i = 0; i < count; i++) {
		if (crypto_kx_server_session_keys(rx, tx, keys->x25519_public,
			keys->x25519_secret, E) != 0 ||
		    opaque_login_respond(ke2, &expected, &opaque_keepsake,
			&keys->opaque, slice_text("account"),
			slice_of(keys->fake_record, OPAQUE_RECORD_BYTES),
			slice_of(ke1, sizeof(ke1))) != STATUS_OK)
			errx(1, "no answer");
		crypto_sign_detached(
		    signature, NULL, ke2, sizeof(ke2), keys->ticket_secret);
	}
	uint64_t end = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	printf("curve_ms\t%.4f\n", (double)(end - begin) / 1e6 / (double)count);
	auth_keys_destroy(&keys);
	return 0;
}

static void stretch_times(unsigned long count)
{
	static const uint8_t salt[crypto_pwhash_SALTBYTES];
	uint8_t out[64];
	void *symbol = dlsym(RTLD_NEXT, "crypto_pwhash");
	stretch_fn *stretch;

	if (!symbol)
		errx(1, "no crypto_pwhash");
	memcpy(&stretch, &symbol, sizeof(stretch));
	for (unsigned long i = 0; i < count; i++)
		if (stretch(out, sizeof(out), load_password,
			sizeof(load_password), salt, 3, 64u << 20,
			crypto_pwhash_ALG_ARGON2ID13) != 0)
			errx(1, "no memory");
}

static int command_argon2(int argc, char **argv)
{
	unsigned long count = number_from(argv[0]);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t begin = now_ns(CLOCK_MONOTONIC);
	int status, failed = 0;

	(void)argc;
	for (long i = 0; i < cores; i++) {
		if (fork() == 0) {
			stretch_times(count);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		failed |= status;
	double seconds = (double)(now_ns(CLOCK_MONOTONIC) - begin) / 1e9;
	printf("argon2_per_s\t%.2f\n", (double)(cores * (long)count) / seconds);
	printf("cores\t%ld\n", cores);
	return failed ? 1 : 0;
}

/* ---- login ---- */

/* A process: make the account, say so, wait for the word, log in. */
static void log_in(
    const char *enrolment, unsigned long count, int ready, int go)
{
	struct load_terminal self = { 0 };
	uint8_t byte = 1;

	load_open(&self, enrolment);
	load_register(&self);
	load_bind(&self);
	if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 0)
		errx(1, "pipe");
	for (unsigned long i = 0; i < count; i++) {
		struct login *login = load_login(&self, DIRECTION_UPLOAD);
		login_destroy(&login);
	}
	load_close(&self);
}

static int command_login(int argc, char **argv)
{
	unsigned long accounts = number_from(argv[1]);
	unsigned long count = number_from(argv[2]);
	pid_t pids[PIDS_MAX];
	uint64_t cpu[PIDS_MAX];
	int pids_count = argc - 3, ready[2], go[2], status, failed = 0;
	uint8_t byte;

	if (pids_count > PIDS_MAX)
		errx(2, "at most %d processes", PIDS_MAX);
	if (pipe(ready) != 0 || pipe(go) != 0)
		err(1, "pipe");
	for (unsigned long i = 0; i < accounts; i++) {
		if (fork() == 0) {
			close(go[1]);
			close(ready[0]);
			log_in(argv[0], count, ready[1], go[0]);
			exit(0);
		}
	}
	close(ready[1]);
	for (unsigned long i = 0; i < accounts; i++)
		if (read(ready[0], &byte, 1) != 1)
			errx(1, "a terminal could not be made");
	for (int i = 0; i < pids_count; i++) {
		pids[i] = (pid_t)number_from(argv[3 + i]);
		cpu[i] = cpu_ns(pids[i]);
	}
	uint64_t begin = now_ns(CLOCK_MONOTONIC);
	close(go[1]); /* the word */
	while (wait(&status) > 0)
		failed |= status;
	double seconds = (double)(now_ns(CLOCK_MONOTONIC) - begin) / 1e9;
	double logins = (double)(accounts * count);
	printf("logins_per_s\t%.2f\n", logins / seconds);
	for (int i = 0; i < pids_count; i++)
		printf("cpu_ms_%d\t%.4f\n", (int)pids[i],
		    (double)(cpu_ns(pids[i]) - cpu[i]) / 1e6 / logins);
	return failed ? 1 : 0;
}

/* ---- compare ---- */

/* What a process has done so far. */
struct work {
	uint64_t cpu, writes, bytes;
};

static struct work work_of(pid_t pid)
{
	struct work self = { .cpu = cpu_ns(pid) };
	char path[64], line[128];

	snprintf(path, sizeof(path), "/proc/%d/io", (int)pid);
	FILE *file = fopen(path, "re");
	if (!file)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "syscw: %" SCNu64, &self.writes);
		sscanf(line, "wchar: %" SCNu64, &self.bytes);
	}
	fclose(file);
	return self;
}

struct asked {
	bool known;
	char name[LOAD_NAME_BYTES];
};

static void shuffle(struct asked *all, size_t count)
{
	for (size_t i = count; i > 1; i--) {
		size_t other = randombytes_uniform((uint32_t)i);
		struct asked swapped = all[i - 1];
		all[i - 1] = all[other];
		all[other] = swapped;
	}
}

static void ask_wrong(struct load_terminal *stranger, const struct asked *asked)
{
	static const char wrong[] = "another password";
	const struct code_factors guess = {
		.set = CODE_PASSWORD,
		.password = slice_text(wrong),
	};
	struct login *login = NULL;
	uint64_t begin = now_ns(CLOCK_MONOTONIC);

	if (session_login(stranger->session, asked->name, &guess,
		DIRECTION_ENROL, &login) != STATUS_DENIED)
		errx(1, "%s: not denied: %s", asked->name,
		    session_detail(stranger->session));
	printf("%s\t%" PRIu64 "\n", asked->known ? "known" : "unknown",
	    now_ns(CLOCK_MONOTONIC) - begin);
}

static int command_compare(int argc, char **argv)
{
	size_t names = number_from(argv[1]), count = 0;
	pid_t pid = (pid_t)number_from(argv[2]);
	struct asked *all = calloc(2 * TRIES * names, sizeof(*all));
	struct load_terminal stranger = { 0 };
	struct work before, after;

	(void)argc;
	if (!all)
		errx(1, "no memory");
	load_open(&stranger, argv[0]);
	for (size_t i = 0; i < 2 * names; i++) {
		struct load_terminal one = { .session = stranger.session };
		load_name(one.name);
		if (i < names)
			load_register(&one);
		for (int k = 0; k < TRIES; k++) {
			all[count].known = i < names;
			memcpy(all[count].name, one.name, sizeof(one.name));
			count++;
		}
	}
	/* Half of the names kind by kind, for the work of each. */
	struct asked *by_kind[2] = { all, all + TRIES * names };
	for (int kind = 0; kind < 2; kind++) {
		before = work_of(pid);
		for (size_t i = 0; i < TRIES * (names / 2); i++)
			ask_wrong(&stranger, &by_kind[kind][i]);
		after = work_of(pid);
		double asks = (double)(TRIES * (names / 2));
		const char *word = kind == 0 ? "known" : "unknown";
		printf("%s_cpu_ms\t%.4f\n", word,
		    (double)(after.cpu - before.cpu) / 1e6 / asks);
		printf("%s_writes\t%.3f\n", word,
		    (double)(after.writes - before.writes) / asks);
		printf("%s_bytes\t%.1f\n", word,
		    (double)(after.bytes - before.bytes) / asks);
	}
	/* The rest of both kinds mixed, for the times. */
	size_t rest = 0;
	for (int kind = 0; kind < 2; kind++)
		for (size_t i = TRIES * (names / 2); i < TRIES * names; i++)
			all[rest++] = by_kind[kind][i];
	shuffle(all, rest);
	printf("mixed\t%zu\n", rest);
	for (size_t i = 0; i < rest; i++)
		ask_wrong(&stranger, &all[i]);
	load_close(&stranger);
	free(all);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int arguments_min;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{ "curve", 1, command_curve },
		{ "argon2", 1, command_argon2 },
		{ "login", 3, command_login },
		{ "compare", 3, command_compare },
	};

	if (sodium_init() < 0 || arena_open(LOAD_ARENA_BYTES) != STATUS_OK)
		errx(1, "no locked memory");
	for (size_t i = 0; argc > 1 && i < nitems(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0 &&
		    argc - 2 >= commands[i].arguments_min)
			return commands[i].run(argc - 2, argv + 2);
	errx(2, "usage: see the top of loginload.c");
}
