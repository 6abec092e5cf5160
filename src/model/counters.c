/* Objects that are read as a number: fs/eventfd.c and fs/timerfd.c. */
#include "state.h"

enum { NUMBER_SIZE = sizeof(uint64_t) };

static int64_t number_read(uint64_t number, void *bytes)
{
	if (bytes != NULL)
		memcpy(bytes, &number, NUMBER_SIZE);
	return NUMBER_SIZE;
}

static int opened(struct model *m, struct object *object)
{
	int fd = file_open(m, object, MODE_READ | MODE_WRITE);

	if (fd < 0)
		object_free(m, object);
	return fd;
}

int model_eventfd(struct model *m, uint64_t count, bool semaphore)
{
	struct object *object = object_new(m, KIND_EVENTFD, false);

	if (object == NULL)
		return MODEL_ENFILE;
	object->counter = (struct counter){ .count = count, .semaphore = semaphore };
	return opened(m, object);
}

/* The largest count is one less than the largest number, so there is room for a write of 1 while it
 * is one less than that. */
uint32_t counter_readiness(const struct object *object)
{
	uint64_t count = object->counter.count;

	return (count > 0 ? MODEL_IN : 0) | (count < UINT64_MAX - 1 ? MODEL_OUT : 0);
}

int64_t counter_read(struct model *m, struct object *object, void *bytes, size_t size)
{
	struct counter *counter = &object->counter;
	uint64_t number = counter->semaphore ? 1 : counter->count;

	if (size < NUMBER_SIZE)
		return MODEL_EINVAL;
	if (counter->count == 0)
		return MODEL_EAGAIN;
	counter->count -= number;
	wake(m, object, QUEUE_MAIN, MODEL_OUT);
	return number_read(number, bytes);
}

/* Each write is announced, also one that adds 0, and whether it was 0 before or not. */
int64_t counter_write(struct model *m, struct object *object, const void *bytes, size_t size)
{
	struct counter *counter = &object->counter;
	uint64_t number;

	if (size != NUMBER_SIZE)
		return MODEL_EINVAL;
	memcpy(&number, bytes, NUMBER_SIZE);
	if (number == UINT64_MAX)
		return MODEL_EINVAL;
	if (number >= UINT64_MAX - counter->count)
		return MODEL_EAGAIN;
	counter->count += number;
	wake(m, object, QUEUE_MAIN, MODEL_IN);
	return NUMBER_SIZE;
}

int model_timerfd(struct model *m)
{
	struct object *object = object_new(m, KIND_TIMERFD, false);

	if (object == NULL)
		return MODEL_ENFILE;
	object->timer.alarm.timer = object;
	link_init(&object->timer.alarm.link);
	return opened(m, object);
}

uint32_t timer_readiness(const struct object *object)
{
	return object->timer.ticks > 0 ? MODEL_IN : 0;
}

static void start(struct model *m, struct timer *timer, uint64_t expires)
{
	timer->expires = expires;
	alarm_set(m, &timer->alarm, expires);
}

/* It takes back what was not read, and announces nothing. */
int model_timer_set(struct model *m, int fd, uint64_t first, uint64_t interval)
{
	struct object *object = object_at(m, fd, KIND_TIMERFD);
	struct timer *timer;

	if (object == NULL)
		return refused(m, fd, MODEL_EINVAL);
	timer = &object->timer;
	alarm_clear(&timer->alarm);
	timer->ticks = 0;
	timer->expired = false;
	timer->interval = interval;
	if (first > 0)
		start(m, timer, first > UINT64_MAX - m->now ? UINT64_MAX : m->now + first);
	return 0;
}

/* It is not started again before it is read, so there is one wake-up however long that takes
 * (timerfd_triggered). */
void timer_expires(struct model *m, struct object *object)
{
	object->timer.expired = true;
	object->timer.ticks++;
	wake(m, object, QUEUE_MAIN, MODEL_IN);
}

/* Periods that have begun since; the next one is waited for from now on (hrtimer_forward_now). */
static uint64_t forward(struct model *m, struct timer *timer)
{
	uint64_t periods = (m->now - timer->expires) / timer->interval + 1;

	start(m, timer, timer->expires + periods * timer->interval);
	return periods;
}

int64_t timer_read(struct model *m, struct object *object, void *bytes, size_t size)
{
	struct timer *timer = &object->timer;
	uint64_t ticks = timer->ticks;

	if (size < NUMBER_SIZE)
		return MODEL_EINVAL;
	if (ticks == 0)
		return MODEL_EAGAIN;
	if (timer->expired && timer->interval > 0)
		ticks += forward(m, timer) - 1;
	timer->ticks = 0;
	timer->expired = false;
	return number_read(ticks, bytes);
}
