#include "words.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

struct word {
	const char *name;
	uint32_t value;
};

/* In the order in which they are written. POLLNVAL has no name in epoll(7). */
static const struct word masks[] = {
	{ "IN", EPOLLIN },         { "PRI", EPOLLPRI },         { "OUT", EPOLLOUT },
	{ "RDHUP", EPOLLRDHUP },   { "ERR", EPOLLERR },         { "HUP", EPOLLHUP },
	{ "NVAL", 0x20 },          { "RDNORM", EPOLLRDNORM },   { "RDBAND", EPOLLRDBAND },
	{ "WRNORM", EPOLLWRNORM }, { "WRBAND", EPOLLWRBAND },   { "MSG", EPOLLMSG },
	{ "ET", EPOLLET },         { "ONESHOT", EPOLLONESHOT }, { "EXCLUSIVE", EPOLLEXCLUSIVE },
	{ "WAKEUP", EPOLLWAKEUP },
};

static const struct word signals[] = {
	{ "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "ALRM", SIGALRM }, { "CHLD", SIGCHLD },
	{ "HUP", SIGHUP },   { "INT", SIGINT },   { "TERM", SIGTERM }, { "URG", SIGURG },
};

static const struct word options[] = {
	{ "RCVLOWAT", SO_RCVLOWAT },   { "RCVBUF", SO_RCVBUF }, { "SNDBUF", SO_SNDBUF },
	{ "OOBINLINE", SO_OOBINLINE }, { "LINGER", SO_LINGER }, { "KEEPALIVE", SO_KEEPALIVE },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct word *find(const struct word *words, size_t count, const char *at, size_t len)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(words[i].name) == len && memcmp(words[i].name, at, len) == 0)
			return &words[i];
	return NULL;
}

void words_add_mask(struct note *note, uint32_t mask)
{
	const char *separator = "";

	if (mask == 0)
		note_add(note, "0");
	for (size_t i = 0; i < COUNT(masks); i++) {
		if ((mask & masks[i].value) == 0)
			continue;
		note_add(note, "%s%s", separator, masks[i].name);
		mask &= ~masks[i].value;
		separator = "|";
	}
	if (mask != 0)
		note_add(note, "%s0x%" PRIx32, separator, mask);
}

uint32_t words_mask(const char *at, size_t len)
{
	const struct word *word = find(masks, COUNT(masks), at, len);

	return word ? word->value : 0;
}

enum { ERRNO_MOST = 133 }; /* EHWPOISON, the last one of errno(3) */

void words_add_errno(struct note *note, int error)
{
	const char *name = strerrorname_np(error);

	if (name)
		note_add(note, "%s", name);
	else
		note_add(note, "errno %d", error);
}

int words_errno(const char *at, size_t len)
{
	for (int error = 1; error <= ERRNO_MOST; error++) {
		const char *name = strerrorname_np(error);

		if (name && strlen(name) == len && memcmp(name, at, len) == 0)
			return error;
	}
	return 0;
}

int words_signal(const char *at, size_t len)
{
	const struct word *word = find(signals, COUNT(signals), at, len);

	return word ? (int)word->value : 0;
}

int words_option(const char *at, size_t len)
{
	const struct word *word = find(options, COUNT(options), at, len);

	return word ? (int)word->value : -1;
}
