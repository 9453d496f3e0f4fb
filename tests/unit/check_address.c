#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/util.h"

/* The address as text, its port, and where it is met from this machine. */
static const struct {
	const char *name, *text, *host, *local;
	unsigned int port;
} good[] = {
	{ "IPv4", "192.0.2.7:9641", "192.0.2.7", "192.0.2.7", 9641 },
	{ "loopback", "127.0.0.1:1", "127.0.0.1", "127.0.0.1", 1 },
	{ "any IPv4", "0.0.0.0:65535", "0.0.0.0", "127.0.0.1", 65535 },
	{ "IPv6", "[2001:db8::7]:80", "2001:db8::7", "2001:db8::7", 80 },
	{ "any IPv6", "[::]:9641", "::", "::1", 9641 },
};

START_TEST(read_good)
{
	struct address address;
	char text[INET6_ADDRSTRLEN];
	const struct sockaddr_in *v4 = (void *)&address.socket;
	const struct sockaddr_in6 *v6 = (void *)&address.socket;
	const char *const wanted[] = { good[_i].host, good[_i].local };

	ck_assert_int_eq(address_read(&address, good[_i].text), STATUS_OK);
	for (size_t i = 0; i < nitems(wanted); i++) {
		bool is_v4 = address.socket.ss_family == AF_INET;
		ck_assert_ptr_nonnull(inet_ntop(address.socket.ss_family,
		    is_v4 ? (const void *)&v4->sin_addr : &v6->sin6_addr, text,
		    sizeof(text)));
		ck_assert_str_eq(text, wanted[i]);
		ck_assert_uint_eq(
		    ntohs(is_v4 ? v4->sin_port : v6->sin6_port), good[_i].port);
		ck_assert_uint_eq(
		    address.len, is_v4 ? sizeof(*v4) : sizeof(*v6));
		address_to_local(&address);
	}
}
END_TEST

static const char *const bad[] = {
	"",
	":",
	":9641",
	"9641",
	"127.0.0.1",
	"127.0.0.1:",
	"127.0.0.1:0",
	"127.0.0.1:65536",
	"127.0.0.1:-1",
	"127.0.0.1:9641 ",
	"127.0.0.1:http",
	"127.0.0:80",
	"256.0.0.1:80",
	"localhost:80",
	"::1:80",
	"[::1]",
	"[::1]:0",
	"[::1:80",
	"::1]:80",
	"[]:80",
	"[127.0.0.1]:80",
	"[::g]:80",
	"tcp://127.0.0.1:80",
	"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80",
};

START_TEST(read_bad)
{
	struct address address;

	ck_assert_msg(address_read(&address, bad[_i]) == STATUS_MALFORMED,
	    "\"%s\" was taken", bad[_i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("address");
	TCase *tcase = tcase_create("O-07 addresses");

	tcase_add_loop_test(tcase, read_good, 0, nitems(good));
	tcase_add_loop_test(tcase, read_bad, 0, nitems(bad));
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
