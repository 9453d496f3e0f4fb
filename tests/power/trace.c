#include "trace.h"

#include <err.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct trace trace_open(const char *path)
{
	struct trace self = { 0 };
	struct stat found;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &found) != 0)
		err(70, "%s", path);
	self.bytes = (size_t)found.st_size;
	if (self.bytes > 0) {
		void *data =
		    mmap(NULL, self.bytes, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data == MAP_FAILED)
			err(70, "%s", path);
		self.data = data;
	}
	close(fd);
	return self;
}

void trace_close(struct trace *self)
{
	if (self->data)
		munmap((void *)self->data, self->bytes);
	*self = (struct trace){ 0 };
}

bool trace_next(struct trace *self, struct trace_event *out)
{
	size_t left = self->bytes - self->at;

	if (left < sizeof(out->header))
		return false;
	memcpy(&out->header, self->data + self->at, sizeof(out->header));
	if (left - sizeof(out->header) < out->header.bytes)
		return false;
	out->data = self->data + self->at + sizeof(out->header);
	self->at += sizeof(out->header) + out->header.bytes;
	return true;
}

bool trace_is_mark(const struct trace_event *event, const char *text)
{
	size_t len = strlen(text);

	return event->header.kind == TRACE_MARK && event->header.bytes >= len &&
	       memcmp(event->data, text, len) == 0;
}
