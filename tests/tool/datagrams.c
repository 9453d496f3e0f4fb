/*
 * datagrams SOCKET
 *
 * Bind the datagram socket SOCKET, as a service manager has one, and print a
 * line for each datagram that comes, until it is killed.  A name with @ before
 * it is no file.
 */
#include <err.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define DATAGRAM_BYTES_MAX 4096

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char text[DATAGRAM_BYTES_MAX];
	ssize_t len;

	if (argc != 2 || strlen(argv[1]) >= sizeof(address.sun_path))
		errx(2, "usage: datagrams SOCKET");
	size_t path_len = strlen(argv[1]);
	memcpy(address.sun_path, argv[1], path_len);
	if (argv[1][0] == '@')
		address.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				      path_len)) != 0)
		err(2, "%s", argv[1]);
	puts("bound");
	fflush(stdout);
	while ((len = recv(fd, text, sizeof(text), 0)) >= 0) {
		printf("%.*s\n", (int)len, text);
		fflush(stdout);
	}
	err(2, "recv");
}
