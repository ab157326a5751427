// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * A disk of a native machine, provided inside of it: an NBD device over a file of
 * the host.
 *
 *   file-disk /dev/nbdN FILE
 *
 * The kernel's own disk (ubd) never passes a flush on to the host, and takes only
 * discards of up to 32 KiB, less than a pool block.
 *
 *   nbd ─► this program ─► hostfs ─► pread, pwrite, fsync on the host
 *
 * On the host the cache of volatile-preload.c may be in between.  Written data has
 * arrived when the system call returns.  A discarded range is overwritten with
 * garbage.  The program returns when the device is ready; a child goes on serving.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/nbd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "nbd.h"

#define SECTOR 512

static int file;

static int file_read(void *buf, uint64_t from, size_t length)
{
	ssize_t n = pread(file, buf, length, from);

	return n == (ssize_t)length ? 0 : n < 0 ? -errno : -EIO;
}

static int file_write(const void *buf, uint64_t from, size_t length)
{
	ssize_t n = pwrite(file, buf, length, from);

	return n == (ssize_t)length ? 0 : n < 0 ? -errno : -EIO;
}

static int file_trim(uint64_t from, uint64_t length)
{
	static uint8_t garbage[1 << 20];
	uint64_t n;
	int e;

	memset(garbage, 0xd1, sizeof(garbage));
	for (; length; from += n, length -= n) {
		n = length < sizeof(garbage) ? length : sizeof(garbage);
		e = file_write(garbage, from, n);
		if (e)
			return e;
	}
	return 0;
}

/* Flushing more than the range is allowed. */
static int file_flush(uint64_t from, uint64_t length)
{
	(void)from;
	(void)length;
	return fsync(file) ? -errno : 0;
}

static struct nbd_disk disk = {
	.read = file_read,
	.write = file_write,
	.trim = file_trim,
	.flush = file_flush,
};

/* Wait until the device has its size; false if that takes too long. */
static bool wait_for(const char *device)
{
	uint64_t bytes = 0;
	int fd, i;

	for (i = 0; i < 3000 && bytes != disk.size; i++) {
		if (i)
			usleep(10000);
		fd = open(device, O_RDONLY);
		if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes))
			bytes = 0;
		if (fd >= 0)
			close(fd);
	}
	return bytes == disk.size;
}

static bool set_up(int nbd, int socket)
{
	return !ioctl(nbd, NBD_SET_BLKSIZE, SECTOR) &&
	       !ioctl(nbd, NBD_SET_SIZE_BLOCKS, disk.size / SECTOR) &&
	       !ioctl(nbd, NBD_SET_FLAGS, NBD_EXPORT_FLAGS) &&
	       !ioctl(nbd, NBD_SET_SOCK, socket);
}

int main(int argc, char **argv)
{
	int ends[2], nbd;
	struct stat st;

	if (argc != 3) {
		fprintf(stderr, "usage: file-disk /dev/nbdN FILE\n");
		return 2;
	}
	file = open(argv[2], O_RDWR);
	if (file < 0 || fstat(file, &st)) {
		perror(argv[2]);
		return 1;
	}
	disk.size = st.st_size / SECTOR * SECTOR;
	nbd = open(argv[1], O_RDWR);
	if (nbd < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) ||
	    !set_up(nbd, ends[0])) {
		perror(argv[1]);
		return 1;
	}
	if (!fork())
		return ioctl(nbd, NBD_DO_IT) ? 1 : 0;
	close(nbd);
	close(ends[0]);
	if (!fork())
		return nbd_serve(ends[1], &disk) ? 0 : 1;
	if (!wait_for(argv[1])) {
		fprintf(stderr, "file-disk: %s does not get its size\n",
			argv[1]);
		return 1;
	}
	return 0;
}
