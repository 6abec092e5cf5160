/* Threads that are blocked in epoll_wait, and time: ep_poll. */
#include "state.h"

/* A waiter that is woken leaves the queue at once, before it runs: ep_autoremove_wake_function. */
void waiter_wake(struct model *m, struct object *epoll)
{
	struct waiter *waiter = OWNER(epoll->epoll.waiters.next, struct waiter, link);

	unlink_it(&waiter->link);
	waiter->state = MODEL_WOKEN;
	push_back(&m->woken, &waiter->link);
}

static void finish(struct model *m, struct waiter *waiter, int result)
{
	unlink_it(&waiter->link);
	alarm_clear(&waiter->alarm);
	waiter->state = MODEL_DONE;
	waiter->result = result;
	file_put(m, waiter->file);
}

/* In front: who has begun to wait last is woken first (__add_wait_queue_exclusive). */
static void fall_asleep(struct waiter *waiter)
{
	waiter->state = MODEL_ASLEEP;
	push_front(&waiter->file->object->epoll.waiters, &waiter->link);
}

static bool is_over(const struct model *m, const struct waiter *waiter)
{
	return waiter->alarm.at <= m->now;
}

/* Who finds nothing goes on waiting. */
static void look_again(struct model *m, struct waiter *waiter)
{
	int result;

	unlink_it(&waiter->link);
	result = epoll_collect(m, waiter->file->object, waiter->events, waiter->maxevents);
	if (result != 0 || is_over(m, waiter))
		finish(m, waiter, result);
	else
		fall_asleep(waiter);
}

void model_run(struct model *m)
{
	while (linked(&m->woken))
		look_again(m, OWNER(m->woken.next, struct waiter, link));
}

static struct waiter *free_waiter(struct model *m)
{
	for (uint32_t i = 0; i < m->config.waiters; i++)
		if (m->waiters[i].state == 0)
			return &m->waiters[i];
	return NULL;
}

int model_block(struct model *m, int epfd, struct model_event *events, int maxevents,
		int64_t timeout_ns)
{
	struct waiter *waiter = free_waiter(m);
	int error = epoll_check(m, epfd, maxevents);

	if (error != 0 || waiter == NULL)
		return error != 0 ? error : MODEL_ENOMEM;
	*waiter = (struct waiter){ .file = file_at(m, epfd),
				   .events = events,
				   .maxevents = maxevents };
	waiter->file->users++;
	waiter->alarm.waiter = waiter;
	waiter->alarm.at = UINT64_MAX;
	link_init(&waiter->link);
	link_init(&waiter->alarm.link);
	if (timeout_ns >= 0)
		alarm_set(m, &waiter->alarm, m->now + (uint64_t)timeout_ns);
	look_again(m, waiter);
	return (int)(waiter - m->waiters);
}

static struct waiter *waiter_at(const struct model *m, int number)
{
	ASSERT(number >= 0 && (uint32_t)number < m->config.waiters);
	ASSERT(m->waiters[number].state != 0);
	return &m->waiters[number];
}

void model_interrupt(struct model *m, int waiter)
{
	ASSERT(waiter_at(m, waiter)->state == MODEL_ASLEEP);
	finish(m, waiter_at(m, waiter), MODEL_EINTR);
}

enum model_waiting model_waiter(const struct model *m, int waiter, int *result)
{
	const struct waiter *it = waiter_at(m, waiter);

	*result = it->state == MODEL_DONE ? it->result : 0;
	return it->state;
}

void model_waiter_free(struct model *m, int waiter)
{
	ASSERT(waiter_at(m, waiter)->state == MODEL_DONE);
	waiter_at(m, waiter)->state = 0;
}

uint64_t model_now(const struct model *m)
{
	return m->now;
}

uint64_t model_next(const struct model *m)
{
	return linked(&m->alarms) ? OWNER(m->alarms.next, struct alarm, link)->at : UINT64_MAX;
}

/* Those of the same time go off in the order in which they were set. */
void alarm_set(struct model *m, struct alarm *alarm, uint64_t at)
{
	struct link *place = m->alarms.prev;

	ASSERT(!linked(&alarm->link));
	alarm->at = at;
	while (place != &m->alarms && OWNER(place, struct alarm, link)->at > at)
		place = place->prev;
	link_after(&alarm->link, place);
}

void alarm_clear(struct alarm *alarm)
{
	unlink_it(&alarm->link);
}

static void go_off(struct model *m, struct alarm *alarm)
{
	alarm_clear(alarm);
	if (alarm->timer != NULL)
		timer_expires(m, alarm->timer);
	else if (alarm->waiter->state == MODEL_ASLEEP)
		finish(m, alarm->waiter, 0);
	model_run(m);
}

void model_advance(struct model *m, uint64_t ns)
{
	uint64_t end = m->now + ns;

	ASSERT(end >= m->now && end < UINT64_MAX);
	model_run(m);
	while (model_next(m) <= end) {
		m->now = model_next(m);
		go_off(m, OWNER(m->alarms.next, struct alarm, link));
	}
	m->now = end;
}
