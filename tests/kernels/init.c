/*
 * The first process of a machine that has nothing else: ci/kernels boots kernels into it. It makes
 * what clauses need (/proc, /dev, terminals, a loopback that is up), runs the command that the
 * kernel's command line has after "--", or else plays the clauses, tells how that ended, and
 * switches off.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static char *const clauses[] = { "/epoll-scenario", "--conformance", NULL };

static void complain(const char *what, const char *name)
{
	fprintf(stderr, "init: %s %s: %s\n", what, name, strerror(errno));
}

static void provide(const char *type, const char *folder)
{
	mkdir(folder, 0755);
	if (mount(type, folder, type, 0, NULL) != 0)
		complain("mount", folder);
}

static void raise_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0)
		complain("up", request.ifr_name);
	if (fd >= 0)
		close(fd);
}

/* A kernel that finds no /dev/console in its root starts the first process without descriptors. */
static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR);

	for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; standard++)
		dup2(fd, standard);
	if (fd > STDERR_FILENO)
		close(fd);
}

static int run(char *const *command)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		execv(command[0], command);
		complain("exec", command[0]);
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

int main(int argc, char **argv)
{
	int status;

	if (getpid() != 1) {
		fputs("init: it mounts, and switches the machine off: for the first process only\n",
		      stderr);
		return 2;
	}
	provide("devtmpfs", "/dev");
	open_console();
	provide("proc", "/proc");
	provide("sysfs", "/sys");
	provide("devpts", "/dev/pts");
	provide("tmpfs", "/tmp");
	raise_loopback();
	status = run(argc > 1 ? argv + 1 : clauses);
	if (WIFEXITED(status))
		printf("init: ended, status %d\n", WEXITSTATUS(status));
	else
		printf("init: ended, signal %d\n", WTERMSIG(status));
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
	reboot(RB_POWER_OFF);
	complain("reboot", "off");
	return 1;
}
