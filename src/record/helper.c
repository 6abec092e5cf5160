#include "helper.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { FRAMES_AT_ONCE = 16, FRAME_MAX = RECORD_LENGTH_SIZE + RECORD_PAYLOAD_MAX };

struct helper {
	struct record_shared *shared;
	uint32_t frames;
	uint32_t crc;
	uint64_t written;     /* bytes of the file, all of them whole frames; */
	uint32_t written_crc; /* their checksum */
	size_t have;          /* bytes in `in` */
	size_t out_size;
	uint8_t in[FRAMES_AT_ONCE * FRAME_MAX];
	/* Frames are at least 3 bytes long; their checksums come on top. */
	uint8_t out[RECORD_MAGIC_SIZE + FRAMES_AT_ONCE * FRAME_MAX * 3];
};

_Static_assert(3 + RECORD_CRC_SIZE <= 3 * 3, "frames with their checksums fit `out`");

static void add(struct helper *h, const uint8_t *bytes, size_t size)
{
	memcpy(h->out + h->out_size, bytes, size);
	h->out_size += size;
}

/* Frames come without checksums: those are made here, where they cost the server nothing. */
static void add_frame(struct helper *h, const uint8_t *payload, size_t length)
{
	uint8_t bytes[RECORD_CRC_SIZE] = { (uint8_t)length, (uint8_t)(length >> 8) };

	if (h->frames++ == 0) {
		add(h, (const uint8_t *)RECORD_MAGIC, RECORD_MAGIC_SIZE);
		h->crc = record_crc(0, (const uint8_t *)RECORD_MAGIC, RECORD_MAGIC_SIZE);
	}
	add(h, bytes, RECORD_LENGTH_SIZE);
	add(h, payload, length);
	h->crc = record_crc(h->crc, bytes, RECORD_LENGTH_SIZE);
	h->crc = record_crc(h->crc, payload, length);
	for (unsigned i = 0; i < RECORD_CRC_SIZE; i++)
		bytes[i] = (uint8_t)(h->crc >> (8 * i));
	add(h, bytes, RECORD_CRC_SIZE);
}

/* What is written in part goes again, so that the recording ends with a mark if any room is
 * left. */
_Noreturn static void give_up(struct helper *h, int error)
{
	uint8_t mark[RECORD_END_SIZE];
	off_t whole = (off_t)h->written;

	atomic_store(&h->shared->error, error);
	if (whole == 0 || ftruncate(STDOUT_FILENO, whole) != 0 ||
	    lseek(STDOUT_FILENO, whole, SEEK_SET) != whole)
		_exit(1);
	h->out_size = 0;
	h->crc = h->written_crc;
	add_frame(h, mark, record_put_end(mark, sizeof(mark), RECORD_UNWRITTEN, ECHO_RUNNING));
	_exit(write(STDOUT_FILENO, h->out, h->out_size) == (ssize_t)h->out_size ? 0 : 1);
}

static void write_out(struct helper *h)
{
	const uint8_t *at = h->out;

	/* What the file held is kept until there is something to take its place. */
	if (h->written == 0 && h->out_size > 0 && ftruncate(STDOUT_FILENO, 0) != 0 &&
	    errno != EINVAL)
		give_up(h, errno);
	while (h->out_size > 0) {
		ssize_t count = write(STDOUT_FILENO, at, h->out_size);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			give_up(h, count < 0 ? errno : EIO);
		at += count;
		h->out_size -= (size_t)count;
	}
	h->written += (size_t)(at - h->out);
	h->written_crc = h->crc;
}

/* All frames that are there whole; what is left of the next one moves to the front. */
static void add_frames(struct helper *h)
{
	const uint8_t *at = h->in;

	while (h->have >= RECORD_LENGTH_SIZE) {
		size_t length = (size_t)at[0] | (size_t)at[1] << 8;

		if (h->have < RECORD_LENGTH_SIZE + length)
			break;
		add_frame(h, at + RECORD_LENGTH_SIZE, length);
		at += RECORD_LENGTH_SIZE + length;
		h->have -= RECORD_LENGTH_SIZE + length;
	}
	memmove(h->in, at, h->have);
}

/* What the server had gathered when it went, unless it had just come through the pipe. */
static void add_gathered(struct helper *h)
{
	uint64_t gathered = atomic_load(&h->shared->gathered);
	uint32_t size = gathered & (RECORD_MARKED - 1);

	if (gathered >> 32 == h->frames && size > 0 && size <= RECORD_PAYLOAD_MAX)
		add_frame(h, h->shared->frame + RECORD_LENGTH_SIZE, size);
}

static void add_cut(struct helper *h)
{
	uint8_t mark[RECORD_END_SIZE];

	add_frame(h, mark, record_put_end(mark, sizeof(mark), RECORD_CUT, ECHO_RUNNING));
}

static void copy(struct helper *h)
{
	for (;;) {
		ssize_t count = read(STDIN_FILENO, h->in + h->have, sizeof(h->in) - h->have);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return;
		h->have += (size_t)count;
		add_frames(h);
		write_out(h);
	}
}

/* A terminal's signals are meant for the server; what it does about them is to be recorded. A file
 * at its limit is an error of write(2), no more. */
static void ignore_signals(void)
{
	static const int numbers[] = { SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
				       SIGUSR1, SIGTSTP, SIGXFSZ, SIGPIPE };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		signal(numbers[i], SIG_IGN);
}

/* Standard error is closed as well: whoever waits for its end waits for the server only. */
static void keep(int pipe, int file)
{
	dup2(pipe, STDIN_FILENO);
	dup2(file, STDOUT_FILENO);
	closefrom(STDERR_FILENO);
}

_Noreturn void helper_run(int pipe, int file, struct record_shared *shared)
{
	static struct helper helper;

	helper.shared = shared;
	setsid();
	ignore_signals();
	prctl(PR_SET_NAME, "echo-recorder");
	keep(pipe, file);
	copy(&helper);
	add_gathered(&helper);
	if (helper.frames > 0 && (atomic_load(&shared->gathered) & RECORD_MARKED) == 0)
		add_cut(&helper);
	write_out(&helper);
	atomic_store(&shared->done, true);
	_exit(0);
}
